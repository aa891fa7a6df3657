"""How long a reader waits: every page and filter in a browser, on 200 runs with 1,000,000 predictions.

`python tests/benchmarks/bench_pages.py` prints, per page and action, the median and longest time
from the action until the page has settled, and the processor time that server and browser spent on
it, which depends less on how busy the machine is; the load average tells whether it was. `--check`
fails when a target of issue 5 is missed. `--home FOLDER` keeps the made-up workspace there for the
next time; `--pages groups,compare` measures only these.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import psutil
from playwright.sync_api import TimeoutError, sync_playwright

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

from core.api.saved_audits import make, saved  # noqa: E402
from core.audit import AuditOptions, Mapping  # noqa: E402
from core.store import Store  # noqa: E402
from core.workspace import Workspace  # noqa: E402
from tests.benchmarks.waits import HEADING, Watch  # noqa: E402
from tests.browser.helpers import ARGUMENTS, browser_path, dashboard, settle  # noqa: E402
from tests.factories import fake_workspace  # noqa: E402

PAGES = ("overview", "cohort", "train", "modalities", "gradients", "groups", "compare", "audit", "reports")
DRAW_AT_MOST, FILTER_AT_MOST = 1000.0, 300.0
MARKS_AT_MOST = 5000
TIMES = 6
"""How often each filter is changed."""
BEGINNINGS = ("audit-slide",)
"""Controls whose keys go on with what they belong to."""
JOBS = ("write-report",)
"""Work that a reader asks for by a button; it says that it is under way."""
MARK = "[data-testid=stVegaLiteChart] .marks path, [data-testid=stVegaLiteChart] .marks text, [data-testid=stVegaLiteChart] .marks line"


class Bench:
    """A reader of one browser page on one server."""

    def __init__(self, page: Any, server: psutil.Process) -> None:
        self.page, self.watch = page, Watch(page, server)
        self.controls: dict[str, Callable[[Any], Iterator[Callable[[], object]]]] = {
            "view_attribute": self._select, "view_runs": self._runs, "measure": self._segment, "reference": self._select,
            "disagree-a": self._select, "threshold-slider": self._slide, "intersection-run": self._select,
            "epochs": self._slide, "method-ogm-ge": self._tick, "preset": self._segment, "seeds": self._count,
            "audit-attribute": self._select, "audit-metric": self._select, "volcano-metric": self._segment,
            "audit-slide": self._slide, "report-kind": self._segment, "write-report": self._press, "tour-next": self._press,
        }  # fmt: skip
        """Key of a control -> the changes that a reader makes to it."""

    def go(self, name: str, action: str) -> None:
        """To page `name` by its link, as a reader goes: the session stays."""
        link = self.page.locator(f"[data-testid=stSidebarNav] a[href$='/{name if name != 'overview' else ''}']")
        self.watch.measure(name, action, link.click, DRAW_AT_MOST if action == "draw" else None)

    def filters(self, name: str) -> None:
        """Change every control that the page has, several times; those behind tabs when their tab is open."""
        self._change(name)
        tabs = self.page.locator(".st-key-evidence").get_by_role("tab")
        for label in tabs.all_inner_texts()[1:]:
            self.watch.measure(name, "evidence", tabs.filter(has_text=label).first.click, FILTER_AT_MOST)
            self._change(name)

    def _change(self, name: str) -> None:
        """Change the controls in sight that have not been changed on this page before."""
        for key, change in self.controls.items():
            action = key.removeprefix("view_")
            place = self.page.locator(f"[class*='st-key-{key}']" if key in BEGINNINGS else f".st-key-{key}")
            if change == self._slide:
                # The number field beside a slider has a key that begins alike.
                place = place.filter(has=self.page.get_by_role("slider"))
            if (name, action) not in self.watch.waits and place.count() and place.first.is_visible():
                for act in change(place.first):
                    self.watch.measure(name, action, act, None if key in JOBS else FILTER_AT_MOST)

    def _select(self, place: Any) -> Iterator[Callable[[], object]]:
        """Options that are not chosen yet, in turns."""
        for turn in range(TIMES):
            self._open(place.locator("input").first)
            others = self.page.locator("[role=option]:not([aria-selected=true])")
            # Counted once: a redraw may take the list away between two looks.
            if not (there := others.count()):
                self.page.keyboard.press("Escape")
                return
            yield others.nth(turn % min(2, there)).click

    def _open(self, box: Any) -> None:
        """Open the list of a select box; one that a late redraw has closed is opened again."""
        for _ in range(5):
            self.page.keyboard.press("Escape")
            box.focus()
            self.page.keyboard.press("ArrowDown")
            try:
                self.page.locator("[role=option]").first.wait_for(timeout=3000)
                return
            except TimeoutError:
                continue
        raise RuntimeError("the list of a select box does not open")

    def _runs(self, place: Any) -> Iterator[Callable[[], object]]:
        """The last run is left out, and one that was never looked at is chosen."""
        for turn in range(TIMES // 2):
            place.locator("input").first.focus()
            yield partial(self.page.keyboard.press, "Backspace")
            place.locator("input").first.focus()
            self.page.keyboard.type(f"MultiFair · seed {turn + 2}")
            yield partial(self.page.keyboard.press, "Enter")
            self.page.keyboard.press("Escape")

    def _segment(self, place: Any) -> Iterator[Callable[[], object]]:
        buttons = place.locator("button")
        for turn in range(TIMES if buttons.count() > 1 else 0):
            yield buttons.nth((turn + 1) % buttons.count()).click

    def _slide(self, place: Any) -> Iterator[Callable[[], object]]:
        handle = place.locator("input[type=range], [role=slider]").first
        for turn in range(TIMES):
            handle.focus()
            yield partial(self.page.keyboard.press, "ArrowRight" if turn % 3 == 2 else "ArrowLeft")

    def _tick(self, place: Any) -> Iterator[Callable[[], object]]:
        for _ in range(TIMES):
            yield place.locator("label").first.click

    def _press(self, place: Any) -> Iterator[Callable[[], object]]:
        for _ in range(TIMES // 2):
            if place.count():
                yield place.locator("button").click

    def _count(self, place: Any) -> Iterator[Callable[[], object]]:
        for turn in range(TIMES):
            yield place.get_by_role("button", name="Decrement" if turn % 3 == 2 else "Increment").click


def add_audit(home: Path) -> str:
    """An audit of one run's predictions by all attributes, made once; returns its id."""
    workspace = Workspace.open(home)
    known = saved(workspace)
    if known:
        return known[0].audit_id
    with Store.open(workspace) as store:
        run = store.runs(status="done").iloc[0]
        frame = store.predictions(run["run_id"], "test")[["sample_id", "patient_id", "y", "score"]]
        wide = store.attributes(run["cohort_id"]).pivot(index="sample_id", columns="attribute", values="value")
    names = tuple(map(str, wide.columns))
    file = home / "bench-predictions.csv"
    frame.join(wide, on="sample_id").to_csv(file, index=False)
    mapping = Mapping(label="y", score=("score",), attributes=names, id="sample_id", patient="patient_id")
    return make(workspace, file, "Benchmark", mapping, AuditOptions(bootstrap=200, curves=True)).audit_id


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--check", action="store_true", help="fail when a page or filter is late")
    parser.add_argument("--home", type=Path, help="keep the made-up workspace here")
    parser.add_argument("--pages", default=",".join(PAGES))
    parser.add_argument("--runs", type=int, default=200)
    parser.add_argument("--patients", type=int, default=5000)
    parser.add_argument("--json", type=Path, help="also write the medians to this file")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        home = args.home or Path(temporary) / "workspace"
        if not (home / "runs").exists():
            fake_workspace(home, runs=args.runs, patients=args.patients, unsettled=False)
        return run(home, args.pages.split(","), args.check, args.json)


def run(home: Path, pages: list[str], check: bool, out: Path | None = None) -> int:
    audit_id = add_audit(home)
    before = {child.pid for child in psutil.Process().children()}
    with dashboard(home) as address, sync_playwright() as play:
        server = next(child for child in psutil.Process().children() if child.pid not in before and "streamlit" in " ".join(child.cmdline()))
        browser = play.chromium.launch(executable_path=browser_path(), args=ARGUMENTS)
        page = browser.new_page(viewport={"width": 1440, "height": 900})
        bench, many = Bench(page, server), []
        waits = bench.watch.waits
        started = time.monotonic()
        page.goto(address)
        settle(page, 120_000)
        print(f"{psutil.cpu_count()} cores; first page after {time.monotonic() - started:.1f} s, with the store being filled\n{HEADING}")
        for name in pages:
            if name == "audit":
                page.goto(f"{address}/audit?audit={audit_id}")
                settle(page)
            other = "cohort" if name != "cohort" else "overview"
            for turn in range(4):
                bench.go(other, "between")
                bench.go(name, "draw" if turn else "first draw")
            if name == "audit":
                # A link in the navigation forgets which audit was open.
                page.goto(f"{address}/audit?audit={audit_id}")
                settle(page)
            bench.filters(name)
            marks = page.locator(MARK).count()
            if marks > MARKS_AT_MOST:
                many.append(f"{name} draws {marks} marks")
            for (of, action), taken in waits.items():
                if of == name and action != "between":
                    print(taken.line(), flush=True)
            print(f"{name:<11}{marks} marks")
        browser.close()
    if out is not None:
        rows = [w.row() for (_, action), w in waits.items() if action != "between"]
        marks_of = [{"page": text.split()[0], "action": "marks", "median": float(text.split()[2]), "unit": "marks", "limit": MARKS_AT_MOST} for text in many]
        out.write_text(json.dumps(rows + [{**row, "processor_seconds": None} for row in marks_of]), encoding="utf-8")
    late = [f"{w.page}, {w.action}" for (_, action), w in waits.items() if action != "between" and w.late]
    for problem in [*(f"late: {text}" for text in late), *many]:
        print(problem)
    return 1 if check and (late or many) else 0


if __name__ == "__main__":
    sys.exit(main())
