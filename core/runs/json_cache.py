"""Small JSON files that are asked for again and again: read only when they have changed."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Any

from core.workspace import read_json

STILL_NS = 2_000_000_000
"""A file that changed less than this ago is not kept: the clock of a file system is coarse, and
a second change within one tick, to the same size, would go unnoticed."""
MOST = 20_000

_kept: dict[str, tuple[tuple[int, int, int], Any]] = {}


def kept_json(path: Path) -> Any:
    """The content of a JSON file; the same object while the file stays as it is, so nobody may write into it.

    Raises FileNotFoundError, and ValueError for what is no JSON.
    """
    name = str(path)
    stat = os.stat(name)
    mark = (stat.st_mtime_ns, stat.st_size, stat.st_ino)
    known = _kept.get(name)
    if known is not None and known[0] == mark:
        return known[1]
    value = read_json(path)
    if time.time_ns() - stat.st_mtime_ns > STILL_NS:
        if len(_kept) >= MOST:
            _kept.clear()
        _kept[name] = mark, value
    return value
