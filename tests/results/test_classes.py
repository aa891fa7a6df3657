"""Three classes from the table to the results: each against the rest, agreeing with scikit-learn."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import roc_auc_score

from core.api.runs import load_runs, train_methods
from core.cli import main
from core.errors import UserError
from core.results.classes import _measured, in_words

SET = {"epochs": 2, "width": 16, "heads": 2, "bootstrap": 5}
GRADES = ("none", "mild", "severe")


def table(n: int = 360) -> pd.DataFrame:
    rng = np.random.default_rng(3)
    grade = rng.integers(0, 3, n)
    return pd.DataFrame(
        {
            "id": [f"s{i}" for i in range(n)],
            "grade": [GRADES[g] for g in grade],
            "sex": [("female", "male")[i % 2] for i in range(n)],
            "age": np.round(50 + 8 * (grade == 1) + rng.normal(0, 8, n), 1),
            "pressure": np.round(16 + 4 * (grade == 2) + rng.normal(0, 4, n), 2),
        }
    )


def saved(folder: Path, frame: pd.DataFrame) -> str:
    frame.to_csv(folder / "grades.csv", index=False)
    return str(folder / "grades.csv")


INGEST = ["--label", "grade", "--classes", "none,mild,severe", "--attribute", "sex", "--tabular", "eye=pressure", "--tabular", "history=age", "--id", "id"]


@pytest.fixture
def place(tmp_path: Path) -> Path:
    assert main(["ingest", saved(tmp_path, table()), *INGEST, "--name", "grades", "--workspace", str(tmp_path / "w")]) == 0
    return tmp_path / "w"


def test_classes_reach_the_results_one_against_the_rest(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    capsys.readouterr()
    runs = train_methods("grades", ["multifair", "erm"], seeds=[1], settings=SET, workspace=place)
    found = runs.table("classes")
    for run_id in runs.run_ids:
        own = found[found["run_id"] == run_id].set_index("class")
        assert list(own.index[:3]) == list(GRADES) and pd.isna(own.index[3])
        wide = pd.read_parquet(place / "runs" / run_id / "predictions.parquet")
        wide = wide[wide["split"] == "test"].assign(sex=lambda f: [("female", "male")[int(s[1:]) % 2] for s in f["sample_id"]])
        assert set(wide["y"]) == {0, 1, 2} and wide[[f"probability__{k}" for k in range(3)]].sum(axis=1).to_numpy() == pytest.approx(1)
        areas, fair = [], []
        for k, name in enumerate(GRADES):
            whole = roc_auc_score(wide["y"] == k, wide[f"probability__{k}"])
            groups = [roc_auc_score(part["y"] == k, part[f"probability__{k}"]) for _, part in wide.groupby("sex")]
            areas.append(whole)
            fair.append(whole / (1 + sum(abs(g - whole) for g in groups)))
            assert own.loc[name, "auc"] == pytest.approx(whole) and own.loc[name, "es_auc"] == pytest.approx(fair[-1])
            assert own.loc[name, "worst_group_auc"] == pytest.approx(min(groups))
            assert (own.loc[name, "n_pos"], own.loc[name, "n_neg"]) == ((wide["y"] == k).sum(), (wide["y"] != k).sum())
        assert (
            own["auc"].iloc[3]
            == pytest.approx(np.mean(areas))
            == pytest.approx(roc_auc_score(wide["y"], wide[[f"probability__{k}" for k in range(3)]], multi_class="ovr"))
        )
        assert own["es_auc"].iloc[3] == pytest.approx(np.mean(fair))
        summary = runs.table("summary").set_index("run_id").loc[run_id]
        assert summary["auc"] == pytest.approx(roc_auc_score(wide["y"] > 0, wide["score"])), "the summary is of any class but the first"
    assert main(["results", "classes", "--json", "--workspace", str(place)]) == 0
    assert {row["class"] for row in json.loads(capsys.readouterr().out)} == {*GRADES, None}


def test_a_class_too_rare_to_judge_leaves_no_mean(tmp_path: Path) -> None:
    frame = table()
    rare = np.flatnonzero(frame["grade"] == "severe")[20:]
    frame.loc[rare, "grade"] = "mild"
    assert main(["ingest", saved(tmp_path, frame), *INGEST, "--name", "grades", "--workspace", str(tmp_path / "w")]) == 0
    found = train_methods("grades", ["erm"], seeds=[1], settings=SET, workspace=tmp_path / "w").table("classes").set_index("class")
    assert found.loc["severe", "auc"] != found.loc["severe", "auc"] and "positive" in found.loc["severe", "reason"]
    assert pd.isna(found["auc"].iloc[3]) and found["reason"].iloc[3] == "not estimable for severe"
    assert found.loc["none", "auc"] > 0


def test_what_knows_two_classes_only_says_so(place: Path) -> None:
    with pytest.raises(UserError, match="threshold-optimizer supports two classes, not 3"):
        from core.cohort import load
        from core.training.presets import make_spec
        from core.training.train import train
        from core.workspace import Workspace
        from tests.training.synthetic import ListSink

        train(load(Workspace.open(place), "grades"), make_spec("threshold-optimizer", "quick", "sex", 0, {"epochs": 1}), ListSink())


def test_two_classes_have_no_rows(tmp_path: Path) -> None:
    frame = table().assign(grade=lambda f: (f["grade"] != "none").astype(int))
    roles = ["--label", "grade", "--attribute", "sex", "--tabular", "eye=pressure", "--id", "id", "--drop", "age"]
    assert main(["ingest", saved(tmp_path, frame), *roles, "--name", "two", "--workspace", str(tmp_path / "w")]) == 0
    runs = train_methods("two", ["erm"], seeds=[1], settings=SET, workspace=tmp_path / "w")
    assert runs.table("classes").empty and list(runs.table("classes").columns)
    assert load_runs(workspace=tmp_path / "w").table("classes").empty


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--classes", "none,mild"], "name 3 to 100 different values"),
        (["--classes", "none,mild,dire"], "never holds 'dire'; it holds mild, none, severe"),
        (["--classes", "none,mild,severe", "--positive", "mild"], "no --positive"),
    ],
)
def test_wrong_classes_are_told(tmp_path: Path, arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["ingest", saved(tmp_path, table()), "--label", "grade", *arguments, "--workspace", str(tmp_path / "w")]) != 0
    assert message in capsys.readouterr().err


def test_a_value_that_is_no_class_is_named_with_its_row(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    frame = table()
    frame.loc[4, "grade"] = "odd"
    assert main(["ingest", saved(tmp_path, frame), *INGEST, "--workspace", str(tmp_path / "w")]) != 0
    assert "row 6, column 'grade': 'odd' is none of the classes none, mild, severe" in capsys.readouterr().err


def test_of_one_group_that_can_be_judged_there_is_no_worst() -> None:
    """A class with one judged group has no worst group, so that the mean over classes never mixes the groups of some with one of others."""
    auc = SimpleNamespace(judged_values=[0.8], reason=[None])
    summaries = [SimpleNamespace(metric=name, value=value, reason="fewer than two groups can be judged") for name, value in
                 (("es_auc", float("nan")), ("worst_group_auc", 0.9), ("max_gap", float("nan")))]  # fmt: skip
    model = SimpleNamespace(
        tables={"auc": auc}, attribute=lambda name: SimpleNamespace(point_summaries=summaries), counts=SimpleNamespace(n_pos=[5], n_neg=[9])
    )
    found = _measured(model, "sex")  # type: ignore[arg-type]
    assert found["auc"] == 0.8 and found["worst_group_auc"] is None and found["es_auc"] is None and found["reason"]


def test_the_table_in_words_names_runs_and_the_mean() -> None:
    row = {"run_id": "a", "auc": 0.8, "es_auc": None, "worst_group_auc": None, "max_gap": None, "reason": "why"}
    table = pd.DataFrame(
        [{**row, "class": "mild", "n_pos": 3, "n_neg": 9}, {**row, "class": None, "n_pos": None, "n_neg": None}, {**row, "run_id": "b", "class": "mild"}]
    )
    shown = in_words(table, {"a": "ERM"})
    assert list(shown["Class"]) == ["mild", "mean over classes"] and set(shown["Run"]) == {"ERM"}
    assert list(shown.columns[:3]) == ["Run", "Class", "AUC"] and shown["Samples of the class"].iloc[0] == 3
