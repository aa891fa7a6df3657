"""How numbers and counts are written, everywhere: `.842 [.810, .871]`, `12 345`."""

from __future__ import annotations

import math
from collections.abc import Sequence

from core.audit.wording import MINUS, decimal

__all__ = [
    "MINUS", "NOT_ESTIMABLE", "THIN_SPACE", "count", "decimal", "interval", "listing", "missing", "p_value", "percent", "plural", "positives", "same_verb", "sentence",
]  # fmt: skip

THIN_SPACE = "\u2009"
NOT_ESTIMABLE = "not estimable"


def missing(value: object) -> bool:
    """None and NaN both mean: undefined."""
    return value is None or (isinstance(value, float) and math.isnan(value))


def interval(value: float | None, low: float | None, high: float | None, digits: int = 3, signed: bool = False) -> str:
    """`.842 [.810, .871]`; without the bracket when there is no interval."""
    if value is None or missing(float(value)):
        return NOT_ESTIMABLE
    text = decimal(value, digits, signed)
    if low is None or high is None or missing(float(low)) or missing(float(high)):
        return text
    return f"{text} [{decimal(low, digits, signed)}, {decimal(high, digits, signed)}]"


def count(value: float | None) -> str:
    """12345 -> `12 345`, with a thin space."""
    if value is None or missing(float(value)):
        return "n/e"
    return f"{round(value):,}".replace(",", THIN_SPACE)


def percent(value: float | None, digits: int = 0) -> str:
    """.4213 -> `42%`."""
    if value is None or missing(float(value)):
        return "n/e"
    return f"{100 * value:.{digits}f}%"


def p_value(value: float | None) -> str:
    """`p = .032`, `p < .001`."""
    if value is None or missing(float(value)):
        return "p not estimable"
    return "p < .001" if value < 0.001 else f"p = {decimal(value)}"


def positives(n_pos: float | None, n_neg: float | None) -> str:
    """Counts beside a group: `41 + / 312 −`."""
    return f"{count(n_pos)}{THIN_SPACE}+ / {count(n_neg)}{THIN_SPACE}{MINUS}"


def plural(number: int, one: str, many: str | None = None) -> str:
    """`1 run`, `12 runs`."""
    return f"{count(number)} {one if number == 1 else many or one + 's'}"


def listing(names: Sequence[str], most: int = 4) -> str:
    """`a, b and c`; beyond `most` names: `a, b, c and 5 more`."""
    shown = list(names)
    if len(shown) > most:
        shown = [*shown[: most - 1], f"{len(names) - most + 1} more"]
    if len(shown) < 2:
        return "".join(shown)
    return ", ".join(shown[:-1]) + " and " + shown[-1]


def sentence(words: str) -> str:
    """The first letter as a capital, the rest as it is."""
    return words[:1].upper() + words[1:]


def same_verb(parts: Sequence[tuple[str, str, str]], verb: str) -> str:
    """`a carries 85% under X, 50% under Y; b carries 60% under Z` from (subject, amount, where)."""
    subjects = list(dict.fromkeys(subject for subject, _, _ in parts))
    whole = []
    for subject in subjects:
        whole.append(f"{subject} {verb} " + listing([f"{amount} under {where}" for name, amount, where in parts if name == subject], 4))
    return sentence("; ".join(whole))
