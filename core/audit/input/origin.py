"""Where predictions came from, recorded by whoever read them: files, columns, rows left out, runs."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from collections.abc import Mapping as Dictionary
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from core.audit.input.column_roles import Mapping
from core.errors import UserError

if TYPE_CHECKING:
    from core.audit.input.predictions import Predictions

SPLIT_REASONS = {"train": "training rows, which are not audited", "validation": "validation rows, on which thresholds are chosen"}


@dataclass(frozen=True)
class SourceFile:
    """A file that was read: its name without folders, its SHA-256, its size in bytes."""

    name: str
    sha256: str
    bytes: int

    @classmethod
    def of(cls, path: Path) -> SourceFile:
        """Raises UserError when the file cannot be read."""
        digest = hashlib.sha256()
        try:
            with path.open("rb") as stream:
                while part := stream.read(1 << 20):
                    digest.update(part)
            return cls(path.name, digest.hexdigest(), path.stat().st_size)
        except OSError as error:
            raise UserError(f"{path.name}: cannot be read ({error.strerror})") from error


@dataclass(frozen=True)
class LeftOut:
    """Rows that take no part in the audit. Each row is counted once, for the first reason that holds."""

    reason: str
    rows: int


@dataclass(frozen=True)
class SourceRun:
    """A finished run whose predictions are audited, and the key of what it was asked to do."""

    run_id: str
    key: str


@dataclass(frozen=True)
class Origin:
    """What predictions were made from.

    files : read files, the predictions first.
    columns : their columns by role; None for arrays and runs.
    join : the id by which the second file was joined to the first.
    positive : label values that count as positive.
    rows_read : rows of the first file (or of the arrays); rows_per_sample : models that stand below each other.
    left_out : rows that no number rests on. runs : finished runs, where these were audited.
    """

    files: tuple[SourceFile, ...] = ()
    columns: Mapping | None = None
    join: str | None = None
    positive: tuple[str, ...] = ()
    rows_read: int = 0
    rows_per_sample: int = 1
    left_out: tuple[LeftOut, ...] = ()
    runs: tuple[SourceRun, ...] = ()

    def without(self, reason: str, rows: int) -> Origin:
        """The same with rows left out for one more reason."""
        return replace(self, left_out=(*self.left_out, LeftOut(reason, int(rows)))) if rows else self


def table_origin(columns: Mapping, rows: int, positive: Iterable[str], missing: Dictionary[str, NDArray[np.bool_]]) -> Origin:
    """The origin of predictions from a table of `rows` rows.

    Parameters
    ----------
    missing : by column, the rows (n,) without a usable value; rows are counted for the first column that lacks one.
    """
    origin = Origin(columns=columns, positive=tuple(positive), rows_read=rows)
    gone = np.zeros(rows, dtype=bool)
    for name, blank in missing.items():
        origin = origin.without(f"no value in column '{name}'", int(np.count_nonzero(blank & ~gone)))
        gone |= blank
    return origin


def audited_origin(predictions: Predictions) -> Origin:
    """The origin of what an audit of `predictions` looks at: rows of other splits than test are left out."""
    origin = predictions.origin or Origin(rows_read=len(predictions))
    if predictions.split is not None:
        for split, reason in SPLIT_REASONS.items():
            origin = origin.without(reason, int(np.count_nonzero(predictions.split == split)) * origin.rows_per_sample)
    return origin


def origin_dict(origin: Origin) -> dict[str, Any]:
    """JSON-ready."""
    return {
        "files": [{"name": file.name, "sha256": file.sha256, "bytes": file.bytes} for file in origin.files],
        "columns": None if origin.columns is None else origin.columns.to_dict(),
        "join": origin.join,
        "positive": list(origin.positive),
        "rows_read": origin.rows_read,
        "left_out": [{"reason": part.reason, "rows": part.rows} for part in origin.left_out],
        "runs": [{"run_id": run.run_id, "key": run.key} for run in origin.runs],
    }
