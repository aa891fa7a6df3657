"""The Reports page in a browser: the preview and every download are core's report."""

from __future__ import annotations

import json
import re
import zipfile
from pathlib import Path
from typing import Any

import pandas as pd

from core.api.saved_audits import make
from core.audit import AuditOptions, Mapping
from core.charts.text import interval
from core.report.contents import runs_contents
from core.results import group_tables
from core.store import Store
from tests.browser.helpers import dashboard, settle
from tests.browser.widgets import PATIENCE, choose, download, in_address, press, remove, says, segment, tags, visit
from tests.factories import FakeWorkspace


def _runs(fake: FakeWorkspace) -> list[str]:
    return [next(r for r in fake.run_ids if r.startswith(f"{m}-s1-")) for m in ("erm", "multifair")]


def test_every_download_is_the_report_of_the_chosen_runs(page: Any, served: tuple[str, FakeWorkspace], store: Store, tmp_path: Path) -> None:
    address, fake = served
    runs = _runs(fake)
    visit(page, address, "reports", f"?attribute=sex&runs={','.join(runs)}", chart=False)
    contents = says(page, ".st-key-report-contents", "2 runs on")
    assert all(title in contents for title in runs_contents("sex")) and "MultiFair" in contents
    assert not page.get_by_role("button", name="HTML", exact=True).count()
    press(page, "write-report")
    page.get_by_role("button", name="HTML", exact=True).wait_for(timeout=PATIENCE)
    html = download(page, "HTML", tmp_path).read_text(encoding="utf-8")
    row = group_tables.group_performance(store, runs[:1], "sex").set_index("group").loc["female"]
    auc = interval(row["value"], row["low"], row["high"])
    assert "Comparison of 2 runs" in html and auc in html
    assert not re.search(r"src=[\"']https?:", html)
    preview = page.frame_locator(".st-key-report-preview iframe")
    preview.get_by_text(auc).first.wait_for(timeout=PATIENCE)
    preview.locator("[data-drawing]").first.scroll_into_view_if_needed()
    preview.locator(".drawn .live svg").first.wait_for(timeout=PATIENCE)
    document = json.loads(download(page, "JSON", tmp_path).read_text(encoding="utf-8"))
    assert any(abs(value - row["value"]) < 1e-9 for value in _numbers(document))
    with zipfile.ZipFile(download(page, "Everything (zip)", tmp_path)) as whole:
        assert {Path(name).suffix for name in whole.namelist()} >= {".html", ".json", ".csv"}
        assert any("group_auc" in name for name in whole.namelist())


def _numbers(value: Any) -> list[float]:
    if isinstance(value, dict):
        return [n for part in value.values() for n in _numbers(part)]
    if isinstance(value, list):
        return [n for part in value for n in _numbers(part)]
    return [float(value)] if isinstance(value, float) else []


def test_runs_attribute_and_kind_change_the_report(page: Any, served: tuple[str, FakeWorkspace], tmp_path: Path) -> None:
    address, fake = served
    visit(page, address, "reports", f"?attribute=sex&runs={','.join(_runs(fake))}", chart=False)
    preview = page.frame_locator(".st-key-report-preview iframe")
    _write_unless_there(page)
    preview.get_by_text("Comparison of 2 runs").first.wait_for(timeout=PATIENCE)
    assert tags(page, "view_runs") == ["ERM (fused) · seed 1", "MultiFair · seed 1"]
    remove(page, "view_runs", "MultiFair · seed 1")
    says(page, ".st-key-report-contents", "1 run on")
    press(page, "write-report")
    preview.get_by_text("Comparison of 1 run").first.wait_for(timeout=PATIENCE)
    choose(page, "view_attribute", "skin_type")
    says(page, ".st-key-report-contents", "served worse by skin_type")
    press(page, "write-report")
    preview.get_by_text("Who is served worse by skin_type").first.wait_for(timeout=PATIENCE)
    made = _audit(fake, tmp_path)
    segment(page, "report-kind", "Audit of predictions")
    in_address(page, f"audit={made.audit_id}")
    says(page, ".st-key-report-contents", "Who is served worse by sex?")
    press(page, "write-report")
    preview.get_by_text("p.csv").first.wait_for(timeout=PATIENCE)
    link = page.url
    page.goto("about:blank")
    page.goto(link)
    settle(page, PATIENCE)
    says(page, ".st-key-report-audit", "Audit")
    html = download(page, "HTML", tmp_path).read_text(encoding="utf-8")
    female = made.document["attributes"]["sex"]["groups"]["female"]
    assert interval(female["auc"], *female["auc_ci"]) in html


def _write_unless_there(page: Any) -> None:
    """Another test may have asked for the same report already: then it is shown at once."""
    if not page.locator(".st-key-report-preview").count():
        press(page, "write-report")


def _audit(fake: FakeWorkspace, folder: Path) -> Any:
    frame = pd.read_parquet(fake.workspace.runs / _runs(fake)[0] / "predictions.parquet")
    table = frame[frame["split"] == "test"].merge(fake.cohort.table[["sample_id", "sex"]], on="sample_id")[["sample_id", "y", "score", "sex"]]
    table.to_csv(folder / "p.csv", index=False)
    return make(fake.workspace, folder / "p.csv", "p.csv", Mapping("y", ("score",), ("sex",), id="sample_id"), AuditOptions(bootstrap=100))


def test_nothing_to_report_says_what_to_do(page: Any, tmp_path: Path) -> None:
    (tmp_path / "w").mkdir()
    with dashboard(tmp_path / "w") as address:
        visit(page, address, "reports", chart=False)
        says(page, "[data-testid=stMain]", "Nothing to report yet")
        segment(page, "report-kind", "Audit of predictions")
        says(page, "[data-testid=stMain]", "No audit yet")
        page.get_by_role("button", name="Audit predictions").click()
        page.wait_for_url("**/audit**", timeout=PATIENCE)
        page.close()
