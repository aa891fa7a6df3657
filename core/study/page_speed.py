"""How long a reader of the dashboard waits, measured in a real browser by tests/benchmarks/bench_pages.py of a checkout."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from core.errors import UserError
from core.runs.environment import ROOT
from core.study.audit_speed import Measured

RUNS = 200
PROGRAM = ROOT / "tests" / "benchmarks" / "bench_pages.py"
BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")


def measure(runs: int = RUNS, pages: str | None = None) -> Iterator[Measured]:
    """Median milliseconds of every page and control, with the processor's share.

    Raises UserError without a checkout or a browser.
    """
    if not PROGRAM.is_file():
        raise UserError("pages are measured by the tests of a checkout, which are not installed here: git clone the project and run it there")
    if not any(map(shutil.which, BROWSERS)):
        raise UserError(f"pages are measured in a browser, and none of {', '.join(BROWSERS)} is on this machine")
    with tempfile.TemporaryDirectory(prefix="multifair-bench-") as folder:
        out = Path(folder) / "waits.json"
        words = [sys.executable, str(PROGRAM), "--runs", str(runs), "--json", str(out), *(["--pages", pages] if pages else [])]
        done = subprocess.run(words, cwd=ROOT, stdout=sys.stderr, check=False)
        if done.returncode or not out.is_file():
            raise UserError(f"{PROGRAM.name} ended with {done.returncode}; what it said stands above")
        for row in json.loads(out.read_text(encoding="utf-8")):
            limit = float("inf") if row["limit"] is None else row["limit"]
            yield Measured(f"{row['page']}, {row['action']}", row["median"], row["unit"], limit, processor_seconds=row["processor_seconds"])
