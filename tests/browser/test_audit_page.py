"""The Audit page in a real browser: a click on a verdict opens its evidence."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from core.audit import AuditOptions, Mapping
from core.charts.text import interval
from core.workspace import Workspace
from dashboard.audits import make
from tests.browser.helpers import Watch, dashboard, overflow, settle

CELLS = "[data-testid=stVegaLiteChart] svg .mark-rect path, [data-testid=stVegaLiteChart] svg path[aria-roledescription=rect]"


def test_a_click_on_a_verdict_opens_its_evidence(browser: Any, tmp_path: Path) -> None:
    from playwright.sync_api import expect

    rng = np.random.default_rng(0)
    y = (rng.random(900) < 0.4).astype(int)
    score = 1 / (1 + np.exp(-((2 * y - 1) * 1.5 + rng.normal(size=900))))
    file = tmp_path / "p.csv"
    pd.DataFrame({"y": y, "score": score, "sex": rng.choice(["f", "m"], 900), "race": rng.choice(["a", "b"], 900)}).to_csv(file, index=False)
    workspace = Workspace.open(tmp_path / "workspace")
    kept = make(workspace, file, "p.csv", Mapping("y", ("score",), ("race", "sex")), AuditOptions(bootstrap=0, permutations=0, curves=True))
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
        page.set_viewport_size({"width": 390, "height": 900})
        settle(page)
        assert overflow(page) <= 0
        page.close()
    assert watch.problems == []
