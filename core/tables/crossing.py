"""Several sensitive attributes as one: its groups are the intersections of theirs."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence

CROSS = " × "
"""Between the names of attributes that are crossed, and between the groups of an intersection."""


def crossed_name(attribute: str, known: Collection[str]) -> str:
    """`sex,age` as the name of the crossed attribute, "sex × age"; a known attribute keeps its own name."""
    parts = [part.strip() for part in attribute.split(",")]
    return attribute if attribute in known or len(parts) < 2 else CROSS.join(dict.fromkeys(parts))


def crossed_parts(attribute: str, known: Collection[str]) -> tuple[str, ...]:
    """The attributes that a name stands for: itself, or those that it crosses; () where one of them is not known."""
    parts = (attribute,) if attribute in known else tuple(attribute.split(CROSS))
    return parts if all(part in known for part in parts) else ()


def crossed_values(columns: Sequence[Iterable[str | None]]) -> list[str | None]:
    """Per row the intersection that it is in ("female × 40-60"); None where one of its groups is missing."""
    return [CROSS.join(row) if all(isinstance(value, str) for value in row) else None for row in zip(*columns, strict=True)]  # type: ignore[arg-type]
