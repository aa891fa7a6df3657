"""One measured value as the journal stores it."""

from __future__ import annotations

from typing import Any

from core.metrics.estimate import finite_or_none

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
        "value": finite_or_none(value),
        "low": finite_or_none(low),
        "high": finite_or_none(high),
        "n": n,
    }
