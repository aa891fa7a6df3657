"""What holds for all nine pages: a phone's width, charts with words for readers who cannot see them, keys, links."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pytest

from core.workspace import Workspace
from tests.browser.helpers import dashboard, overflow, settle
from tests.browser.screenshots import PAGES
from tests.browser.widgets import CHART, PATIENCE, follow, in_address, says, tab_to, visit, widget
from tests.factories import FakeWorkspace, fake_cohort, fake_run

MARKS = ("**x**", "<b>bold</b>", "$a$ and $b$", ":red[x]", "`code`")
ANALYSIS = ("modalities", "gradients", "groups", "compare")


def _run(fake: FakeWorkspace) -> str:
    return next(run for run in fake.run_ids if run.startswith("erm-s1-"))


@pytest.mark.parametrize("name", PAGES)
def test_a_phone_shows_the_whole_page_and_charts_are_named(page: Any, served: tuple[str, FakeWorkspace], name: str) -> None:
    address, fake = served
    page.set_viewport_size({"width": 390, "height": 844})
    visit(page, address, "" if name == "overview" else name, f"?attribute=sex&tour=done&runs={_run(fake)}", chart=name in ANALYSIS)
    assert overflow(page) <= 0
    assert page.locator("[data-testid=stException]").count() == 0
    assert page.locator("h1").count() == 1 and page.locator("h1").inner_text().endswith("?")
    charts = page.locator("[data-testid=stVegaLiteChart]")
    named = page.locator("[data-testid=stVegaLiteChart] [aria-label]")
    assert named.count() >= charts.count()
    if name in ANALYSIS:
        words = charts.first.locator("[aria-label]").first.get_attribute("aria-label")
        assert words and len(words) > 30, "the sentence for who cannot see the chart"


def test_the_bar_is_used_by_keyboard_alone(page: Any, served: tuple[str, FakeWorkspace]) -> None:
    visit(page, served[0], "modalities", f"?attribute=sex&runs={_run(served[1])}")
    attribute = widget(page, "view_attribute").get_by_role("combobox")
    tab_to(page, attribute)
    page.keyboard.press("ArrowDown")
    page.get_by_role("option", name="skin_type", exact=True).wait_for(timeout=PATIENCE)
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    in_address(page, "attribute=skin_type")


def test_the_view_travels_from_page_to_page_and_back(page: Any, served: tuple[str, FakeWorkspace]) -> None:
    address, fake = served
    run = _run(fake)
    visit(page, address, "groups", f"?attribute=skin_type&runs={run}")
    for name in ("Modalities", "Gradients", "Compare", "Reports", "Cohort", "Train", "Overview", "Groups"):
        follow(page, name)
        in_address(page, "attribute=skin_type")
    in_address(page, run)
    page.wait_for_selector(CHART, state="attached", timeout=PATIENCE)


@pytest.mark.parametrize("name", ANALYSIS)
def test_a_link_reopens_the_view(page: Any, served: tuple[str, FakeWorkspace], name: str) -> None:
    address, fake = served
    query = f"?cohort={fake.cohort.cohort_id}&attribute=skin_type&runs={_run(fake)}"
    visit(page, address, name, query)
    before = says(page, ".st-key-answer", "")
    for part in query[1:].split("&"):
        in_address(page, part)
    page.reload()
    settle(page, PATIENCE)
    assert says(page, ".st-key-answer", before.split("\n")[0]) == before


def test_a_link_that_names_what_is_not_there_still_opens(page: Any, served: tuple[str, FakeWorkspace]) -> None:
    visit(page, served[0], "groups", "?cohort=none&attribute=none&runs=none")
    assert says(page, ".st-key-answer", "AUC")


@pytest.fixture(scope="module")
def marked(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A cohort whose names are full of marks that Markdown, HTML and LaTeX know, served."""
    workspace = Workspace.open(tmp_path_factory.mktemp("marked") / "w")
    cohort = fake_cohort(
        workspace, patients=500, name=f"Clinic {' '.join(MARKS)}", attributes={f"at {MARKS[2]}": dict.fromkeys(MARKS, 1)},
        modalities={MARKS[4]: "image", MARKS[3]: "tabular"},
    )  # fmt: skip
    for method in ("erm", "multifair"):
        fake_run(workspace, cohort, method=method, epochs=2)
    fake_run(workspace, cohort, method="unimodal", settings={"modality": MARKS[4]}, epochs=2)
    fake_run(workspace, cohort, method="ogm-ge", epochs=2, status="failed", reason=" ".join(MARKS))
    with dashboard(workspace.root) as address:
        yield address


@pytest.mark.parametrize("name", ["", "cohort", "train", "compare"])
def test_names_full_of_marks_stand_as_they_are(marked: str, page: Any, name: str) -> None:
    visit(page, marked, name, "?tour=done")
    if name == "compare":
        widget(page, "show-patients").locator("label").first.click()
        settle(page, PATIENCE)
    main = page.get_by_test_id("stMain")
    # Words, table cells, chart labels and what a select box holds.
    said = (
        main.inner_text()
        + " ".join(main.locator("svg text, td").all_text_contents())
        + " ".join(main.locator("input").evaluate_all("all => all.map(one => one.value)"))
    )
    for mark in MARKS:
        assert mark in said, f"{mark} is not on the page as it was written"
    assert main.locator(".katex").count() == 0
    assert main.locator("b, code").count() == 0
    assert main.locator("strong").filter(has_text=re.compile("^x$")).count() == 0


def test_files_come_only_from_where_small_counts_are_hidden(page: Any, served: tuple[str, FakeWorkspace]) -> None:
    """The frame of a table or chart has a bar of its own, whose files would hold everything."""
    page.goto(f"{served[0]}/cohort")
    settle(page)
    page.wait_for_selector('[data-testid="stDataFrame"]', timeout=PATIENCE)
    shown = page.evaluate(
        "[...document.querySelectorAll('[data-testid=stElementToolbarButton]')].filter(e => getComputedStyle(e).display !== 'none')"
        ".map(e => e.querySelector('button').getAttribute('aria-label').split(':')[0])"
    )
    assert "Search" in shown and not {"Download as CSV", "Download as PNG", "Copy Vega-Lite spec"} & set(shown)
