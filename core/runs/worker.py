"""Makes the queued runs of one workspace: `python -m core.runs.worker WORKSPACE`.

A process of its own, so that it lives on when the dashboard or the command line that
asked for the runs ends. It goes when nothing is left to do.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from core.errors import UserError
from core.locks import Lock
from core.runs import memory, processes
from core.runs.dead_runs import launcher_of, settle_dead, worker_lock
from core.runs.folder import RunFolder, described, folders, processes_of
from core.runs.job import THREADS_VARIABLE
from core.runs.queue import waiting
from core.runs.queue_settings import WAKE, parallel, queue_settings, threads_per_job
from core.runs.sets import for_one_process
from core.workspace import Workspace

JOB_MODULE = "core.runs.job"
TICK_SECONDS = 0.2
SCAN_SECONDS = 3.0
CANCEL_GRACE_SECONDS = 15.0
START_TRIES = 10
UNFINISHED_SECONDS = 600.0


def main(root: str) -> int:
    """Execute the workspace's waiting runs until none is left; returns the exit code."""
    workspace = Workspace.open(root)
    lock = Lock(worker_lock(workspace))
    # Somebody who merely asks whether the lock is held may hold it for an instant.
    for _ in range(START_TRIES):
        if lock.acquire():
            break
        time.sleep(TICK_SECONDS / 4)
    else:
        return 0
    _remove_unfinished(workspace)
    while True:
        Worker(workspace).run()
        lock.release()
        # Whoever queued a run while the lock was still ours has relied on us.
        if queue_settings(workspace).paused or not waiting(workspace, "local") or not lock.acquire():
            return 0


def _remove_unfinished(workspace: Workspace) -> None:
    """Run folders that somebody began long ago and never put in their place."""
    for path in workspace.runs.glob(".new-*"):
        if abs(time.time() - path.stat().st_mtime) > UNFINISHED_SECONDS:
            shutil.rmtree(path, ignore_errors=True)


class Worker:
    """Starts queued runs, at most `parallel` at a time, and settles those that end badly."""

    def __init__(self, workspace: Workspace) -> None:
        self.workspace = workspace
        self.children: dict[str, tuple[subprocess.Popen[bytes], int]] = {}
        """run_id -> its process, and which attempt it is"""
        self._scanned = 0.0
        self._woken: int | None = None
        self._known_kinds: dict[str, dict[str, str]] = {}

    def run(self) -> None:
        """Until no run is queued, or the queue is paused, and none runs."""
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
        begun = {child.pid for run_id, child, attempt in ended if self._has_begun(run_id, attempt)}
        for run_id, child, attempt in ended:
            del self.children[run_id]
            # What a process had not come to when it ended waits on; a process that has begun nothing failed with its runs.
            if child.pid not in begun or self._has_begun(run_id, attempt):
                settle_dead(RunFolder(self.workspace.runs / run_id), child.returncode, attempt)
        return bool(ended)

    def _has_begun(self, run_id: str, attempt: int) -> bool:
        folder = RunFolder(self.workspace.runs / run_id)
        if not folder.status_file.exists():
            return True
        status = folder.read_status()
        return status["status"] != "queued" or status["attempt"] != attempt

    def _due(self) -> bool:
        wake = self.workspace.root / WAKE
        woken = wake.stat().st_mtime_ns if wake.exists() else None
        if woken == self._woken and time.monotonic() - self._scanned < SCAN_SECONDS:
            return False
        self._woken, self._scanned = woken, time.monotonic()
        return True

    def _settle_and_count(self) -> dict[str, dict[str, Any]]:
        """Settle runs left by an earlier worker, end jobs that ignore being cancelled; status by run_id of what runs."""
        running: dict[str, dict[str, Any]] = {}
        for folder in folders(self.workspace):
            status = folder.read_status()
            if launcher_of(status) != "local":
                continue
            if folder.run_id in self.children:
                running[folder.run_id] = status
            if status["status"] != "running" or (folder.run_id not in self.children and settle_dead(folder)):
                continue
            running[folder.run_id] = status
            if folder.cancel_flag.exists() and time.time() - folder.cancel_flag.stat().st_mtime > CANCEL_GRACE_SECONDS:
                processes.end_group(status["pid"], status["pid_created"], JOB_MODULE)
        return running

    def _start(self, running: dict[str, dict[str, Any]]) -> int:
        """Fill the free places; returns how many runs are queued or have just been started."""
        settings = queue_settings(self.workspace)
        queue = [] if settings.paused else [folder for folder in waiting(self.workspace, "local") if folder.run_id not in self.children]
        # By process: one may make several runs.
        one_of_each = {self._pid(run_id, status): run_id for run_id, status in running.items()}
        busy = {run_id: running[run_id] for run_id in one_of_each.values()}
        free = max(0, parallel(self.workspace) - sum(processes_of(status) for status in busy.values()))
        if queue and free:
            self._start_some(queue, free, busy, settings.memory_gb)
        return len(queue)

    def _start_some(self, queue: list[RunFolder], free: int, running: dict[str, dict[str, Any]], memory_gb: float | None) -> None:
        """Start runs in their order until no place is left, or the next one would not fit into memory."""
        known = list(described(self.workspace))
        specs = {folder.run_id: named["spec"] for folder, named in known}
        peaks = memory.peaks_by_kind((named["spec"], folder.read_status()) for folder, named in known)
        taken = [self._memory_of(run_id, status, specs, peaks) for run_id, status in running.items()]
        limit = None if memory_gb is None else memory_gb * 1e9
        while queue and free:
            together = for_one_process(queue, free, self._kinds)
            places = processes_of(together[0].read_status())
            if places > free and taken:
                # It waits for as many places as it takes; on a machine with fewer in all it has them all.
                return
            needed = places * self._needed(together[0].run_id, specs, peaks)
            if not memory.fits(needed, taken, limit, memory.available_bytes()):
                return
            self._launch(together)
            taken.append((needed, 0))
            queue, free = [folder for folder in queue if folder not in together], max(0, free - places)

    def _kinds(self, cohort_id: str) -> dict[str, str]:
        """Kinds of the cohort's modalities by name; none where it cannot be read, which the run itself will say."""
        if cohort_id not in self._known_kinds:
            # Late: a worker whose runs all fit at once needs no cohort.
            from core import cohort as cohorts

            try:
                self._known_kinds[cohort_id] = {name: str(kind) for name, kind in cohorts.load(self.workspace, cohort_id).modality_kinds.items()}
            except UserError:
                return {}
        return self._known_kinds[cohort_id]

    def _pid(self, run_id: str, status: dict[str, Any]) -> int | None:
        pid: int | None = self.children[run_id][0].pid if run_id in self.children else status["pid"]
        return pid

    def _memory_of(self, run_id: str, status: dict[str, Any], specs: dict[str, Any], peaks: dict[str, int]) -> tuple[int, int]:
        pid = self._pid(run_id, status)
        return self._needed(run_id, specs, peaks), 0 if pid is None else memory.process_bytes(pid)

    def _needed(self, run_id: str, specs: dict[str, Any], peaks: dict[str, int]) -> int:
        # A run whose specification is damaged ends as soon as it begins.
        return memory.expected_bytes(specs[run_id], peaks) if run_id in specs else 0

    def _launch(self, members: list[RunFolder]) -> None:
        threads = str(threads_per_job(self.workspace))
        # Every numerical library has its own idea of how many threads to take.
        environment = {name: threads for name in (THREADS_VARIABLE, "OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")}
        # Threads that wait sleep instead of spinning: the dashboard needs the cores too.
        environment["OMP_WAIT_POLICY"] = "PASSIVE"
        attempts = {folder.run_id: folder.read_status()["attempt"] for folder in members}
        process = processes.start(JOB_MODULE, [str(folder.path) for folder in members], members[0].log, environment)
        self.children |= {run_id: (process, attempt) for run_id, attempt in attempts.items()}


if __name__ == "__main__":
    Path(sys.argv[1]).mkdir(parents=True, exist_ok=True)
    sys.exit(main(sys.argv[1]))
