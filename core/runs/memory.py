"""Whether another run fits into memory beside those that are running."""

from __future__ import annotations

import resource
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import psutil

from core.runs.spec import canonical_json

UNKNOWN_RUN_BYTES = 1_000_000_000
"""What a run is taken to need when none like it was run before: the libraries alone take half of it."""
RESERVE_BYTES = 500_000_000
"""Left for the dashboard and everything else."""


def peak_bytes() -> int:
    """The most memory that this process has had, in bytes."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024


def process_bytes(pid: int) -> int:
    """Memory of a process now; 0 when it is gone."""
    try:
        return int(psutil.Process(pid).memory_info().rss)
    except (psutil.NoSuchProcess, psutil.AccessDenied):
        return 0


def available_bytes() -> int:
    """Memory that can be had without others suffering, within the limit of the container."""
    free = int(psutil.virtual_memory().available)
    limit, used = _cgroup("memory.max"), _cgroup("memory.current")
    return free if limit is None or used is None else min(free, max(0, limit - used))


def expected_bytes(spec: Mapping[str, Any], peaks: Mapping[str, int]) -> int:
    """What a run will need: the most that a run alike has needed. `peaks`: from `peaks_by_kind`."""
    return peaks.get(_kind(spec), UNKNOWN_RUN_BYTES)


def peaks_by_kind(finished: Iterable[tuple[Mapping[str, Any], Mapping[str, Any]]]) -> dict[str, int]:
    """Highest `peak_bytes` by what makes runs alike, from pairs of (specification, status)."""
    peaks: dict[str, int] = {}
    for spec, status in finished:
        peak = status.get("peak_bytes")
        if isinstance(peak, int) and peak > 0:
            peaks[_kind(spec)] = max(peaks.get(_kind(spec), 0), peak)
    return peaks


def fits(needed: int, running: Iterable[tuple[int, int]], limit: float | None, available: int) -> bool:
    """Whether a run that needs `needed` bytes may start now.

    Parameters
    ----------
    running : (expected, present) bytes of each run under way; what one has not taken yet is kept for it
    limit : bytes for all runs together, None: no limit of their own
    available : bytes that the machine has free now
    """
    pairs = list(running)
    if not pairs:
        # Alone it is tried in any case: nothing would ever free more.
        return True
    still = sum(max(0, expected - present) for expected, present in pairs)
    if limit is not None and sum(max(pair) for pair in pairs) + needed > limit:
        return False
    return needed + still + RESERVE_BYTES <= available


def _kind(spec: Mapping[str, Any]) -> str:
    return canonical_json({"cohort": spec["cohort_id"], "network": spec["network"], "batch": spec["budget"]["batch_size"]})


def _cgroup(name: str) -> int | None:
    try:
        text = Path("/sys/fs/cgroup", name).read_text(encoding="ascii").strip()
    except (OSError, ValueError):
        return None
    return int(text) if text.isdigit() else None
