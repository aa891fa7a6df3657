"""The Gradients page in a browser: conflict as recorded, slider and brush move the heat maps."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from core.charts.text import decimal, percent
from core.store import Store
from tests.browser.helpers import settle
from tests.browser.widgets import (
    PATIENCE,
    add,
    downloads,
    explained,
    in_address,
    says,
    slide,
    table_of,
    title,
    visit,
    widget,
)
from tests.factories import FakeWorkspace

STRIPS = ".st-key-block-gradient-conflict"
CELLS = f"{STRIPS} [data-testid=stVegaLiteChart] svg:first-of-type text[role=graphics-symbol]"
"""Numbers in the heat map; their labels for readers who cannot see them say of which group and modality."""


def _run(fake: FakeWorkspace, method: str = "erm") -> str:
    return next(run for run in fake.run_ids if run.startswith(f"{method}-s1-"))


def _cells(page: Any) -> list[str]:
    """What the heat map of the only column says, cell by cell."""
    return sorted(str(cell.get_attribute("aria-label")) for cell in page.locator(CELLS).all())


def _until_other(page: Any, before: list[str]) -> list[str]:
    page.wait_for_function(
        """([selector, before]) => {
            const now = [...document.querySelectorAll(selector)].map(t => t.getAttribute('aria-label')).sort();
            return now.length && JSON.stringify(now) !== before; }""",
        arg=[CELLS, _compact(before)], timeout=PATIENCE,
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
    said = says(page, ".st-key-answer", "training steps")
    assert share.max() > 0 and f"{percent(share.max())} of training steps" in said
    assert share.idxmax() in said.lower()


def test_slider_by_keyboard_and_drag_move_the_heat_map(page: Any, served: tuple[str, FakeWorkspace], store: Store) -> None:
    """The heat map holds the mean of the marked epochs: of the slider's, and of those dragged over in the strips."""
    address, fake = served
    run = _run(fake)
    visit(page, address, "gradients", f"?attribute=sex&runs={run}")
    before = _cells(page)
    assert before == _means(store, fake, run, range(3, 6))
    slide(page, widget(page, "epochs").get_by_role("slider").first, 1)
    after = _until_other(page, before)
    assert after == _means(store, fake, run, range(1, 6))
    settle(page, PATIENCE)
    chart = page.locator(f"{STRIPS} [data-testid=stVegaLiteChart] svg").first
    chart.scroll_into_view_if_needed()
    box = chart.bounding_box()
    # To the left of the first epoch, to between the second and the third, through the lowest strip.
    middle = box["y"] + 0.9 * box["height"]
    page.mouse.move(box["x"] + 0.02 * box["width"], middle)
    page.mouse.down()
    page.mouse.move(box["x"] + 0.35 * box["width"], middle + 4, steps=8)
    page.mouse.up()
    dragged = _until_other(page, after)
    assert dragged in [_means(store, fake, run, range(1, last + 1)) for last in (1, 2)]


def _means(store: Store, fake: FakeWorkspace, run: str, epochs: range) -> list[str]:
    """What the heat map should say for epochs counted from 1."""
    rows = store.telemetry([run], ["conflict.group_modality"])
    mean = rows[(rows["epoch"] + 1).isin(epochs)].groupby(["group", "modality"])["value"].mean()
    return sorted(f"{group}, {modality}: {decimal(value if abs(value) >= 0.005 else 0.0, 2, signed=True)}" for (group, modality), value in mean.items())


def test_columns_tables_and_downloads(page: Any, served: tuple[str, FakeWorkspace], store: Store, tmp_path: Path) -> None:
    address, fake = served
    run = _run(fake)
    visit(page, address, "gradients", f"?attribute=sex&runs={run}")
    add(page, "view_runs", "MultiFair · seed 1")
    in_address(page, _run(fake, "multifair"))
    page.locator(f"{STRIPS} [data-testid=stVegaLiteChart]").nth(1).wait_for(timeout=PATIENCE)
    assert table_of(page, "gradient-conflict")
    rows = downloads(page, "gradient-conflict", tmp_path)
    recorded = store.telemetry([run], ["conflict.groups"])
    drawn = sorted(float(row["Value"]) for row in rows if row["Quantity"] == "conflict.groups" and row["Run"].startswith("ERM"))
    assert drawn == pytest.approx(sorted(recorded.loc[recorded["epoch"] >= 0, "value"]))
    explained(page, "How to read this")


def test_tabs_of_sizes_open_and_a_link_reopens_them(page: Any, served: tuple[str, FakeWorkspace], store: Store, tmp_path: Path) -> None:
    address, fake = served
    run = _run(fake)
    visit(page, address, "gradients", f"?attribute=sex&runs={run}")
    rows = downloads(page, "magnitude", tmp_path)
    recorded = store.telemetry([run], ["magnitude.fused"])
    assert sorted(float(row["Magnitude similarity"]) for row in rows) == pytest.approx(sorted(recorded.loc[recorded["epoch"] >= 0, "value"].dropna()))
    assert page.locator(".st-key-block-magnitude-groups").count() == 0, "a closed tab is not drawn"
    page.get_by_role("tab", name="Size between groups").click()
    in_address(page, "evidence=Size+between+groups")
    similar = store.telemetry([run], ["magnitude.groups"])
    last = similar[similar["epoch"] == similar["epoch"].max()]["value"].iloc[0]
    assert decimal(last, 2) in title(page, "magnitude-groups", "similarity in size")
    visit(page, address, "gradients", page.evaluate("location.search"))
    title(page, "magnitude-groups", decimal(last, 2))
    assert page.get_by_role("tab", name="Size between groups").get_attribute("aria-selected") == "true"
    page.get_by_role("tab", name="Curvature").click()
    in_address(page, "evidence=Curvature")
    bend = store.telemetry([run], ["effect.curvature"])
    sharpest = bend[bend["epoch"] == bend["epoch"].max()].sort_values("value").iloc[-1]
    assert f"gradient of {sharpest['modality']}" in title(page, "curvature", f"curvature {decimal(sharpest['value'], 2)}")


def test_a_unimodal_network_never_fights_itself(page: Any, served: tuple[str, FakeWorkspace]) -> None:
    address, fake = served
    run = next(run for run in fake.run_ids if run.startswith("unimodal-s1-"))
    visit(page, address, "gradients", f"?attribute=sex&runs={run}")
    says(page, ".st-key-answer", "No modality's gradient ever worked against the fused one")
