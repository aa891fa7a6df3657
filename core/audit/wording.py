"""How numbers and counts are written, everywhere: `.842`, `−.048`, `.842 [.810, .871]`, `= .032`, `12 345`."""

from __future__ import annotations

import math
from collections.abc import Sequence

MINUS = "\u2212"
THIN_SPACE = "\u2009"
NOT_ESTIMABLE = "not estimable"
UNDEFINED = NOT_ESTIMABLE


def decimal(value: float | None, digits: int = 3, signed: bool = False) -> str:
    """A number near one without its leading zero and with a true minus: .842, −.031, 1.000; "not estimable" when undefined.

    >>> decimal(-0.0481), decimal(-0.0001), decimal(0.2, 2, signed=True)
    ('−.048', '.000', '+.20')
    """
    if value is None or math.isnan(value):
        return UNDEFINED
    if math.isinf(value):
        return "∞" if value > 0 else f"{MINUS}∞"
    text = f"{abs(value):.{digits}f}"
    if text.startswith("0."):
        text = text[1:]
    sign = "" if not text.strip("0.") else MINUS if value < 0 else "+" if signed else ""
    return sign + text


def digits_of(*values: float | None) -> int:
    """Three digits, or as many (up to 7) as let the smallest of these numbers be seen: at a prevalence of 1 % three round a limit away.

    >>> digits_of(0.06, 0.001), digits_of(0.0004, 0.0000021)
    (3, 7)
    """
    smallest = min((abs(v) for v in values if v is not None and math.isfinite(v) and v != 0), default=1.0)
    return 3 if smallest >= 0.001 else min(math.ceil(-math.log10(smallest)) + 1, 7)


def interval(value: float | None, low: float | None, high: float | None, digits: int = 3, signed: bool = False) -> str:
    """`.842 [.810, .871]`; without the bracket when there is no interval, in words when there is no value."""
    if value is None or missing(float(value)):
        return NOT_ESTIMABLE
    text = decimal(value, digits, signed)
    if low is None or high is None or missing(float(low)) or missing(float(high)):
        return text
    return f"{text} [{decimal(low, digits, signed)}, {decimal(high, digits, signed)}]"


def chance(p: float | None) -> str:
    """What stands behind a p: `= .032`, `< .001`, `unknown`."""
    if p is None or math.isnan(p):
        return "unknown"
    return "< .001" if p < 0.001 else f"= {decimal(p)}"


def class_counts(n_pos: int, n_neg: int) -> str:
    """Positives and negatives behind a group's name: `8+/3−`."""
    return f"{n_pos}+/{n_neg}{MINUS}"


def missing(value: object) -> bool:
    """None and NaN both mean: undefined."""
    return value is None or (isinstance(value, float) and math.isnan(value))


def count(value: float | None) -> str:
    """12345 -> `12 345`, with a thin space."""
    if value is None or missing(float(value)):
        return UNDEFINED
    return f"{round(value):,}".replace(",", THIN_SPACE)


def percent(value: float | None, digits: int = 0) -> str:
    """.4213 -> `42%`."""
    if value is None or missing(float(value)):
        return UNDEFINED
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


def whole_sentence(words: str) -> str:
    """With a capital, unless it begins with the name of a column, and a full stop.

    >>> whole_sentence("collect more patients"), whole_sentence("skin_type: 3 rows")
    ('Collect more patients.', 'skin_type: 3 rows.')
    """
    first = words.split(" ", 1)[0]
    begun = words if "_" in first or first.endswith(":") or "=" in words.split(" ")[1:2] else sentence(words)
    return begun if begun.endswith((".", "?", "!", "…")) else f"{begun}."


def same_verb(parts: Sequence[tuple[str, str, str]], verb: str) -> str:
    """`a carries 85% under X, 50% under Y; b carries 60% under Z` from (subject, amount, where)."""
    subjects = list(dict.fromkeys(subject for subject, _, _ in parts))
    whole = []
    for subject in subjects:
        whole.append(f"{subject} {verb} " + listing([f"{amount} under {where}" for name, amount, where in parts if name == subject], 4))
    return sentence("; ".join(whole))
