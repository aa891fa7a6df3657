"""How an audit writes numbers: `.842`, `−.048`, `.842 [.810, .871]`, `= .032`."""

from __future__ import annotations

import math

MINUS = "\u2212"
NOT_ESTIMABLE = "n/e"


def decimal(value: float | None, digits: int = 3, signed: bool = False) -> str:
    """A number near one without its leading zero and with a true minus: .842, −.031, 1.000; "n/e" when undefined.

    >>> decimal(-0.0481), decimal(-0.0001), decimal(0.2, 2, signed=True)
    ('−.048', '.000', '+.20')
    """
    if value is None or math.isnan(value):
        return NOT_ESTIMABLE
    if math.isinf(value):
        return "∞" if value > 0 else f"{MINUS}∞"
    text = f"{abs(value):.{digits}f}"
    if text.startswith("0."):
        text = text[1:]
    sign = "" if not text.strip("0.") else MINUS if value < 0 else "+" if signed else ""
    return sign + text


def interval(value: float | None, low: float | None, high: float | None, digits: int = 3, signed: bool = False) -> str:
    """`.842 [.810, .871]`; the value alone where there is no interval."""
    shown = decimal(value, digits, signed)
    if value is None or low is None or high is None or math.isnan(low) or math.isnan(high):
        return shown
    return f"{shown} [{decimal(low, digits, signed)}, {decimal(high, digits, signed)}]"


def chance(p: float | None) -> str:
    """What stands behind a p: `= .032`, `< .001`, `unknown`."""
    if p is None or math.isnan(p):
        return "unknown"
    return "< .001" if p < 0.001 else f"= {decimal(p)}"
