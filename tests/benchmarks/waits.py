"""How long a page of the dashboard takes from an action until it has settled, as the browser sees it.

Settled: an answer came from the server after the action, the script rests, no part of the page is
stale, every chart is drawn, and neither the page nor the connection has moved for QUIET ms. The
time is that of the last movement, counted from the press of the key or button.
"""

from __future__ import annotations

import os
import statistics
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import psutil
from playwright.sync_api import TimeoutError

QUIET = 80
PATIENCE = 120_000
LISTEN = """() => {
  const Native = window.WebSocket;
  window.benchReceived = 0;
  window.WebSocket = class extends Native {
    constructor(...given) {
      super(...given);
      this.addEventListener('message', () => { window.benchReceived = performance.now(); });
    }
  };
}"""
ARM = """() => {
  window.benchStart = null; window.benchMoved = 0;
  if (window.benchSeen) window.benchSeen.disconnect();
  window.benchSeen = new MutationObserver(() => { if (window.benchStart !== null) window.benchMoved = performance.now(); });
  window.benchSeen.observe(document.body, {subtree: true, childList: true, attributes: true, characterData: true});
  const begin = event => {
    if (window.benchStart === null) window.benchStart = event.timeStamp;
  };
  for (const kind of ['pointerdown', 'keydown']) window.addEventListener(kind, begin, {capture: true, once: true});
}"""
SETTLED = """quiet => {
  const app = document.querySelector('[data-testid=stApp]');
  if (window.benchStart === null || window.benchReceived < window.benchStart) return null;
  if (!app || app.getAttribute('data-test-script-state') !== 'notRunning') return null;
  if (document.querySelector('[data-testid=stSkeleton]') || document.querySelector('[data-stale=true]')) return null;
  if (![...document.querySelectorAll('[data-testid=stVegaLiteChart]')].every(c => c.querySelector('svg, canvas'))) return null;
  const last = Math.max(window.benchMoved, window.benchReceived);
  return performance.now() - last < quiet ? null : last - window.benchStart;
}"""


@dataclass
class Waits:
    """Times of one action on one page, in milliseconds."""

    page: str
    action: str
    limit: float | None
    wall: list[float] = field(default_factory=list)
    server: list[float] = field(default_factory=list)
    """Processor time of the server."""
    browser: list[float] = field(default_factory=list)
    """Processor time of the page's main thread."""

    @property
    def late(self) -> bool:
        return self.limit is not None and statistics.median(self.wall) > self.limit

    def row(self) -> dict[str, Any]:
        """The median wait in ms, and the processor seconds of server and browser together."""
        processor = (statistics.median(self.server) + statistics.median(self.browser)) / 1000
        return {
            "page": self.page,
            "action": self.action,
            "median": statistics.median(self.wall),
            "unit": "ms",
            "limit": self.limit,
            "processor_seconds": processor,
        }

    def line(self) -> str:
        parts = [statistics.median(self.wall), max(self.wall), statistics.median(self.server), statistics.median(self.browser)]
        return (
            f"{self.page:<11}{self.action:<20}{len(self.wall):>3}"
            + "".join(f"{part:>9.0f}" for part in parts)
            + f"{os.getloadavg()[0]:>7.1f}"
            + ("  late" if self.late else "")
        )


HEADING = (
    f"{'page':<11}{'action':<20}{'n':>3}{'median':>9}{'longest':>9}{'server':>9}{'browser':>9}{'load':>7}   (ms; server and browser: median processor time)"
)


class Watch:
    """Takes the time of actions on one browser page. `listen` must come before the page is opened."""

    def __init__(self, page: Any, server: psutil.Process) -> None:
        self.page, self.server = page, server
        self.waits: dict[tuple[str, str], Waits] = {}
        self._tools = page.context.new_cdp_session(page)
        # Ticks of the thread and no clock: what other programs do meanwhile does not count.
        self._tools.send("Performance.enable", {"timeDomain": "threadTicks"})
        page.add_init_script(f"({LISTEN})()")

    def _used(self) -> tuple[float, float]:
        """Processor time so far of server and browser, in ms."""
        times = self.server.cpu_times()
        told = {item["name"]: item["value"] for item in self._tools.send("Performance.getMetrics")["metrics"]}
        return 1000 * float(times.user + times.system), 1000 * float(told["TaskDuration"])

    def measure(self, name: str, action: str, act: Callable[[], object], limit: float | None = None) -> None:
        """Do `act`, wait until the page has settled, and note how long that took."""
        self.page.evaluate(ARM)
        server, browser = self._used()
        act()
        try:
            wall = float(self.page.wait_for_function(SETTLED, arg=QUIET, timeout=PATIENCE, polling=20).json_value())
        except TimeoutError:
            state = self.page.evaluate(
                "() => [window.benchStart, window.benchReceived, document.querySelector('[data-testid=stApp]').getAttribute('data-test-script-state')]"
            )
            raise RuntimeError(f"{name}, {action}: not settled after {PATIENCE / 1000:.0f} s (pressed, answered, script state: {state})") from None
        waits = self.waits.setdefault((name, action), Waits(name, action, limit))
        server_after, browser_after = self._used()
        waits.wall.append(wall)
        waits.server.append(server_after - server)
        waits.browser.append(browser_after - browser)
