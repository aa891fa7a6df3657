"""One process owns one database file. A second process gets its own.

DuckDB lets a single process open a file. The cache is derived from the run folders,
so two dashboards, or a dashboard and the command line, each keep a cache of their own
(`store.duckdb`, `store-2.duckdb`, ...) and still show the same results. A workspace that
cannot be written to is read into a cache that lasts as long as its process.
"""

from __future__ import annotations

import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path

from core.errors import UserError
from core.locks import Lock
from core.workspace import Workspace

SLOTS = 16


@dataclass
class Slot:
    """A database file and the lock that says it is ours until this process ends."""

    database: Path
    _lock: Lock | None

    def release(self) -> None:
        """Give the slot back; a cache that nobody else can find goes with it."""
        if self._lock is not None:
            self._lock.release()
        else:
            shutil.rmtree(self.database.parent, ignore_errors=True)


def acquire(workspace: Workspace) -> Slot:
    """The first free slot of the workspace.

    The system drops the lock when its holder dies, however it dies, so no slot is
    ever lost to a crash. Raises UserError when all are taken.
    """
    if not workspace.writable:
        return Slot(Path(tempfile.mkdtemp(prefix="multifair-")) / "store.duckdb", None)
    for number in range(1, SLOTS + 1):
        stem = "store" if number == 1 else f"store-{number}"
        lock = Lock(workspace.root / f"{stem}.lock")
        if lock.acquire():
            return Slot(workspace.root / f"{stem}.duckdb", lock)
    raise UserError(f"{SLOTS} programs already use the workspace {workspace.root}; close one and try again")
