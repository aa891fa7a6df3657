"""Turn a label or predicted-label column into 0 and 1, or say why that is not possible."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from core.errors import UserError

CODINGS: tuple[tuple[str, str], ...] = (
    ("0", "1"),
    ("-1", "1"),
    ("false", "true"),
    ("f", "t"),
    ("no", "yes"),
    ("n", "y"),
    ("negative", "positive"),
    ("neg", "pos"),
    ("control", "case"),
    ("absent", "present"),
    ("healthy", "diseased"),
    ("benign", "malignant"),
)


def positive_value(values: list[str], column: str, source: str, positive: str | None) -> str:
    """The value that means positive among the distinct `values` of a column."""
    if positive is not None:
        wanted = positive.strip()
        matches = [v for v in values if v == wanted] or [v for v in values if _plain(v) == _plain(wanted)]
        if not matches:
            raise UserError(f"{source}: column '{column}' never holds '{positive}'; it holds {_shown(values)}")
        return matches[0]
    found = {_plain(value): value for value in values}
    for low, high in CODINGS:
        if set(found) <= {low, high}:
            # A column of nothing but zeros is legitimate: it has no positive.
            return found.get(high, high)
    raise UserError(f"{source}: column '{column}' holds {_shown(values)}; say which value is positive with --positive VALUE")


def positive_values(text: pa.ChunkedArray, column: str, source: str, positive: str | None = None) -> list[str]:
    """Every spelling of the positive value that the column holds; see `binary`."""
    values = sorted(v for v in pc.unique(text).to_pylist() if v is not None)
    if not values:
        raise UserError(f"{source}: column '{column}' is empty")
    chosen = _plain(positive_value(values, column, source, positive))
    return [value for value in values if _plain(value) == chosen]


def binary(text: pa.ChunkedArray, column: str, source: str, positive: str | None = None) -> NDArray[np.int8]:
    """0/1 as int8 (n,), -1 where the value is missing. With `positive`, every other value is negative.

    Raises
    ------
    UserError : when the values are no known pair and `positive` does not say which one counts.
    """
    same = positive_values(text, column, source, positive)
    hits = pc.if_else(pc.is_null(text), None, pc.is_in(text, value_set=pa.array(same, pa.string())))
    return np.asarray(pc.fill_null(hits.cast(pa.int8()), -1).to_numpy(), dtype=np.int8)


def _plain(value: str) -> str:
    try:
        number = float(value)
    except ValueError:
        return value.strip().lower()
    return str(int(number)) if number.is_integer() else value


def _shown(values: list[str]) -> str:
    shown = ", ".join(f"'{v}'" for v in values[:6])
    return f"{len(values)} values ({shown}{', ...' if len(values) > 6 else ''})"
