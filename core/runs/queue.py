"""Asking for runs: submit, cancel, retry, order. Nothing here trains or waits."""

from __future__ import annotations

import os
import shutil
import tempfile
import time
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from core.errors import UserError
from core.runs import processes
from core.runs.dead_runs import settle, worker_lock
from core.runs.environment import usable_cores
from core.runs.folder import RunFolder, find, folders, new_status
from core.runs.locks import holding, is_held
from core.runs.spec import RunSpec
from core.workspace import Workspace, read_json, write_json

WORKER_MODULE = "core.runs.worker"
SETTINGS = "queue.json"
WAKE = "queue.wake"


@dataclass(frozen=True)
class RunHandle:
    """The answer to a request for one run."""

    run_id: str
    key: str
    status: str
    cached: bool
    """True: it was done before, and nothing is trained."""


def submit(workspace: Workspace, specs: Iterable[RunSpec], device: str = "auto", start: bool = True) -> list[RunHandle]:
    """Ask for runs. Each is trained once, however often and by whomever it is asked for.

    A done run answers from the cache; a queued or running one is shared; a failed or
    cancelled one is queued again. `start`: see to it that a worker makes them.
    """
    settle(workspace)
    handles = [_submit(workspace, spec, device) for spec in specs]
    if start and any(handle.status in ("queued", "running") for handle in handles):
        ensure_worker(workspace)
    return handles


def _submit(workspace: Workspace, spec: RunSpec, device: str) -> RunHandle:
    folder = RunFolder(workspace.runs / spec.run_id)
    if not folder.status_file.exists():
        _create(folder, spec, device)
    status = folder.read_status()["status"]
    if status in ("failed", "cancelled") or (status == "done" and not folder.predictions.exists()):
        _queue_again(folder, fresh=status == "done", device=device)
        status = folder.read_status()["status"]
    return RunHandle(spec.run_id, spec.key, status, cached=status == "done")


def _create(folder: RunFolder, spec: RunSpec, device: str) -> None:
    """Make the folder aside and move it in place as a whole; another process may be first."""
    aside = RunFolder(Path(tempfile.mkdtemp(prefix=".new-", dir=folder.path.parent)))
    try:
        write_json(aside.spec_file, spec.describe())
        write_json(aside.status_file, new_status() | {"requested_device": device})
        os.rename(aside.path, folder.path)
    except OSError:
        # Renaming onto a folder with files in it fails: the run is there already.
        if not folder.status_file.exists():
            raise
    finally:
        shutil.rmtree(aside.path, ignore_errors=True)


def retry(workspace: Workspace, run_id: str, fresh: bool = False, start: bool = True) -> RunHandle:
    """Queue a failed or cancelled run again.

    It goes on from its checkpoint where there is one, unless `fresh`. Logs and, when it
    starts from nothing, journals of earlier attempts are kept beside the new ones.
    Raises UserError for a run that is queued, running or done.
    """
    settle(workspace)
    folder = find(workspace, run_id)
    status = folder.read_status()["status"]
    if status not in ("failed", "cancelled"):
        raise UserError(f"{folder.run_id} is {status}: only a failed or cancelled run can be tried again")
    _queue_again(folder, fresh=fresh, device=None)
    if start:
        ensure_worker(workspace)
    return RunHandle(folder.run_id, folder.read_spec()["key"], folder.read_status()["status"], cached=False)


def _queue_again(folder: RunFolder, fresh: bool, device: str | None) -> None:
    with holding(folder.lock_file, wait=True):
        status = folder.read_status()
        if status["status"] in ("queued", "running"):
            return
        attempt = status["attempt"]
        if folder.log.exists():
            folder.log.rename(folder.path / f"log.attempt{attempt}.txt")
        if fresh or not folder.checkpoint.exists():
            folder.checkpoint.unlink(missing_ok=True)
            if folder.journal.exists():
                folder.journal.rename(folder.path / f"journal.attempt{attempt}.jsonl")
        folder.predictions.unlink(missing_ok=True)
        folder.cancel_flag.unlink(missing_ok=True)
        device = device or status.get("requested_device") or "auto"
        folder.write_status(new_status() | {"created": status["created"], "attempt": attempt + 1, "requested_device": device})


def cancel(workspace: Workspace, run_id: str) -> str:
    """Ask a run to stop; returns its status, `cancelled` at once when it had not begun.

    A running job stops by itself within a second or two and is otherwise ended by the
    worker. Raises UserError for a run that is settled already.
    """
    settle(workspace)
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


def waiting(workspace: Workspace) -> list[RunFolder]:
    """Queued runs in the order in which they will be started."""
    queued = [(status["order"], folder.run_id, folder) for folder in folders(workspace) if (status := folder.read_status())["status"] == "queued"]
    return [folder for _, _, folder in sorted(queued, key=lambda item: item[:2])]


def move(workspace: Workspace, run_id: str, position: int) -> list[str]:
    """Put a queued run at `position` (1 is next) and return the new order of run ids."""
    folder = find(workspace, run_id)
    queue = waiting(workspace)
    if folder.run_id not in {f.run_id for f in queue}:
        raise UserError(f"{folder.run_id} is {folder.read_status()['status']}, not queued: it cannot be moved")
    rest = [f for f in queue if f.run_id != folder.run_id]
    index = min(max(position, 1), len(rest) + 1) - 1
    orders = [f.read_status()["order"] for f in rest]
    before = orders[index - 1] if index > 0 else (orders[0] - 2 if orders else 0.0)
    after = orders[index] if index < len(rest) else before + 2
    with holding(folder.lock_file, wait=False) as got:
        if got and folder.read_status()["status"] == "queued":
            folder.update_status(order=(before + after) / 2)
    return [f.run_id for f in waiting(workspace)]


def parallel(workspace: Workspace) -> int:
    """How many runs train at a time.

    Small networks do not fill a second thread, and threads that wait for each other burn
    what other jobs need: on a busy machine of 2 cores the same training took 4 s of
    processor time with one thread and 33 s with two. So two cores take two jobs of one
    thread; larger machines give each job two cores or more. On a GPU jobs go one at a time.
    """
    path = workspace.root / SETTINGS
    chosen = read_json(path).get("parallel") if path.exists() else None
    if chosen is not None:
        return int(chosen)
    if shutil.which("nvidia-smi"):
        return 1
    cores = usable_cores()
    return cores if cores <= 2 else cores // 2


def set_parallel(workspace: Workspace, jobs: int | None) -> None:
    """Change it for runs that start from now on; None goes back to the default."""
    if jobs is not None and not 1 <= jobs <= 64:
        raise UserError(f"runs at a time must be from 1 to 64, not {jobs}")
    write_json(workspace.root / SETTINGS, {"parallel": jobs})
    wake(workspace)


def threads_per_job(workspace: Workspace) -> int:
    """An equal share of the cores, the same for every job so that numbers repeat."""
    return max(1, usable_cores() // parallel(workspace))


def ensure_worker(workspace: Workspace) -> None:
    """Start the workspace's worker unless one lives, and tell it to look again."""
    wake(workspace)
    if not is_held(worker_lock(workspace)):
        processes.start(WORKER_MODULE, [str(workspace.root)], workspace.root / "queue.log")


def wake(workspace: Workspace) -> None:
    (workspace.root / WAKE).touch()
