"""The Gradients page in a browser: conflict as recorded, slider and brush move the heat maps."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from core.charts.text import percent
from core.store import Store
from tests.browser.helpers import settle
from tests.browser.widgets import PATIENCE, add, downloads, explained, in_address, says, slide, table_of, visit, widget
from tests.factories import FakeWorkspace

STRIPS = ".st-key-block-gradient-conflict"


def _run(fake: FakeWorkspace, method: str = "erm") -> str:
    return next(run for run in fake.run_ids if run.startswith(f"{method}-s1-"))


def _cells(page: Any) -> list[str]:
    """Numbers in the heat map of the first column."""
    texts = page.locator(f"{STRIPS} [data-testid=stVegaLiteChart] svg").first.locator("text").all_text_contents()
    return [text for text in texts if text.startswith(("+.", "−.", ".0"))]


def _until_other(page: Any, before: list[str]) -> list[str]:
    page.wait_for_function(
        """([selector, before]) => {
            const svg = document.querySelector(selector + ' [data-testid=stVegaLiteChart] svg');
            const now = svg && [...svg.querySelectorAll('text')].map(t => t.textContent).filter(t => /^([+−]\\.|\\.0)/.test(t));
            return now && now.length && JSON.stringify(now) !== before; }""",
        arg=[STRIPS, _compact(before)], timeout=PATIENCE,
    )  # fmt: skip
    return _cells(page)


def _compact(texts: list[str]) -> str:
    return json.dumps(texts, ensure_ascii=False, separators=(",", ":"))


def test_the_answer_is_the_recorded_conflict(page: Any, served: tuple[str, FakeWorkspace], store: Store) -> None:
    address, fake = served
    run = _run(fake)
    share = store.telemetry([run], ["conflict.fused"])
    share = share[(share["stat"] == "share_negative") & (share["epoch"] >= 0)].groupby("modality")["value"].mean()
    visit(page, address, "gradients", f"?attribute=sex&runs={run}")
    said = says(page, ".st-key-answer", "gradient")
    assert share.max() > 0 and f"in {percent(share.max())} of steps" in said
    assert share.idxmax() in said.lower()


def test_slider_by_keyboard_and_drag_move_the_heat_map(page: Any, served: tuple[str, FakeWorkspace], store: Store) -> None:
    address, fake = served
    visit(page, address, "gradients", f"?attribute=sex&runs={_run(fake)}")
    before = _cells(page)
    assert before
    slide(page, widget(page, "epochs").get_by_role("slider").first, 1)
    _until_other(page, before)
    settle(page, PATIENCE)
    after = _cells(page)
    chart = page.locator(f"{STRIPS} [data-testid=stVegaLiteChart] svg").first
    chart.scroll_into_view_if_needed()
    box = chart.bounding_box()
    page.mouse.move(box["x"] + 0.12 * box["width"], box["y"] + 70)
    page.mouse.down()
    page.mouse.move(box["x"] + 0.25 * box["width"], box["y"] + 75, steps=8)
    page.mouse.up()
    _until_other(page, after)


def test_columns_tables_and_downloads(page: Any, served: tuple[str, FakeWorkspace], store: Store, tmp_path: Path) -> None:
    address, fake = served
    run = _run(fake)
    visit(page, address, "gradients", f"?attribute=sex&runs={run}")
    add(page, "view_runs", "MultiFair · seed 1")
    in_address(page, _run(fake, "multifair"))
    page.locator(f"{STRIPS} [data-testid=stVegaLiteChart]").nth(1).wait_for(timeout=PATIENCE)
    recorded = store.telemetry([run], ["magnitude."])
    rows = downloads(page, "magnitude", tmp_path)
    known = {round(v, 9) for v in recorded["value"].dropna()}
    drawn = {round(float(row["value"]), 9) for row in rows if row["value"]}
    assert drawn & known
    assert table_of(page, "gradient-conflict")
    assert rows
    explained(page, "How to read this")


def test_a_unimodal_network_never_fights_itself(page: Any, served: tuple[str, FakeWorkspace]) -> None:
    address, fake = served
    run = next(run for run in fake.run_ids if run.startswith("unimodal-s1-"))
    visit(page, address, "gradients", f"?attribute=sex&runs={run}")
    says(page, ".st-key-answer", "No modality's gradient ever worked against the fused one")
