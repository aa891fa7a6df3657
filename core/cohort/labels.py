"""From a label column to 0 and 1."""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from core.errors import UserError

POSITIVE_WORDS = ("1", "1.0", "true", "yes", "y", "positive", "pos", "malignant", "disease", "diseased", "abnormal", "case", "dead", "died", "event")


def same_value(value: str, positive: str) -> bool:
    """Whether a label's text means the positive value: "1" and "1.0", "True" and "true" are one."""
    a, b = value.strip().lower(), positive.strip().lower()
    if a == b:
        return True
    try:
        return float(a) == float(b)
    except ValueError:
        return False


def parse_label(values: pd.Series, positive: str) -> NDArray[np.float64]:
    """1.0 where the value is `positive`, 0.0 where it is another, NaN where it is missing."""
    match = {v: float(same_value(str(v), positive)) for v in values.dropna().unique()}
    return np.array([np.nan if v is None or pd.isna(v) else match[v] for v in values], dtype=float)


def guess_positive(values: pd.Series, column: str) -> str:
    """The value that names the positive class. UserError when none of the values says so."""
    present = sorted(str(v) for v in values.dropna().unique())
    for word in POSITIVE_WORDS:
        for value in present:
            if value.lower() == word:
                return value
    shown = ", ".join(present[:8])
    raise UserError(f"column {column!r}: which value is positive? Say so with --positive VALUE; it has: {shown}")
