"""One measured value as the journal stores it."""

from __future__ import annotations

import math
from typing import Any

Row = dict[str, Any]


def row(
    name: str,
    value: float | None,
    *,
    modality: str | None = None,
    modality_b: str | None = None,
    group: str | None = None,
    group_b: str | None = None,
    stat: str = "mean",
    low: float | None = None,
    high: float | None = None,
    n: int | None = None,
) -> Row:
    """A telemetry row; what is not a number becomes null, never 0."""
    return {
        "name": name,
        "modality": modality,
        "modality_b": modality_b,
        "group": group,
        "group_b": group_b,
        "stat": stat,
        "value": finite(value),
        "low": finite(low),
        "high": finite(high),
        "n": n,
    }


def finite(value: float | None) -> float | None:
    """`value` as a plain float, None where it is missing or not finite."""
    return float(value) if value is not None and math.isfinite(value) else None
