"""The Cohort page in a browser: bringing data in three steps, then the datasheet with its numbers."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from core.cohort.cohort import load
from core.store import Store
from core.workspace import Workspace
from tests.browser.helpers import dashboard, settle
from tests.browser.widgets import (
    PATIENCE,
    choose,
    downloads,
    explained,
    flip,
    in_address,
    says,
    segment,
    table_of,
    title,
    visit,
    widget,
)
from tests.factories import FakeWorkspace
from tests.pages.small import SmallCohort, small_cohort

Clinic = tuple[str, Workspace, Path, SmallCohort]


@pytest.fixture(scope="module")
def clinic(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Clinic]:
    """An empty workspace, served, and the files of a small cohort beside it."""
    folder = tmp_path_factory.mktemp("cohort")
    small = small_cohort(60)
    (folder / "files").mkdir()
    small.table.to_csv(folder / "files" / "clinic.csv", index=False)
    for name, data, _ in small.images:
        (folder / "files" / name).write_bytes(data)
    workspace = Workspace.open(folder / "w")
    with dashboard(workspace.root) as address:
        yield address, workspace, folder / "files", small


def test_bring_correct_save_and_read(clinic: Clinic, page: Any, tmp_path: Path) -> None:
    address, workspace, files, _ = clinic
    visit(page, address, "cohort", chart=False)
    assert page.get_by_role("button", name="Open the sample cohort").is_visible()
    page.locator("input[type=file]").nth(0).set_input_files(files / "clinic.csv")
    says(page, "[data-testid=stMain]", "2 · Roles")
    settle(page, PATIENCE)
    page.locator("input[type=file]").nth(1).set_input_files([files / f"s{i}.png" for i in range(60)])
    says(page, ".st-key-step-files", "60 image files")
    in_address(page, "draft=")
    page.reload()  # what was brought lies on disk
    settle(page, PATIENCE)
    says(page, ".st-key-step-files", "60 image files")
    explained(page, "Preview rows and images")
    says(page, ".st-key-step-checks", "3 · Checks")
    positive = page.locator("[class*=st-key-positive-]").get_by_role("combobox")
    positive.press("ArrowDown")
    page.get_by_role("option", name="0", exact=True).click()
    settle(page, PATIENCE)
    name = page.get_by_label("Name of the cohort")
    name.fill("Turned clinic")
    name.press("Tab")
    settle(page, PATIENCE)
    page.get_by_role("button", name="Save cohort").click()
    says(page, ".st-key-answer", "60 samples of 60 patients")
    with Store.open(workspace) as store:
        cohort = load(workspace, str(store.cohorts()["cohort_id"].iloc[0]))
    assert cohort.name == "Turned clinic" and cohort.roles.positive == "0"
    assert f"{int(cohort.y.sum())} with the outcome" in says(page, ".st-key-answer", "samples")
    counts = cohort.table.groupby("sex")["y"].sum()
    rows = {row["sex"]: row for row in downloads(page, "group_by_outcome", tmp_path)}
    assert int(float(rows["female"]["with the outcome"])) == counts["female"]
    assert page.locator("[data-testid=stImage] img").count() == 0, "patients are shown unasked"
    flip(page, "show-samples")
    page.locator("[data-testid=stImage] img").first.wait_for(timeout=PATIENCE)
    assert page.locator("[data-testid=stImage] img").first.get_attribute("alt")


def test_files_on_this_machine_wrong_and_right_then_start_over(clinic: Clinic, page: Any) -> None:
    address, _, files, _ = clinic
    visit(page, address, "cohort?draft=none", chart=False)
    if page.locator(".st-key-cohort-part").count():
        segment(page, "cohort-part", "Bring data")
    page.get_by_role("tab", name="On this machine").click()
    path = page.get_by_label("Table", exact=True)
    path.fill(str(files / "nothing.csv"))
    page.get_by_role("button", name="Use these files").click()
    page.locator("[data-testid=stAlert]").filter(has_text="nothing.csv").first.wait_for(timeout=PATIENCE)
    path.fill(str(files / "clinic.csv"))
    page.get_by_role("button", name="Use these files").click()
    says(page, "[data-testid=stMain]", "2 · Roles")
    says(page, ".st-key-step-files", "clinic.csv")
    settle(page, PATIENCE)
    page.get_by_role("tab", name="Upload").click()
    flip(page, "upload-folder")
    settle(page, PATIENCE)
    page.locator(".st-key-start-over").get_by_role("button").click()
    page.get_by_text("2 · Roles").wait_for(state="detached", timeout=PATIENCE)


def test_datasheet_of_a_served_cohort(page: Any, served: tuple[str, FakeWorkspace]) -> None:
    address, fake = served
    visit(page, address, "cohort", "?attribute=sex")
    table: pd.DataFrame = fake.cohort.table
    assert f"600 patients, {int(table['y'].sum())} with the outcome" in says(page, ".st-key-answer", "samples")
    test = table[table["split"] == "test"]
    page.wait_for_function(
        "wanted => [...document.querySelectorAll('[data-testid=stDataFrame] table tr')].some(row => wanted.every(w => [...row.querySelectorAll('td')].some(c "
        "=> c.innerText === w)))",
        arg=["test", str(len(test)), str(int(test["y"].sum()))], timeout=PATIENCE,
    )  # fmt: skip
    choose(page, "view_attribute", "skin_type")
    in_address(page, "attribute=skin_type")
    title(page, "group_by_outcome", "V-VI")
    assert table_of(page, "availability")
    says(page, "[data-testid=stMain]", "Every check passed")
    segment(page, "cohort-part", "Bring data")
    says(page, "[data-testid=stMain]", "1 · Files")
    segment(page, "cohort-part", "Datasheet")
    says(page, ".st-key-answer", "600 patients")
    assert widget(page, "view_cohort").is_visible()
