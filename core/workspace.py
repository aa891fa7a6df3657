"""The folder in which everything a user has made is kept, and safe ways to write there."""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import platformdirs

ENVIRONMENT_VARIABLE = "MULTIFAIR_HOME"
DAYS_IN_TRASH = 7
"""For how long what was deleted can be restored."""


@dataclass(frozen=True)
class Workspace:
    """Paths of one workspace. Folders are created when first asked for."""

    root: Path

    @classmethod
    def open(cls, root: str | Path | None = None) -> Workspace:
        """`root`, else $MULTIFAIR_HOME, else a folder in the user's data directory."""
        chosen = root or os.environ.get(ENVIRONMENT_VARIABLE) or platformdirs.user_data_dir("multifair")
        path = Path(chosen).expanduser().resolve()
        path.mkdir(parents=True, exist_ok=True)
        return cls(path)

    def _folder(self, name: str) -> Path:
        path = self.root / name
        path.mkdir(parents=True, exist_ok=True)
        return path

    @property
    def cohorts(self) -> Path:
        return self._folder("cohorts")

    @property
    def runs(self) -> Path:
        return self._folder("runs")

    @property
    def uploads(self) -> Path:
        return self._folder("uploads")

    @property
    def audits(self) -> Path:
        return self._folder("audits")

    @property
    def reports(self) -> Path:
        return self._folder("reports")

    @property
    def trash(self) -> Path:
        """What was deleted in the last days and can be restored."""
        return self._folder("trash")

    @property
    def cache(self) -> Path:
        """Derived data (frozen features and the like) that may be deleted at any time."""
        return self._folder("cache")


def write_atomic(path: Path, data: str | bytes) -> None:
    """Replace `path` as a whole: a reader sees the old content or the new, never a part."""
    raw = data.encode() if isinstance(data, str) else data
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(raw)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise


def write_json(path: Path, value: Any) -> None:
    """Write JSON atomically. NaN is refused: undefined values are null, with a reason."""
    write_atomic(path, json.dumps(value, indent=1, allow_nan=False, ensure_ascii=False) + "\n")


def read_json(path: Path) -> Any:
    return json.loads(path.read_text(encoding="utf-8"))


def whole_lines(path: Path, offset: int = 0) -> Iterator[tuple[int, str]]:
    """Complete lines of `path` after byte `offset`, each with the offset that follows it.

    A torn last line (no newline yet) is left for the next call.
    """
    with path.open("rb") as file:
        file.seek(offset)
        for raw in file:
            if not raw.endswith(b"\n"):
                return
            offset += len(raw)
            yield offset, raw.decode("utf-8")
