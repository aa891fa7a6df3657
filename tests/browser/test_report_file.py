"""A report's HTML as a reader opens it from a folder: charts answer the pointer, print and narrow screens hold it whole, and it runs nothing of a user's."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import pytest
from playwright.sync_api import TimeoutError

from core.report.bundle import render
from tests.browser.test_accessibility import RULES, RUN
from tests.browser.widgets import PATIENCE
from tests.report.test_hostile import HOSTILE, made

DRAWN = "() => document.querySelectorAll('.drawn').length === document.querySelectorAll('[data-drawing]').length"
WIDER = "() => [...document.querySelectorAll('main *')].filter(e => e.getBoundingClientRect().right > innerWidth + 1 && !e.closest('.scroll, svg, pre')).length"
CUT = "() => [...document.querySelectorAll('.scroll')].filter(e => e.scrollWidth > e.clientWidth + 1).map(e => e.innerText.slice(0, 80))"


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    path = tmp_path_factory.mktemp("report") / "audit.html"
    path.write_text(str(render(made(HOSTILE[0], HOSTILE[6], "model_of_an_extremely_long_name_that_has_no_space_to_break_at_"), "html")), encoding="utf-8")
    yield path.as_uri()


def _scrolled(page: Any, file: str) -> None:
    """Every chart has come into view once."""
    page.goto(file)
    for place in page.locator("[data-drawing]").all():
        place.scroll_into_view_if_needed()
    page.wait_for_function(DRAWN, timeout=PATIENCE)


def _pointed_at(page: Any, mark: Any) -> None:
    """The pointer rests on the mark until its words show: a scroll that is still on its way hides them, and they come back with the next move."""
    for _ in range(20):
        page.mouse.move(1, 1)
        mark.hover(force=True)
        with suppress(TimeoutError):
            page.wait_for_selector(".tip:not([hidden])", timeout=PATIENCE / 20)
            return
    page.wait_for_selector(".tip:not([hidden])", timeout=1)


def test_charts_answer_the_pointer_and_a_print_shows_the_drawing(page: Any, file: str) -> None:
    _scrolled(page, file)
    mark = page.locator(".live .mark-symbol path").first
    mark.scroll_into_view_if_needed()
    _pointed_at(page, mark)
    assert "<img src=x onerror=alert(1)>" in page.inner_text(".tip"), "a group's name is text in it"
    first = "document.querySelector('.drawn > svg')"
    assert page.evaluate(f"getComputedStyle({first}).display") == "none"
    page.emulate_media(media="print")
    page.set_viewport_size({"width": 680, "height": 900})
    assert page.evaluate(f"getComputedStyle({first}).display") != "none"
    assert page.evaluate("getComputedStyle(document.querySelector('.live')).display") == "none"
    assert page.evaluate(CUT) == [] and page.evaluate(WIDER) == 0


def test_on_a_telephone_and_for_everybody(page: Any, file: str) -> None:
    page.set_viewport_size({"width": 390, "height": 844})
    _scrolled(page, file)
    assert page.evaluate("document.documentElement.scrollWidth") == 390 and page.evaluate(WIDER) == 0
    # The page lets nobody add a script, so axe's is run past its policy, by the tool that drives the browser.
    page.evaluate(RULES.read_text(encoding="utf-8"))
    assert page.evaluate(RUN) == []


def test_without_script_the_drawings_stand_there(browser: Any, file: str) -> None:
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(file)
    assert page.locator("[data-drawing] > svg").first.is_visible() and not page.locator(".live").count()
    context.close()
