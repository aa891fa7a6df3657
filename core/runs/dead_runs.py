"""Noticing runs whose process is gone, and saying why."""

from __future__ import annotations

import json
import socket
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from core.locks import holding, is_held
from core.runs.folder import RunFolder, folders
from core.runs.processes import is_alive
from core.runs.reasons import of_death
from core.workspace import Workspace

LAUNCHERS = {"local": "queue.lock", "ray": "queue.ray.lock"}
"""What can start runs -> the lock of the process that does."""
UNFINISHED = (".predictions.*", ".status.json.*", ".checkpoint.pt.*", ".environment.json.*")


def worker_lock(workspace: Workspace) -> Path:
    """Held by the workspace's one queue worker as long as it lives."""
    return launcher_lock(workspace, "local")


def settle_dead_runs(workspace: Workspace) -> list[str]:
    """Mark runs as failed whose process has died; returns their ids.

    While a launcher lives this is its work for its own runs, because it alone sees by which
    signal a job ended; then nothing is done here. Safe to call at any time from any process.
    """
    free = {launcher: not is_held(launcher_lock(workspace, launcher)) for launcher in LAUNCHERS}
    if not any(free.values()):
        return []
    return [folder.run_id for folder in folders(workspace) if free.get(launcher_of(folder.read_status()), True) and settle_dead(folder)]


def launcher_lock(workspace: Workspace, launcher: str) -> Path:
    """Held by the one process that starts the workspace's runs of this launcher."""
    return workspace.root / LAUNCHERS[launcher]


def launcher_of(status: Mapping[str, Any]) -> str:
    """What starts the run: `local`, processes of this machine, or `ray`, a cluster."""
    return str(status.get("launcher", "local"))


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
        if status["status"] != "running":
            return False
        # Of a process of another machine only the lock tells, which its job holds as long as it lives.
        return status.get("host") not in (None, socket.gethostname()) or not is_alive(status["pid"], status["pid_created"])

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
        _remove_unfinished(folder)
        _close_journal(folder, word, reason)
        progress = status["progress"] | {"seconds_left": None}
        folder.update_status(status=word, reason=reason, finished=time.time(), pid=None, pid_created=None, progress=progress)
        return True


def _remove_unfinished(folder: RunFolder) -> None:
    """Files that the dead process had begun beside their place; the lock makes sure that nobody else writes them."""
    for pattern in UNFINISHED:
        for path in folder.path.glob(pattern):
            path.unlink(missing_ok=True)


def _close_journal(folder: RunFolder, status: str, reason: str) -> None:
    """The last word that the dead process could not say; the lock makes us the only writer."""
    if not folder.journal.exists():
        return
    raw = folder.journal.read_bytes()
    with folder.journal.open("ab") as file:
        # A torn last line stays a line of its own, which readers pass over.
        lead = b"" if raw.endswith(b"\n") or not raw else b"\n"
        file.write(lead + json.dumps({"event": "end", "time": time.time(), "status": status, "reason": reason}).encode() + b"\n")
