"""The table of the study of the audit as text: one line a promise, which is read back where sentences quote it."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from core.errors import UserError
from core.study.audit_promises import Line
from core.study.audit_simulation import PARTS

COLUMNS = "part | setting | share found | Monte Carlo error | repetitions | bounds | verdict"
SEPARATOR = " | "


def head(seed: int, repetitions: int, parts: Sequence[str] = PARTS, only: str = "") -> str:
    """Lines that say how the table is made and what its columns are."""
    more = ("" if tuple(parts) == PARTS else f" --parts {' '.join(parts)}") + (f" --only {shlex.quote(only)}" if only else "")
    command = f"# multifair study audit --check --seed {seed} --repetitions {repetitions}{more}"
    return f"{command}\n# {COLUMNS}\n# kept: inside the bounds, give or take two Monte Carlo errors. conservative: on the careful side, for the stated reason."


def row(found: Line) -> str:
    """One promise."""
    ends = "" if found.low is None and found.high is None else f"{_end(found.low)}..{_end(found.high)}"
    return SEPARATOR.join([found.part, found.setting, f"{found.share:.3f}", f"{found.error:.3f}", str(found.repetitions), ends, found.verdict]).rstrip()


def _end(bound: float | None) -> str:
    return "" if bound is None else f"{bound:.2f}"


@dataclass(frozen=True)
class Row:
    """A promise as the table has it."""

    part: str
    setting: str
    share: float
    repetitions: int
    verdict: str

    @property
    def metric(self) -> str:
        """What stands behind the colon of the part."""
        return self.part.partition(": ")[2]


def read_table(path: Path) -> tuple[Row, ...]:
    """The promises of a table.

    Raises
    ------
    UserError : for a line that is none of a table's.
    """
    rows = []
    for number, text in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
        if not text or text.startswith("#"):
            continue
        cells = [cell.strip() for cell in text.split("|")]
        try:
            rows.append(Row(cells[0], cells[1], float(cells[2]), int(cells[4]), cells[6] if len(cells) > 6 else ""))
        except (IndexError, ValueError):
            raise UserError(f"{path}: line {number} is not of a table of promises ({COLUMNS})") from None
    return tuple(rows)
