"""How long a reader waits: every page and filter in a browser, on 200 runs with 1,000,000 predictions.

`python tests/benchmarks/bench_pages.py` prints, per page and action, the median and longest time
from the action until the page has settled (script at rest, every chart drawn), and the CPU time
that the server spent on it, which a busy machine does not change; the load average tells whether
the machine was busy. `--check` fails when a target of issue 5 is missed. `--home FOLDER` keeps the
made-up workspace there for the next time; `--pages groups,compare` measures only these.
"""

from __future__ import annotations

import argparse
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import psutil
from playwright.sync_api import TimeoutError, sync_playwright

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

from tests.browser.helpers import ARGUMENTS, browser_path, dashboard, settle  # noqa: E402
from tests.factories import fake_workspace  # noqa: E402

PAGES = ("overview", "cohort", "train", "modalities", "gradients", "groups", "compare", "audit", "reports")
DRAW_AT_MOST, FILTER_AT_MOST = 1000.0, 300.0
MARKS_AT_MOST = 5000
TIMES = 6
"""How often each filter is changed."""
MARK = "[data-testid=stVegaLiteChart] .marks path, [data-testid=stVegaLiteChart] .marks text, [data-testid=stVegaLiteChart] .marks line"
# Settled: the script has run and rests, nothing is stale, and nothing on the page has changed for QUIET ms.
QUIET = 80
PATIENCE = 30_000
WATCH = """() => {
  window.benchStart = performance.now(); window.benchLast = null; window.benchRan = false;
  if (window.benchSeen) window.benchSeen.disconnect();
  window.benchSeen = new MutationObserver(seen => {
    window.benchLast = performance.now();
    window.benchRan ||= seen.some(change => change.attributeName === 'data-test-script-state');
  });
  window.benchSeen.observe(document.body, {subtree: true, childList: true, attributes: true, characterData: true});
}"""
SETTLED = """quiet => {
  const app = document.querySelector('[data-testid=stApp]');
  if (!app || app.getAttribute('data-test-script-state') !== 'notRunning') return null;
  if (document.querySelector('[data-testid=stSkeleton]') || document.querySelector('[data-stale=true]')) return null;
  if (![...document.querySelectorAll('[data-testid=stVegaLiteChart]')].every(c => c.querySelector('svg, canvas'))) return null;
  if (!window.benchRan || performance.now() - window.benchLast < quiet) return null;
  return window.benchLast - window.benchStart;
}"""


@dataclass
class Waits:
    """Times of one action on one page, in milliseconds."""

    page: str
    action: str
    wall: list[float] = field(default_factory=list)
    cpu: list[float] = field(default_factory=list)

    @property
    def limit(self) -> float | None:
        return {"first draw": None, "draw": DRAW_AT_MOST}.get(self.action, FILTER_AT_MOST)

    def line(self) -> str:
        late = self.limit is not None and statistics.median(self.wall) > self.limit
        return (
            f"{self.page:<11}{self.action:<16}{len(self.wall):>3}{statistics.median(self.wall):>9.0f}{max(self.wall):>9.0f}"
            f"{statistics.median(self.cpu):>9.0f}{max(self.cpu):>9.0f}{os.getloadavg()[0]:>7.1f}{'  late' if late else ''}"
        )


class Bench:
    """One browser page on one server."""

    def __init__(self, page: Any, address: str, server: psutil.Process) -> None:
        self.page, self.address, self.server = page, address, server
        self.waits: dict[tuple[str, str], Waits] = {}

    def _cpu(self) -> float:
        times = self.server.cpu_times()
        return 1000 * float(times.user + times.system)

    def measure(self, name: str, action: str, act: Callable[[], object]) -> None:
        """Do `act`, wait until the page has settled, and note how long that took."""
        self.page.evaluate(WATCH)
        cpu = self._cpu()
        act()
        try:
            wall = float(self.page.wait_for_function(SETTLED, arg=QUIET, timeout=PATIENCE, polling=20).json_value())
        except TimeoutError:
            state = self.page.evaluate("() => [window.benchRan, document.querySelector('[data-testid=stApp]').getAttribute('data-test-script-state')]")
            raise RuntimeError(f"{name}, {action}: not settled after {PATIENCE / 1000:.0f} s (script ran, state: {state})") from None
        waits = self.waits.setdefault((name, action), Waits(name, action))
        waits.wall.append(wall)
        waits.cpu.append(self._cpu() - cpu)

    def go(self, name: str, action: str) -> None:
        """To page `name` by its link, as a reader goes: the session stays."""
        self.measure(name, action, lambda: self.page.locator(f"[data-testid=stSidebarNav] a[href$='/{name if name != 'overview' else ''}']").click())

    def filters(self, name: str) -> None:
        """Change every filter that the page has, several times."""
        for key, change in (("view_attribute", self._select), ("view_runs", self._runs), ("measure", self._segment), ("reference", self._select), ("threshold", self._slide), ("epochs", self._slide)):
            place = self.page.locator(f".st-key-{key}")
            if place.count():
                for act in change(place.first):
                    self.measure(name, key.removeprefix("view_"), act)

    def _select(self, place: Any) -> Iterator[Callable[[], object]]:
        """Options that are not chosen yet, in turns."""
        for turn in range(TIMES):
            self._open(place.locator("input").first)
            others = self.page.locator("[role=option]:not([aria-selected=true])")
            yield others.nth(turn % min(2, others.count())).click

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
        """The last run is left out, and another one chosen."""
        for turn in range(TIMES // 2):
            place.locator("input").first.focus()
            yield lambda: self.page.keyboard.press("Backspace")
            place.locator("input").first.focus()
            self.page.keyboard.type(f"MultiFair · seed {turn + 2}")
            yield lambda: self.page.keyboard.press("Enter")
            self.page.keyboard.press("Escape")

    def _segment(self, place: Any) -> Iterator[Callable[[], object]]:
        buttons = place.locator("button")
        for turn in range(TIMES):
            yield buttons.nth((turn + 1) % buttons.count()).click

    def _slide(self, place: Any) -> Iterator[Callable[[], object]]:
        handle = place.locator("input[type=range], [role=slider]").first
        for turn in range(TIMES):
            handle.focus()
            key = "ArrowRight" if turn % 3 == 2 else "ArrowLeft"
            yield partial(self.page.keyboard.press, key)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--check", action="store_true", help="fail when a page or filter is late")
    parser.add_argument("--home", type=Path, help="keep the made-up workspace here")
    parser.add_argument("--pages", default=",".join(PAGES))
    parser.add_argument("--runs", type=int, default=200)
    parser.add_argument("--patients", type=int, default=5000)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        home = args.home or Path(temporary) / "workspace"
        if not (home / "runs").exists():
            fake_workspace(home, runs=args.runs, patients=args.patients, unsettled=False)
        return run(home, args.pages.split(","), args.check)


def run(home: Path, pages: list[str], check: bool) -> int:
    before = {child.pid for child in psutil.Process().children()}
    with dashboard(home) as address, sync_playwright() as play:
        server = next(child for child in psutil.Process().children() if child.pid not in before and "streamlit" in " ".join(child.cmdline()))
        browser = play.chromium.launch(executable_path=browser_path(), args=ARGUMENTS)
        page = browser.new_page(viewport={"width": 1440, "height": 900})
        started = time.monotonic()
        page.goto(address)
        settle(page, 120_000)
        print(f"{psutil.cpu_count()} cores; first page after {time.monotonic() - started:.1f} s, with the store being filled")
        print(f"{'page':<11}{'action':<16}{'n':>3}{'median':>9}{'longest':>9}{'CPU':>9}{'longest':>9}{'load':>7}   (ms)")
        bench, many = Bench(page, address, server), []
        for name in pages:
            other = "cohort" if name != "cohort" else "overview"
            bench.go(other, "between")
            bench.go(name, "first draw")
            for _ in range(3):
                bench.go(other, "between")
                bench.go(name, "draw")
            bench.filters(name)
            marks = page.locator(MARK).count()
            if marks > MARKS_AT_MOST:
                many.append(f"{name} draws {marks} marks")
            for (of, action), waits in bench.waits.items():
                if of == name and action != "between":
                    print(waits.line(), flush=True)
            print(f"{name:<11}{marks} marks")
        browser.close()
    late = [f"{w.page}, {w.action}" for (_, action), w in bench.waits.items() if action != "between" and w.limit is not None and statistics.median(w.wall) > w.limit]
    for problem in [*(f"late: {text}" for text in late), *many]:
        print(problem)
    return 1 if check and (late or many) else 0


if __name__ == "__main__":
    sys.exit(main())
