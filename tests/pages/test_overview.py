"""The Overview: a first run offers the sample, later it says what core found and what to do next."""

from __future__ import annotations

import pytest

from core.results import cohort_claims
from core.results.answers import about
from core.runs.folder import RunFolder
from core.store import Store
from core.workspace import Workspace
from dashboard import state
from dashboard.run_selection import default_runs, named
from dashboard.tour import STEPS
from tests.factories import FakeWorkspace, fake_cohort, fake_run, fake_workspace
from tests.pages.analysis import calm, drawn, open_page, words


def test_a_first_run_offers_the_sample_in_one_click(monkeypatch: pytest.MonkeyPatch, workspace: Workspace) -> None:
    app = calm(open_page(monkeypatch, workspace.root, "overview"))
    labels = [b.label for b in app.button]
    assert "Open the sample cohort" in labels
    assert "Bring a cohort" in labels
    assert "Nothing leaves this machine" in words(app)


def test_findings_are_the_audits(monkeypatch: pytest.MonkeyPatch, fake: FakeWorkspace) -> None:
    app = calm(open_page(monkeypatch, fake.workspace.root, "overview"))
    said = words(app)
    with Store.open(fake.workspace) as store:
        finished = named(store.runs(fake.cohort.cohort_id, status="done"))
        chosen = default_runs(finished, "sex")
        table = cohort_claims.of_runs(store, fake.cohort.cohort_id, chosen)
    names = dict(zip(finished["run_id"], finished["label"], strict=True))
    told = [about(names[row["run_id"]], row["attribute"], row["reason"]) for row in table.to_dict("records")]
    shown = [sentence for sentence in told if sentence in said]
    assert 1 <= len([b for b in app.button if b.label == "See the evidence"]) == len(shown) <= 3
    assert f"strongest of {table['tests'].iloc[0]} comparisons between groups" in said
    best = table.sort_values("p").iloc[0]
    assert about(names[best["run_id"]], best["attribute"], best["reason"]) in said or best["verdict"] != "disparity"
    counts = fake.cohort.table.groupby("sex")["y"].sum()
    assert {r["group"]: r["n_pos"] for r in drawn(app)[0]}["female"] == counts["female"]


def test_the_tour_has_five_steps_and_can_be_closed(monkeypatch: pytest.MonkeyPatch, tmp_path) -> None:
    fake = fake_workspace(tmp_path / "w", patients=200, epochs=3, seeds=1, unsettled=False)
    app = calm(open_page(monkeypatch, fake.workspace.root, "overview"))
    for number, step in enumerate(STEPS, start=1):
        assert f"{number} of {len(STEPS)}" in words(app)
        assert step.title in words(app)
        app.button(key="tour-next").click()
        calm(app.run())
    assert "The argument in five steps" not in words(app)
    fresh = calm(open_page(monkeypatch, fake.workspace.root, "overview"))
    fresh.button(key="tour-close").click()
    calm(fresh.run())
    assert "The argument in five steps" not in words(fresh)


def test_the_next_step_follows_what_is_there(monkeypatch: pytest.MonkeyPatch, workspace: Workspace) -> None:
    monkeypatch.setattr(state, "REFRESH_SECONDS", 0.0)
    cohort = fake_cohort(workspace, patients=120)
    app = calm(open_page(monkeypatch, workspace.root, "overview"))
    assert app.button(key="next").label == "Choose what to train"
    fake_run(workspace, cohort, method="erm", epochs=3)
    app = calm(open_page(monkeypatch, workspace.root, "overview"))
    assert app.button(key="next").label == "Train another method"


def test_what_a_training_warned_of_is_said_there_and_under_train(monkeypatch: pytest.MonkeyPatch, workspace: Workspace) -> None:
    monkeypatch.setattr(state, "REFRESH_SECONDS", 0.0)
    cohort = fake_cohort(workspace, patients=80)
    run = RunFolder(workspace.runs / fake_run(workspace, cohort, epochs=2))
    assert "stopped learning" not in words(calm(open_page(monkeypatch, workspace.root, "overview")))
    run.update_status(alerts=["*image* has stopped learning: nothing to see."])
    for page in ("overview", "train"):
        assert "has stopped learning: nothing to see." in words(calm(open_page(monkeypatch, workspace.root, page)))


def test_after_a_failure_the_next_step_is_the_reason(monkeypatch: pytest.MonkeyPatch, workspace: Workspace) -> None:
    monkeypatch.setattr(state, "REFRESH_SECONDS", 0.0)
    cohort = fake_cohort(workspace, patients=120)
    fake_run(workspace, cohort, method="erm", epochs=3, status="failed", reason="out of memory")
    app = calm(open_page(monkeypatch, workspace.root, "overview"))
    assert app.button(key="next").label == "See what failed"
    assert "1 run failed" in words(app)
