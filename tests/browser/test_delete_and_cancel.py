"""What is listed can be deleted and taken back; a long audit says how far it is and can be cancelled."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from core.api.saved_audits import make, saved
from core.audit import AuditOptions, Mapping
from core.runs.trash import list_trash
from core.workspace import Workspace
from tests.browser.helpers import dashboard, settle
from tests.browser.widgets import PATIENCE, add, in_address, press, says, visit, widget
from tests.factories import FakeWorkspace, fake_cohort, fake_run, fake_workspace


@pytest.fixture
def clinics(tmp_path: Path) -> Iterator[tuple[str, FakeWorkspace]]:
    fake = fake_workspace(tmp_path / "w", runs=2, patients=150, epochs=2, unsettled=False)
    other = fake_cohort(fake.workspace, patients=120, name="Second clinic", seed=4)
    fake_run(fake.workspace, other, epochs=2)
    with dashboard(fake.workspace.root) as address:
        yield address, fake


def _delete(page: Any, key: str) -> str:
    """Ask, read what goes along, and confirm."""
    widget(page, f"delete-{key}").get_by_role("button").first.click()
    asked = says(page, "[data-testid=stPopoverBody]", "Delete")
    page.locator(f".st-key-delete-now-{key} button").click()
    settle(page, PATIENCE)
    return asked


def test_a_cohort_goes_with_its_runs_and_comes_back(clinics: tuple[str, FakeWorkspace], page: Any) -> None:
    address, fake = clinics
    cohort_id = fake.cohort.cohort_id
    visit(page, address, "cohort", f"?cohort={cohort_id}")
    runs = len(fake.run_ids)
    assert f"Its {runs} runs go with it." in _delete(page, f"cohort-{cohort_id}")
    says(page, ".st-key-last-deleted", "Deleted: the cohort Fake clinic")
    says(page, "[data-testid=stMain]", "120 patients")
    assert [entry.identifier for entry in list_trash(fake.workspace)] == [cohort_id]
    press(page, "undo-delete")
    page.locator(".st-key-last-deleted").wait_for(state="detached", timeout=PATIENCE)
    assert not list_trash(fake.workspace)
    visit(page, address, "groups", f"?cohort={cohort_id}")
    assert page.locator(".st-key-link-notes").count() == 0


def test_a_finished_run_is_deleted_and_taken_back_from_the_trash(clinics: tuple[str, FakeWorkspace], page: Any) -> None:
    address, fake = clinics
    run = fake.run_ids[0]
    visit(page, address, "train", f"?cohort={fake.cohort.cohort_id}", chart=False)
    page.locator(".st-key-finished-runs summary").click()
    add(page, "pick-runs", "Unimodal: image")
    _delete(page, "picked-runs")
    [entry] = list_trash(fake.workspace)
    assert entry.kind == "run" and entry.identifier in fake.run_ids
    page.reload()
    settle(page, PATIENCE)
    page.locator(".st-key-trash summary").click()
    press(page, f"restore-{entry.entry_id}")
    assert not list_trash(fake.workspace)
    assert (fake.workspace.runs / run).is_dir()


@pytest.fixture
def predictions(tmp_path: Path) -> Path:
    rng = np.random.default_rng(1)
    rows = 150_000
    y = (rng.random(rows) < 0.3).astype(int)
    score = 1 / (1 + np.exp(-((2 * y - 1) * 1.2 + rng.normal(size=rows))))
    file = tmp_path / "many rows.csv"
    pd.DataFrame({"y": y, "score": score.round(4), "sex": rng.choice(["f", "m"], rows), "site": rng.choice(list("abcdefgh"), rows)}).to_csv(file, index=False)
    return file


@pytest.fixture
def auditing(tmp_path: Path) -> Iterator[tuple[str, Workspace]]:
    workspace = Workspace.open(tmp_path / "w")
    with dashboard(workspace.root) as address:
        yield address, workspace


def test_a_long_audit_says_how_far_it_is_survives_a_reload_and_is_cancelled(auditing: tuple[str, Workspace], page: Any, predictions: Path) -> None:
    address, workspace = auditing
    visit(page, address, "audit", chart=False)
    page.locator("input[type=file]").first.set_input_files(predictions)
    says(page, "[data-testid=stMain]", "2 · Columns")
    settle(page, PATIENCE)
    draws = widget(page, "audit-draws").get_by_role("slider").first
    draws.press("End")
    settle(page, PATIENCE)
    press(page, "start-audit")
    says(page, ".st-key-audit-running", "so far")
    page.reload()
    settle(page, PATIENCE)
    assert "many rows.csv" in says(page, "[data-testid=stMain]", "The audit is running")
    press(page, "cancel-audit")
    says(page, "[data-testid=stMain]", "3 · Choices")
    assert not saved(workspace) and page.locator(".st-key-audit-running").count() == 0


def test_the_empty_page_offers_an_example_and_earlier_audits_can_be_deleted(auditing: tuple[str, Workspace], page: Any, tmp_path: Path) -> None:
    address, workspace = auditing
    rng = np.random.default_rng(2)
    file = tmp_path / "old.csv"
    pd.DataFrame({"y": rng.integers(0, 2, 200), "score": rng.random(200), "sex": rng.choice(["f", "m"], 200)}).to_csv(file, index=False)
    kept = make(workspace, file, "old.csv", Mapping("y", ("score",), ("sex",)), AuditOptions(bootstrap=0, curves=True))
    visit(page, address, "audit", chart=False)
    said = says(page, "[data-testid=stMain]", "What the file holds")
    assert "Template" in said and "Example file" in said
    press(page, "audit-example")
    says(page, "[data-testid=stMain]", "2 · Columns")
    in_address(page, "file=")
    visit(page, address, "audit", chart=False)
    _delete(page, f"audit-{kept.audit_id}")
    says(page, ".st-key-last-deleted", "the audit of old.csv")
    assert not saved(workspace)
    press(page, "undo-delete")
    assert [audit.audit_id for audit in saved(workspace)] == [kept.audit_id]
