"""Reports of runs and of audits hold the numbers that core computed."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from core.audit import AuditOptions, Mapping, audit, read_predictions
from core.audit.comparison.compare_models import with_comparisons
from core.charts.text import interval
from core.cli import main
from core.errors import UserError
from core.report.audit_cohort import cells_table
from core.report.bundle import report_json
from core.report.contents import audit_contents, runs_contents
from core.report.document import Report
from core.report.html import render_html
from core.report.of_audit import audit_report
from core.report.of_runs import runs_report
from core.report.runs_view import MOST_DRAWN
from core.results import group_tables
from core.results.predictions import from_run
from core.store import Store
from tests.factories import FakeWorkspace, fake_workspace


def document(tmp_path: Path, depth: int = 2) -> dict:
    rng = np.random.default_rng(0)
    n = 600
    race, y = rng.choice(["a", "b<i>"], n), (rng.random(n) < 0.4).astype(int)
    score = 1 / (1 + np.exp(-((2 * y - 1) * np.where(race == "a", 2.0, 0.3) + rng.normal(size=n))))
    file = tmp_path / "p.csv"
    pd.DataFrame({"y": y, "score": score, "race": race, "sex": rng.choice(["f", "m"], n)}).to_csv(file, index=False)
    options = AuditOptions(bootstrap=200, intersections=depth, curves=True)
    return audit(read_predictions(file, Mapping("y", ("score",), ("race", "sex"))), options).to_dict()


def test_a_report_of_runs_shows_the_audits_numbers(fake: FakeWorkspace) -> None:
    with Store.open(fake.workspace) as store:
        done = list(store.runs(status="done")["run_id"])[:4]
        report = runs_report(store, done)
        groups = group_tables.group_performance(store, done, "sex")
    html = render_html(report)
    for value, low, high in zip(groups["value"], groups["low"], groups["high"], strict=True):
        if value == value:
            assert interval(value, low, high) in html or "(all)" in html
    table = report_json(report)["tables"]["group_auc_table"]
    assert len(table) == len(groups)
    assert set(report.provenance["runs"]) == set(done)
    assert "Fake clinic" in html


def test_what_a_report_will_hold_is_told_before(fake: FakeWorkspace, tmp_path: Path) -> None:
    with Store.open(fake.workspace) as store:
        done = list(store.runs(status="done")["run_id"])[:2]
        report = runs_report(store, done, "sex")
        hidden = runs_report(store, done, "sex", suppress=11)
    assert runs_contents("sex") == tuple(section.title for section in report.sections)
    assert runs_contents("sex", curves="two_by_two" in {t.name for t in hidden.tables()}) == tuple(section.title for section in hidden.sections)
    assert runs_contents(None) == (*runs_contents("sex")[:2], *runs_contents("sex")[5:])
    for depth in (1, 2):
        found = document(tmp_path, depth)
        assert audit_contents(found) == tuple(section.title for section in audit_report(found).sections)


def test_what_runs_decide_is_what_their_audit_says(fake: FakeWorkspace) -> None:
    with Store.open(fake.workspace) as store:
        runs = store.runs(status="done")
        done = list(runs.loc[runs["method"].str.startswith("multifair"), "run_id"])[:2]
        report = runs_report(store, done, "sex")
        found = {run: audit(from_run(store, run, "sex", ("test",)), AuditOptions(bootstrap=0, curves=True)).to_dict() for run in done}
    shown = next(t.frame for t in report.tables() if t.name == "two_by_two")
    wanted = [cells_table(document)[["group", "tp", "fp", "fn", "tn"]] for document in found.values()]
    own = [part[["group", "tp", "fp", "fn", "tn"]].reset_index(drop=True) for _, part in shown.groupby("run", sort=False)]
    assert len(own) == len(wanted) == 2 and all(any(one.equals(other) for other in wanted) for one in own)
    names = [block.name for block in report.charts()]
    assert {"decision_1", "scores_1", "decision_2", "scores_2", "synergy"} <= set(names)
    first = json.dumps([part.chart.to_dict() for block in report.charts() if block.name.startswith("decision") for part in block.drawings])
    benefit = found[done[0]]["attributes"]["sex"]["curves"]["decision"]
    assert all(json.dumps(row["net_benefit"]) in first for row in benefit[:20] if row["net_benefit"] is not None)
    bend = next(t.frame for t in report.tables() if t.name == "curvature")
    assert set(bend["name"]) == {"effect.curvature"} and bend.groupby("run_id")["epoch"].nunique().eq(1).all()
    assert "Drag" not in json.dumps([block.caption for block in report.charts()]), "a file has nothing to drag"


@pytest.fixture(scope="module")
def many(tmp_path_factory: pytest.TempPathFactory) -> Report:
    made = fake_workspace(tmp_path_factory.mktemp("many"), runs=13, patients=250, epochs=2, unsettled=False)
    with Store.open(made.workspace) as store:
        return runs_report(store, made.run_ids, "sex")


def test_of_many_runs_one_training_of_each_method_is_drawn_and_all_are_in_the_tables(many: Report) -> None:
    drawn = {block.name: len(block.drawings) for block in many.charts()}
    methods = next(t.frame for t in many.tables() if t.name == "methods")["method"].nunique()
    assert drawn["group_auc"] == drawn["conflict"] == methods < 13
    assert sum(drawn.values()) <= 20 * MOST_DRAWN
    tables = {t.name: t.frame for t in many.tables()}
    assert tables["runs"].shape[0] == tables["two_by_two"]["run"].nunique() == tables["group_auc_table"]["run_id"].nunique() == 13
    assert ("Drawn", "Figures draw one training of each method, the first; tables hold all 13 runs.") in many.facts


def test_runs_that_cannot_be_compared_are_refused(fake: FakeWorkspace) -> None:
    with Store.open(fake.workspace) as store:
        runs = store.runs()
        failed = runs.loc[runs["status"] == "failed", "run_id"].iloc[0]
        done = runs.loc[runs["status"] == "done", "run_id"].iloc[0]
        with pytest.raises(UserError, match="is failed"):
            runs_report(store, [failed])
        with pytest.raises(UserError, match="no run is named"):
            runs_report(store, [done, "nothing"])
        with pytest.raises(UserError, match="no sensitive attribute 'colour'"):
            runs_report(store, [done], "colour")
        with pytest.raises(UserError, match="no run is chosen"):
            runs_report(store, [])


def test_a_report_of_an_audit_shows_its_numbers(tmp_path: Path) -> None:
    found = document(tmp_path)
    report = audit_report(found)
    html = render_html(report)
    group = found["attributes"]["race"]["groups"]["a"]
    assert interval(group["auc"], *group["auc_ci"]) in html
    assert report.sections[0].tag == "disparity"
    assert found["attributes"]["race"]["verdicts"]["auc"]["reason"].replace("<", "&lt;").replace(">", "&gt;") in html
    assert "b<i>" not in html
    assert "Do attributes add up?" in html and "Which groups are worth a look?" in html
    rest = found["models"]["score"]["against_rest"]
    assert f"corrected for {len(rest)} tests" in html, "everything that was tested, not only what is drawn"
    pair = next(row for row in found["attributes"]["sex"]["cross_group"] if (row["positive"], row["negative"]) == ("f", "m"))
    assert pair["value"] == found["attributes"]["sex"]["cross_group_auc"]["f"]["m"] and pair["ci"][0] < pair["value"] < pair["ci"][1]
    assert "Hardest to rank" in html and "At a threshold of .50" in html
    assert "Which model is better" not in html
    assert report_json(report)["data"]["audit"]["n"] == 600


def test_models_of_one_audit_stand_beside_each_other(tmp_path: Path) -> None:
    rng = np.random.default_rng(3)
    y = (rng.random(500) < 0.4).astype(int)
    good = 1 / (1 + np.exp(-(2 * y - 1) * 1.5 - rng.normal(size=500)))
    worse = 0.5 * good + 0.5 * rng.random(500)
    table = {"y": y, "erm-s1": good, "erm-s2": worse, "sex": rng.choice(["f", "m"], 500)}
    file = tmp_path / "p.csv"
    pd.DataFrame(table).to_csv(file, index=False)
    predictions = read_predictions(file, Mapping("y", ("erm-s1", "erm-s2"), ("sex",)))
    found = with_comparisons(audit(predictions, AuditOptions(bootstrap=100)), predictions).to_dict()
    html = render_html(audit_report(found))
    first = found["comparisons"][0]["differences"][0]
    assert f"has a lower AUC than erm-s1 ({interval(first['difference'], *first['ci'], signed=True)}, corrected" in html
    ratio = next(r for r in found["comparisons"][0]["differences"] if r["metric"] == "dp_ratio")
    assert interval(ratio["difference"], *ratio["ci"], signed=True) in html
    assert "Mean over trainings" in html, "two seeds of one method"


def test_what_is_not_an_audit_is_refused() -> None:
    with pytest.raises(UserError, match="not an audit"):
        audit_report({"hello": 1})


def test_the_command_writes_what_was_asked(fake: FakeWorkspace, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    done = [r for r in fake.run_ids if (fake.workspace.runs / r / "predictions.parquet").exists()][:2]
    out = tmp_path / "out"
    assert main(["report", "--workspace", str(fake.workspace.root), "--run", *done, "--format", "html,zip,json", "--out", str(out), "--json"]) == 0
    said = json.loads(capsys.readouterr().out)
    assert sorted(Path(f).name for f in said["files"]) == ["comparison.html", "comparison.json", "comparison.zip"]
    file = tmp_path / "audit.json"
    file.write_text(json.dumps(document(tmp_path, 1)))
    assert main(["report", "--audit", str(file), "--out", str(out)]) == 0
    assert (out / "audit.html").read_text().startswith("<!doctype html>")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--audit", "/nowhere.json"], "cannot be read"),
        (["--run", "nothing"], "no run is named"),
        (["--run", "x", "--format", "pdf,pptx"], "pptx: unknown"),
    ],
)
def test_bad_arguments_are_one_line_and_two(fake: FakeWorkspace, arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["report", "--workspace", str(fake.workspace.root), *arguments]) == 2
    error = capsys.readouterr().err.strip()
    assert message in error
    assert "\n" not in error


def test_every_column_of_every_table_has_a_meaning(fake: FakeWorkspace) -> None:
    from core.report.data_dictionary import data_dictionary

    with Store.open(fake.workspace) as store:
        told = data_dictionary(runs_report(store, list(store.runs(status="done")["run_id"]), "sex"))
    assert told.loc[told["meaning"] == "", ["table", "column"]].to_numpy().tolist() == []
