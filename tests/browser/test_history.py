"""Back goes back, links that name what is not here say so, each page has its own title, the theme can be switched."""

from __future__ import annotations

from typing import Any

import pytest

from core.store import Store
from tests.browser.helpers import dashboard, settle
from tests.browser.widgets import PATIENCE, choose, follow, in_address, press, remove, says, tags, visit, widget
from tests.factories import FakeWorkspace, fake_cohort, fake_run, fake_workspace

TITLES = {
    "overview": "Overview", "cohort": "Cohort", "train": "Train", "modalities": "Modalities", "gradients": "Gradients",
    "groups": "Groups", "compare": "Compare", "audit": "Audit predictions", "reports": "Reports",
}  # fmt: skip


def _back(page: Any) -> None:
    page.go_back()
    settle(page, PATIENCE)


def test_one_press_goes_back_one_page(page: Any, served: tuple[str, FakeWorkspace]) -> None:
    visit(page, served[0], "groups")
    for name in ("Modalities", "Compare", "Gradients"):
        follow(page, name)
        in_address(page, "attribute=")
    for name in ("compare", "modalities", "groups"):
        _back(page)
        page.wait_for_url(f"**/{name}**", timeout=PATIENCE)
        says(page, "[data-testid=stMain]", "Runs (")
    page.go_forward()
    settle(page, PATIENCE)
    page.wait_for_url("**/modalities**", timeout=PATIENCE)


def test_a_page_opened_without_a_link_is_one_step(page: Any, served: tuple[str, FakeWorkspace]) -> None:
    page.goto("about:blank")
    visit(page, served[0], "groups")
    in_address(page, "attribute=")
    page.go_back()
    page.wait_for_url("about:blank", timeout=PATIENCE)


def test_a_changed_attribute_and_run_are_one_step_each(page: Any, served: tuple[str, FakeWorkspace]) -> None:
    visit(page, served[0], "groups", "?attribute=sex")
    before = tags(page, "view_runs")
    choose(page, "view_attribute", "skin_type")
    in_address(page, "attribute=skin_type")
    gone = tags(page, "view_runs")[0]
    remove(page, "view_runs", gone)
    assert gone not in tags(page, "view_runs")
    _back(page)
    assert gone in tags(page, "view_runs")
    in_address(page, "attribute=skin_type")
    says(page, "[data-testid=stMain]", "III-IV")
    _back(page)
    in_address(page, "attribute=sex")
    page.locator(".st-key-block-group-auc svg text").filter(has_text="female").first.wait_for(timeout=PATIENCE)
    assert tags(page, "view_runs") == before
    page.go_forward()
    settle(page, PATIENCE)
    page.locator(".st-key-block-group-auc svg text").filter(has_text="III-IV").first.wait_for(timeout=PATIENCE)


def test_a_button_that_opens_a_page_is_one_step(page: Any, served: tuple[str, FakeWorkspace]) -> None:
    visit(page, served[0], query="?tour=done")
    press(page, "finding-go-0")
    page.wait_for_url("**/groups**", timeout=PATIENCE)
    in_address(page, "runs=")
    _back(page)
    says(page, "h1", "What do we know so far?")


def test_each_page_has_its_own_title(page: Any, served: tuple[str, FakeWorkspace]) -> None:
    for name, title in TITLES.items():
        visit(page, served[0], "" if name == "overview" else name, chart=False)
        page.wait_for_function("title => document.title === title", arg=f"{title} · MultiFair", timeout=PATIENCE)


def test_the_theme_is_in_the_menu_and_in_the_sidebar_and_survives_a_reload(page: Any, served: tuple[str, FakeWorkspace]) -> None:
    visit(page, served[0], "groups")
    background = "() => getComputedStyle(document.querySelector('[data-testid=stApp]')).backgroundColor"
    light = page.evaluate(background)
    page.get_by_test_id("stMainMenu").get_by_role("button").click()
    page.get_by_role("menuitemradio", name="Dark").click()
    settle(page, PATIENCE)
    assert page.evaluate(background) != light
    for choice, dark in (("Light", False), ("Dark", True)):
        page.get_by_role("button", name=choice, exact=True).click()
        page.wait_for_function(f"([light, dark]) => ({background})() !== light === dark", arg=[light, dark], timeout=PATIENCE)
    follow(page, "Compare")
    page.reload()
    settle(page, PATIENCE)
    assert page.evaluate(background) != light


def test_a_dead_link_says_what_is_shown_instead(page: Any, served: tuple[str, FakeWorkspace], store: Store) -> None:
    address, fake = served
    other = next(run for run in fake.run_ids if run.startswith("erm-s1-"))
    visit(page, address, "groups", "?cohort=0123456789ab&attribute=race&runs=gone-s1-abc")
    said = says(page, ".st-key-link-notes", "")
    assert "not in this workspace (0123456789ab). Shown instead: Fake clinic" in said
    assert "“race”, which Fake clinic does not have. Shown instead: " in said
    assert "The run that the link names is not here (gone-s1-abc). Shown instead: " in said
    choose(page, "view_attribute", "skin_type" if "attribute=sex" in page.url else "sex")
    page.locator(".st-key-link-notes").wait_for(state="detached", timeout=PATIENCE)
    visit(page, address, "modalities", f"?runs={other},gone-s1-abc")
    said = says(page, ".st-key-link-notes", "")
    assert "1 of the 2 runs that the link names are not here (gone-s1-abc). Shown here: ERM (fused)" in said
    # Another page shows nothing of that link, so it says nothing of it.
    follow(page, "Cohort")
    says(page, "h1", "Who is in this cohort?")
    assert page.locator(".st-key-link-notes").count() == 0


@pytest.fixture
def two_clinics(tmp_path: Any):
    fake = fake_workspace(tmp_path / "w", runs=1, patients=150, epochs=2, unsettled=False)
    other = fake_cohort(fake.workspace, patients=120, name="Second clinic", seed=4)
    fake_run(fake.workspace, other, epochs=2)
    with dashboard(fake.workspace.root) as address:
        yield address, fake, other


def test_a_link_to_a_run_alone_opens_its_cohort(two_clinics: Any, page: Any) -> None:
    """Without the cohort in the link the newest cohort was shown, with runs of its own."""
    address, fake, other = two_clinics
    newest = widget(page, "view_cohort")
    visit(page, address, "groups", chart=False)
    shown = "Second clinic" if "Second clinic" in str(newest.locator("input").first.input_value() or newest.inner_text()) else "Fake clinic"
    with Store.open(fake.workspace) as store:
        runs = store.runs(fake.cohort.cohort_id if shown == "Second clinic" else other.cohort_id, status="done")
    visit(page, address, "groups", f"?runs={runs['run_id'].iloc[0]}", chart=False)
    in_address(page, str(runs["cohort_id"].iloc[0]))
    assert page.locator(".st-key-link-notes").count() == 0
