"""Decoding a cohort's files once, into one uint8 array on disk that every run maps.

An interrupted decode goes on where it stopped: rows done are marked beside the
unfinished array, and the array takes its name only when it is whole.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from core.cohort.sources import Unreadable

Decoder = Callable[[str], NDArray[np.uint8]]
Progress = Callable[[str], None]
CHUNK = 256


def silent(message: str) -> None:
    """A progress function that says nothing."""


class ArrayFile:
    """A .npy file whose rows are written one by one, from any thread.

    Rows go through `write`, which says when the disk is full; stored through a memory map
    they would end the whole process with a bus error.
    """

    def __init__(self, path: Path, dtype: type, shape: tuple[int, ...], continues: bool) -> None:
        self.path, self.shape, self._row_bytes = path, shape, int(np.prod(shape[1:], dtype=np.int64)) * np.dtype(dtype).itemsize
        self._file = path.open("r+b" if continues else "w+b")
        self._lock = threading.Lock()
        if continues:
            self._start = path.stat().st_size - shape[0] * self._row_bytes
        else:
            np.lib.format.write_array_header_1_0(self._file, {"descr": np.lib.format.dtype_to_descr(np.dtype(dtype)), "fortran_order": False, "shape": shape})
            self._start = self._file.tell()
            self._file.truncate(self._start + shape[0] * self._row_bytes)
        self._file.flush()

    def write(self, row: int, values: NDArray[Any]) -> None:
        """Write row `row` and, when `values` has several rows, those that follow it."""
        data = np.ascontiguousarray(values).reshape(-1).view(np.uint8).data
        position = self._start + row * self._row_bytes
        if not hasattr(os, "pwrite"):  # Windows
            with self._lock:
                self._file.seek(position)
                self._file.write(data)
                self._file.flush()
            return
        while data:
            written = os.pwrite(self._file.fileno(), data, position)
            data, position = data[written:], position + written

    def close(self) -> None:
        """Close the file once everything has reached the disk."""
        with self._file:
            os.fsync(self._file.fileno())


def decode_all(
    path: Path,
    names: Sequence[str | None],
    shape: tuple[int, ...],
    decode: Decoder,
    *,
    label: str,
    progress: Progress = silent,
    seen: Callable[[int, NDArray[np.uint8]], None] | None = None,
) -> dict[int, str]:
    """Write uint8 (n, *shape) to `path`; row i is `decode(names[i])`, zeros where the name is None. `seen` is given each row that is written now.

    Returns the reason per row that could not be decoded (its pixels are zeros).
    Pillow and zlib release the interpreter lock, so threads decode in parallel.
    """
    part, marks = path.with_suffix(".part.npy"), path.with_suffix(".done.npy")
    full = (len(names), *shape)
    done = _done(part, marks, full)
    continues = done is not None
    if done is None:
        done = np.zeros(len(names), np.bool_)
    problems: dict[int, str] = {}
    with closing(ArrayFile(part, np.uint8, full, continues)) as pixels, closing(ArrayFile(marks, np.bool_, full[:1], continues)) as kept:

        def one(row: int) -> None:
            name = names[row]
            try:
                if name is not None:
                    whole = _whole(decode(name), shape)
                    pixels.write(row, whole)
                    if seen is not None:
                        seen(row, whole)
            except Unreadable as error:
                problems[row] = str(error)

        waiting = np.flatnonzero(~done)
        said = time.monotonic()
        with ThreadPoolExecutor(max_workers=min(8, os.cpu_count() or 1)) as pool:
            for start in range(0, len(waiting), CHUNK):
                rows = waiting[start : start + CHUNK].tolist()
                list(pool.map(one, rows))
                # Rows that failed stay unmarked: a next attempt reports them again.
                done[[r for r in rows if r not in problems]] = True
                kept.write(0, done)
                if time.monotonic() - said > 2 and start + CHUNK < len(waiting):
                    said = time.monotonic()
                    progress(f"{label}: {start + len(rows)} of {len(waiting)} decoded")
    os.replace(part, path)
    marks.unlink(missing_ok=True)
    return problems


def _whole(pixels: NDArray[np.uint8], shape: tuple[int, ...]) -> NDArray[np.uint8]:
    return np.ascontiguousarray(np.broadcast_to(pixels, shape), np.uint8)


def _done(part: Path, marks: Path, shape: tuple[int, ...]) -> NDArray[np.bool_] | None:
    """(n,): which rows an earlier attempt has written; None when there is none to go on from."""
    try:
        pixels = np.load(part, mmap_mode="r", allow_pickle=False)
        done = np.load(marks, allow_pickle=False)
    except (OSError, ValueError, EOFError):
        return None  # No earlier attempt, or one cut off before its header was whole: begin anew.
    fits = pixels.shape == shape and pixels.dtype == np.uint8 and done.shape == shape[:1] and done.dtype == np.bool_
    return done if fits else None


def keep_rows(path: Path, rows: NDArray[np.int64]) -> None:
    """Rewrite the array at `path` with only these rows."""
    old = np.load(path, mmap_mode="r", allow_pickle=False)
    part = path.with_suffix(".part.npy")
    with closing(ArrayFile(part, old.dtype.type, (len(rows), *old.shape[1:]), continues=False)) as new:
        for start in range(0, len(rows), CHUNK):
            new.write(start, old[rows[start : start + CHUNK]])
    del old
    os.replace(part, path)
