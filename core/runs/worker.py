"""Makes the queued runs of one workspace: `python -m core.runs.worker WORKSPACE`.

A process of its own, so that it lives on when the dashboard or the command line that
asked for the runs ends. It goes when nothing is left to do.
"""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

from core.runs import processes
from core.runs.dead_runs import settle_dead, worker_lock
from core.runs.folder import RunFolder, folders
from core.runs.job import THREADS_VARIABLE
from core.runs.locks import Lock
from core.runs.queue import WAKE, parallel, threads_per_job, waiting
from core.workspace import Workspace

JOB_MODULE = "core.runs.job"
TICK_SECONDS = 0.2
SCAN_SECONDS = 3.0
CANCEL_GRACE_SECONDS = 15.0
START_TRIES = 10


def main(root: str) -> int:
    workspace = Workspace.open(root)
    lock = Lock(worker_lock(workspace))
    # Somebody who merely asks whether the lock is held may hold it for an instant.
    for _ in range(START_TRIES):
        if lock.acquire():
            break
        time.sleep(TICK_SECONDS / 4)
    else:
        return 0
    while True:
        Worker(workspace).run()
        lock.release()
        # Whoever queued a run while the lock was still ours has relied on us.
        if not waiting(workspace) or not lock.acquire():
            return 0


class Worker:
    """Starts queued runs, at most `parallel` at a time, and settles those that end badly."""

    def __init__(self, workspace: Workspace) -> None:
        self.workspace = workspace
        self.children: dict[str, tuple[subprocess.Popen[bytes], int]] = {}
        """run_id -> its process, and which attempt it is"""
        self._scanned = 0.0
        self._woken: int | None = None

    def run(self) -> None:
        """Until no run is queued and none runs."""
        while True:
            ended = self._reap()
            if ended or self._due():
                running = self._settle_and_count()
                queued = self._start(running)
                if not running and not queued and not self.children:
                    return
            time.sleep(TICK_SECONDS)

    def _reap(self) -> bool:
        ended = [(run_id, child, attempt) for run_id, (child, attempt) in self.children.items() if child.poll() is not None]
        for run_id, child, attempt in ended:
            del self.children[run_id]
            settle_dead(RunFolder(self.workspace.runs / run_id), child.returncode, attempt)
        return bool(ended)

    def _due(self) -> bool:
        wake = self.workspace.root / WAKE
        woken = wake.stat().st_mtime_ns if wake.exists() else None
        if woken == self._woken and time.monotonic() - self._scanned < SCAN_SECONDS:
            return False
        self._woken, self._scanned = woken, time.monotonic()
        return True

    def _settle_and_count(self) -> int:
        """Settle runs left by an earlier worker, end jobs that ignore being cancelled."""
        running = set(self.children)
        for folder in folders(self.workspace):
            status = folder.read_status()
            if status["status"] != "running" or (folder.run_id not in self.children and settle_dead(folder)):
                continue
            running.add(folder.run_id)
            if folder.cancel_flag.exists() and time.time() - folder.cancel_flag.stat().st_mtime > CANCEL_GRACE_SECONDS:
                processes.end_group(status["pid"], status["pid_created"], JOB_MODULE)
        return len(running)

    def _start(self, running: int) -> int:
        """Fill the free places; returns how many runs are queued or have just been started."""
        queue = [folder for folder in waiting(self.workspace) if folder.run_id not in self.children]
        threads = str(threads_per_job(self.workspace))
        # Every numerical library has its own idea of how many threads to take.
        environment = {name: threads for name in (THREADS_VARIABLE, "OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")}
        # Threads that wait sleep instead of spinning: the dashboard needs the cores too.
        environment["OMP_WAIT_POLICY"] = "PASSIVE"
        for folder in queue[: max(0, parallel(self.workspace) - running)]:
            attempt = folder.read_status()["attempt"]
            self.children[folder.run_id] = processes.start(JOB_MODULE, [str(folder.path)], folder.log, environment), attempt
        return len(queue)


if __name__ == "__main__":
    Path(sys.argv[1]).mkdir(parents=True, exist_ok=True)
    sys.exit(main(sys.argv[1]))
