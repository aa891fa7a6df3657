"""Drive the dashboard in a real browser: a server on a workspace, and a page that watches itself."""

from __future__ import annotations

import os
import re
import shutil
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from urllib.request import ProxyHandler, build_opener

ROOT = Path(__file__).resolve().parents[2]
BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
ARGUMENTS = [
    "--no-sandbox", "--disable-gpu", "--disable-background-networking", "--no-first-run",
    "--disable-component-update", "--disable-sync", "--force-color-profile=srgb",
]  # fmt: skip
PROBE = re.compile(r"/\w+/_stcore/(health|host-config)")
"""Streamlit looks for its server below the page's own path first, and the browser logs that 404."""
READY = "Server did not answer in {seconds} s:\n{log}"
IDLE = """(quiet) => {
  const app = document.querySelector('[data-testid=stApp]');
  const idle = app && app.getAttribute('data-test-script-state') === 'notRunning' && !document.querySelector('[data-testid=stSkeleton]');
  if (!idle) { window.idleSince = undefined; return false; }
  window.idleSince ??= performance.now();
  return performance.now() - window.idleSince >= quiet;
}"""
QUIET = 250
"""Milliseconds without a running script after which a page is settled: what was just clicked has begun by then."""


def browser_path() -> str | None:
    """A Chrome or Chromium on this machine, or None."""
    return next((path for path in map(shutil.which, BROWSERS) if path), None)


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


@contextmanager
def dashboard(workspace: Path, port: int | None = None, seconds: float = 60) -> Iterator[str]:
    """The dashboard on `workspace`, started from another working directory; yields its address."""
    port = port or free_port()
    log_file = workspace / f"dashboard-{port}.log"
    environment = {**os.environ, "MULTIFAIR_HOME": str(workspace), "MULTIFAIR_ROOTS": tempfile.gettempdir(), "MULTIFAIR_ACCESS": "open", "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-m", "streamlit", "run", str(ROOT / "dashboard" / "app.py"), "--server.port", str(port)]
    with log_file.open("w") as log:
        process = subprocess.Popen(command, cwd=workspace, env=environment, stdout=log, stderr=subprocess.STDOUT, start_new_session=True)
    address = f"http://127.0.0.1:{port}"
    try:
        _await_health(address, process, seconds, log_file)
        yield address
    finally:
        process.terminate()
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _await_health(address: str, process: subprocess.Popen[bytes], seconds: float, log_file: Path) -> None:
    import time

    opener = build_opener(ProxyHandler({}))
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline and process.poll() is None:
        try:
            with opener.open(f"{address}/_stcore/health", timeout=1) as answer:
                if answer.status == 200:
                    return
        except OSError:
            time.sleep(0.1)
    raise RuntimeError(READY.format(seconds=seconds, log=log_file.read_text()[-2000:]))


@dataclass
class Watch:
    """What went wrong in a browser page: console errors, and requests that left this machine."""

    errors: list[str] = field(default_factory=list)
    strays: list[str] = field(default_factory=list)

    def attach(self, page: Any) -> None:
        page.on("console", self._console)
        page.on("pageerror", lambda error: self.errors.append(str(error)))
        page.on("request", self._request)

    def _console(self, message: Any) -> None:
        if message.type == "error" and not PROBE.fullmatch(urlsplit(message.location.get("url", "")).path):
            self.errors.append(f"{message.text} {message.location.get('url', '')}")

    def _request(self, request: Any) -> None:
        parts = urlsplit(request.url)
        if parts.scheme in ("http", "https", "ws", "wss") and parts.hostname != "127.0.0.1":
            self.strays.append(request.url)

    @property
    def problems(self) -> list[str]:
        return [f"console: {text}" for text in self.errors] + [f"left the machine: {url}" for url in self.strays]


def settle(page: Any, milliseconds: int = 30_000) -> None:
    """Wait until the script has run and every chart on the page has been drawn."""
    page.wait_for_selector("[data-testid=stApp]", timeout=milliseconds)
    page.wait_for_selector("h1", timeout=milliseconds)
    page.evaluate("() => { window.idleSince = undefined; }")
    page.wait_for_function(IDLE, arg=QUIET, timeout=milliseconds)
    page.wait_for_function(
        "() => [...document.querySelectorAll('[data-testid=stVegaLiteChart]')].every(c => c.querySelector('svg, canvas'))", timeout=milliseconds
    )
    page.wait_for_function("() => document.fonts.status === 'loaded'", timeout=milliseconds)


def overflow(page: Any) -> int:
    """Pixels by which the page is wider than its window: more than 0 is a horizontal scroll."""
    return int(page.evaluate("() => { const m = document.querySelector('[data-testid=stMain]') || document.body; return m.scrollWidth - m.clientWidth; }"))
