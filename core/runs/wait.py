"""Waiting until runs are settled, for programs that have nothing else to do."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable

from core.locks import is_held
from core.runs.dead_runs import launcher_lock, launcher_of, settle_dead_runs
from core.runs.folder import SETTLED, find
from core.runs.queue import ensure_worker
from core.workspace import Workspace

POLL_SECONDS = 0.5


def wait(workspace: Workspace, run_ids: Iterable[str], tell: Callable[[str], None], every: float = 10.0) -> None:
    """Return when every run is done, failed or cancelled.

    `tell` gets a line when a run begins and ends, and its progress every `every` seconds.
    A worker that died is started again: its jobs went on without it, its queue did not.
    """
    open_runs = {run_id: "" for run_id in dict.fromkeys(run_ids)}
    told = time.monotonic()
    while open_runs:
        settle_dead_runs(workspace)
        due = time.monotonic() - told >= every
        open_launchers = set()
        for run_id, before in list(open_runs.items()):
            status = find(workspace, run_id).read_status()
            word = status["status"]
            if word != before and word != "queued":
                tell(f"{run_id}: {word}" + (f" ({status['reason']})" if status["reason"] else ""))
            elif due and word == "running":
                tell(f"{run_id}: {describe_progress(status['progress'])}")
            open_runs[run_id] = word
            if word in SETTLED:
                del open_runs[run_id]
            else:
                open_launchers.add(launcher_of(status))
        if due:
            told = time.monotonic()
        if open_runs:
            if not all(is_held(launcher_lock(workspace, launcher)) for launcher in open_launchers):
                ensure_worker(workspace)
            time.sleep(POLL_SECONDS)


def describe_progress(progress: dict[str, float | None]) -> str:
    """`epoch 3 of 10, about 2 min left`, with what is known."""
    epoch, epochs, left = progress["epoch"], progress["epochs"], progress["seconds_left"]
    if epoch is None or epochs is None:
        return "reading the cohort"
    text = f"epoch {min(int(epoch) + 1, int(epochs))} of {int(epochs)}"
    return text if left is None else f"{text}, {duration(left)} left"


def duration(seconds: float) -> str:
    """`about 40 s`, `about 3 min` or `about 2.5 h`."""
    if seconds < 90:
        return f"about {max(1, round(seconds))} s"
    return f"about {round(seconds / 60)} min" if seconds < 5400 else f"about {seconds / 3600:.1f} h"
