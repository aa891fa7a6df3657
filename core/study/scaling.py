"""How costs grow: each measured at three sizes, and what they come to for a large hospital. Writes SCALING.md."""

from __future__ import annotations

import os
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from core import cohort as cohorts
from core.audit import AuditOptions, audit
from core.methods import reference
from core.runs.disk_usage import bytes_in_words, folder_bytes
from core.runs.environment import describe
from core.runs.listing import list_runs
from core.store import Store
from core.study.audit_speed import predictions
from core.study.start_speed import fill
from core.study.sweep_speed import write_cohort
from core.training.presets import make_spec
from core.training.train import Event, train
from core.workspace import Workspace

PATIENTS, RUNS, USERS = 1_000_000, 10_000, 50
"""Of whom SCALING.md speaks."""
LINEAR = 0.15
"""An exponent this near to 1 is called linear."""


@dataclass(frozen=True)
class Growth:
    """One cost at three sizes. `limit` is what its user can bear at `target`, in the same unit."""

    what: str
    by: str
    unit: str
    sizes: tuple[int, ...]
    costs: tuple[float, ...]
    target: int
    limit: float
    remedy: str

    @property
    def exponent(self) -> float:
        """b of cost = a size^b, by least squares of the logarithms."""
        return float(np.polyfit(np.log(self.sizes), np.log(np.maximum(self.costs, 1e-9)), 1)[0])

    @property
    def expected(self) -> float:
        """The cost at `target`, from the largest measured size on along the measured growth, but never slower than linear.

        What small sizes cost besides (a fixed start) flattens a measured curve: going on so flatly would promise too much.
        """
        return self.costs[-1] * (self.target / self.sizes[-1]) ** max(1.0, self.exponent)

    @property
    def share(self) -> float:
        """Of the limit."""
        return self.expected / self.limit

    @property
    def growth(self) -> str:
        if abs(self.exponent - 1) <= LINEAR:
            return "linearly"
        return "slower than linearly" if self.exponent < 1 else f"faster than linearly (exponent {self.exponent:.2f})"


class _Nowhere:
    """Takes what a training reports and keeps none of it."""

    def event(self, event: Event) -> None: ...

    def predictions(self, frame: object) -> None: ...


def measure(scale: float = 1.0) -> Iterator[Growth]:
    """Every cost; `scale` multiplies the sizes (1: some minutes)."""
    with tempfile.TemporaryDirectory(prefix="multifair-scaling-") as name:
        folder = Path(name)
        yield from _of_patients(folder, _sizes((2000, 8000, 32_000), scale))
        yield from _of_audits(_sizes((20_000, 80_000, 320_000), scale))
        yield from _of_runs(folder, _sizes((60, 240, 960), scale))


def _sizes(usual: Sequence[int], scale: float) -> tuple[int, ...]:
    return tuple(max(12 * 2**i, int(size * scale)) for i, size in enumerate(usual))


def _of_patients(folder: Path, sizes: tuple[int, ...]) -> Iterator[Growth]:
    ingesting, bytes_of, epochs = [], [], []
    for size in sizes:
        place = folder / f"patients-{size}"
        workspace = Workspace.open(place / "workspace")
        write_cohort(place / "cohort.csv", max(size, 200))
        ingesting.append(_spent(lambda: cohorts.ingest(workspace, place / "cohort.csv", name="Scaling")))  # noqa: B023 -- called at once
        bytes_of.append(float(folder_bytes(workspace.cohorts)))
        cohort = cohorts.load(workspace, "Scaling")
        spec = make_spec(reference(), attribute="sex", settings={"epochs": 1, "bootstrap": 20})
        epochs.append(_spent(lambda: train(cohort, spec, _Nowhere(), device="cpu")))  # type: ignore[arg-type] # noqa: B023
    yield Growth("Reading a table with notes into a cohort", "patients", "s", sizes, tuple(ingesting), PATIENTS, 3600, "read it overnight; it is read once")
    yield Growth("Disk for such a cohort, without pixels", "patients", "bytes", sizes, tuple(bytes_of), PATIENTS, 100e9, "a larger disk for the workspace")
    yield Growth(
        "One epoch of plain training with small encoders", "patients", "s", sizes, tuple(epochs), PATIENTS, 3600,
        "a GPU (`--device auto`), frozen encoders, or more machines (`--launcher ray`): runs are independent",
    )  # fmt: skip


def _of_audits(sizes: tuple[int, ...]) -> Iterator[Growth]:
    costs = [_spent(lambda: audit(predictions(size), AuditOptions(bootstrap=200))) for size in sizes]  # noqa: B023 -- called at once
    yield Growth("An audit of four attributes with 200 resamples", "predictions", "s", sizes, tuple(costs), PATIENTS, 120, "fewer resamples (`--bootstrap`)")


def _of_runs(folder: Path, sizes: tuple[int, ...]) -> Iterator[Growth]:
    filling, opening, listing, reading = [], [], [], []
    for size in sizes:
        place = folder / f"runs-{size}"
        workspace = Workspace.open(place / "workspace")
        fill(workspace, place / "files", size)
        filling.append(_spent(lambda: _refreshed(workspace)))  # noqa: B023 -- called at once
        opening.append(_spent(lambda: _refreshed(workspace)))  # noqa: B023
        listing.append(_spent(lambda: list_runs(workspace)))  # noqa: B023
        reading.append(_answer(workspace, USERS))
    yield Growth(
        "Filling the results cache the first time", "runs", "s", sizes, tuple(filling), RUNS, 120, "let one `multifair store` fill it before users come"
    )
    yield Growth("Opening the results cache again", "runs", "s", sizes, tuple(opening), RUNS, 5, "a workspace per study: export what is finished and delete it")
    yield Growth("Listing all runs", "runs", "s", sizes, tuple(listing), RUNS, 5, "a workspace per study: export what is finished and delete it")
    what = f"{USERS} readers who ask for the table of runs at once, on one core"
    yield Growth(what, "runs", "s", sizes, tuple(reading), RUNS, 10, "a workspace per user (`MULTIFAIR_ACCESS=login`), and several servers behind the proxy")


def _refreshed(workspace: Workspace) -> None:
    with Store.open(workspace) as store:
        store.refresh()


def _answer(workspace: Workspace, users: int) -> float:
    """Processor seconds until `users` readers have the table of runs, as sessions of one server ask for it at once.

    On one core the last of them waits that long; the clock would also tell of whatever else the machine did.
    """
    with Store.open(workspace) as store:
        readers = [threading.Thread(target=store.runs) for _ in range(users)]
        begun = time.process_time()
        for reader in readers:
            reader.start()
        for reader in readers:
            reader.join()
        return time.process_time() - begun


def _spent(work: Callable[[], object]) -> float:
    begun = time.process_time()
    work()
    return time.process_time() - begun


def document(found: Sequence[Growth]) -> str:
    """SCALING.md: what was measured, what it comes to, what breaks first and what to switch on then."""
    machine = describe("cpu", 1)
    order = sorted(found, key=lambda growth: -growth.share)
    lines = [
        "# How costs grow",
        "",
        f"Made by `multifair bench scaling --out SCALING.md` on {machine['platform']}, {machine['cores']} cores, with "
        f"{os.getloadavg()[0]:.0f} programs at work; do not edit.",
        f"Seconds are of one processor. Each cost is measured at three sizes and extrapolated to {PATIENTS:,} patients, {RUNS:,} runs "
        f"and {USERS} users: along the",
        "measured growth, or linearly where the measured growth is slower, because a fixed start flattens small sizes.",
        "",
        "| cost | measured at | cost there | grows | at | expected | bearable |",
        "| --- | --- | --- | --- | --- | --- | --- |",
    ]
    for growth in order:
        sizes, costs = ", ".join(f"{size:,}" for size in growth.sizes), ", ".join(_said(cost, growth.unit) for cost in growth.costs)
        at = f"{growth.target:,} {growth.by}"
        lines.append(
            f"| {growth.what} | {sizes} | {costs} | {growth.growth} | {at} | {_said(growth.expected, growth.unit)} | {_said(growth.limit, growth.unit)} |"
        )
    lines += ["", "What breaks first, and what to switch on then:", ""]
    for growth in order:
        state = "**is too much**" if growth.share > 1 else "holds"
        lines.append(f"- {growth.what}: {growth.share:.2g} times what is bearable, which {state}. {growth.remedy[0].upper()}{growth.remedy[1:]}.")
    lines += [
        "",
        "Not measured here: pixels of so many patients (their cost is that of decoding each once: `multifair bench input`), and a real "
        "network of many machines.",
        "",
    ]
    return "\n".join(lines)


def _said(value: float, unit: str) -> str:
    return bytes_in_words(int(value)) if unit == "bytes" else f"{value:.3g} {unit}"
