"""On what a run was computed: recorded beside its results, not part of its key."""

from __future__ import annotations

import os
import platform
import subprocess
import sys
from pathlib import Path
from typing import Any

from core.versions import package_versions

PACKAGES = ("multifair-dashboard", "torch", "numpy", "scipy", "scikit-learn", "pandas", "pyarrow", "duckdb", "fairlearn", "transformers")
ROOT = Path(__file__).resolve().parents[2]
"""The folder that holds `core`."""


def describe(device: str, threads: int) -> dict[str, Any]:
    """Versions, commit, machine, device and threads. What cannot be found out is null."""
    return {
        "python": platform.python_version(),
        "packages": package_versions(PACKAGES),
        "commit": commit(),
        "platform": platform.platform(),
        "cores": usable_cores(),
        "device": device,
        "threads": threads,
        "command": sys.argv,
    }


def commit(root: Path = ROOT) -> str | None:
    """The checked-out commit, with `+changes` when files differ from it; None outside of git."""
    revision = _git(root, "rev-parse", "HEAD")
    if revision is None:
        return None
    return revision + ("+changes" if _git(root, "status", "--porcelain", "--untracked-files=no") else "")


def usable_cores() -> int:
    """Cores that this process may use, which a container may keep below those there are."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _git(root: Path, *arguments: str) -> str | None:
    try:
        done = subprocess.run(["git", "-C", str(root), *arguments], capture_output=True, text=True, timeout=10, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout.strip() if done.returncode == 0 else None
