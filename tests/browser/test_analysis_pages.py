"""The four analysis pages in a real browser: charts drawn, controls answer, numbers are the audit's."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

import pytest

from core.audit import run_compare, run_views
from core.charts.text import decimal, interval
from core.store import Store
from tests.browser.helpers import overflow, settle
from tests.factories import FakeWorkspace

CHART = "[data-testid=stVegaLiteChart] svg path"


def _open(page: Any, address: str, name: str, query: str = "") -> None:
    page.goto(f"{address}/{name}{query}")
    settle(page)
    page.wait_for_selector(CHART, state="attached", timeout=20_000)


def _erm(fake: FakeWorkspace) -> str:
    return next(run for run in fake.run_ids if run.startswith("erm-s1-"))


@pytest.mark.parametrize("name", ["modalities", "gradients", "groups", "compare"])
def test_page_fits_a_phone_and_names_its_charts(page: Any, served: tuple[str, FakeWorkspace], name: str) -> None:
    page.set_viewport_size({"width": 390, "height": 844})
    _open(page, served[0], name)
    assert overflow(page) <= 0
    charts = page.locator("[data-testid=stVegaLiteChart]")
    labelled = page.locator("[data-testid=stVegaLiteChart] [aria-label]")
    assert charts.count() > 0 and labelled.count() >= charts.count()


def test_groups_reads_the_audits_number_and_slider_answers(page: Any, served: tuple[str, FakeWorkspace]) -> None:
    address, fake = served
    run = _erm(fake)
    _open(page, address, "groups", f"?attribute=sex&runs={run}")
    with Store.open(fake.workspace) as store:
        rows = run_views.group_performance(store, [run], "sex")
    known = rows[rows["group"].notna()].sort_values("value")
    title = page.locator(".st-key-block-group-auc h4").inner_text()
    assert f"{decimal(known['value'].iloc[0])} against {decimal(known['value'].iloc[-1])}" in title
    slider = page.locator(".st-key-threshold input[type=range]")
    slider.focus()
    for _ in range(20):
        slider.press("ArrowLeft")
    # Reruns on the way there show thresholds between: only the last answer is the one asked for.
    title = page.locator(".st-key-block-thresholds h4")
    title.filter(has_text="threshold of .30").wait_for(timeout=20_000)
    settle(page)
    assert "threshold of .30" in title.inner_text()


def test_compare_answer_is_the_audits(page: Any, served: tuple[str, FakeWorkspace]) -> None:
    address, fake = served
    _open(page, address, "compare", "?attribute=sex")
    with Store.open(fake.workspace) as store:
        _, methods = run_compare.overview(store, store.runs(status="done"), "sex", "es_auc")
    best = methods[methods["front"]].sort_values("y").iloc[-1]
    assert interval(best["y"], best["y_low"], best["y_high"]) in page.locator(".st-key-answer").inner_text()
    assert page.locator(".st-key-patients").count() == 0, "patients are shown unasked"


def test_dragging_in_a_strip_moves_the_heat_map(page: Any, served: tuple[str, FakeWorkspace]) -> None:
    address, fake = served
    _open(page, address, "gradients", f"?attribute=sex&runs={_erm(fake)}")
    chart = page.locator(".st-key-block-gradient-conflict [data-testid=stVegaLiteChart] svg").first

    def numbers() -> list[str]:
        return [text for text in chart.locator("text").all_text_contents() if text.startswith(("+.", "−."))]

    before, box = numbers(), chart.bounding_box()
    assert before and box
    page.mouse.move(box["x"] + 0.12 * box["width"], box["y"] + 70)
    page.mouse.down()
    page.mouse.move(box["x"] + 0.25 * box["width"], box["y"] + 75, steps=8)
    page.mouse.up()
    page.wait_for_timeout(300)
    assert numbers() != before


def test_downloads_hold_what_is_drawn(page: Any, served: tuple[str, FakeWorkspace], tmp_path: Path) -> None:
    address, fake = served
    run = _erm(fake)
    _open(page, address, "groups", f"?attribute=sex&runs={run}")
    page.locator(".st-key-get-group-auc button").first.click()
    saved = {}
    for kind in ("CSV", "SVG", "PNG"):
        with page.expect_download() as download:
            page.get_by_role("button", name=kind, exact=True).click()
        saved[kind] = tmp_path / download.value.suggested_filename
        download.value.save_as(saved[kind])
    rows = {row["who"]: row for row in csv.DictReader(saved["CSV"].open(encoding="utf-8"))}
    with Store.open(fake.workspace) as store:
        audited = run_views.group_performance(store, [run], "sex").set_index("group")["value"]
    assert float(rows["female"]["value"]) == pytest.approx(audited["female"])
    assert saved["SVG"].read_text(encoding="utf-8").startswith("<svg")
    assert saved["PNG"].read_bytes().startswith(b"\x89PNG")


def test_view_travels_from_page_to_page(page: Any, served: tuple[str, FakeWorkspace]) -> None:
    address, fake = served
    run = _erm(fake)
    _open(page, address, "groups", f"?attribute=skin_type&runs={run}")
    page.get_by_role("link", name="Modalities").click()
    page.wait_for_url("**/modalities**")
    settle(page)
    page.wait_for_function("() => location.search.includes('skin_type')")
    assert run in page.url
