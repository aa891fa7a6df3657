"""The Train page: the plan is what core plans, the queue is what the run folders say."""

from __future__ import annotations

from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from core.cohort.ingest import ingest
from core.runs import queue
from core.runs.folder import folders
from core.runs.queue_settings import queue_settings
from core.runs.spec import plan
from core.workspace import Workspace
from dashboard.train_form import duration, makespan
from tests.factories import FakeWorkspace
from tests.pages.analysis import ROOT, calm, open_page, words
from tests.pages.small import small_cohort


@pytest.fixture(autouse=True)
def no_worker(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Nothing is trained here: asking for a worker is only noted."""
    started: list[str] = []
    monkeypatch.setattr(queue.own_processes, "start", lambda *arguments: started.append(str(arguments)))
    return started


@pytest.fixture
def cohort(workspace: Workspace, tmp_path: Path):
    small = small_cohort()
    small.table.to_csv(tmp_path / "clinic.csv", index=False)
    for name, data, _ in small.images:
        (tmp_path / name).write_bytes(data)
    return ingest(workspace, tmp_path / "clinic.csv")


def button(app: AppTest, label: str):
    return next(b for b in app.button if b.label.startswith(label))


def test_the_plan_is_what_core_plans_and_starts_it(monkeypatch: pytest.MonkeyPatch, workspace: Workspace, cohort, no_worker: list[str]) -> None:
    app = calm(open_page(monkeypatch, workspace.root, "train"))
    expected = plan(cohort, ["unimodal", "erm", "multifair"], "sex", (1,))
    assert f"**{len(expected)} runs**" in words(app)
    shown = app.dataframe[0].value
    assert sorted(shown["Run"]) == sorted(spec.describe()["label"] for spec in expected)
    button(app, "Train 4 runs").click()
    calm(app.run())
    assert {f.run_id for f in folders(workspace)} == {spec.run_id for spec in expected}
    assert no_worker
    assert "0 runs under way, 4 waiting" in words(app)
    assert button(app, "All of these").disabled


def test_a_changed_setting_is_another_run(monkeypatch: pytest.MonkeyPatch, workspace: Workspace, cohort) -> None:
    queue.submit(workspace, plan(cohort, ["erm"], "sex", (1,)))
    app = calm(open_page(monkeypatch, workspace.root, "train"))
    for name in ("unimodal", "multifair"):
        app.checkbox(key=f"method-{name}").uncheck()
    calm(app.run())
    shown = app.dataframe[0]
    assert shown.value["Time"].tolist() == [0.0] and "seed 1: queued" in shown.proto.alt
    app.number_input(key="epochs-quick").set_value(3)
    calm(app.run())
    button(app, "Train 1 run").click()
    calm(app.run())
    assert len(list(folders(workspace))) == 2


def test_cancel_and_try_again(monkeypatch: pytest.MonkeyPatch, workspace: Workspace, cohort) -> None:
    [handle] = queue.submit(workspace, plan(cohort, ["erm"], "sex", (1,)))
    app = calm(open_page(monkeypatch, workspace.root, "train"))
    button(app, "Cancel").click()
    calm(app.run())
    [folder] = folders(workspace)
    assert folder.read_status()["status"] == "cancelled"
    assert "cancelled by the user" in words(app)
    app.button(key=f"retry-{handle.run_id}").click()
    calm(app.run())
    assert folder.read_status()["status"] == "queued"


def test_the_queue_is_paused_and_goes_on_and_all_failed_runs_are_tried_again(monkeypatch: pytest.MonkeyPatch, workspace: Workspace, cohort) -> None:
    handles = queue.submit(workspace, plan(cohort, ["erm"], "sex", (1, 2, 3)), start=False)
    app = calm(open_page(monkeypatch, workspace.root, "train"))
    button(app, "Pause").click()
    calm(app.run())
    assert queue_settings(workspace).paused and "Paused: no further run is started" in words(app)
    button(app, "Go on").click()
    calm(app.run())
    assert not queue_settings(workspace).paused
    for handle in handles[:2]:
        queue.find(workspace, handle.run_id).update_status(status="failed", reason="x", started=1.0, finished=2.0)
    calm(app.run())
    button(app, "Try all 2 failed runs again").click()
    calm(app.run())
    assert {f.read_status()["status"] for f in folders(workspace)} == {"queued"}


def test_waiting_runs_change_places(monkeypatch: pytest.MonkeyPatch, workspace: Workspace, cohort) -> None:
    handles = queue.submit(workspace, plan(cohort, ["erm", "multifair"], "sex", (1,)))
    first, second = (h.run_id for h in handles)
    app = calm(open_page(monkeypatch, workspace.root, "train"))
    assert app.button(key=f"up-{first}").disabled and app.button(key=f"down-{second}").disabled
    app.button(key=f"up-{second}").click()
    calm(app.run())
    assert [f.run_id for f in queue.waiting(workspace)] == [second, first]
    app.button(key=f"down-{second}").click()
    calm(app.run())
    assert [f.run_id for f in queue.waiting(workspace)] == [first, second]


def test_ticked_methods_are_remembered_on_other_pages(monkeypatch: pytest.MonkeyPatch, workspace: Workspace, cohort) -> None:
    app = calm(open_page(monkeypatch, workspace.root, "train"))
    app.checkbox(key="method-erm").uncheck()
    app.checkbox(key="method-late-fusion").check()
    calm(app.run())
    app.switch_page(str(ROOT / "pages" / "overview.py"))
    calm(app.run())
    app.switch_page(str(ROOT / "pages" / "train.py"))
    calm(app.run())
    assert not app.checkbox(key="method-erm").value
    assert app.checkbox(key="method-late-fusion").value


def test_overview_starts_a_worker_for_a_queue_without_one(monkeypatch: pytest.MonkeyPatch, workspace: Workspace, cohort, no_worker: list[str]) -> None:
    queue.submit(workspace, plan(cohort, ["erm"], "sex", (1,)), start=False)
    assert not no_worker
    calm(open_page(monkeypatch, workspace.root, "overview"))
    assert no_worker


def test_every_status_has_its_place(monkeypatch: pytest.MonkeyPatch, fake: FakeWorkspace) -> None:
    app = calm(open_page(monkeypatch, fake.workspace.root, "train"))
    said = words(app)
    assert "1 run under way, 1 waiting" in said
    assert "killed by signal 9 (SIGKILL)" in said
    assert "cancelled by the user" in said
    assert app.get("vega_lite_chart")


def test_a_bad_setting_is_one_message(monkeypatch: pytest.MonkeyPatch, workspace: Workspace, cohort) -> None:
    app = calm(open_page(monkeypatch, workspace.root, "train"))
    app.text_area(key="settings").set_value("lr 0.1")
    calm(app.run())
    assert [e.value.replace("\\", "") for e in app.error] == ["settings, line 1: write key = value, for example lr = 0.0005"]
    for text, message in (("lr = NaN", "settings, line 1: NaN is not a value"), ("epochs = 2\n\nlr = 1\nlr = 2", "settings, line 4: lr is given twice")):
        app.text_area(key="settings").set_value(text)
        calm(app.run())
        assert message in app.error[0].value.replace("\\", "")
    app.text_area(key="settings").set_value("colour = 3")
    calm(app.run())
    assert "has no setting 'colour'" in app.error[0].value.replace("\\", "")


def test_words_for_times_and_settings() -> None:
    assert [duration(s) for s in (None, 0.2, 40, 180, 4800)] == ["unknown", "1 s", "40 s", "3 min", "80 min"]
    assert duration(6000) == "1 h 40 min"
    assert makespan([10, 10, 5], 2) == 15
