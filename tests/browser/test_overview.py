"""The Overview in a browser: tour, findings and their numbers, what runs, the next step."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from core.charts.text import decimal, interval, p_value
from core.results import cohort_claims, group_tables
from core.store import Store
from dashboard.run_selection import default_runs, named
from dashboard.tour import STEPS
from tests.browser.conftest import idle_queue
from tests.browser.helpers import dashboard, settle
from tests.browser.widgets import (
    PATIENCE,
    choose,
    downloads,
    in_address,
    press,
    says,
    tab_to,
    table_of,
    title,
    visit,
    widget,
)
from tests.factories import FakeWorkspace, fake_cohort, fake_run, fake_workspace


def _searched(store: Store, fake: FakeWorkspace) -> Any:
    finished = named(store.runs(fake.cohort.cohort_id, status="done"))
    return cohort_claims.of_runs(store, fake.cohort.cohort_id, default_runs(finished, "sex"))


def test_findings_are_the_audits_and_lead_to_their_evidence(page: Any, served: tuple[str, FakeWorkspace], store: Store) -> None:
    address, fake = served
    found = _searched(store, fake).sort_values("p")
    top = found[found["verdict"] == "disparity"].iloc[0]
    visit(page, address, query="?tour=done")
    first = says(page, ".st-key-finding-0", "disparity")
    assert decimal(top["pair"]["value_low"]) in first and f"corrected {p_value(top['p'])}" in first
    groups = group_tables.group_performance(store, [top["run_id"]], top["attribute"]).set_index("group")
    low = groups.loc[top["pair"]["group_low"]]
    assert interval(low["value"], low["low"], low["high"]) in first
    says(page, "[data-testid=stMain]", f"strongest of {found['tests'].iloc[0]} comparisons between groups")
    press(page, "finding-go-0")
    page.wait_for_url("**/groups**", timeout=PATIENCE)
    in_address(page, top["run_id"])
    says(page, "h1", "Who is served worse")
    assert decimal(top["pair"]["value_low"]) in says(page, ".st-key-answer", "AUC")


def test_the_tour_walks_through_five_steps_and_its_place_is_in_the_link(page: Any, served: tuple[str, FakeWorkspace]) -> None:
    visit(page, served[0])
    for number, step in enumerate(STEPS, start=1):
        says(page, ".st-key-tour", f"{number} of {len(STEPS)}")
        says(page, ".st-key-tour h2", step.title)
        if number == 3:
            in_address(page, "tour=3")
            page.reload()
            settle(page, PATIENCE)
            says(page, ".st-key-tour", "3 of 5")
            press(page, "tour-back")
            says(page, ".st-key-tour", "2 of 5")
            press(page, "tour-next")
        press(page, "tour-next")
    page.locator(".st-key-tour").wait_for(state="detached", timeout=PATIENCE)


def test_the_tour_by_keyboard_alone(page: Any, served: tuple[str, FakeWorkspace]) -> None:
    """One Tab way to the button; from there Enter goes on, because the focus stays on it."""
    visit(page, served[0])
    forward = widget(page, "tour-next").get_by_role("button")
    tab_to(page, forward)
    for number in range(1, len(STEPS) + 1):
        says(page, ".st-key-tour", f"{number} of {len(STEPS)}")
        settle(page, PATIENCE)
        assert forward.evaluate("element => element === document.activeElement"), f"the focus is lost at step {number}"
        assert forward.evaluate("element => getComputedStyle(element).boxShadow") != "none", "the focus is not seen"
        page.keyboard.press("Enter")
    page.locator(".st-key-tour").wait_for(state="detached", timeout=PATIENCE)


def test_a_step_of_the_tour_opens_its_page(page: Any, served: tuple[str, FakeWorkspace]) -> None:
    visit(page, served[0], query="?tour=2")
    press(page, "tour-see")
    page.wait_for_url("**/modalities**", timeout=PATIENCE)
    visit(page, served[0], query="?tour=1")
    press(page, "tour-close")
    page.locator(".st-key-tour").wait_for(state="detached", timeout=PATIENCE)


def test_attribute_changes_the_cohorts_picture(page: Any, served: tuple[str, FakeWorkspace], tmp_path: Path) -> None:
    address, fake = served
    visit(page, address, query="?tour=done")
    choose(page, "view_attribute", "skin_type")
    in_address(page, "attribute=skin_type")
    title(page, "group_by_outcome", "judge V-VI")
    rows = {row["skin type"]: row for row in downloads(page, "group_by_outcome", tmp_path)}
    counts = fake.cohort.table.groupby("skin_type")["y"].agg(["sum", "size"])
    assert int(float(rows["III-IV"]["with the outcome"])) == counts.loc["III-IV", "sum"]
    assert any(str(counts.loc["I-II", "sum"]) in row for row in table_of(page, "group_by_outcome"))
    says(page, "[data-testid=stMain]", f"{len(fake.cohort.table)} samples of 600 patients")
    press(page, "next")
    page.wait_for_url("**/compare**", timeout=PATIENCE)


@pytest.fixture
def clinic(tmp_path: Path):
    """A workspace of its own, with runs under way that nobody trains. Asked for before `page`, which is to be closed first."""
    fake = fake_workspace(tmp_path / "w", runs=2, patients=150, epochs=4)
    with idle_queue(fake.workspace), dashboard(fake.workspace.root) as address:
        yield address, fake


def test_what_is_running_and_another_cohort(clinic: tuple[str, FakeWorkspace], page: Any) -> None:
    address, fake = clinic
    other = fake_cohort(fake.workspace, patients=120, name="Second clinic", seed=4)
    fake_run(fake.workspace, other, epochs=2)
    visit(page, address, query=f"?tour=done&cohort={fake.cohort.cohort_id}")
    running = says(page, ".st-key-now", "running")
    assert "waiting" in running and "left" in running
    assert widget(page, "next").inner_text().strip().endswith("Watch them train")
    choose(page, "view_cohort", "Second clinic · 120 patients")
    in_address(page, other.cohort_id)
    says(page, "[data-testid=stMain]", "120 samples of 120 patients")
    press(page, "next")
    page.wait_for_url("**/train**", timeout=PATIENCE)


def test_an_empty_workspace_shows_three_ways_in(page: Any, tmp_path: Path) -> None:
    with dashboard(tmp_path) as address:
        visit(page, address, chart=False)
        assert page.get_by_role("button", name="Open the sample cohort").is_visible()
        press(page, "to-cohort")
        page.wait_for_url("**/cohort**", timeout=PATIENCE)
        visit(page, address, chart=False)
        press(page, "to-audit")
        page.wait_for_url("**/audit**", timeout=PATIENCE)
        page.close()
