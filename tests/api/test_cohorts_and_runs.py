"""Cohorts and runs through the API: the same as through the store and the command line."""

from __future__ import annotations

import json
from pathlib import Path

import altair as alt
import numpy as np
import pandas as pd
import pytest

from core import AuditOptions, UserError, ingest_cohort, load_runs, train_methods, write_report
from core.api.audits import ModelComparison
from core.cli import main
from core.store import Store
from core.workspace import Workspace
from tests.factories import FakeWorkspace
from tests.runs.conftest import TINY, Tiny, tiny, tiny_template

__all__ = ["tiny", "tiny_template"]
FAST = AuditOptions(bootstrap=0)


def test_a_cohort_with_its_findings_and_groups(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rng = np.random.default_rng(0)
    n = 240
    table = pd.DataFrame(
        {
            "id": np.arange(n),
            "label": rng.choice(["yes", "no"], n),
            "sex": rng.choice(["F", "<b>M</b>"], n),
            "age": rng.integers(20, 90, n),
            "crp": rng.random(n),
        }
    )
    table.to_csv(tmp_path / "clinic.csv", index=False)
    told: list[str] = []
    found = ingest_cohort(tmp_path / "clinic.csv", name="Clinic", workspace=tmp_path / "home", progress=told.append)
    assert found.cohort.n == n and found.headline.startswith("Clinic: 240 samples")
    groups = found.table("groups").query("attribute == 'sex'").set_index("group")
    assert groups["n_pos"].sum() + groups["n_neg"].sum() == n
    assert groups.loc["F", "n_pos"] == int(((table["sex"] == "F") & (table["label"] == "yes")).sum())
    assert isinstance(found.chart("sex"), alt.TopLevelMixin)
    assert "<b>" not in found._repr_html_()
    with pytest.raises(UserError, match="no sensitive attribute 'race'"):
        found.chart("race")
    assert main(["ingest", str(tmp_path / "clinic.csv"), "--name", "Clinic", "--workspace", str(tmp_path / "home"), "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == found.to_dict()


def test_runs_as_tables_audit_chart_and_report(fake: FakeWorkspace, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    workspace = fake.workspace
    runs = load_runs(workspace=workspace)
    with Store.open(workspace) as store:
        done = store.runs(status="done")["run_id"].tolist()
    assert list(runs.run_ids) == done and "done" in runs.headline
    summary = runs.table()
    assert main(["results", "--workspace", str(workspace.root), "--json"]) == 0
    assert [row["auc"] for row in json.loads(capsys.readouterr().out)] == pytest.approx(summary["auc"].tolist())
    two = load_runs(done[:2], attribute="sex", workspace=workspace)
    audit = two.audit(options=FAST)
    assert isinstance(audit, ModelComparison)
    found = audit.table("groups").query("attribute == '(all)' and metric == 'auc'").set_index("model")["value"]
    assert found[done[0]] == pytest.approx(summary.set_index("run_id")["auc"][done[0]])
    provenance = audit.document["provenance"]
    assert [run["run_id"] for run in provenance["runs"]] == done[:2] and all(len(run["key"]) == 64 for run in provenance["runs"])
    assert isinstance(two.chart(), alt.TopLevelMixin)
    assert json.loads(two.to_json())["summary"][0]["run_id"] == done[0]
    assert [path.name for path in write_report(two, tmp_path / "out", formats="json")] == ["comparison.json"]
    with pytest.raises(UserError, match="no run is named"):
        load_runs("nothing", workspace=workspace)
    with pytest.raises(UserError, match="no table 'x'"):
        runs.table("x")  # type: ignore[arg-type]


def test_nothing_yet_is_said(workspace: Workspace) -> None:
    runs = load_runs(workspace=workspace)
    assert runs.headline == "0 runs: none" and runs.table().empty
    with pytest.raises(UserError, match="nothing to draw yet"):
        runs.chart()
    with pytest.raises(UserError, match="no run to audit"):
        runs.audit()


def test_training_answers_and_is_remembered(tiny: Tiny) -> None:
    settings = {**TINY, "epochs": 1}
    made = train_methods(tiny.cohort, "erm", settings=settings, workspace=tiny.workspace)
    assert made.table()["auc"].notna().all()
    again = train_methods(tiny.cohort, ["erm"], seeds=[1], settings=settings, workspace=tiny.workspace)
    assert again.run_ids == made.run_ids and again.handles[0].cached
    assert load_runs(made.run_ids, workspace=tiny.workspace).to_dict() == again.to_dict()
