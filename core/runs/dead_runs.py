"""Noticing runs whose process is gone, and saying why."""

from __future__ import annotations

import json
import time
from pathlib import Path

from core.locks import holding, is_held
from core.runs.folder import RunFolder, folders
from core.runs.processes import is_alive
from core.runs.reasons import of_death
from core.workspace import Workspace

WORKER_LOCK = "queue.lock"


def worker_lock(workspace: Workspace) -> Path:
    """Held by the workspace's one queue worker as long as it lives."""
    return workspace.root / WORKER_LOCK


def settle(workspace: Workspace) -> list[str]:
    """Mark runs as failed whose process has died; returns their ids.

    While a queue worker lives this is its work, because it alone sees by which signal
    its jobs ended; then nothing is done here. Safe to call at any time from any process.
    """
    if is_held(worker_lock(workspace)):
        return []
    return [folder.run_id for folder in folders(workspace) if settle_dead(folder)]


def worker_lives(workspace: Workspace) -> bool:
    """Whether somebody makes the queued runs; `ensure_worker` starts one."""
    return is_held(worker_lock(workspace))


def settle_dead(folder: RunFolder, returncode: int | None = None, attempt: int | None = None) -> bool:
    """Settle `folder` when it is said to run but its process is gone.

    `returncode`: as subprocess gives it, and `attempt`: the one that was started, when the
    caller was the parent; then a job that died before it could say that it runs is
    settled too, but not the next attempt that waits already.
    """

    def is_dead() -> bool:
        if not folder.status_file.exists():
            return False
        status = folder.read_status()
        if status["status"] == "queued":
            return bool(returncode) and status["attempt"] == attempt
        return status["status"] == "running" and not is_alive(status["pid"], status["pid_created"])

    if not is_dead():
        return False
    with holding(folder.lock_file, wait=False) as got:
        if not got or not is_dead():
            return False
        status = folder.read_status()
        if folder.cancel_flag.exists():
            word, reason = "cancelled", "cancelled by the user; it did not stop by itself and was ended"
        else:
            word, reason = "failed", of_death(folder.log, returncode, status.get("oom_kills"))
        _close_journal(folder, word, reason)
        progress = status["progress"] | {"seconds_left": None}
        folder.update_status(status=word, reason=reason, finished=time.time(), pid=None, pid_created=None, progress=progress)
        return True


def _close_journal(folder: RunFolder, status: str, reason: str) -> None:
    """The last word that the dead process could not say; the lock makes us the only writer."""
    if not folder.journal.exists():
        return
    raw = folder.journal.read_bytes()
    with folder.journal.open("ab") as file:
        # A torn last line stays a line of its own, which readers pass over.
        lead = b"" if raw.endswith(b"\n") or not raw else b"\n"
        file.write(lead + json.dumps({"event": "end", "time": time.time(), "status": status, "reason": reason}).encode() + b"\n")
