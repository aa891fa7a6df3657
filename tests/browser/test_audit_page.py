"""The Audit page in a real browser: upload, choices, verdicts and their evidence, downloads."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from core.api.saved_audits import make, saved
from core.audit import AuditOptions, Mapping
from core.charts.text import count, decimal, interval
from core.workspace import Workspace
from tests.browser.helpers import Watch, dashboard, overflow, settle
from tests.browser.widgets import (
    PATIENCE,
    choose,
    download,
    downloads,
    explained,
    flip,
    in_address,
    press,
    says,
    segment,
    tab,
    table_row,
    title,
    visit,
    widget,
)

CELLS = "[data-testid=stVegaLiteChart] svg .mark-rect path, [data-testid=stVegaLiteChart] svg path[aria-roledescription=rect]"


def test_a_click_on_a_verdict_opens_its_evidence(browser: Any, tmp_path: Path) -> None:
    from playwright.sync_api import expect

    rng = np.random.default_rng(0)
    y = (rng.random(900) < 0.4).astype(int)
    score = 1 / (1 + np.exp(-((2 * y - 1) * 1.5 + rng.normal(size=900))))
    file = tmp_path / "p.csv"
    pd.DataFrame({"y": y, "score": score, "sex": rng.choice(["f", "m"], 900), "race": rng.choice(["a", "b"], 900)}).to_csv(file, index=False)
    workspace = Workspace.open(tmp_path / "workspace")
    kept = make(workspace, file, "p.csv", Mapping("y", ("score",), ("race", "sex")), AuditOptions(bootstrap=0, curves=True))
    group = kept.document["attributes"]["sex"]["groups"]["f"]
    watch = Watch()
    with dashboard(workspace.root) as address:
        page = browser.new_page(viewport={"width": 1280, "height": 1500})
        watch.attach(page)
        page.goto(f"{address}/audit?audit={kept.audit_id}")
        settle(page)
        cell = page.locator(CELLS).and_(page.locator("[aria-label*='attribute: sex'][aria-label*='metric_name: FPR']")).first
        expect(cell).to_be_attached(timeout=30_000)
        box = cell.bounding_box()
        assert box is not None
        page.mouse.click(box["x"] + 8, box["y"] + 8)
        shown = interval(group["fpr"], *group["fpr_ci"])
        expect(page.get_by_role("heading", name=shown)).to_be_visible(timeout=30_000)
        in_address(page, "by=sex&metric=fpr")
        page.reload()
        expect(page.get_by_role("heading", name=shown)).to_be_visible(timeout=30_000)
        _slide_and_read(page, kept.document["attributes"]["sex"]["curves"]["sliding"])
        page.set_viewport_size({"width": 390, "height": 900})
        settle(page)
        assert overflow(page) <= 0
        page.close()
    assert watch.problems == []


def _slide_and_read(page: Any, curve: list[dict[str, Any]]) -> None:
    """The threshold one step up and far down, by keyboard: the table says what core computed there."""
    tab(page, "Threshold")
    cuts = sorted({row["threshold"] for row in curve})
    thumb = page.locator("[class*='st-key-audit-slide']").get_by_role("slider").first
    # The thumb, of which half is room at each end of the track, stands over the line that it moves.
    track = page.locator("[class*='-over-chart'] [data-testid=stSlider]").first.bounding_box()
    plot = page.locator(".st-key-block-audit-sliding svg .mark-rule line").first.bounding_box()
    assert abs(track["x"] + 6 - plot["x"]) <= 2 and abs(track["x"] + track["width"] - 6 - plot["x"] - plot["width"]) <= 2
    for key in ("ArrowRight", "Home"):
        thumb.press(key)
        settle(page, PATIENCE)
        at = float(thumb.get_attribute("aria-valuenow") or thumb.input_value())
        cut = min(c for c in cuts if c >= at - 1e-9)
        for row in (row for row in curve if row["threshold"] == cut):
            found = page.locator(".st-key-evidence [data-testid=stDataFrame] tbody tr")
            for cell in (row["group"], count(row["selected"]), decimal(row["fpr"])):
                found = found.filter(has=page.get_by_text(cell, exact=True))
            found.first.wait_for(state="attached", timeout=PATIENCE)
        title(page, "audit-sliding", f"threshold of {decimal(at, 2)}")


@pytest.fixture(scope="module")
def empty(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, Workspace]]:
    workspace = Workspace.open(tmp_path_factory.mktemp("audit") / "w")
    with dashboard(workspace.root) as address:
        yield address, workspace


def _file(folder: Path, n: int = 700) -> Path:
    """Predictions of two models: the second is worse for one group."""
    rng = np.random.default_rng(4)
    y = (rng.random(n) < 0.4).astype(int)
    sex, race = rng.choice(["f", "m"], n), rng.choice(["a", "b", "c"], n)
    good = 1 / (1 + np.exp(-((2 * y - 1) * 1.4 + rng.normal(size=n))))
    bad = np.where(sex == "f", rng.random(n), good)
    file = folder / "two.csv"
    pd.DataFrame({"sample_id": np.arange(n), "y": y, "score": good, "second": bad, "sex": sex, "race": race}).to_csv(file, index=False)
    return file


def test_upload_map_choose_audit_read_and_take_away(empty: tuple[str, Workspace], page: Any, tmp_path: Path) -> None:
    address, workspace = empty
    visit(page, address, "audit", chart=False)
    page.locator("input[type=file]").first.set_input_files(_file(tmp_path))
    says(page, "[data-testid=stMain]", "2 · Columns")
    settle(page, PATIENCE)
    _add_score(page)
    explained(page, "First rows")
    explained(page, "Predicted label, model, split, weights")
    _choose_options(page)
    press(page, "start-audit")
    in_address(page, "audit=")
    says(page, ".st-key-answer", "disparity")
    [kept] = saved(workspace)
    document = kept.document
    assert document["options"]["tolerance"] == 0.1 and document["options"]["per_group_threshold"] is True and document["options"]["bootstrap"] == 200
    assert list(document["models"]) == ["score", "second"]
    segment(page, "audit-model", "second")
    choose(page, "audit-attribute", "sex")
    choose(page, "audit-metric", "AUC")
    group = document["models"]["second"]["attributes"]["sex"]["groups"]["f"]
    row = table_row(page, ".st-key-evidence", ["AUC"])
    assert any(interval(group["auc"], *group["auc_ci"]) in cell for cell in row), row
    for name in ("Summaries and chance", "Pairs of groups", "Enough data?"):
        tab(page, name)
        page.get_by_role("tabpanel").locator("[data-testid=stDataFrame], [class*=st-key-state-]").first.wait_for(timeout=PATIENCE)
    for name, block in (("Calibration", "audit-reliability"), ("Net benefit", "audit-decision"), ("Between groups", "audit-between")):
        tab(page, name)
        title(page, block)
    pairs = document["models"]["second"]["attributes"]["sex"]["cross_group"]
    low = min(pair["value"] for pair in pairs if pair["positive"] != pair["negative"])
    assert decimal(low) in title(page, "audit-between", "Hardest to rank")
    in_address(page, "evidence=Between")
    segment(page, "volcano-metric", "TPR")
    title(page, "audit-volcano")
    rows = downloads(page, "audit-forest", tmp_path)
    assert any(r.get("value") and abs(float(r["value"]) - group["auc"]) < 1e-9 for r in rows)
    widget(page, "audit-downloads").get_by_role("button").first.click()
    kept_back = json.loads(download(page, "Everything (JSON)", tmp_path).read_text(encoding="utf-8"))["data"]["audit"]
    assert kept_back["suppression"]["below"] == 11, "files leave the machine"
    flip(page, "audit-hide")
    html = download(page, "Report (HTML)", tmp_path).read_text(encoding="utf-8")
    assert interval(group["auc"], *group["auc_ci"]) in html
    assert "suppression" not in json.loads(download(page, "Everything (JSON)", tmp_path).read_text(encoding="utf-8"))["data"]["audit"]
    assert download(page, "Tables (zip of CSV)", tmp_path).stat().st_size > 500
    page.keyboard.press("Escape")
    explained(page, "How to read this")
    press(page, "another-audit")
    says(page, "[data-testid=stMain]", "Earlier audits")
    press(page, f"open-{kept.audit_id}")
    in_address(page, kept.audit_id)
    says(page, ".st-key-answer", "disparity")


def _choose_options(page: Any) -> None:
    tolerance = widget(page, "audit-tolerance").locator("input")
    tolerance.fill("0.1")
    tolerance.press("Enter")
    choose(page, "audit-missing", "left out (and counted)")
    choose(page, "audit-point", "a sensitivity of")
    target = widget(page, "audit-target-sensitivity").locator("input")
    target.fill("0.8")
    target.press("Enter")
    settle(page, PATIENCE)
    flip(page, "audit-each")
    draws = widget(page, "audit-draws").get_by_role("slider").first
    for _ in range(2):  # from 1,000 to 200
        draws.press("ArrowLeft")
        settle(page, PATIENCE)


def _add_score(page: Any) -> None:
    box = page.locator("[class*='st-key-map-score']").get_by_role("combobox")
    box.click()
    box.fill("second")
    page.get_by_role("option", name="second", exact=True).click()
    box.press("Escape")
    page.locator("h1").click()
    settle(page, PATIENCE)


def test_a_file_that_cannot_be_used_says_why(empty: tuple[str, Workspace], page: Any, tmp_path: Path) -> None:
    bad = tmp_path / "bad.csv"
    bad.write_text("y,score,sex\n1,high,f\n0,low,m\n", encoding="utf-8")
    visit(page, empty[0], "audit", chart=False)
    page.locator("input[type=file]").first.set_input_files(bad)
    says(page, "[data-testid=stMain]", "2 · Columns")
    settle(page, PATIENCE)
    if not page.locator("[class*='st-key-map-score'] [data-tag]").count():
        box = page.locator("[class*='st-key-map-score']").get_by_role("combobox")
        box.press("ArrowDown")
        page.get_by_role("option", name="score", exact=True).click()
        box.press("Escape")
        page.locator("h1").click()
        settle(page, PATIENCE)
    press(page, "start-audit")
    page.locator("[data-testid=stAlert]").filter(has_text="not a number").first.wait_for(timeout=PATIENCE)


def test_a_link_to_an_audit_that_is_not_there(empty: tuple[str, Workspace], page: Any) -> None:
    visit(page, empty[0], "audit", "?audit=0123456789ab", chart=False)
    says(page, ".st-key-state-error", "This audit is not here")


def test_model_and_open_cell_are_in_the_link_and_back_goes_back(empty: tuple[str, Workspace], page: Any, tmp_path: Path) -> None:
    """What the link did not hold was lost with a reload: the other model was shown."""
    address, workspace = empty
    kept = make(workspace, _file(tmp_path), "two.csv", Mapping("y", ("score", "second"), ("race", "sex")), AuditOptions(bootstrap=0, curves=True))
    visit(page, address, "audit", f"?audit={kept.audit_id}")
    segment(page, "audit-model", "second")
    in_address(page, "model=second")
    choose(page, "audit-attribute", "sex")
    in_address(page, "by=sex")
    page.reload()
    settle(page, PATIENCE)
    group = kept.document["models"]["second"]["attributes"]["sex"]["groups"]["f"]
    shown = page.locator(".st-key-block-audit-forest svg text")
    shown.filter(has_text=decimal(group["auc"])).first.wait_for(state="attached", timeout=PATIENCE)
    page.go_back()
    in_address(page, "by=race")
    settle(page, PATIENCE)
    assert widget(page, "audit-model").locator("[aria-checked=true], [data-selected=true]").inner_text() == "second"
    page.go_back()
    in_address(page, "model=score")
    visit(page, address, "audit", f"?audit={kept.audit_id}&model=third&by=age&metric=luck")
    said = says(page, ".st-key-link-notes", "")
    assert "the model “third”" in said and "the attribute “age”" in said and "the metric “luck”" in said
