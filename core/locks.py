"""File locks between processes, on Linux, macOS and Windows; the system lets go of them when a process dies."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

import portalocker
from portalocker import LockFlags


class Lock:
    """An exclusive lock on a file, held until `release` or the end of the process."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._file: BinaryIO | None = None

    def acquire(self, wait: bool = False) -> bool:
        """Whether the lock is ours now. `wait`: until it is."""
        file = self.path.open("ab")
        try:
            portalocker.lock(file, LockFlags.EXCLUSIVE if wait else LockFlags.EXCLUSIVE | LockFlags.NON_BLOCKING)
        except portalocker.AlreadyLocked:
            file.close()
            return False
        except BaseException:
            file.close()
            raise
        self._file = file
        return True

    def release(self) -> None:
        if self._file is not None:
            self._file.close()
            self._file = None


def is_held(path: Path) -> bool:
    """Whether some process holds the lock. Asking together with others disturbs nobody who asks."""
    try:
        file = path.open("rb")
    except FileNotFoundError:
        return False
    with file:
        try:
            portalocker.lock(file, LockFlags.SHARED | LockFlags.NON_BLOCKING)
        except portalocker.AlreadyLocked:
            return True
    return False


@contextmanager
def holding(path: Path, wait: bool = True) -> Iterator[bool]:
    """Hold the lock for the block; yields whether it could be had (always, when waiting)."""
    lock = Lock(path)
    got = lock.acquire(wait)
    try:
        yield got
    finally:
        lock.release()
