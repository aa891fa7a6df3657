"""Three readers from the first page to what they leave with: an auditor of two models, a methods researcher, one who comes back by an old link."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from core.store import Store
from core.workspace import Workspace
from tests.browser.helpers import dashboard, settle
from tests.browser.widgets import PATIENCE, choose, download, follow, in_address, press, says, segment, tab, table, visit, widget
from tests.factories import FakeWorkspace


@pytest.fixture
def empty(tmp_path: Path) -> Iterator[str]:
    with dashboard(Workspace.open(tmp_path / "workspace").root) as address:
        yield address


def test_an_auditor_with_two_models_leaves_with_their_comparison(empty: str, page: Any, tmp_path: Path) -> None:
    from playwright.sync_api import expect

    visit(page, empty, "audit", chart=False)
    press(page, "audit-example")
    page.get_by_role("button", name="Audit", exact=True).click()
    model = page.get_by_role("radiogroup", name="Model").or_(widget(page, "audit-model"))
    expect(model.first).to_be_visible(timeout=180_000)
    settle(page, PATIENCE)
    expect(page.get_by_role("heading", name="Which model is better on the same patients?")).to_be_visible(timeout=PATIENCE)
    segment(page, "audit-model", "multifair_plus")
    in_address(page, "model=multifair_plus")
    says(page, ".st-key-evidence", "multifair_plus")
    widget(page, "audit-downloads").get_by_role("button").first.click()
    document = json.loads(download(page, "Everything (JSON)", tmp_path, page.locator("[data-testid=stPopoverBody]")).read_text("utf-8"))
    audit = document["data"]["audit"] if "data" in document else document["audit"]
    assert set(audit["models"]) == {"erm", "multifair_plus"} and audit["comparisons"]


def test_a_methods_researcher_leaves_with_a_latex_table(page: Any, served: tuple[str, FakeWorkspace], tmp_path: Path) -> None:
    address, _ = served
    visit(page, address, "", "?attribute=sex&tour=done")
    follow(page, "Compare")
    segment(page, "measure", "Worst-group AUC")
    choose(page, "reference", "GroupDRO")
    text = download(page, "LaTeX", tmp_path, widget(page, "methods-downloads")).read_text("utf-8")
    assert r"\begin{tabular}" in text and "GroupDRO" in text and "MultiFair" in text
    shown = table(page, "[data-testid=stMain]")
    assert all(row[2].split(" ")[0] in text for row in shown), "the numbers of the page"


def test_who_comes_back_by_an_old_link_is_told_what_is_gone_and_goes_on(page: Any, served: tuple[str, FakeWorkspace], store: Store) -> None:
    address, fake = served
    here = next(run for run in fake.run_ids if run.startswith("erm-s1-"))
    visit(page, address, "groups", f"?cohort={fake.cohort.cohort_id}&attribute=sex&runs={here},erm-s9-0000000000&evidence=ROC")
    says(page, ".st-key-link-notes", "erm-s9-0000000000")
    page.get_by_role("tab", name="ROC", exact=True, selected=True).wait_for(timeout=PATIENCE)
    tab(page, "Calibration")
    follow(page, "Modalities")
    in_address(page, f"runs={here}")
    page.go_back()
    settle(page, PATIENCE)
    page.wait_for_function("() => location.pathname === '/groups'", timeout=PATIENCE)
    assert store.runs(status="done")["run_id"].isin([here]).any()
