"""Groups as people read them: bands in the order of their edges, numbers with the attribute that they are of."""

from __future__ import annotations

import re
from collections.abc import Iterable

BAND = re.compile(r"^\s*(?P<below><=?|\u2264|under |below |up to )?\s*(?P<edge>-?\d+(?:\.\d+)?)(?P<rest>.*)$", re.IGNORECASE)
OPEN = re.compile(r"^\s*(?P<above>>=?|\u2265|over |above |from )\s*(?P<edge>-?\d+(?:\.\d+)?)(?P<rest>.*)$", re.IGNORECASE)
NUMBER = re.compile(r"^-?\d+(?:\.\d+)?$")
NUMBERED = {"fitzpatrick": "skin type", "fst": "skin type"}
"""Attributes whose numbers are read under another name than the column's."""


def group_order(groups: Iterable[str]) -> tuple[str, ...]:
    """`<40, 40-59, 60-74, 75+` and `2, 3, 10` by their numbers; names that are not all numbers or bands by the alphabet."""
    names = sorted(map(str, groups))
    places = {name: _place(name) for name in names}
    if not all(places.values()):
        return tuple(names)
    return tuple(sorted(names, key=lambda name: places[name] or (0.0, 0, "")))


def _place(name: str) -> tuple[float, int, str] | None:
    """Lower edge, then what is below it, what begins at it and what lies above it; None for a name without an edge."""
    found = OPEN.match(name)
    if found:
        return float(found["edge"]), 2, found["rest"]
    found = BAND.match(name)
    return (float(found["edge"]), 0 if found["below"] else 1, found["rest"]) if found else None


def group_label(attribute: str, group: str) -> str:
    """A bare number says nothing outside its column: `2` of skin_type is `skin type 2`."""
    if not NUMBER.match(group):
        return group
    return f"{NUMBERED.get(attribute.lower(), attribute.replace('_', ' '))} {group}"
