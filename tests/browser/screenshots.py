"""Screenshots of every page: `python -m tests.browser.screenshots --out FOLDER --workspace DIR`.

Each page at 1440 and 390 pixels, light and dark. `--readme` writes the README's pictures instead,
to dashboard/screenshots/ (README_SHOTS: 1440 pixels, at most README_BYTES each); the Audit page then
shows an audit of the default runs' test predictions. `--tabs` opens every tab of evidence as well, and the
Audit page with an audit. tests/browser/workspaces.py makes the workspaces to look at. Ends with 1 when a page logs an error in
the browser's console, asks anything of another machine, shows an exception, or scrolls sideways.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path
from typing import Any

from tests.browser.helpers import ARGUMENTS, Watch, browser_path, dashboard, overflow, settle

PAGES = ("overview", "cohort", "train", "modalities", "gradients", "groups", "compare", "audit", "reports")
WIDTHS = (1440, 390)
THEMES = ("light", "dark")
README_SHOTS = (
    ("overview", "light"),
    ("modalities", "light"),
    ("gradients", "light"),
    ("groups", "light"),
    ("compare", "light"),
    ("audit", "light"),
    ("gradients", "dark"),
)
"""Page and theme. A light one is named for its page alone."""
README_FOLDER = Path(__file__).resolve().parents[2] / "dashboard" / "screenshots"
README_HEIGHT = 1200
README_BYTES = 300_000
PATIENCE = 240_000
"""Milliseconds that a page may take: nobody times it here, and the first look at 60 runs computes much."""


def shoot(browser: Any, address: str, name: str, width: int, theme: str, out: Path, query: str = "", full: bool = True, tabs: bool = False) -> list[str]:
    """One screenshot of a page as a new visitor sees it, and of each of its tabs; returns what was wrong with it."""
    context = browser.new_context(viewport={"width": width, "height": 900 if width > 600 else 844}, color_scheme=theme, device_scale_factor=1)
    try:
        page, watch = context.new_page(), Watch()
        watch.attach(page)
        page.goto(f"{address}/{'' if name == 'overview' else name}{query}")
        settle(page, PATIENCE)
        if full:
            _grow(page, width)
        page.screenshot(path=str(out / f"{name}-{width}-{theme}.png"), full_page=False)
        if tabs:
            _shoot_tabs(page, out / f"{name}-{width}-{theme}")
        problems = watch.problems
        if page.locator("[data-testid=stException]").count():
            problems.append("exception: " + page.locator("[data-testid=stException]").first.inner_text()[:300])
        if overflow(page) > 0:
            problems.append(f"scrolls sideways by {overflow(page)} px")
        return [f"{name} {width} {theme}: {problem}" for problem in problems]
    finally:
        context.close()


def _grow(page: Any, width: int) -> None:
    """Make the window as tall as the page: Streamlit scrolls inside, so a full-page shot would cut."""
    tall = page.evaluate("() => document.querySelector('[data-testid=stMain]').scrollHeight")
    page.set_viewport_size({"width": width, "height": int(min(max(tall, 600), 9000))})
    settle(page, PATIENCE)
    page.wait_for_timeout(250)


def _shoot_tabs(page: Any, stem: Path) -> None:
    """The tabs of evidence one after the other, without the page around them."""
    labels = page.locator(".st-key-evidence").get_by_role("tab").all_inner_texts()
    for number, label in enumerate(labels[1:], 2):
        page.locator(".st-key-evidence").get_by_role("tab", name=label, exact=True).click()
        settle(page, PATIENCE)
        _grow(page, page.viewport_size["width"])
        page.locator(".st-key-evidence").first.screenshot(path=str(stem.with_name(f"{stem.name}-tab{number}.png")))


def readme(workspace: Path, out: Path) -> list[str]:
    """The README's pictures from a workspace with finished runs; returns every problem found."""
    from playwright.sync_api import sync_playwright

    query = f"?audit={_audited(workspace)}"
    out.mkdir(parents=True, exist_ok=True)
    problems: list[str] = []
    with sync_playwright() as play, dashboard(workspace) as address:
        browser = play.chromium.launch(executable_path=browser_path(), args=ARGUMENTS)
        for name, theme in README_SHOTS:
            context = browser.new_context(viewport={"width": 1440, "height": README_HEIGHT}, color_scheme=theme, device_scale_factor=1)
            page, watch = context.new_page(), Watch()
            watch.attach(page)
            page.goto(f"{address}/{'' if name == 'overview' else name}{query if name == 'audit' else '?tour=done'}")
            settle(page, PATIENCE)
            page.wait_for_timeout(500)
            path = out / (f"{name}.png" if theme == "light" else f"{name}-{theme}.png")
            page.screenshot(path=str(path))
            found = watch.problems + [f"exception on {name}"] * page.locator("[data-testid=stException]").count()
            _smaller(path)
            if path.stat().st_size > README_BYTES:
                found.append(f"{path.stat().st_size} bytes, more than {README_BYTES}")
            problems += [f"{path.name}: {problem}" for problem in found]
            context.close()
        browser.close()
    return problems


def _smaller(path: Path) -> None:
    """The same picture with 256 colours that cover all of its own: with those of its largest areas two methods had one colour."""
    from PIL import Image

    with Image.open(path) as picture:
        reduced = picture.convert("RGB").quantize(256, method=Image.Quantize.MAXCOVERAGE, dither=Image.Dither.NONE)
    reduced.save(path, optimize=True)


def _audited(root: Path) -> str:
    """Id of an audit of the default runs' test predictions, made as the Audit page makes it."""
    from core.api.saved_audits import make
    from core.audit import AuditOptions, Mapping
    from core.store import Store
    from core.workspace import Workspace
    from dashboard.run_selection import default_runs, named

    workspace = Workspace.open(root)
    with Store.open(workspace) as store, tempfile.TemporaryDirectory() as folder:
        runs = store.runs(status="done")
        runs = runs[runs["cohort_id"] == store.cohorts()["cohort_id"].iloc[-1]]
        chosen = named(runs[runs["run_id"].isin(default_runs(named(runs), None))])
        cohort_id = str(chosen["cohort_id"].iloc[0])
        tables = [store.predictions(run_id, "test").set_index("sample_id") for run_id in chosen["run_id"]]
        table = tables[0][["patient_id", "y"]].assign(**{str(name): part["score"] for name, part in zip(chosen["name"], tables, strict=True)})
        attributes = store.attributes(cohort_id).pivot(index="sample_id", columns="attribute", values="value")
        file = Path(folder) / "predictions.csv"
        table.join(attributes).to_csv(file, index_label="sample_id")
        mapping = Mapping(label="y", score=tuple(map(str, chosen["name"])), attributes=tuple(attributes.columns), id="sample_id", patient="patient_id")
        return make(workspace, file, file.name, mapping, AuditOptions(curves=True)).audit_id


def run(
    workspace: Path,
    out: Path,
    pages: tuple[str, ...],
    widths: tuple[int, ...],
    themes: tuple[str, ...],
    address: str | None,
    query: str = "",
    tabs: bool = False,
) -> list[str]:
    """All screenshots into `out`; returns every problem found."""
    from playwright.sync_api import sync_playwright

    path = browser_path()
    if path is None:
        raise SystemExit("screenshots need Chrome or Chromium, and none was found on this machine")
    out.mkdir(parents=True, exist_ok=True)
    problems: list[str] = []
    audited = f"?audit={_audited(workspace)}" if tabs and address is None and "audit" in pages else ""
    with sync_playwright() as play:
        browser = play.chromium.launch(executable_path=path, args=ARGUMENTS)

        def all_of(server: str) -> None:
            for name in pages:
                for width in widths:
                    for theme in themes:
                        found = shoot(browser, server, name, width, theme, out, audited if name == "audit" and audited else query, tabs=tabs)
                        print(f"{name}-{width}-{theme}.png", "ok" if not found else "; ".join(found), file=sys.stderr, flush=True)
                        problems.extend(found)

        try:
            if address:
                all_of(address)
            else:
                with dashboard(workspace) as server:
                    all_of(server)
        finally:
            browser.close()
    return problems


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, help="folder for the PNG files")
    parser.add_argument("--readme", action="store_true", help="the README's pictures from --workspace, to dashboard/screenshots/")
    parser.add_argument("--workspace", type=Path, help="a workspace with runs (default: a made-up one)")
    parser.add_argument("--address", help="a dashboard that runs already, instead of starting one")
    parser.add_argument("--pages", default=",".join(PAGES))
    parser.add_argument("--widths", default=",".join(map(str, WIDTHS)))
    parser.add_argument("--themes", default=",".join(THEMES))
    parser.add_argument("--query", default="", help="appended to each address, for example '?attribute=sex'")
    parser.add_argument("--tabs", action="store_true", help="every tab of evidence as well, and the Audit page with an audit of the default runs")
    args = parser.parse_args()
    if args.readme:
        if args.workspace is None:
            parser.error("--readme needs --workspace, one with finished runs")
        problems = readme(args.workspace, args.out or README_FOLDER)
        print("\n".join(problems), end="\n" if problems else "")
        return 1 if problems else 0
    if args.out is None:
        parser.error("--out names the folder for the PNG files")
    with tempfile.TemporaryDirectory() as folder:
        workspace = args.workspace
        if workspace is None and args.address is None:
            from tests.factories import fake_workspace

            workspace = fake_workspace(Path(folder) / "workspace", patients=2000, epochs=12).workspace.root
        problems = run(
            workspace or Path(folder),
            args.out,
            tuple(args.pages.split(",")),
            tuple(map(int, args.widths.split(","))),
            tuple(args.themes.split(",")),
            args.address,
            args.query,
            args.tabs,
        )
    for problem in problems:
        print(problem)
    return 1 if problems else 0


if __name__ == "__main__":
    raise SystemExit(main())
