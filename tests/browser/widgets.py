"""Use a page's controls as a person would: by their names, with the mouse or the keyboard."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

from tests.browser.helpers import settle

PATIENCE = 30_000
"""Milliseconds that a slow machine may take to answer."""
TRIES = 6
CHART = "[data-testid=stVegaLiteChart] svg path"
FRAME = "[data-testid=stDataFrame]"
RISES = """([where, column]) => {
  const rows = [...document.querySelector(where).querySelectorAll('table tbody tr')].filter(row => row.cells.length > column);
  const values = rows.map(row => parseFloat(row.querySelectorAll('td')[column].innerText));
  return values.length > 1 && values.every((v, i) => i === 0 || v >= values[i - 1]);
}"""


def visit(page: Any, address: str, name: str = "", query: str = "", chart: bool = True) -> None:
    """Open a page and wait until it and its charts are there."""
    page.goto(f"{address}/{name}{query}")
    settle(page, PATIENCE)
    if chart:
        page.wait_for_selector(CHART, state="attached", timeout=PATIENCE)


def follow(page: Any, name: str) -> None:
    """Another page through the navigation."""
    page.get_by_test_id("stSidebarNav").get_by_role("link", name=name, exact=True).click()
    settle(page, PATIENCE)


def widget(page: Any, key: str) -> Any:
    """The element of a widget by the key that the page gave it."""
    return page.locator(f".st-key-{key}").first


def choose(page: Any, key: str, option: str) -> None:
    """One option of a select box."""
    _option(page, widget(page, key).get_by_role("combobox"), option)
    settle(page, PATIENCE)


def add(page: Any, key: str, option: str) -> None:
    """One more option of a multiselect; a long list draws only what is in sight, so the name is typed.

    A rerun may drop a choice just made: it is made again.
    """
    box = widget(page, key).get_by_role("combobox")
    chosen = widget(page, key).get_by_role("button", name=f"Remove {option}", exact=True)
    for _ in range(TRIES):
        _option(page, box, option, typed=True)
        box.press("Escape")
        settle(page, PATIENCE)
        if chosen.count():
            break
    page.locator("h1").click()
    page.get_by_role("listbox").wait_for(state="detached", timeout=PATIENCE)
    settle(page, PATIENCE)


def _option(page: Any, box: Any, option: str, typed: bool = False) -> None:
    """Open the list and take an option. A rerun may close a list that has just been opened: it is opened again."""
    from playwright.sync_api import TimeoutError as NotYet

    wanted = page.get_by_role("option", name=option, exact=True)
    for _ in range(TRIES):
        box.scroll_into_view_if_needed()
        if typed:
            box.click()
            box.fill(option)
        else:
            # By keyboard: scrolling, which a click may bring, closes a list.
            box.press("ArrowDown")
        try:
            wanted.click(timeout=PATIENCE / TRIES)
            return
        except NotYet:
            box.press("Escape")
    raise AssertionError(f"{option!r} is not offered")


def remove(page: Any, key: str, option: str) -> None:
    """Take one option out of a multiselect."""
    widget(page, key).get_by_role("button", name=f"Remove {option}", exact=True).click()
    settle(page, PATIENCE)


def tags(page: Any, key: str) -> list[str]:
    """What a multiselect holds."""
    return [str(tag.get_attribute("aria-label")) for tag in widget(page, key).locator("[data-tag]").all()]


def press(page: Any, key: str, name: str | None = None) -> None:
    """A button by its key, or one of its buttons by name (segments, pills)."""
    found = widget(page, key)
    (found.get_by_role("button", name=name, exact=True) if name else found.get_by_role("button")).first.click()
    settle(page, PATIENCE)


def segment(page: Any, key: str, name: str) -> None:
    """One segment or pill."""
    found = widget(page, key)
    found.locator("button").filter(has_text=name).first.click()
    settle(page, PATIENCE)


def tab(page: Any, label: str) -> None:
    """Open a tab of evidence; its content is there afterwards."""
    page.locator(".st-key-evidence").get_by_role("tab", name=label, exact=True).click()
    page.get_by_role("tab", name=label, exact=True, selected=True).wait_for(timeout=PATIENCE)
    settle(page, PATIENCE)


def flip(page: Any, key: str) -> None:
    """A toggle or checkbox."""
    widget(page, key).locator("label").first.click()
    settle(page, PATIENCE)


def slide(page: Any, thumb: Any, wanted: float) -> None:
    """A slider's thumb to a value, by keyboard; a key that a rerun swallowed is pressed again."""
    for _ in range(300):
        now = float(thumb.get_attribute("aria-valuenow") or thumb.input_value())
        if abs(now - wanted) < 1e-6:
            return settle(page, PATIENCE)
        thumb.press("ArrowLeft" if now > wanted else "ArrowRight")
    raise AssertionError(f"the slider does not come to {wanted}")


def says(page: Any, where: str, text: str) -> str:
    """Wait until the element says `text`; returns all it says, with plain spaces where a line may not break."""
    found = page.locator(where).filter(has_text=text).first
    found.wait_for(timeout=PATIENCE)
    return str(found.inner_text()).replace("\xa0", " ")


def title(page: Any, block: str, text: str = "") -> str:
    """Title of a chart block, once it holds `text`."""
    return says(page, f".st-key-block-{block} h2", text)


def explained(page: Any, name: str) -> None:
    """Unfold an expander and see that it holds something; its body is waited for."""
    found = page.locator("[data-testid=stExpander]").filter(has_text=name).first
    found.locator("summary").click()
    found.locator("[data-testid=stExpanderDetails]").locator("p, table, canvas, label").first.wait_for(state="visible", timeout=PATIENCE)


def table(page: Any, where: str) -> list[list[str]]:
    """Cells of a table as it is shown, row by row."""
    frame = page.locator(f"{where} {FRAME}").first
    frame.locator("table td").first.wait_for(state="attached", timeout=PATIENCE)
    return [[cell.inner_text() for cell in row.locator("td").all()] for row in frame.locator("table tbody tr").all()]


def table_row(page: Any, where: str, start: list[str]) -> list[str]:
    """The row that begins with these cells, waited for: a table that is drawn anew holds its old rows for a moment."""
    for _ in range(40):
        rows = table(page, where)
        for row in rows:
            if row[: len(start)] == start:
                return row
        page.wait_for_timeout(500)
    raise AssertionError(f"no row begins with {start}: {rows}")


def sort_by(page: Any, where: str, column: int) -> list[float]:
    """Click heads of a table until `column` rises by its numbers, as from text order it would not; returns them.

    The heads are drawn on a canvas, so their places are tried from the left. AssertionError when no head sorts the column so.
    """

    frame = page.locator(f"{where} {FRAME}").first
    frame.scroll_into_view_if_needed()
    box = frame.bounding_box()
    # The menu of a table lies over the right end of its heads.
    for x in range(12, int(box["width"]) - 12, 28):
        page.mouse.click(box["x"] + x, box["y"] + 14)
        # The grid sorts within the click and draws in the next frame; nothing is waited for by the clock.
        page.evaluate("() => new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))")
        settle(page, PATIENCE)
        if not page.evaluate(RISES, [f"{where} {FRAME}", column]):
            continue
        return [float(row[column]) for row in table(page, where)]
    raise AssertionError(f"no head sorts column {column} by its numbers")


def tooltip(page: Any, mark: Any) -> str:
    """What the tooltip of a mark of a chart says."""
    mark.scroll_into_view_if_needed()
    mark.hover(force=True)
    shown = page.locator("#vg-tooltip-element.visible")
    shown.wait_for(timeout=PATIENCE)
    return str(shown.inner_text())


def tab_to(page: Any, wanted: Any, most: int = 60) -> None:
    """Press Tab until `wanted` has the focus."""
    for _ in range(most):
        page.keyboard.press("Tab")
        if wanted.evaluate("element => element === document.activeElement"):
            return
    raise AssertionError("the control cannot be reached with the Tab key")


def table_of(page: Any, block: str) -> list[list[str]]:
    """The table on demand of a chart, opened and closed again."""
    widget(page, f"table-{block}").get_by_role("button").first.click()
    popover = page.locator("[data-testid=stPopoverBody]")
    popover.locator(f"{FRAME} table td").first.wait_for(state="attached", timeout=PATIENCE)
    cells = table(page, "[data-testid=stPopoverBody]")
    page.keyboard.press("Escape")
    popover.wait_for(state="detached", timeout=PATIENCE)
    return cells


def downloads(page: Any, block: str, folder: Path) -> list[dict[str, str]]:
    """PNG, SVG and CSV of a chart: saved, recognised; returns the rows of the CSV."""
    widget(page, f"get-{block}").get_by_role("button").first.click()
    opened = page.locator("[data-testid=stPopoverBody]")
    hiding = opened.get_by_text("Hide counts below 11")
    # One of the two is there as soon as the popover is filled.
    hiding.or_(opened.get_by_role("button", name="PNG", exact=True)).first.wait_for(timeout=PATIENCE)
    if hiding.count():
        hiding.click(timeout=PATIENCE)
    saved = {kind: download(page, kind, folder, opened) for kind in ("PNG", "SVG", "CSV")}
    page.keyboard.press("Escape")
    page.locator("[data-testid=stPopoverBody]").wait_for(state="detached", timeout=PATIENCE)
    assert saved["PNG"].read_bytes().startswith(b"\x89PNG")
    assert saved["SVG"].read_text(encoding="utf-8").startswith("<svg")
    return list(csv.DictReader(saved["CSV"].read_text(encoding="utf-8").splitlines()))


def download(page: Any, name: str, folder: Path, within: Any = None) -> Path:
    """What a download button (of the part `within`) gives, saved below `folder`."""
    with page.expect_download(timeout=PATIENCE) as waiting:
        (within or page).get_by_role("button", name=name, exact=True).click(timeout=PATIENCE)
    target = folder / waiting.value.suggested_filename
    waiting.value.save_as(target)
    return target


def in_address(page: Any, text: str) -> None:
    """Wait until the address names `text`: that is how a link reopens the view."""
    page.wait_for_function("text => decodeURIComponent(location.search).includes(text)", arg=text, timeout=PATIENCE)
