"""Asking for runs: submit, cancel, retry, order, pause. Nothing here trains or waits."""

from __future__ import annotations

import os
import shutil
import tempfile
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from core.errors import DamagedFile, UserError
from core.locks import holding, is_held
from core.runs import processes as own_processes
from core.runs.dead_runs import LAUNCHERS, launcher_lock, launcher_of, settle_dead_runs
from core.runs.folder import RunFolder, described, find, folders, new_status, rank
from core.runs.queue_settings import change_settings, parallel, queue_settings, set_parallel, threads_per_job, wake
from core.runs.spec import RunSpec
from core.workspace import Workspace, write_json

MODULES = {"local": ("core.runs.worker", "queue.log"), "ray": ("core.runs.ray_launcher", "queue.ray.log")}
"""Launcher -> the module that starts its runs, and where that writes."""
MOST_PROCESSES = 64
PRIORITIES = {"low": -1, "normal": 0, "high": 1}

__all__ = ["PRIORITIES", "RunHandle", "cancel", "ensure_worker", "move", "parallel", "pause", "resume", "retry", "retry_failed",
           "set_parallel", "set_priority", "submit", "threads_per_job", "waiting", "wake"]  # fmt: skip


@dataclass(frozen=True)
class RunHandle:
    """The answer to a request for one run."""

    run_id: str
    key: str
    status: str
    cached: bool
    """True: it was done before, and nothing is trained."""


def submit(
    workspace: Workspace,
    specs: Iterable[RunSpec],
    device: str = "auto",
    start: bool = True,
    *,
    fresh: bool = False,
    priority: str = "normal",
    launcher: str = "local",
    share: Mapping[str, float] | None = None,
    processes: int = 1,
) -> list[RunHandle]:
    """Ask for runs. Each is trained once, however often and by whomever it is asked for.

    A done run answers from the cache; a queued or running one is shared; a failed,
    cancelled or damaged one is queued again. `start`: see to it that a worker makes them.
    `fresh`: train what is done or has a checkpoint again, from the start. `launcher`: `local`
    or `ray`; `share`: cpus and gpus that each run takes of a cluster. `processes`: of this
    machine that share each run, every one with a GPU of its own where there are GPUs.
    """
    if not 1 <= processes <= MOST_PROCESSES or (processes > 1 and launcher != "local"):
        raise UserError(f"a run takes from 1 to {MOST_PROCESSES} processes, and more than one on this machine alone (launcher local)")
    settle_dead_runs(workspace)
    options = {
        "requested_device": device,
        "priority": _priority(priority),
        "launcher": launcher,
        "share": dict(share) if share else None,
        "processes": processes,
    }
    if launcher not in LAUNCHERS:
        raise UserError(f"a launcher is {' or '.join(LAUNCHERS)}, not {launcher!r}")
    handles = [_submit(workspace, spec, options, fresh) for spec in specs]
    if start and any(handle.status in ("queued", "running") for handle in handles):
        ensure_worker(workspace)
    return handles


def _submit(workspace: Workspace, spec: RunSpec, options: dict[str, Any], fresh: bool) -> RunHandle:
    folder = RunFolder(workspace.runs / spec.run_id)
    if not folder.status_file.exists():
        _create(folder, spec, options)
    whole = _mend_spec(folder, spec)
    status = folder.read_status()["status"]
    lost = status == "done" and (fresh or not whole or not folder.has_predictions())
    if status in ("failed", "cancelled") or lost:
        _queue_again(folder, fresh=fresh or lost or not whole, options=options)
        status = folder.read_status()["status"]
    return RunHandle(spec.run_id, spec.key, status, cached=status == "done")


def _create(folder: RunFolder, spec: RunSpec, options: dict[str, Any]) -> None:
    """Make the folder aside and move it in place as a whole; another process may be first."""
    aside = RunFolder(Path(tempfile.mkdtemp(prefix=".new-", dir=folder.path.parent)))
    try:
        write_json(aside.spec_file, spec.describe())
        write_json(aside.status_file, new_status() | options)
        os.rename(aside.path, folder.path)
    except OSError:
        # Renaming onto a folder with files in it fails: the run is there already, or what is left of it.
        if not folder.path.is_dir():
            raise
        if not folder.status_file.exists():
            write_json(folder.status_file, new_status() | options)
    finally:
        shutil.rmtree(aside.path, ignore_errors=True)


def _mend_spec(folder: RunFolder, spec: RunSpec) -> bool:
    """Write a damaged spec.json again, whose content is known here; False when it had to be."""
    try:
        folder.read_spec()
    except DamagedFile:
        write_json(folder.spec_file, spec.describe())
        return False
    return True


def retry(workspace: Workspace, run_id: str, fresh: bool = False, start: bool = True) -> RunHandle:
    """Queue a run that has ended again.

    A failed or cancelled one goes on from its checkpoint where there is one, unless
    `fresh`; a done one is trained again from the start. Logs of earlier attempts are kept
    beside the new ones, and journals and predictions when it starts from nothing.
    Raises UserError for a run that is queued or running.
    """
    settle_dead_runs(workspace)
    folder = find(workspace, run_id)
    named = folder.read_spec()
    status = folder.read_status()["status"]
    if status in ("queued", "running"):
        raise UserError(f"{folder.run_id} is {status}: only a run that has ended can be tried again")
    _queue_again(folder, fresh=fresh or status == "done", options={})
    if start:
        ensure_worker(workspace)
    return RunHandle(folder.run_id, named["key"], folder.read_status()["status"], cached=False)


def retry_failed(workspace: Workspace, fresh: bool = False, start: bool = True, cohort_id: str | None = None) -> list[RunHandle]:
    """Queue every failed run (of one cohort) again, the oldest first; runs whose spec.json is damaged are left out."""
    settle_dead_runs(workspace)
    failed = []
    for folder, named in described(workspace):
        status = folder.read_status()
        if status["status"] == "failed" and cohort_id in (None, named["spec"]["cohort_id"]):
            failed.append((status["created"], folder.run_id))
    handles = [retry(workspace, run_id, fresh, start=False) for _, run_id in sorted(failed)]
    if start and handles:
        ensure_worker(workspace)
    return handles


def _queue_again(folder: RunFolder, fresh: bool, options: dict[str, Any]) -> None:
    with holding(folder.lock_file, wait=True):
        status = folder.read_status()
        if status["status"] in ("queued", "running"):
            return
        attempt = status["attempt"]
        _set_aside(folder.log, f"log.attempt{attempt}.txt")
        if fresh or not folder.checkpoint.exists():
            folder.checkpoint.unlink(missing_ok=True)
            _set_aside(folder.journal, f"journal.attempt{attempt}.jsonl")
            _set_aside(folder.predictions, f"predictions.attempt{attempt}.parquet")
        folder.predictions.unlink(missing_ok=True)
        folder.cancel_flag.unlink(missing_ok=True)
        kept = {name: status[name] for name in ("requested_device", "priority", "launcher", "share", "processes") if name in status}
        folder.write_status(new_status() | {"created": status["created"], "attempt": attempt + 1} | kept | options)


def _set_aside(path: Path, name: str) -> None:
    if path.is_file():
        path.rename(path.with_name(name))
    else:
        # A pipe or the like in its place is nothing to keep.
        path.unlink(missing_ok=True)


def cancel(workspace: Workspace, run_id: str) -> str:
    """Ask a run to stop; returns its status, `cancelled` at once when it had not begun.

    A running job stops by itself within a second or two and is otherwise ended by the
    worker. Raises UserError for a run that is settled already.
    """
    settle_dead_runs(workspace)
    folder = find(workspace, run_id)
    status = folder.read_status()["status"]
    if status not in ("queued", "running"):
        raise UserError(f"{folder.run_id} is {status} already")
    folder.cancel_flag.touch()
    with holding(folder.lock_file, wait=False) as got:
        if got and folder.read_status()["status"] == "queued":
            folder.update_status(status="cancelled", reason="cancelled by the user before it began", finished=time.time())
    word = str(folder.read_status()["status"])
    if word != "cancelled":
        # Somebody must see to it that a job which does not listen is ended.
        ensure_worker(workspace)
    return word


def pause(workspace: Workspace) -> None:
    """Start no further runs; runs under way are finished."""
    change_settings(workspace, paused=True)


def resume(workspace: Workspace) -> None:
    """Go on with what waits."""
    change_settings(workspace, paused=False)
    if waiting(workspace):
        ensure_worker(workspace)


def waiting(workspace: Workspace, launcher: str | None = None) -> list[RunFolder]:
    """Queued runs (of one launcher) in the order in which they will be started: by priority, then as they were asked for or moved."""
    queued = []
    for folder in folders(workspace):
        status = folder.read_status()
        if status["status"] == "queued" and launcher in (None, launcher_of(status)):
            queued.append((-rank(status), status["order"], folder.run_id, folder))
    return [item[-1] for item in sorted(queued, key=lambda item: item[:3])]


def set_priority(workspace: Workspace, run_id: str, priority: str) -> list[str]:
    """Have a queued run started before (high) or after (low) the others; returns the new order of run ids.

    Raises UserError for an unknown priority, or a run that does not wait.
    """
    value = _priority(priority)
    folder = _queued(workspace, run_id, "has no priority any more")
    _change_queued(folder, priority=value)
    return [f.run_id for f in waiting(workspace)]


def move(workspace: Workspace, run_id: str, position: int) -> list[str]:
    """Put a queued run at `position` (1 is next) and return the new order of run ids.

    It takes the priority of the runs that it then stands among.
    """
    folder = _queued(workspace, run_id, "cannot be moved")
    rest = [f for f in waiting(workspace) if f.run_id != folder.run_id]
    if rest:
        index = min(max(position, 1), len(rest) + 1) - 1
        statuses = [f.read_status() for f in rest]
        beside = statuses[index] if index < len(rest) else statuses[-1]
        alike = [status["order"] if rank(status) == rank(beside) else None for status in statuses]
        before = alike[index - 1] if index > 0 and alike[index - 1] is not None else None
        after = alike[index] if index < len(rest) else None
        order = (before + after) / 2 if before is not None and after is not None else after - 1 if after is not None else (before or 0.0) + 1
        _change_queued(folder, order=order, priority=rank(beside))
    return [f.run_id for f in waiting(workspace)]


def _queued(workspace: Workspace, run_id: str, otherwise: str) -> RunFolder:
    folder = find(workspace, run_id)
    status = folder.read_status()["status"]
    if status != "queued":
        raise UserError(f"{folder.run_id} is {status}, not queued: it {otherwise}")
    return folder


def _change_queued(folder: RunFolder, **changes: Any) -> None:
    with holding(folder.lock_file, wait=False) as got:
        if got and folder.read_status()["status"] == "queued":
            folder.update_status(**changes)


def _priority(word: str) -> int:
    if word not in PRIORITIES:
        raise UserError(f"a priority is {', '.join(PRIORITIES)}, not {word!r}")
    return PRIORITIES[word]


def ensure_worker(workspace: Workspace) -> None:
    """Start what makes the workspace's runs unless it lives, and tell it to look again.

    While the queue is paused and nothing runs there is nothing that it could do.
    """
    wake(workspace)
    idle = [launcher for launcher in LAUNCHERS if not is_held(launcher_lock(workspace, launcher))]
    if not idle:
        return
    statuses = [folder.read_status() for folder in folders(workspace)]
    wanted = ("running",) if queue_settings(workspace).paused else ("queued", "running")
    for launcher in idle:
        if any(status["status"] in wanted and launcher_of(status) == launcher for status in statuses):
            module, log = MODULES[launcher]
            own_processes.start(module, [str(workspace.root)], workspace.root / log)
