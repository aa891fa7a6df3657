"""The Modalities page in a browser: the lean, for whom, alone and taken away, as the store and the audit have it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from core.charts.text import decimal, interval
from core.cohort import load
from core.results import group_tables
from core.store import Store
from dashboard.run_selection import default_runs, named
from tests.browser.helpers import overflow
from tests.browser.widgets import (
    add,
    choose,
    downloads,
    explained,
    in_address,
    remove,
    says,
    table_of,
    tags,
    title,
    visit,
    widget,
)
from tests.factories import FakeWorkspace


def _opened(store: Store, fake: FakeWorkspace, attribute: str = "sex") -> list[str]:
    return default_runs(named(store.runs(fake.cohort.cohort_id, status="done")), attribute)


def test_the_answer_is_the_recorded_contribution(page: Any, served: tuple[str, FakeWorkspace], store: Store) -> None:
    address, fake = served
    runs = _opened(store, fake)
    ratio = store.telemetry(runs, ["contribution.ratio"])
    ratio = ratio[ratio["group"].isna() & (ratio["epoch"] == ratio["epoch"].max())]
    top = ratio.sort_values("value").iloc[-1]
    visit(page, address, "modalities", "?attribute=sex")
    said = says(page, ".st-key-answer", "leans on")
    assert f"leans on {top['modality']}: {interval(top['value'], top['low'], top['high'])}" in said
    assert tags(page, "view_runs") == list(named(store.runs(fake.cohort.cohort_id, status="done")).set_index("run_id").loc[runs, "name"])


def test_runs_and_attribute_change_the_page_and_the_link(page: Any, served: tuple[str, FakeWorkspace], store: Store) -> None:
    address, fake = served
    runs = _opened(store, fake)
    visit(page, address, "modalities", f"?attribute=sex&runs={runs[0]}")
    panels = page.locator(".st-key-block-contribution-ratio [data-testid=stVegaLiteChart]")
    assert panels.count() == 1
    add(page, "view_runs", "GroupDRO · seed 1")
    says(page, "[data-testid=stMain]", "GroupDRO")
    panels.nth(1).wait_for()
    extra = next(r for r in fake.run_ids if r.startswith("group-dro-s1-"))
    in_address(page, f"{runs[0]},{extra}")
    remove(page, "view_runs", "ERM (fused) · seed 1")
    in_address(page, f"runs={extra}")
    choose(page, "view_attribute", "skin_type")
    in_address(page, "attribute=skin_type")
    says(page, "[data-testid=stMain]", "Trained for another attribute than skin_type")
    title(page, "unimodal-auc", "I-II")


def test_every_tab_shows_the_audits_numbers_and_is_in_the_link(page: Any, served: tuple[str, FakeWorkspace], store: Store, tmp_path: Path) -> None:
    address, fake = served
    run = _opened(store, fake)[0]
    audited = group_tables.modality_performance(store, [run], "sex")
    visit(page, address, "modalities", f"?attribute=sex&runs={run}")
    alone = audited[(audited["kind"] == "unimodal") & (audited["group"] == "female")].set_index("modality")["value"]
    rows = downloads(page, "unimodal-auc", tmp_path)
    found = {row["Modality"]: float(row["AUC"]) for row in rows if row["sex"] == "female"}
    assert found == pytest.approx(alone.to_dict())
    assert page.locator(".st-key-block-take-away").count() == 0, "a closed tab is not drawn"

    page.get_by_role("tab", name="Who has which modality").click()
    in_address(page, "evidence=Who+has+which+modality")
    present = load(fake.workspace, fake.cohort.cohort_id).present
    if present.all():
        title(page, "availability", "Every modality is available for everybody")
    else:
        shares = {(row[0], row[1]): int(row[3].replace("\u2009", "")) for row in table_of(page, "availability")}
        group = fake.cohort.table["sex"].to_numpy(dtype=object)
        for place, modality in enumerate(fake.cohort.modalities):
            assert shares[modality, "female"] == present[group == "female", place].sum()

    page.get_by_role("tab", name="Take it away").click()
    in_address(page, "evidence=Take+it+away")
    title(page, "take-away")
    visit(page, address, "modalities", page.evaluate("location.search"))
    assert page.get_by_role("tab", name="Take it away").get_attribute("aria-selected") == "true"
    without = audited[audited["kind"] == "without"].set_index(["group", "modality"])["value"]
    whole = audited[audited["kind"] == "all"].set_index("group")["value"]
    falls = {at: whole[at[0]] - value for at, value in without.items() if at[0] in ("female", "male")}
    (group, modality), most = max(falls.items(), key=lambda fall: fall[1])
    assert f"Without {modality}, {group} falls furthest: {decimal(-most, 3, signed=True)} AUC" in title(page, "take-away", "Without")


def test_table_of_shapley_values_is_the_telemetry(page: Any, served: tuple[str, FakeWorkspace], store: Store) -> None:
    address, fake = served
    run = _opened(store, fake)[0]
    phi = store.telemetry([run], ["contribution.phi"])
    phi = phi[(phi["epoch"] == phi["epoch"].max()) & (phi["group"] == "female")].set_index("modality")["value"]
    visit(page, address, "modalities", f"?attribute=sex&runs={run}")
    # The grid's text for screen readers holds the numbers behind what it writes.
    shown = {row[2]: float(row[3]) for row in table_of(page, "shapley-by-group") if row[1] == "female"}
    assert shown == pytest.approx(phi.to_dict())
    assert table_of(page, "contribution-ratio")


def test_explanations_unfold_and_terms_have_a_hover(page: Any, served: tuple[str, FakeWorkspace]) -> None:
    visit(page, served[0], "modalities")
    explained(page, "How to read this")
    widget(page, "answer").get_by_test_id("stTooltipIcon").first.hover()
    page.get_by_test_id("stTooltipContent").wait_for()
    assert "Shapley" in page.get_by_test_id("stTooltipContent").inner_text()


def test_on_a_phone_runs_are_swiped_and_not_stacked(page: Any, served: tuple[str, FakeWorkspace], store: Store) -> None:
    address, fake = served
    page.set_viewport_size({"width": 390, "height": 844})
    visit(page, address, "modalities", f"?attribute=sex&runs={','.join(_opened(store, fake)[:2])}")
    first, second = page.locator(".st-key-block-contribution-ratio [data-testid=stVegaLiteChart]").all()
    assert first.bounding_box()["y"] == second.bounding_box()["y"]
    assert second.bounding_box()["x"] < 390, "the next run looks in at the edge"
    second.scroll_into_view_if_needed()
    assert second.bounding_box()["x"] >= 0 and second.bounding_box()["x"] + second.bounding_box()["width"] <= 391
    assert overflow(page) == 0
