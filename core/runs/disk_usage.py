"""How much of the disk each cohort and each run takes."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from core.workspace import Workspace


@dataclass(frozen=True)
class DiskUsage:
    """Bytes by what they belong to. A run's or cohort's bytes are those of its folder alone."""

    cohorts: dict[str, int]
    """cohort_id -> bytes"""
    runs: dict[str, int]
    """run_id -> bytes"""
    other: dict[str, int]
    """Folder of the workspace (audits, cache, reports, trash, uploads) -> bytes"""

    @property
    def total(self) -> int:
        return sum(sum(part.values()) for part in (self.cohorts, self.runs, self.other))


def disk_usage(workspace: Workspace) -> DiskUsage:
    """Bytes of every cohort, every run and every further folder of the workspace."""
    cohorts = {path.name: folder_bytes(path) for path in workspace.entries(workspace.cohorts) if path.is_dir() and not path.name.startswith(".")}
    runs = {path.name: folder_bytes(path) for path in workspace.entries(workspace.runs) if path.is_dir() and not path.name.startswith(".")}
    apart = {workspace.cohorts.name, workspace.runs.name}
    other = {path.name: folder_bytes(path) for path in workspace.entries(workspace.root) if path.is_dir() and path.name not in apart}
    return DiskUsage(cohorts, runs, other)


def folder_bytes(folder: Path) -> int:
    """Bytes that the files in `folder` take on the disk, links not followed; what vanishes meanwhile counts nothing."""
    total, pending = 0, [str(folder)]
    while pending:
        try:
            with os.scandir(pending.pop()) as entries:
                for entry in entries:
                    if entry.is_dir(follow_symlinks=False):
                        pending.append(entry.path)
                    else:
                        total += _taken(entry)
        except OSError:
            continue
    return total


def _taken(entry: os.DirEntry[str]) -> int:
    try:
        stat = entry.stat(follow_symlinks=False)
    except OSError:
        return 0
    # Blocks and not the length: an array that is still being decoded is mostly holes.
    return stat.st_blocks * 512 if hasattr(stat, "st_blocks") else stat.st_size


def bytes_in_words(count: int) -> str:
    """`812 B`, `3.4 MB`, `1.2 GB` (powers of 1,000, as file managers count)."""
    value = float(count)
    for unit in ("B", "kB", "MB", "GB"):
        if value < 1000:
            return f"{value:.0f} {unit}" if unit == "B" or value >= 100 else f"{value:.1f} {unit}"
        value /= 1000
    return f"{value:.1f} TB"
