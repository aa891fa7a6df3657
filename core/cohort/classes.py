"""Labels of three or more classes: which value is which, and what counts as positive among them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from core.errors import UserError
from core.tables.labels import certain_values, distinct, same_value

EVERY = "all"
MOST = 100
"""Codes are kept in one byte."""


def parse_classes(text: str, values: Sequence[str], column: str) -> tuple[str, ...]:
    """`none,mild,severe`, or `all` for the label's `values` in their order, without those that say "not known". Raises UserError.

    The first class is the one without disease; see `any_but_first`.
    """
    wanted = certain_values(values) if text.strip() == EVERY else [part.strip() for part in text.split(",") if part.strip()]
    classes = [next((v for v in values if same_value(v, name)), name) for name in wanted]
    absent = [name for name in classes if name not in values]
    if absent:
        raise UserError(f"--classes {text}: column {column!r} never holds {absent[0]!r}; it holds {', '.join(values[:20])}")
    if len(set(classes)) != len(classes) or not 3 <= len(classes) <= MOST:
        raise UserError(f"--classes {text}: name 3 to {MOST} different values of the label, the one without disease first, or all; for two say --positive")
    return tuple(classes)


def any_but_first(classes: Sequence[str]) -> str:
    """The rule under which every class but the first counts as positive, as `--positive` takes it."""
    return "|".join(classes[1:])


def class_codes(labels: pd.Series, classes: Sequence[str], y: NDArray[np.float64], column: str) -> NDArray[np.float64]:
    """(n,) index into `classes` of each label; NaN where `y` is NaN, that is where the row is set aside.

    Raises UserError naming the first row whose value is no class, or a class that no row has.
    """
    code = {value: next((k for k, name in enumerate(classes) if same_value(value, name)), None) for value in distinct(labels.unique())}
    found = np.full(len(labels), np.nan)
    for row, value in enumerate(labels):
        if np.isnan(y[row]):
            continue
        known = code.get(str(value).strip()) if value is not None else None
        if known is None:
            raise UserError(
                f"row {row + 2}, column {column!r}: {value!r} is none of the classes {', '.join(classes)}; name it in --classes or leave such rows out"
            )
        found[row] = known
    absent = [name for k, name in enumerate(classes) if not (found == k).any()]
    if absent:
        raise UserError(f"column {column!r}: no usable row has the class {absent[0]!r}; leave it out of --classes")
    return found
