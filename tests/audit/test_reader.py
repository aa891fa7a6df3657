"""Reading predictions: every layout, and every refusal with file, row, column and remedy."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from core.audit import Mapping, Predictions, read_predictions
from core.audit.input.class_probabilities import class_probabilities
from core.audit.input.column_roles import check_columns
from core.audit.input.reader import with_metadata
from core.errors import UserError
from core.tables import read as read_table

ROLES = Mapping(label="y", score=("s",), attributes=("sex",))


def write(folder: Path, text: str, name: str = "p.csv") -> Path:
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path


def read(folder: Path, text: str, roles: Mapping = ROLES) -> Predictions:
    return read_predictions(write(folder, text), roles)


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
def test_csv_by_delimiter(tmp_path: Path, delimiter: str) -> None:
    found = read(tmp_path, "y,s,sex\n1,0.9,F\n0,0.2,M\n".replace(",", delimiter))
    assert found.y.tolist() == [1, 0]
    assert found.scores["s"].tolist() == [0.9, 0.2]
    assert found.attributes["sex"].names == ("F", "M")


def test_parquet_equals_csv(tmp_path: Path) -> None:
    frame = pd.DataFrame({"y": [1, 0, 1], "s": [0.9, 0.2, 0.4], "sex": ["F", None, "M"], "age": [1.0, 2.0, None]})
    frame.to_parquet(tmp_path / "p.parquet")
    frame.to_csv(tmp_path / "p.csv", index=False)
    roles = Mapping(label="y", score=("s",), attributes=("sex", "age"))
    csv, parquet = (read_predictions(tmp_path / name, roles) for name in ("p.csv", "p.parquet"))
    for name in ("sex", "age"):
        assert csv.attributes[name].values().tolist() == parquet.attributes[name].values().tolist()
    assert csv.attributes["age"].names == ("1", "2")
    assert csv.attributes["sex"].n_missing == 1


@pytest.mark.parametrize(("low", "high"), [("0", "1"), ("-1", "1"), ("no", "yes"), ("False", "True"), ("0.0", "1.0"), ("control", "case")])
def test_known_label_codings(tmp_path: Path, low: str, high: str) -> None:
    assert read(tmp_path, f"y,s,sex\n{high},0.9,F\n{low},0.2,M\n").y.tolist() == [1, 0]


def test_unknown_labels_need_the_positive_value(tmp_path: Path) -> None:
    text = "y,s,sex\nmild,0.9,F\nsevere,0.2,M\n"
    with pytest.raises(UserError, match=r"p\.csv: column 'y' holds 2 values \('mild', 'severe'\).*--positive"):
        read(tmp_path, text)
    assert read(tmp_path, text, Mapping(label="y", score=("s",), attributes=("sex",), positive="severe")).y.tolist() == [0, 1]
    with pytest.raises(UserError, match="never holds 'none'"):
        read(tmp_path, text, Mapping(label="y", score=("s",), attributes=("sex",), positive="none"))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("y,s,sex\n1,abc,F\n0,0.2,M\n", r"p\.csv, row 2: column 's' holds 'abc', which is not a number"),
        ("y,s,sex\n1,0.9,F\n0,inf,M\n", r"p\.csv, row 3: column 's' is infinite"),
        ("y,s,sex\n1,0.9,F\n0,0.2,M,extra\n", r"row 3: 4 fields where the header names 3"),
        ("y,score,sex\n1,0.9,F\n", r"no column 's'; .*"),
        ("y,s,Sex\n1,0.9,F\n", r"no column 'sex'; did you mean 'Sex'\?"),
        ("y,s,s,sex\n1,0.9,1,F\n", r"two columns are called 's'"),
        ("y,s,sex\n", "no row"),
        ("", "empty"),
        ("y,s,sex\n1,,F\n,0.4,M\n", "no row has a label and a score"),
    ],
)
def test_refusals(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(UserError, match=message):
        read(tmp_path, text)


def test_refuses_what_is_no_table(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="there is no such file"):
        read_predictions(tmp_path / "none.csv", ROLES)
    with pytest.raises(UserError, match="not a table"):
        read_predictions(write(tmp_path, "x", "p.pkl"), ROLES)
    with pytest.raises(UserError, match="not a readable Parquet file"):
        read_predictions(write(tmp_path, "no parquet", "p.parquet"), ROLES)


def test_what_ingest_reads_is_read(tmp_path: Path) -> None:
    """Decimal commas, Windows-1252, a space after the comma, a bar between columns, a workbook: the same predictions."""
    plain = read(tmp_path, "y,s,sex\n1,0.9,Métis\n0,0.2,M\n")
    (tmp_path / "latin.csv").write_bytes("y,s,sex\n1,0.9,Métis\n0,0.2,M\n".encode("cp1252"))
    pd.DataFrame({"y": [1, 0], "s": [0.9, 0.2], "sex": ["Métis", "M"]}).to_stata(tmp_path / "p.dta", write_index=False, version=118)
    others = [
        read_predictions(write(tmp_path, "y;s;sex\n1;0,9;Métis\n0;0,2;M\n", "comma.csv"), ROLES),
        read_predictions(write(tmp_path, "y, s, sex\n1, 0.9, Métis\n0, 0.2, M\n", "space.csv"), ROLES),
        read_predictions(write(tmp_path, "y|s|sex\n1|0.9|Métis\n0|0.2|M\n", "bar.csv"), ROLES),
        read_predictions(write(tmp_path, 'y,s,sex\n1,"0,9",Métis\n0,"0,2",M\n', "quoted.csv"), ROLES),
        read_predictions(tmp_path / "latin.csv", ROLES),
        read_predictions(tmp_path / "p.dta", ROLES),
    ]
    for other in others:
        assert other.y.tolist() == plain.y.tolist()
        assert other.scores["s"].tolist() == plain.scores["s"].tolist() == [0.9, 0.2]
        assert other.attributes["sex"].values().tolist() == ["Métis", "M"]


def found(folder: Path, text: str, **roles: object) -> dict[str, object]:
    """Findings by code."""
    mapping = Mapping(**({"label": "y", "score": ("s",), "attributes": ("sex",)} | roles))  # type: ignore[arg-type]
    return {f.code: f for f in read(folder, text, mapping).findings}


def test_uncertain_labels_are_left_out_and_said(tmp_path: Path) -> None:
    text = "y,s,sex\n1,.9,F\n0,.2,M\n-1,.5,F\n0,.3,M\n"
    assert read(tmp_path, text).y.tolist() == [1, 0, 0]
    findings = found(tmp_path, text, positive="1")
    assert findings["label_uncertain"].rows == 1 and "'-1'" in findings["label_uncertain"].message  # type: ignore[attr-defined]
    assert "3 values" in findings["label_not_binary"].message  # type: ignore[attr-defined]
    assert read(tmp_path, text, Mapping("y", ("s",), ("sex",), uncertain="negative")).y.tolist() == [1, 0, 0, 0]
    assert read(tmp_path, text, Mapping("y", ("s",), ("sex",), uncertain="positive")).y.tolist() == [1, 0, 1, 0]


def test_a_graded_label_is_asked_about(tmp_path: Path) -> None:
    text = "y,s,sex\n0,.1,F\n1,.2,M\n2,.8,F\n"
    with pytest.raises(UserError, match=r"which value is positive.*grade.*>=1"):
        read(tmp_path, text)
    assert read(tmp_path, text, Mapping("y", ("s",), ("sex",), positive=">=1")).y.tolist() == [0, 1, 1]
    assert read(tmp_path, text, Mapping("y", ("s",), ("sex",), positive="> 1")).y.tolist() == [0, 0, 1]


def test_groups_that_look_like_one_are_named_and_merged_only_when_told(tmp_path: Path) -> None:
    text = "y,s,sex\n1,.9,F\n0,.2,f\n0,.3,Female\n1,.8,M\n0,.1,unknown\n"
    findings = found(tmp_path, text)
    assert all(word in findings["similar_groups"].message for word in ("'F'", "'f'", "'Female'"))  # type: ignore[attr-defined]
    assert "'unknown'" in findings["unknown_as_group"].message  # type: ignore[attr-defined]
    assert len(read(tmp_path, text).attributes["sex"].names) == 5
    merged = read(tmp_path, text, Mapping("y", ("s",), ("sex",), merge=("sex=F:f,Female", "sex=:unknown"))).attributes["sex"]
    assert merged.values().tolist() == ["F", "F", "F", "M", None]
    with pytest.raises(UserError, match="column 'sex' never holds 'g'"):
        read(tmp_path, text, Mapping("y", ("s",), ("sex",), merge=("sex=F:g",)))


def test_label_words_that_differ_between_label_and_prediction(tmp_path: Path) -> None:
    text = "y,s,p,sex\ncase,.9,1,F\ncontrol,.2,0,M\ncontrol,.8,1,M\n"
    mapping = Mapping("y", ("s",), ("sex",), prediction=("p",))
    predictions = read(tmp_path, text, mapping)
    assert predictions.decided["s"].tolist() == [1, 0, 1]
    assert "label_words_differ" in {f.code for f in predictions.findings}
    with pytest.raises(UserError, match="column 'p' never holds 'case'"):
        read(tmp_path, text.replace(",1,", ",a,").replace(",0,", ",b,"), mapping)


def test_one_patient_in_several_ways_of_writing_is_one_cluster(tmp_path: Path) -> None:
    predictions = read(tmp_path, "y,s,sex,pid\n1,.9,F,0007\n0,.2,F,7\n0,.3,M,8\n", Mapping("y", ("s",), ("sex",), patient="pid"))
    assert predictions.patient is not None and predictions.patient[0] == predictions.patient[1] != predictions.patient[2]
    assert "patient_ids_alike" in {f.code for f in predictions.findings}


def test_class_probabilities_are_no_models(tmp_path: Path) -> None:
    rows = "".join(f"{i % 2},{p},{1 - p:.3f},F\n" for i, p in enumerate((0.1, 0.9, 0.3, 0.8)))
    mapping = Mapping("y", ("p0", "p1"), ("sex",))
    assert "class_probabilities" in {f.code for f in read(tmp_path, "y,p0,p1,sex\n" + rows, mapping).findings}
    apart = "y,p0,p1,sex\n1,.9,.8,F\n0,.2,.3,M\n"
    assert "class_probabilities" not in {f.code for f in read(tmp_path, apart, mapping).findings}


def test_missing_values_cost_rows_and_are_counted(tmp_path: Path) -> None:
    found = read(tmp_path, "y,s,sex\n1,0.9,F\n,0.2,M\n0,,M\n0,0.3,\n")
    assert found.y.tolist() == [1, 0]
    assert {(f.code, f.rows) for f in found.findings} == {("missing_values", 1)}
    assert len(found.findings) == 2
    assert found.attributes["sex"].values().tolist() == ["F", None]


def test_repeated_ids(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="the id '7' in column 'id' stands in several rows"):
        read(tmp_path, "id,y,s,sex\n7,1,0.9,F\n7,0,0.2,M\n", Mapping(label="y", score=("s",), attributes=("sex",), id="id"))


LONG = Mapping(label="y", score=("s",), attributes=("sex",), id="id", model="model")


def test_wide_and_long_models_are_the_same(tmp_path: Path) -> None:
    wide = read(tmp_path, "y,a,b,sex\n1,.9,.8,F\n0,.2,.3,M\n", Mapping(label="y", score=("a", "b"), attributes=("sex",)))
    long = read(tmp_path, "id,model,y,s,sex\n1,a,1,.9,F\n2,b,0,.3,M\n2,a,0,.2,M\n1,b,1,.8,F\n", LONG)
    assert long.models == wide.models == ("a", "b")
    for name in "ab":
        assert long.scores[name].tolist() == wide.scores[name].tolist()
    assert long.y.tolist() == wide.y.tolist()


def test_unaligned_samples_are_left_out_and_counted(tmp_path: Path) -> None:
    found = read(tmp_path, "id,model,y,s,sex\n1,a,1,.9,F\n2,a,0,.2,M\n1,b,1,.8,F\n", LONG)
    assert len(found) == 1
    assert [(f.code, f.rows) for f in found.findings] == [("unaligned", 1)]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("id,model,y,s,sex\n1,a,1,.9,F\n1,b,0,.8,F\n", "column 'y' differs between the models 'a' and 'b' for id '1'"),
        ("id,model,y,s,sex\n1,a,1,.9,F\n1,b,1,.8,M\n", "column 'sex' differs"),
        ("id,model,y,s,sex\n1,a,1,.9,F\n1,a,1,.8,F\n", "model 'a' has several rows with the id '1'"),
        ("id,model,y,s,sex\n1,a,1,.9,F\n2,b,1,.8,F\n", "no sample was scored by all"),
    ],
)
def test_models_that_do_not_fit(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(UserError, match=message):
        read(tmp_path, text, LONG)


ORDERED = Mapping(label="y", score=("s",), attributes=("sex",), patient="p", model="model")


def test_models_without_an_id_are_put_together_by_order_where_all_else_agrees(tmp_path: Path) -> None:
    rows = ["a,1,1,.9,F", "b,1,1,.8,F", "a,1,0,.2,F", "a,2,0,.3,M", "b,1,0,.4,F", "b,2,0,.1,M"]
    found = read(tmp_path, "model,p,y,s,sex\n" + "\n".join(rows) + "\n", ORDERED)
    assert found.scores["a"].tolist() == [0.9, 0.2, 0.3] and found.scores["b"].tolist() == [0.8, 0.4, 0.1] and found.y.tolist() == [1, 0, 0]
    (said,) = found.findings
    assert said.code == "aligned_by_order" and "'y' and 'sex' and 'p' agree" in said.message
    gone = read(tmp_path, "model,p,y,s,sex\n" + "\n".join([*rows[:-2], "b,1,0,,F", rows[-1]]) + "\n", ORDERED)
    assert gone.scores["b"].tolist() == [0.8, 0.1] and gone.scores["a"].tolist() == [0.9, 0.3], "a row without a score keeps its place"
    with pytest.raises(UserError, match="column 'sex' differs between the models 'a' and 'b' for row of the model number '2'"):
        read(tmp_path, "model,p,y,s,sex\n" + "\n".join([*rows[:4], rows[5], rows[4]]) + "\n", ORDERED)
    with pytest.raises(UserError, match="model 'b' has 2 rows and 'a' has 3, and no column names the sample"):
        read(tmp_path, "model,p,y,s,sex\n" + "\n".join(rows[:-1]) + "\n", ORDERED)


def test_mappings_that_make_no_sense() -> None:
    with pytest.raises(UserError, match="2 score columns but 1 prediction"):
        Mapping(label="y", score=("a", "b"), prediction=("c",))
    with pytest.raises(UserError, match="named twice"):
        Mapping(label="y", score=("a",), attributes=("b", "b"))


def test_weights_and_splits(tmp_path: Path) -> None:
    text = "y,s,sex,w,fold\n1,.9,F,2,Test\n0,.2,M,1.5,val\n"
    found = read(tmp_path, text, Mapping(label="y", score=("s",), attributes=("sex",), weights="w", split="fold"))
    assert found.weights is not None and found.split is not None
    assert (found.weights.tolist(), found.split.tolist()) == ([2.0, 1.5], ["test", "validation"])
    with pytest.raises(UserError, match=r"row 3: the weight in column 'w' is missing or negative"):
        read(tmp_path, text.replace("1.5", "-1"), Mapping(label="y", score=("s",), attributes=("sex",), weights="w"))
    with pytest.raises(UserError, match="holds the split 'fold 3'"):
        read(tmp_path, text.replace("val", "fold 3"), Mapping(label="y", score=("s",), attributes=("sex",), split="fold"))


def test_metadata_with_a_row_for_every_id_is_no_finding(tmp_path: Path) -> None:
    (tmp_path / "p.csv").write_text("id,y,s\na,1,.9\nb,0,.2\nc,1,.6\nd,0,.4\n", encoding="utf-8")
    (tmp_path / "m.csv").write_text("id,sex\na,f\nb,m\nc,f\nd,m\n", encoding="utf-8")
    table, found = with_metadata(read_table(tmp_path / "p.csv"), read_table(tmp_path / "m.csv"), "id")
    assert found is None and list(table.frame["sex"]) == ["f", "m", "f", "m"]
    (tmp_path / "m.csv").write_text("id,sex\na,f\nb,m\nc,f\n", encoding="utf-8")
    _, found = with_metadata(read_table(tmp_path / "p.csv"), read_table(tmp_path / "m.csv"), "id")
    assert found is not None and (found.code, found.rows) == ("no_metadata", 1)


@pytest.mark.parametrize(("columns", "seen"), [(8, True), (9, False)])
def test_a_pair_that_adds_up_to_one_is_looked_for_among_up_to_eight_scores(columns: int, seen: bool) -> None:
    rng = np.random.default_rng(0)
    scores = {f"m{i}": rng.random(50) for i in range(columns - 1)}
    scores["other"] = 1 - scores["m3"]
    found = class_probabilities(Predictions.build(rng.integers(0, 2, 50), scores, {"g": rng.choice(["a", "b"], 50)}))
    assert [f.code for f in found] == (["class_probabilities"] if seen else [])


def test_a_column_that_is_not_there_is_answered_with_the_likeliest_one() -> None:
    for wanted, said in (("scroe", "did you mean 'score'"), ("SCORE", "did you mean 'score'"), ("xyz", "it has: id, score, label")):
        with pytest.raises(UserError, match=said):
            check_columns([wanted], ["id", "score", "label"], "t.csv")


def test_every_spelling_of_a_group_is_counted_the_first_one_too(tmp_path: Path) -> None:
    text = "y,s,sex\n" + "\n".join(f"{i % 2},.{i % 9 + 1},{sex}" for i, sex in enumerate(["F"] * 7 + ["f"] * 5 + ["M"] * 9)) + "\n"
    found = read(tmp_path, text, Mapping(label="y", score=("s",), attributes=("sex",)))
    (said,) = [f for f in found.findings if f.code == "similar_groups"]
    assert said.rows == 12 and "(12 rows)" in said.message
