"""One process owns one database file. A second process gets its own.

DuckDB lets a single process open a file. The cache is derived from the run folders,
so two dashboards, or a dashboard and the command line, each keep a cache of their own
(`store.duckdb`, `store-2.duckdb`, ...) and still show the same results.
"""

from __future__ import annotations

import fcntl
import os
from dataclasses import dataclass
from pathlib import Path

from core.errors import UserError

SLOTS = 16


@dataclass
class Slot:
    """A database file and the lock that says it is ours until this process ends."""

    database: Path
    _handle: int

    def release(self) -> None:
        """Give the slot back; closing the descriptor drops the lock."""
        if self._handle >= 0:
            os.close(self._handle)
            self._handle = -1


def acquire(root: Path) -> Slot:
    """The first free slot of the workspace at `root`.

    The kernel drops the lock when its holder dies, however it dies, so no slot is
    ever lost to a crash. Raises UserError when all are taken.
    """
    for number in range(1, SLOTS + 1):
        stem = "store" if number == 1 else f"store-{number}"
        handle = os.open(root / f"{stem}.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(handle)
            continue
        return Slot(root / f"{stem}.duckdb", handle)
    raise UserError(f"{SLOTS} programs already use the workspace {root}; close one and try again")
