"""The Train page in a browser: cards and plan, the queue with order, cancel and retry, curves. Nothing is trained here."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from core.charts.text import decimal
from core.cohort.cohort import Cohort
from core.cohort.ingest import ingest
from core.runs.folder import RunFolder, folders
from core.runs.queue import set_parallel, submit, waiting
from core.runs.spec import plan
from core.store import Store
from core.workspace import Workspace
from tests.browser.conftest import idle_queue
from tests.browser.helpers import dashboard, settle
from tests.browser.widgets import PATIENCE, download, explained, flip, press, says, segment, table, visit, widget
from tests.factories import FakeCohort, fake_run
from tests.pages.small import small_cohort

Clinic = tuple[str, Workspace, Cohort]
ROW = 20
"""Pixels, less than a row of the queue is high."""


def _ingested(folder: Path) -> tuple[Workspace, Cohort]:
    """A small real cohort in a workspace below `folder`."""
    small = small_cohort()
    small.table.to_csv(folder / "clinic.csv", index=False)
    for name, data, _ in small.images:
        (folder / name).write_bytes(data)
    workspace = Workspace.open(folder / "w")
    return workspace, ingest(workspace, folder / "clinic.csv")


@pytest.fixture(scope="module")
def clinic(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Clinic]:
    """A small real cohort with one finished and one failed run, served; the worker's place is taken."""
    workspace, cohort = _ingested(tmp_path_factory.mktemp("train"))
    fake = FakeCohort(cohort.cohort_id, cohort.modality_names, cohort.roles.attributes, cohort.table)
    fake_run(workspace, fake, method="multifair-plus", seed=7, epochs=6)
    fake_run(workspace, fake, method="group-dro", seed=8, epochs=6, status="failed", reason="killed by signal 9 (SIGKILL)")
    with idle_queue(workspace), dashboard(workspace.root) as address:
        yield address, workspace, cohort


@pytest.fixture
def opened(clinic: Clinic, page: Any) -> Any:
    """The page, asked for after the server so that it is closed first."""
    visit(page, clinic[0], "train")
    return page


def _statuses(workspace: Workspace) -> dict[str, str]:
    return {folder.run_id: folder.read_status()["status"] for folder in folders(workspace)}


def _cancel(page: Any, run: str) -> None:
    """Cancel, and mean it: a run that has just changed its row is asked about."""
    press(page, f"cancel-{run}")
    if page.locator(f".st-key-cancel-yes-{run}").count():
        press(page, f"cancel-yes-{run}")


def test_cards_budget_and_settings_make_the_plan(clinic: Clinic, opened: Any) -> None:
    page, cohort = opened, clinic[2]
    expected = plan(cohort, ["unimodal", "erm", "multifair"], "sex", (1,))
    rows = table(page, ".st-key-plan")
    assert sorted(row[0] for row in rows) == sorted(spec.describe()["label"] for spec in expected)
    segment(page, "unimodal-modalities", cohort.modality_names[0])
    page.get_by_role("button", name=f"Train {len(expected) - 1} runs").wait_for(timeout=PATIENCE)
    flip(page, "method-unimodal")
    page.get_by_role("button", name="Train 2 runs").wait_for(timeout=PATIENCE)
    explained(page, "Modality balance")
    flip(page, "method-ogm-ge")
    page.get_by_role("button", name="Train 3 runs").wait_for(timeout=PATIENCE)
    says(page, "[data-testid=stMain]", "1 chosen")
    segment(page, "preset", "standard")
    seeds = widget(page, "seeds").locator("input")
    seeds.fill("2")
    seeds.press("Enter")
    page.get_by_role("button", name="Train 6 runs").wait_for(timeout=PATIENCE)
    explained(page, "Change settings")
    text = widget(page, "settings").locator("textarea")
    text.fill("lr 0.1")
    text.press("Control+Enter")
    says(page, ".st-key-plan", "write key = value")
    text.fill("batch_size = 16")
    text.press("Control+Enter")
    page.get_by_role("button", name="Train 6 runs").wait_for(timeout=PATIENCE)


def test_start_order_cancel_and_retry(clinic: Clinic, opened: Any) -> None:
    page, workspace = opened, clinic[1]
    says(page, "h2", "Nothing is running")
    flip(page, "method-unimodal")
    page.get_by_role("button", name="Train 2 runs").click()
    says(page, "h2", "0 runs under way, 2 waiting")
    first, second = (folder.run_id for folder in waiting(workspace))
    press(page, f"up-{second}")
    says(page, f".st-key-run-{second}", "number 1")
    assert [folder.run_id for folder in waiting(workspace)] == [second, first]
    press(page, f"down-{second}")
    says(page, f".st-key-run-{second}", "number 2")
    # Its row was another's a moment ago.
    press(page, f"cancel-{second}")
    press(page, f"cancel-no-{second}")
    assert _statuses(workspace)[second] == "queued"
    _cancel(page, second)
    says(page, f".st-key-failed-{second}", "cancelled by the user")
    assert _statuses(workspace)[second] == "cancelled"
    failed = next(run for run, status in _statuses(workspace).items() if status == "failed")
    says(page, f".st-key-failed-{failed}", "killed by signal 9")
    press(page, f"retry-{failed}")
    says(page, f".st-key-run-{failed}", "waiting, number")
    assert _statuses(workspace)[failed] == "queued"
    # The queue lies in the run folders: another visit shows the same.
    page.reload()
    settle(page, PATIENCE)
    says(page, f".st-key-run-{first}", "waiting")
    for run in (first, failed):
        _cancel(page, run)
    says(page, "h2", "Nothing is running")


def test_the_plan_survives_a_reload_and_small_groups_are_said(clinic: Clinic, opened: Any) -> None:
    page = opened
    flip(page, "method-unimodal")
    segment(page, "preset", "standard")
    seeds = widget(page, "seeds").locator("input")
    seeds.fill("3")
    seeds.press("Enter")
    label = page.get_by_role("button", name="Train 6 runs")
    label.wait_for(timeout=PATIENCE)
    settle(page, PATIENCE)
    page.reload()
    label.wait_for(timeout=PATIENCE)
    # 48 patients, a fifth of them in the test split: no group of theirs has five of a kind.
    assert "needs 5 positives and 5 negatives" in says(page, ".st-key-split-warning", "In the test split")


def test_curves_are_the_recorded_epochs(clinic: Clinic, opened: Any, tmp_path: Path) -> None:
    page, workspace = opened, clinic[1]
    run = next(run for run in _statuses(workspace) if run.startswith("multifair-plus-s7"))
    with Store.open(workspace) as store:
        best = store.epochs([run])["validation_auc"].max()
    assert decimal(best) in says(page, ".st-key-block-training-curves h2", "validation AUC")
    widget(page, "get-training-curves").get_by_role("button").first.click()
    rows = download(page, "CSV", tmp_path).read_text(encoding="utf-8")
    assert f"{best}"[:8] in rows
    page.keyboard.press("Escape")
    press(page, "to-groups")
    page.wait_for_url("**/groups**", timeout=PATIENCE)


@pytest.fixture
def busy(tmp_path: Path) -> Iterator[tuple[str, Workspace, Cohort]]:
    """A small real cohort, served, one job at a time; jobs that are still there afterwards are ended."""
    workspace, cohort = _ingested(tmp_path)
    set_parallel(workspace, 1)
    with dashboard(workspace.root) as address:
        yield address, workspace, cohort
    for process in psutil.process_iter(["cmdline"]):
        if str(workspace.root) in " ".join(process.info["cmdline"] or ()):
            os.kill(process.pid, signal.SIGTERM)


def test_running_jobs_are_cancelled_killed_tried_again_and_the_others_reordered(busy: tuple[str, Workspace, Cohort], page: Any) -> None:
    """Real jobs, too long to end by themselves."""
    address, workspace, cohort = busy
    first, second, third = (
        handle.run_id for handle in submit(workspace, plan(cohort, ["erm", "ogm-ge", "group-dro"], "sex", (1,), "quick", {"epochs": 20_000}))
    )
    visit(page, address, "train", chart=False)
    says(page, f".st-key-run-{first}", "epoch")
    press(page, f"up-{third}")
    says(page, f".st-key-run-{third}", "number 1")
    assert [folder.run_id for folder in waiting(workspace)] == [third, second]
    press(page, f"cancel-{first}")
    says(page, f".st-key-failed-{first}", "cancelled by the user")
    # What was moved up is next; a job that dies is settled with the reason.
    says(page, f".st-key-run-{third}", "epoch")
    above = page.locator(f".st-key-run-{second}").bounding_box()["y"]
    os.kill(RunFolder(workspace.runs / third).read_status()["pid"], signal.SIGKILL)
    says(page, f".st-key-failed-{third}", "killed")
    settle(page, PATIENCE)
    assert abs(page.locator(f".st-key-run-{second}").bounding_box()["y"] - above) < ROW, "what waits has moved under the pointer"
    press(page, f"retry-{third}")
    says(page, f".st-key-run-{third}", "waiting")
    assert RunFolder(workspace.runs / third).read_status()["attempt"] == 2
    for run in (third, second):
        _cancel(page, run)
        says(page, f".st-key-failed-{run}", "cancelled by the user")
    says(page, "h2", "Nothing is running")


def test_without_a_cohort_it_says_where_to_go(page: Any, tmp_path: Path) -> None:
    (tmp_path / "w").mkdir()
    with dashboard(tmp_path / "w") as address:
        visit(page, address, "train", chart=False)
        says(page, "[data-testid=stMain]", "No cohort yet")
        page.get_by_role("button", name="Go to Cohort").click()
        page.wait_for_url("**/cohort**", timeout=PATIENCE)
        page.close()
