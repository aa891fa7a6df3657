"""The API's audits: files, frames and arrays give the same numbers as the command line; user text is only text."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import altair as alt
import numpy as np
import pandas as pd
import pytest

from core import AuditOptions, UserError, audit_predictions, compare_models, write_report
from core.api.audits import AuditResult
from core.audit.input.column_roles import Mapping
from core.cli import main
from core.metrics.auc import auc
from core.metrics.multiple_testing import holm

FAST = AuditOptions(bootstrap=0)
NASTY = '<script>alert("x")</script>'


@pytest.fixture(scope="module")
def frame() -> pd.DataFrame:
    rng = np.random.default_rng(0)
    n = 600
    y = rng.integers(0, 2, n)
    return pd.DataFrame(
        {
            "id": np.arange(n), "pid": np.repeat(np.arange(n // 2), 2), "y": y, "one": (rng.random(n) + y).round(4) / 2,
            "two": (rng.random(n) + 0.3 * y).round(4) / 2,
            "three": rng.random(n).round(4), "sex": rng.choice(["F", "M"], n), "age": rng.integers(20, 90, n),
        }
    )  # fmt: skip


def without_origin(result: AuditResult) -> dict[str, Any]:
    document = json.loads(result.to_json())
    return {k: v for k, v in document.items() if k not in ("provenance", "source")}


def test_file_frame_and_arrays_are_one(frame: pd.DataFrame, tmp_path: Path) -> None:
    frame.to_csv(tmp_path / "p.csv", index=False)
    frame.to_parquet(tmp_path / "p.parquet")
    roles: dict[str, Any] = {"label": "y", "score": "one", "attributes": ["sex", "age"], "patient": "pid", "options": FAST}
    found = [audit_predictions(data, **roles) for data in (tmp_path / "p.csv", str(tmp_path / "p.parquet"), frame)]
    found.append(
        audit_predictions(
            columns=None,
            label=frame["y"],
            score={"one": frame["one"]},
            attributes={"sex": frame["sex"], "age": frame["age"].to_numpy()},
            patient=frame["pid"],
            options=FAST,
        )
    )
    assert without_origin(found[0]) == without_origin(found[1]) == without_origin(found[2]) == without_origin(found[3])
    own = audit_predictions(tmp_path / "p.csv", columns=Mapping("y", ("one",), ("sex", "age"), patient="pid"), options=FAST)
    assert own.document["provenance"]["command"] == found[0].document["provenance"]["command"] is not None


def test_the_command_line_prints_the_same(frame: pd.DataFrame, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "0")
    path = tmp_path / "p.csv"
    frame.to_csv(path, index=False)
    result = audit_predictions(path, label="y", score=["one", "two"], attributes="sex", options=FAST)
    assert main(["audit", str(path), "--label", "y", "--score", "one,two", "--attributes", "sex", "--bootstrap", "0", "--json"]) == 0
    assert capsys.readouterr().out == result.to_json() + "\n"


def test_tables_hold_the_numbers(frame: pd.DataFrame) -> None:
    result = audit_predictions(frame, label="y", score="one", attributes="sex", options=FAST)
    groups = result.table().query("metric == 'auc'").set_index("group")["value"]
    for group in ("F", "M"):
        part = frame[frame["sex"] == group]
        assert groups[group] == pytest.approx(auc(part["y"], part["one"]))
    for name in ("summaries", "tests", "verdicts", "against_rest", "power"):
        assert len(result.table(name)) > 0  # type: ignore[arg-type]
    with pytest.raises(UserError, match="no table 'x'; there are groups"):
        result.table("x")  # type: ignore[arg-type]


def test_charts_are_altair_and_say_what_is_missing(frame: pd.DataFrame) -> None:
    result = audit_predictions(frame, label="y", score="one", attributes="sex", options=FAST)
    for chart in (result.chart(), result.chart("sex"), result.chart("sex", "tpr")):
        assert isinstance(chart, alt.TopLevelMixin) and chart.to_dict()["description"]
    with pytest.raises(UserError, match="no attribute 'race'; there are sex"):
        result.chart("race")
    with pytest.raises(UserError, match="no metric 'speed'"):
        result.chart("sex", "speed")


def test_a_comparison_is_about_differences(frame: pd.DataFrame) -> None:
    result = compare_models(frame, label="y", score=["one", "two", "three"], attributes="sex", options=AuditOptions(bootstrap=100), reference="two")
    rows = result.table().query("attribute == '(all)' and metric == 'auc'").set_index("model_a")
    assert list(rows.index) == ["one", "three"] and set(rows["model_b"]) == {"two"}
    assert rows["difference"]["one"] == pytest.approx(auc(frame["y"], frame["one"]) - auc(frame["y"], frame["two"]))
    figure = result.figure()
    assert figure.data["p_adjusted"].tolist() == pytest.approx(holm(figure.data["p"].to_numpy()).tolist())
    assert isinstance(result.chart("sex", "max_gap"), alt.TopLevelMixin)
    gap = result.table().query("metric == 'max_gap' and group == '(all)'").set_index("model_a")
    assert "one has a higher AUC than two" in result.headline.replace("one is not shown to change the gap in AUC by sex; it has", "one has")
    assert (gap["p_adjusted"]["one"] < 0.05) == ("one narrows" in result.headline or "one widens" in result.headline)
    with pytest.raises(UserError, match="no difference in 'speed'"):
        result.chart(metric="speed")
    with pytest.raises(UserError, match="no model 'four'"):
        compare_models(frame, label="y", score=["one", "two"], attributes="sex", reference="four")
    with pytest.raises(UserError, match="one model, 'one'"):
        compare_models(frame, label="y", score="one", attributes="sex")


def test_user_text_is_only_text_in_a_notebook(frame: pd.DataFrame) -> None:
    nasty = frame.assign(sex=np.where(frame["sex"] == "F", NASTY, "M"), **{NASTY: frame["one"]})
    for result in (
        audit_predictions(nasty, label="y", score=NASTY, attributes="sex", options=FAST),
        compare_models(nasty, label="y", score=[NASTY, "two"], attributes="sex", options=FAST),
    ):
        shown = result._repr_html_()
        assert "<script" not in shown and "&lt;script&gt;" in shown
        assert "\n" not in repr(result)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"score": "one", "attributes": "sex"}, "say which values are the label"),
        ({"label": "y", "score": "one", "attributes": "sex", "columns": Mapping("y", ("one",), ("sex",))}, "not both"),
        ({"label": "y", "score": "one", "attributes": "sex", "on": "id"}, "DataFrame with pandas' merge"),
        ({"label": "why", "score": "one", "attributes": "sex"}, "no column 'why'"),
        ({"label": [0, 1], "score": "one", "attributes": "sex"}, "give the name of a column"),
    ],
)
def test_what_does_not_fit_is_said(frame: pd.DataFrame, arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(UserError, match=message):
        audit_predictions(frame, **arguments)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"label": [0, 1], "score": [0.1, 0.2], "attributes": ["sex"]}, "mapping from name"),
        ({"label": [0, 1], "score": [0.1, 0.2], "attributes": {"sex": ["F", "M"]}, "model": "m"}, "model belongs to a file"),
        ({"columns": Mapping("y", ("one",), ("sex",))}, "first argument"),
    ],
)
def test_arrays_that_do_not_fit(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(UserError, match=message):
        audit_predictions(**arguments)


def test_a_frame_of_mixed_values(frame: pd.DataFrame) -> None:
    mixed = frame.assign(
        sex=[1 if s == "F" else "M" for s in frame["sex"]], pid=[None if i % 7 == 0 else i for i in frame["id"]], y=frame["y"].map({0: "no", 1: "yes"})
    )
    result = audit_predictions(mixed, label="y", score="one", attributes="sex", patient="pid", options=FAST)
    assert set(result.document["attributes"]["sex"]["groups"]) == {"1", "M"}
    assert result.document["overall"]["n_pos"] == int(frame["y"].sum())


def test_reports_of_results_documents_and_files(frame: pd.DataFrame, tmp_path: Path) -> None:
    result = audit_predictions(frame, label="y", score="one", attributes="sex", options=FAST)
    path = tmp_path / "a.json"
    path.write_text(result.to_json())
    made = [write_report(given, tmp_path / f"out{i}", formats=["json"], name="r")[0].read_text() for i, given in enumerate((result, result.document, path))]
    documents = [json.loads(text)["data"]["audit"] for text in made]
    # Files hide counts below 11 unless told otherwise; no count here is below that.
    assert [document.pop("suppression")["groups"] for document in documents] == [[], [], []]
    assert documents[0] == documents[1] == documents[2] == json.loads(result.to_json())
    with pytest.raises(UserError, match="unknown"):
        write_report(result, tmp_path / "none", formats="html,json,papyrus")
    assert not (tmp_path / "none").exists()
