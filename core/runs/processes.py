"""Processes of our own: starting them apart from us, knowing whether they live, ending them."""

from __future__ import annotations

import ctypes
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import psutil

from core.runs.environment import ROOT

SAME_START_SECONDS = 0.05
PR_SET_PDEATHSIG = 1


def start(
    module: str,
    arguments: Sequence[str],
    log: Path,
    environment: Mapping[str, str] | None = None,
    preexec: Callable[[], None] | None = None,
    apart: bool = True,
) -> subprocess.Popen[bytes]:
    """Run `python -m module` in a session of its own, its output appended to `log`.

    It lives on when we end, whether by a closed terminal, Ctrl-C or kill -9. `preexec`:
    called in the new process before it begins. `apart=False`: it stays in our session and group.
    """
    path = os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH")]))
    with log.open("ab") as output:
        return subprocess.Popen(
            # -P: the working directory is no place to import from.
            [sys.executable, "-P", "-m", module, *arguments],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            cwd=log.parent,
            env={**os.environ, "PYTHONPATH": path, "PYTHONUNBUFFERED": "1", **(environment or {})},
            start_new_session=apart,
            preexec_fn=preexec,
        )


def die_with_parent() -> None:
    """For `preexec`: the new process ends when the one that started it is gone. On Linux only."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


def started_at(pid: int) -> float | None:
    """When the process began, unix seconds; None when there is none."""
    try:
        return psutil.Process(pid).create_time()
    except psutil.NoSuchProcess:
        return None


def is_alive(pid: int | None, created: float | None) -> bool:
    """Whether the very process still runs: a zombie does not, nor another under its number."""
    if pid is None or created is None:
        return False
    try:
        process = psutil.Process(pid)
        return abs(process.create_time() - created) < SAME_START_SECONDS and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def end_group(pid: int, created: float, module: str) -> bool:
    """Kill a job with everything it started; False when the process is not (or no longer) ours.

    Numbers are used again and a status file can be wrong, so the process must have begun
    at the recorded moment, lead its own group, and run `module`.
    """
    if not is_alive(pid, created):
        return False
    try:
        ours = module in psutil.Process(pid).cmdline() and os.getpgid(pid) == pid
        if ours:
            os.killpg(pid, signal.SIGKILL)
    except (psutil.NoSuchProcess, ProcessLookupError):
        return False
    return ours
