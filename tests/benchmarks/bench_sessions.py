"""Many readers at once while runs write, and the server's memory over many page views.

`python -m tests.benchmarks.bench_sessions` opens 8 sessions in one browser, each of which goes to a page by
chance, reads for some seconds and goes on, while 4 runs append to their journals as trainings on other
machines do. It prints medians and 95th percentiles of the time from click to the server's last answer and
to the settled page, every error that a page showed or logged, and how the server's memory grows over
`--views` page views of a single reader, some by a link and some by opening the address anew. One JSON line
at the end; `--check` fails when an error was seen or a limit is missed.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import os
import random
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import psutil
from playwright.async_api import Browser, Error, Page, async_playwright

from core.locks import holding
from core.runs.folder import RunFolder
from core.workspace import Workspace
from tests.benchmarks.bench_pages import PAGES
from tests.benchmarks.waits import ARM, LISTEN, QUIET, SETTLED
from tests.browser.helpers import ARGUMENTS, Watch, browser_path, dashboard
from tests.factories import fake_workspace

READERS, WRITERS, SECONDS, READING, VIEWS = 8, 4, 120.0, 4.0, 300
P95_AT_MOST = 1000.0
GROWTH_AT_MOST = 2.0
"""MiB per 100 views, after the first third of them."""
PATIENCE = 60_000
EVENT_SECONDS, EPOCHS = 2.0, 20
"""Between two events of a run; and how many epochs it goes through, again and again, so that what it holds does not grow."""


@dataclass
class Seen:
    """What all readers together have seen."""

    answered: list[float] = field(default_factory=list)
    """Milliseconds from a click to the last message of the server."""
    settled: list[float] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)


def write(folder: RunFolder, stop: threading.Event) -> None:
    """Go on with a run as its training would: an epoch every other second, and the status with it."""
    process = psutil.Process()
    telemetry = [json.loads(line) for line in folder.journal.read_text(encoding="utf-8").splitlines() if '"telemetry"' in line][-1]
    with holding(folder.lock_file), folder.journal.open("a", encoding="utf-8") as journal:
        created = folder.read_status()["created"]
        epoch = 0
        while not stop.wait(EVENT_SECONDS):
            epoch = epoch % EPOCHS + 1
            told = {"event": "epoch", "epoch": epoch, "train_loss": 1 / epoch, "validation_loss": 1 / epoch, "validation_auc": 0.7, "seconds": 1.0}
            journal.write(json.dumps(told) + "\n" + json.dumps(telemetry | {"epoch": epoch}) + "\n")
            journal.flush()
            progress = {"epoch": epoch, "epochs": EPOCHS, "seconds_left": 60.0}
            own = {"pid": process.pid, "pid_created": process.create_time(), "started": created, "finished": None}
            folder.update_status(status="running", progress=progress, **own)


@contextlib.contextmanager
def writing(workspace: Workspace, run_ids: tuple[str, ...]) -> Iterator[None]:
    stop = threading.Event()
    threads = [threading.Thread(target=write, args=(RunFolder(workspace.runs / run_id), stop)) for run_id in run_ids]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        stop.set()
        for thread in threads:
            thread.join()


async def opened(browser: Browser, address: str, watch: Watch) -> Page:
    context = await browser.new_context(viewport={"width": 1440, "height": 900})
    page = await context.new_page()
    watch.attach(page)
    await page.add_init_script(f"({LISTEN})()")
    await page.goto(address)
    await page.wait_for_selector("h1", timeout=PATIENCE)
    return page


async def view(page: Page, name: str, seen: Seen) -> None:
    """Go to a page by its link, and look whether it shows an error."""
    await page.evaluate(ARM)
    try:
        await page.locator(f"[data-testid=stSidebarNav] a[href$='/{name if name != 'overview' else ''}']").click(timeout=PATIENCE)
        settled = await page.wait_for_function(SETTLED, arg=QUIET, timeout=PATIENCE, polling=20)
        seen.settled.append(float(await settled.json_value()))
        seen.answered.append(float(await page.evaluate("() => window.benchReceived - window.benchStart")))
    except Error as error:
        seen.problems.append(f"{name}: {str(error).splitlines()[0]}")
    for text in await page.locator("[data-testid=stException]").all_inner_texts():
        seen.problems.append(f"{name}: {text[:200]}")


async def reader(browser: Browser, address: str, number: int, until: float, reading: float, seen: Seen, watch: Watch) -> None:
    chance = random.Random(number)
    page = await opened(browser, address, watch)
    last = "overview"
    while time.monotonic() < until:
        await asyncio.sleep(chance.uniform(0.5, 1.5) * reading)
        last = chance.choice([name for name in PAGES if name != last])
        await view(page, last, seen)
    await page.context.close()


async def memory(browser: Browser, address: str, server: psutil.Process, views: int, seen: Seen, watch: Watch) -> list[float]:
    """MiB of the server after each page view."""
    page, found = await opened(browser, address, watch), []
    for i in range(views):
        if i % 20 == 19:
            # A new session, as every reload is one.
            await page.goto(address)
            await page.wait_for_selector("h1", timeout=PATIENCE)
        await view(page, PAGES[(i + 1) % len(PAGES)], seen)
        found.append(server.memory_info().rss / 2**20)
    await page.context.close()
    return found


async def measured(address: str, server: psutil.Process, args: argparse.Namespace) -> tuple[Seen, Seen, list[float], Watch]:
    many, one, watch = Seen(), Seen(), Watch()
    async with async_playwright() as play:
        browser = await play.chromium.launch(executable_path=browser_path(), args=ARGUMENTS)
        # What the first visitor of each page waits for is measured by bench_pages.
        await memory(browser, address, server, len(PAGES), Seen(), watch)
        until = time.monotonic() + args.seconds
        await asyncio.gather(*(reader(browser, address, i, until, args.reading, many, watch) for i in range(args.readers)))
        used = await memory(browser, address, server, args.views, one, watch)
        await browser.close()
    return many, one, used, watch


def growth(used: list[float]) -> float:
    """MiB per 100 views, as a line through what comes after the first third."""
    late = np.array(used[len(used) // 3 :])
    return float(100 * np.polyfit(np.arange(len(late)), late, 1)[0]) if len(late) > 1 else 0.0


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--readers", type=int, default=READERS)
    parser.add_argument("--seconds", type=float, default=SECONDS, help="how long the readers go on")
    parser.add_argument("--reading", type=float, default=READING, help="seconds that a reader looks at a page, on average")
    parser.add_argument("--views", type=int, default=VIEWS, help="page views over which the memory is followed")
    parser.add_argument("--check", action="store_true", help="fail when an error was seen or a limit is missed")
    args = parser.parse_args()
    load = os.getloadavg()[0]
    with tempfile.TemporaryDirectory() as temporary:
        fake = fake_workspace(Path(temporary) / "workspace", runs=40, patients=1000, epochs=20, unsettled=False, pixels=16)
        before = {child.pid for child in psutil.Process().children()}
        with writing(fake.workspace, fake.run_ids[:WRITERS]), dashboard(fake.workspace.root) as address:
            server = next(child for child in psutil.Process().children() if child.pid not in before and "streamlit" in " ".join(child.cmdline()))
            many, one, used, watch = asyncio.run(measured(address, server, args))
        logged = [path.read_text(encoding="utf-8") for path in fake.workspace.root.glob("dashboard-*.log")]
    traces = sum(text.count("Traceback") for text in logged)
    problems = [*many.problems, *one.problems, *watch.problems, *(["the server logged a traceback"] * traces)]
    told = {
        "readers": args.readers,
        "runs_writing": WRITERS,
        "clicks": len(many.settled),
        **{
            f"{name}_ms": {f"p{q}": round(float(np.percentile(values, q))) for q in (50, 95, 99)}
            for name, values in (("answered", many.answered), ("settled", many.settled))
        },
        "one_reader_settled_ms": {f"p{q}": round(float(np.percentile(one.settled, q))) for q in (50, 95)},
        "views": len(used),
        "server_mib": {"first": round(used[0]), "last": round(used[-1])},
        "growth_mib_per_100_views": round(growth(used), 2),
        "problems": len(problems),
        "cores": psutil.cpu_count(),
        "load_before": round(load, 1),
    }
    print("\n".join(sorted(set(problems))))
    print(json.dumps(told))
    bad = bool(problems) or told["answered_ms"]["p95"] > P95_AT_MOST or told["growth_mib_per_100_views"] > GROWTH_AT_MOST
    return 1 if args.check and bad else 0


if __name__ == "__main__":
    sys.exit(main())
