"""The Groups page in a browser: AUCs are the audit's, slider, intersections and downloads answer."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from core.charts.text import decimal, percent
from core.results import cohort_claims, group_tables, intersections
from core.results.predictions import cohort_of
from core.store import Store
from tests.browser.helpers import overflow, settle
from tests.browser.widgets import (
    PATIENCE,
    choose,
    downloads,
    explained,
    follow,
    in_address,
    remove,
    says,
    tab,
    table,
    table_of,
    title,
    visit,
    widget,
)
from tests.factories import FakeWorkspace


def _run(fake: FakeWorkspace, method: str = "erm") -> str:
    return next(run for run in fake.run_ids if run.startswith(f"{method}-s1-"))


def test_forest_and_answer_are_the_audits(page: Any, served: tuple[str, FakeWorkspace], store: Store, tmp_path: Path) -> None:
    address, fake = served
    run = _run(fake)
    rows = group_tables.group_performance(store, [run], "sex")
    known = rows[rows["group"].notna()].sort_values("value")
    verdict = cohort_claims.of_runs(store, cohort_of(store, run), [run], "sex").iloc[0]
    visit(page, address, "groups", f"?attribute=sex&runs={run}")
    said = says(page, ".st-key-answer", "AUC")
    assert verdict["reason"] in said.replace("\n", " ")
    assert f"{decimal(known['value'].iloc[0])} against {decimal(known['value'].iloc[-1])}" in title(page, "group-auc")
    saved = {row["sex"]: float(row["AUC"]) for row in downloads(page, "group-auc", tmp_path)}
    assert saved["female"] == pytest.approx(known.set_index("group")["value"]["female"])
    null = group_tables.gap_null(store, [run], "sex").iloc[0]
    assert decimal(null["observed"]) in title(page, "gap-null")
    assert any("female" in cell for row in table_of(page, "group-auc") for cell in row)


def test_a_threshold_is_typed_in_units_of_the_score(page: Any, served: tuple[str, FakeWorkspace], store: Store) -> None:
    address, fake = served
    run = _run(fake)
    visit(page, address, "groups", f"?attribute=sex&runs={run}")
    tab(page, "Threshold")
    title(page, "thresholds", "threshold of .50")
    number = widget(page, "threshold-number").locator("input")
    number.fill("0.3")
    number.press("Enter")
    in_address(page, "threshold=0.3")
    # Reruns on the way there show thresholds between: only the last answer is the one asked for.
    said = title(page, "thresholds", "threshold of .30")
    settle(page, PATIENCE)
    grid = group_tables.consequences(store, [run], "sex")
    at = grid[(grid["threshold"] == 0.3) & (grid["metric"] == "tpr")].set_index("group")
    assert percent(at["value"].min()) in said
    page.wait_for_function(
        "([selector, wanted]) => [...document.querySelectorAll(selector)].some(cell => cell.innerText === wanted)",
        arg=["[data-testid=stMain] [data-testid=stDataFrame] table td", str(int(at["selected"]["female"]))], timeout=PATIENCE,
    )  # fmt: skip
    assert len(table(page, "[data-testid=stMain]")) == 2


def test_attribute_runs_and_link(page: Any, served: tuple[str, FakeWorkspace], store: Store) -> None:
    address, fake = served
    visit(page, address, "groups", f"?attribute=sex&runs={_run(fake)},{_run(fake, 'multifair')}")
    forests = page.locator(".st-key-block-group-auc [data-testid=stVegaLiteChart]")
    assert forests.count() == 2
    remove(page, "view_runs", "MultiFair · seed 1")
    page.wait_for_function("() => document.querySelectorAll('.st-key-block-group-auc [data-testid=stVegaLiteChart]').length === 1", timeout=PATIENCE)
    choose(page, "view_attribute", "skin_type")
    in_address(page, "attribute=skin_type")
    said = says(page, ".st-key-answer", "Not estimable")
    assert "V-VI" in said
    link = page.url
    page.goto("about:blank")
    page.goto(link)
    settle(page, PATIENCE)
    assert says(page, ".st-key-answer", "Not estimable") == said


def test_curves_matrix_and_intersections(page: Any, served: tuple[str, FakeWorkspace], store: Store, tmp_path: Path) -> None:
    address, fake = served
    run, other = _run(fake), _run(fake, "multifair")
    visit(page, address, "groups", f"?attribute=sex&runs={run},{other}")
    equity = table_of(page, "equity")
    summary = group_tables.summaries(store, [run], "sex").set_index("metric")["value"]["es_auc"]
    assert any(abs(float(cell) - summary) < 1e-6 for row in equity for cell in row if cell.replace(".", "", 1).isdigit())
    tab(page, "ROC")
    page.locator(".st-key-block-equity").wait_for(state="detached", timeout=PATIENCE)
    assert {row["sex"] for row in downloads(page, "roc", tmp_path)} == {"female", "male"}
    tab(page, "Calibration")
    curve = group_tables.calibration(store, [run, other], "sex")
    # A long table draws the rows that fit on the screen.
    shown = table_of(page, "calibration")
    assert 5 < len(shown) <= len(curve)
    assert float(shown[0][2]) == pytest.approx(curve["predicted"].iloc[0])
    tab(page, "Between groups")
    rows = group_tables.cross_group(store, [run], "sex")
    pair = rows[(rows["positive"] == "female") & (rows["negative"] == "male")]["value"].iloc[0]
    shown = page.locator(".st-key-block-cross-group [data-testid=stVegaLiteChart]").first.locator("svg text")
    assert decimal(pair) in shown.all_text_contents()
    tab(page, "Intersections")
    title(page, "intersections", "ERM (fused)")
    choose(page, "intersection-run", "MultiFair")
    title(page, "intersections", "MultiFair")
    branches = intersections.intersections(store, other, ["sex", "skin_type"])
    low = branches[branches["value"].notna()]["value"].min()
    assert decimal(low) in title(page, "intersections")
    remove(page, "intersection-with", "skin_type")
    page.locator(".st-key-block-intersections").wait_for(state="detached", timeout=PATIENCE)
    explained(page, "How to read this")


def test_a_link_reopens_the_tab_and_other_pages_take_no_harm(page: Any, served: tuple[str, FakeWorkspace], store: Store) -> None:
    address, fake = served
    run = _run(fake)
    visit(page, address, "groups", f"?attribute=sex&runs={run}")
    tab(page, "Between groups")
    in_address(page, "evidence=Between")
    link = page.url
    page.goto("about:blank")
    page.goto(link)
    settle(page, PATIENCE)
    rows = group_tables.cross_group(store, [run], "sex")
    low = rows[(rows["positive"] != rows["negative"])]["value"].min()
    assert decimal(low) in title(page, "cross-group", "Hardest to rank")
    choose(page, "view_attribute", "skin_type")
    title(page, "cross-group", "III-IV")
    follow(page, "Modalities")
    says(page, "h1", "Which modality")
    follow(page, "Groups")
    title(page, "equity")


def test_a_long_page_is_a_few_screens_on_a_telephone(page: Any, served: tuple[str, FakeWorkspace]) -> None:
    address, fake = served
    page.set_viewport_size({"width": 390, "height": 844})
    visit(page, address, "groups", f"?attribute=sex&runs={_run(fake)},{_run(fake, 'multifair')}")
    assert page.locator("[data-testid=stMain]").evaluate("main => main.scrollHeight") < 5 * 844
    assert overflow(page) <= 0
