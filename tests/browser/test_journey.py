"""The main job in a real browser: bring a cohort of two images, notes and values, train two methods, read three pages, take the report away."""

from __future__ import annotations

import os
import re
import shutil
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from core.cohort.planted import simulate
from tests.browser.helpers import Watch, dashboard, settle

PATIENTS = 220
EPOCHS = 2
TRAINING_MS = 240_000
MARKS = "[data-testid=stVegaLiteChart] svg [class*=marks] path"
CHART_WORDS = "[data-testid=stVegaLiteChart] svg"


@pytest.fixture(scope="module")
def planted(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small planted cohort with two image columns, a column of notes and values; its images in a zip beside the table."""
    folder = tmp_path_factory.mktemp("planted") / "cohort"
    simulate(folder, patients=PATIENTS, seed=3)
    images = folder.parent / "images"
    for name in ("fundus", "oct"):
        shutil.move(folder / name, images / name)
    shutil.make_archive(str(folder.parent / "images"), "zip", images)
    return folder.parent


@pytest.fixture
def served(tmp_path: Path) -> Iterator[tuple[str, Path]]:
    """A dashboard on an empty workspace; jobs that are still there afterwards are ended."""
    workspace = tmp_path / "workspace"
    workspace.mkdir()
    with dashboard(workspace) as address:
        yield address, workspace
    for process in psutil.process_iter(["cmdline"]):
        if str(workspace) in " ".join(process.info["cmdline"] or ()):
            os.kill(process.pid, signal.SIGTERM)


def go(page: Any, name: str) -> None:
    """A page by its entry in the navigation."""
    page.get_by_test_id("stSidebarNav").get_by_role("link", name=name, exact=True).click()
    settle(page)


def _save_cohort(page: Any, planted: Path) -> None:
    from playwright.sync_api import expect

    go(page, "Cohort")
    page.locator("input[type=file]").nth(0).set_input_files(planted / "cohort" / "cohort.csv")
    expect(page.get_by_text("2 · Roles")).to_be_visible(timeout=30_000)
    settle(page)
    page.locator("input[type=file]").nth(1).set_input_files(planted / "images.zip")
    expect(page.get_by_text("a zip of images")).to_be_visible(timeout=30_000)
    settle(page)
    page.get_by_role("button", name="Save cohort").click()
    expect(page.get_by_text(re.compile(f"{PATIENTS} samples of {PATIENTS} patients")).first).to_be_visible(timeout=60_000)
    expect(page.locator(MARKS)).not_to_have_count(0, timeout=30_000)
    for modality in ("fundus (image)", "oct (image)", "note (text)", "(tabular)"):
        expect(page.get_by_text(modality).first).to_be_visible(timeout=30_000)


def test_from_a_table_and_images_to_a_report(browser: Any, planted: Path, served: tuple[str, Path], tmp_path: Path) -> None:
    from playwright.sync_api import expect

    address, workspace = served
    watch = Watch()
    page = browser.new_page(viewport={"width": 1280, "height": 1400}, accept_downloads=True)
    watch.attach(page)
    page.goto(address)
    settle(page)
    expect(page.get_by_role("button", name="Open the sample cohort")).to_be_visible()

    _save_cohort(page, planted)
    go(page, "Train")
    page.get_by_text("Unimodal", exact=True).first.click()
    settle(page)
    page.get_by_text("Change settings").click()
    page.get_by_label("Epochs").fill(str(EPOCHS))
    page.get_by_label("Epochs").press("Tab")
    settle(page)
    page.get_by_role("button", name="Train 2 runs").click()
    expect(page.get_by_role("heading", name=re.compile("under way"))).to_be_visible(timeout=30_000)
    # A closed tab loses nothing: the queue goes on and another tab shows it.
    page.close()
    page = browser.new_page(viewport={"width": 1280, "height": 1400}, accept_downloads=True)
    watch.attach(page)
    page.goto(address)
    settle(page)
    go(page, "Train")
    expect(page.get_by_role("heading", name="Nothing is running")).to_be_visible(timeout=TRAINING_MS)
    settle(page)
    expect(page.get_by_text("All of these runs are finished or under way")).to_have_count(0)
    expect(page.locator(MARKS)).not_to_have_count(0, timeout=30_000)

    for name in ("Modalities", "Gradients", "Groups"):
        go(page, name)
        expect(page.locator(MARKS)).not_to_have_count(0, timeout=60_000)
        assert page.locator(MARKS).count() > 10, f"{name} drew hardly anything"
        if name == "Modalities":
            expect(page.locator(CHART_WORDS).get_by_text("note", exact=True).first).to_be_visible(timeout=30_000)

    go(page, "Reports")
    page.get_by_role("button", name="Write the report").click()
    button = page.get_by_role("button", name="HTML", exact=True)
    expect(button).to_be_visible(timeout=60_000)
    settle(page)
    with page.expect_download() as waiting:
        button.click()
    target = tmp_path / "report.html"
    waiting.value.save_as(target)
    page.close()

    html = target.read_text(encoding="utf-8")
    assert "Comparison of 2 runs" in html
    assert "ERM (fused)" in html and "MultiFair" in html
    assert html.count("<svg") >= 4
    assert not re.search(r"<script[^>]*src=|src=[\"']https?:", html)
    assert "default-src 'none'" in html, "two scripts of ours draw; the policy lets nothing else run and nothing be fetched"
    done = list(workspace.glob("runs/*/predictions.parquet"))
    assert len(done) == 2
    assert watch.problems == []
