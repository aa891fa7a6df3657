"""Why a run failed, in words for its user."""

from __future__ import annotations

import signal
from pathlib import Path

LOG_LINES = 3
LOG_BYTES = 8192
_MEMORY_WORDS = ("MemoryError", "out of memory", "Cannot allocate memory", "can't allocate memory", "DefaultCPUAllocator")


def of_death(log: Path, returncode: int | None, oom_before: int | None) -> str:
    """The reason for a job that ended without saying so.

    `returncode` as subprocess gives it (negative: a signal), None when nobody was there
    to see it. `oom_before`: `out_of_memory_kills()` when the job began.
    """
    lines = last_lines(log)
    told = f"; last in its log: {' | '.join(lines)}" if lines else "; its log is empty"
    if returncode is not None and returncode < 0:
        text = f"killed by signal {-returncode} ({_signal_name(-returncode)})"
    elif returncode:
        text = f"ended with exit code {returncode}"
    else:
        text = "the process ended without a message (killed, or the machine stopped)"
    return text + _memory_hint(lines, returncode, oom_before) + told


def last_lines(log: Path, count: int = LOG_LINES) -> list[str]:
    """The last lines of the log that say something: not those that only point at a place in the one above."""
    if not log.exists():
        return []
    with log.open("rb") as file:
        file.seek(max(0, log.stat().st_size - LOG_BYTES))
        text = file.read().decode("utf-8", errors="replace")
    return [line.strip() for line in text.splitlines() if line.strip(" \t~^")][-count:]


def out_of_memory_kills() -> int | None:
    """How often the kernel has ended a process for want of memory; None where it does not tell."""
    for path, name in ((Path("/sys/fs/cgroup/memory.events"), "oom_kill"), (Path("/proc/vmstat"), "oom_kill")):
        if path.exists():
            for line in path.read_text(encoding="ascii", errors="replace").splitlines():
                key, _, value = line.partition(" ")
                if key == name:
                    return int(value)
    return None


def _memory_hint(lines: list[str], returncode: int | None, before: int | None) -> str:
    if any(word in line for line in lines for word in _MEMORY_WORDS):
        return ", out of memory: use a smaller batch_size or image_size, or fewer runs at a time"
    now = out_of_memory_kills()
    if returncode in (-signal.SIGKILL, None) and before is not None and now is not None and now > before:
        return ", the machine ran out of memory meanwhile: use a smaller batch_size or image_size, or fewer runs at a time"
    return ""


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return "unknown"
