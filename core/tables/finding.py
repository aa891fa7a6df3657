"""Something a reader must know about a table, and what to do about it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal

Severity = Literal["error", "warning", "info"]


@dataclass(frozen=True)
class Finding:
    """One thing found in a table.

    `code` names the kind, `rows` says how many rows are concerned, `remedy` what to do,
    `columns` which columns of the user's table it speaks of.
    """

    code: str
    severity: Severity
    message: str
    rows: int
    remedy: str
    columns: tuple[str, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        return asdict(self) | {"columns": list(self.columns)}

    @classmethod
    def from_dict(cls, value: Mapping[str, Any]) -> Finding:
        return cls(value["code"], value["severity"], value["message"], int(value["rows"]), value["remedy"], tuple(value.get("columns", ())))


def listed(values: Sequence[str], limit: int = 6) -> str:
    """A few of the values in words: `'a', 'b' and 3 more`."""
    shown = ", ".join(f"'{v[:40]}'" for v in values[:limit])
    return shown if len(values) <= limit else f"{shown} and {len(values) - limit} more"


def counted(n: int, noun: str) -> str:
    """`1 row`, `2 rows`."""
    return f"{n} {noun}" if n == 1 else f"{n} {noun}s"
