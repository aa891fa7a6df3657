"""Decoding a cohort's files once, into one uint8 array on disk that every run maps.

An interrupted decode goes on where it stopped: rows done are marked beside the
unfinished array, and the array takes its name only when it is whole.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from core.cohort.sources import Unreadable

Decoder = Callable[[str], NDArray[np.uint8]]
Progress = Callable[[str], None]
CHUNK = 256


def silent(message: str) -> None:
    """A progress function that says nothing."""


def decode_all(path: Path, names: Sequence[str | None], shape: tuple[int, ...], decode: Decoder, *, label: str, progress: Progress = silent) -> dict[int, str]:
    """Write uint8 (n, *shape) to `path`; row i is `decode(names[i])`, zeros where the name is None.

    Returns the reason per row that could not be decoded (its pixels are zeros).
    Pillow and zlib release the interpreter lock, so threads decode in parallel.
    """
    part, marks = path.with_suffix(".part.npy"), path.with_suffix(".done.npy")
    full = (len(names), *shape)
    pixels, done = _continue(part, marks, full)
    problems: dict[int, str] = {}

    def one(row: int) -> None:
        name = names[row]
        try:
            if name is not None:
                pixels[row] = decode(name)
        except Unreadable as error:
            problems[row] = str(error)

    waiting = np.flatnonzero(~done)
    said = time.monotonic()
    with ThreadPoolExecutor(max_workers=min(8, os.cpu_count() or 1)) as pool:
        for start in range(0, len(waiting), CHUNK):
            rows = waiting[start : start + CHUNK]
            list(pool.map(one, rows.tolist()))
            # Rows that failed stay unmarked: a next attempt reports them again.
            done[[r for r in rows.tolist() if r not in problems]] = True
            if time.monotonic() - said > 2 and start + CHUNK < len(waiting):
                said = time.monotonic()
                pixels.flush()
                done.flush()
                progress(f"{label}: {start + len(rows)} of {len(waiting)} decoded")
    pixels.flush()
    os.replace(part, path)
    marks.unlink(missing_ok=True)
    return problems


def _continue(part: Path, marks: Path, shape: tuple[int, ...]) -> tuple[np.memmap, np.memmap]:
    try:
        pixels = np.lib.format.open_memmap(part, mode="r+")
        done = np.lib.format.open_memmap(marks, mode="r+")
        if pixels.shape == shape and pixels.dtype == np.uint8 and done.shape == shape[:1] and done.dtype == np.bool_:
            return pixels, done
    except (OSError, ValueError):
        pass  # No earlier attempt, or one cut off before its header was whole: begin anew.
    return (
        np.lib.format.open_memmap(part, mode="w+", dtype=np.uint8, shape=shape),
        np.lib.format.open_memmap(marks, mode="w+", dtype=np.bool_, shape=shape[:1]),
    )


def keep_rows(path: Path, rows: NDArray[np.int64]) -> None:
    """Rewrite the array at `path` with only these rows."""
    old = np.load(path, mmap_mode="r")
    part = path.with_suffix(".part.npy")
    new = np.lib.format.open_memmap(part, mode="w+", dtype=old.dtype, shape=(len(rows), *old.shape[1:]))
    for start in range(0, len(rows), CHUNK):
        new[start : start + CHUNK] = old[rows[start : start + CHUNK]]
    new.flush()
    del old
    os.replace(part, path)
