"""The Compare page in a browser: points, paired differences and disagreements are the audit's; patients only when asked for."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from core.charts.comparison import headline
from core.charts.text import decimal, interval, positives
from core.results import compare_runs
from core.results.answers import standing
from core.store import Store
from dashboard.run_selection import named
from tests.browser.widgets import (
    FRAME,
    PATIENCE,
    choose,
    downloads,
    explained,
    flip,
    says,
    segment,
    sort_by,
    table,
    table_of,
    title,
    tooltip,
    visit,
    widget,
)
from tests.factories import FakeWorkspace


def _ahead(store: Store, measure: str) -> Any:
    runs = named(store.runs(status="done"))
    _, methods = compare_runs.overview(store, runs, "sex", measure)
    return methods, compare_runs.lead(methods, compare_runs.pairs(store, runs, "sex", measure), measure)


def test_answer_and_title_claim_what_paired_differences_show(page: Any, served: tuple[str, FakeWorkspace], store: Store) -> None:
    visit(page, served[0], "compare", "?attribute=sex")
    for name, measure, what in (
        ("ES-AUC", "es_auc", "ES-AUC"),
        ("Worst-group AUC", "worst_group_auc", "worst-group AUC"),
        ("Gap", "max_gap", "gap between groups"),
    ):
        if name != "ES-AUC":
            segment(page, "measure", name)
        methods, ahead = _ahead(store, measure)
        assert title(page, "accuracy-fairness", f"on {what}" if not ahead.ahead else what).startswith(headline(ahead.best, ahead.ahead, ahead.open, what))
        said = says(page, ".st-key-answer", standing(ahead.best, ahead.ahead, ahead.open, what))
        best = methods.set_index("variant").loc[ahead.best]
        assert interval(best["y"], best["y_low"], best["y_high"]) in said


def test_reference_turns_the_forest(page: Any, served: tuple[str, FakeWorkspace], store: Store, tmp_path: Path) -> None:
    visit(page, served[0], "compare", "?attribute=sex")
    title(page, "paired-differences", "Against ERM (fused)")
    choose(page, "reference", "GroupDRO")
    title(page, "paired-differences", "Against GroupDRO")
    expected = compare_runs.paired(store, store.runs(status="done"), "GroupDRO", "sex", "es_auc").set_index("variant")
    rows = {row["Method"]: row for row in downloads(page, "paired-differences", tmp_path)}
    assert set(rows) == set(expected.index)
    for head, name in (("Difference", "value"), ("Low", "low"), ("High", "high"), ("p corrected", "p_adjusted")):
        assert float(rows["MultiFair"][head]) == pytest.approx(expected.loc["MultiFair", name])
    assert int(rows["MultiFair"]["Common seeds"]) == 2
    points = {row["Method"]: float(row["AUC"]) for row in downloads(page, "accuracy-fairness", tmp_path)}
    assert points["MultiFair"] == pytest.approx(_ahead(store, "es_auc")[0].set_index("variant")["x"]["MultiFair"])
    assert table_of(page, "accuracy-fairness")


def test_tables_sort_by_their_numbers(page: Any, served: tuple[str, FakeWorkspace], store: Store) -> None:
    """Negative differences before positive ones, whatever their text."""
    visit(page, served[0], "compare", "?attribute=sex")
    expected = compare_runs.paired(store, store.runs(status="done"), "ERM (fused)", "sex", "es_auc")["value"]
    assert (expected < 0).sum() > 0 and (expected > 0).sum() > 1, "the text order would do"
    widget(page, "table-paired-differences").get_by_role("button").first.click()
    page.locator(f"[data-testid=stPopoverBody] {FRAME} table td").first.wait_for(state="attached", timeout=PATIENCE)
    assert sort_by(page, "[data-testid=stPopoverBody]", 1) == pytest.approx(sorted(expected))


def test_tooltips_repeat_estimate_interval_and_counts(page: Any, served: tuple[str, FakeWorkspace], store: Store) -> None:
    visit(page, served[0], "compare", "?attribute=sex")
    methods, _ = _ahead(store, "es_auc")
    own = methods.set_index("variant").loc["MultiFair"]
    said = tooltip(page, page.locator(".st-key-block-accuracy-fairness svg path[aria-roledescription=point][aria-label*='Method: MultiFair;']").last)
    for part in (
        interval(own["x"], own["x_low"], own["x_high"]),
        interval(own["y"], own["y_low"], own["y_high"]),
        positives(own["n_pos"], own["n_neg"]),
        "2 seeds",
    ):
        assert part in said
    row = compare_runs.paired(store, store.runs(status="done"), "ERM (fused)", "sex", "es_auc").set_index("variant").loc["MultiFair"]
    said = tooltip(page, page.locator(".st-key-block-paired-differences svg path[aria-roledescription=point][aria-label*='Method: MultiFair;']").last)
    for part in (interval(row["value"], row["low"], row["high"], signed=True), positives(row["n_pos"], row["n_neg"]), "corrected"):
        assert part in said


def test_settings_and_disagreements(page: Any, served: tuple[str, FakeWorkspace], store: Store) -> None:
    address, fake = served
    erm, other = (next(r for r in fake.run_ids if r.startswith(f"{m}-s1-")) for m in ("erm", "multifair"))
    visit(page, address, "compare", f"?attribute=sex&runs={erm},{other}")
    explained(page, "that all share")
    counts = compare_runs.disagreement_counts(store, erm, other, "sex", ("female", "male")).set_index("group")
    says(page, "[data-testid=stMain]", "Patients on whom two runs disagree")
    page.wait_for_function(
        "wanted => [...document.querySelectorAll('[data-testid=stDataFrame] table tr')].some(row => row.innerText.includes('female') && "
        "[...row.querySelectorAll('td')].some(c => c.innerText === wanted))",
        arg=str(int(counts.loc["female", "differ"])), timeout=PATIENCE,
    )  # fmt: skip
    assert table(page, "[data-testid=stMain]")
    choose(page, "disagree-a", "MultiFair")
    assert widget(page, "disagree-b").get_by_role("combobox").input_value() == "ERM (fused)"
    assert page.locator(".st-key-patients").count() == 0, "patients are shown unasked"
    flip(page, "show-patients")
    says(page, "[data-testid=stMain]", "the furthest apart first")
    segment(page, "disagree-group", "male")
    worst = compare_runs.disagreements(store, other, erm, "sex")
    worst = worst[worst["group"] == "male"].iloc[0]
    card = says(page, ".st-key-patients", str(worst["sample_id"]))
    assert decimal(worst["score_a"], 2) in card and decimal(worst["score_b"], 2) in card
    assert page.locator(".st-key-patients img").first.get_attribute("alt")
    explained(page, "How to read this")
