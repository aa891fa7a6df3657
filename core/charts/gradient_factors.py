"""What a method multiplied by, on the epoch axis of the gradient strips: B_m, f, the gate, mixing weights."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from core.charts.gradient_lines import Lines, Row, known, names_at_ends, point
from core.charts.theme import Look

SYMBOLS = {"balance": "B", "factor": "f", "gate": "gate"}
"""What a method calls its series -> the paper's symbol. Other series keep their own name."""
MEASUREMENTS = ("_loss", "_auc", "_accuracy", "gap", "reference", "distance")
"""Ends of the names of series that a method reports but multiplies nothing by."""
STYLES: tuple[tuple[Any, str, str], ...] = (
    ([1, 0], "solid", "—"),
    ([6, 3], "dashed", "– –"),
    ([2, 3], "dotted", "· · ·"),
    ([8, 3, 2, 3], "dash-dot", "– ·"),
    ([10, 4], "long dashes", "— —"),
    ([1, 5], "sparse dots", "·  ·"),
)
"""A dash, its name, and its picture for keys that would be longer than a heading's line."""
LONGEST_KEY = 58
ALL = "all"


def applied(rows: Iterable[Row]) -> list[Row]:
    """The rows of `method.*` that are factors, with `series`, `style` (told apart by dash), `of` (colour) and `line`."""
    part = [{**row, "series": row["name"].removeprefix("method.")} for row in rows if row["name"].startswith("method.") and known(row["value"])]
    part = [row for row in part if not row["series"].endswith(MEASUREMENTS)]
    if any(row["series"] == "factor" for row in part):
        # The combined factor says what the partial one contributes to.
        part = [row for row in part if row["series"] != "fairness_factor"]
    for row in part:
        symbol = SYMBOLS.get(row["series"], row["series"].replace("_by_group", "").replace("_", " "))
        modality = row["modality"] if isinstance(row["modality"], str) else None
        row["style"] = f"{symbol} {row['group']}" if isinstance(row["group"], str) else symbol
        row["of"] = modality or ALL
        row["line"] = f"{row['style']} {modality}" if modality else row["style"]
    return part


def extremes(part: Sequence[Row]) -> tuple[list[Row], str]:
    """Rows of at most as many series as there are dashes: of many groups those with the lowest and the highest factor; and what to say of the rest."""
    of_groups: dict[str, list[float]] = {}
    for row in part:
        if isinstance(row["group"], str):
            of_groups.setdefault(row["group"], []).append(row["value"])
    if len(_styles(part)) <= len(STYLES) or len(of_groups) <= 2:
        return list(part), ""
    ranked = sorted(of_groups, key=lambda group: sum(of_groups[group]) / len(of_groups[group]))
    kept = {ranked[0], ranked[-1]}
    return [row for row in part if not isinstance(row["group"], str) or row["group"] in kept], f", lowest and highest of {len(ranked)} groups"


def factor_lines(part: Sequence[Row], modalities: Sequence[str], limits: Sequence[float], height: int, look: Look) -> Lines:
    """The lines of `applied` rows: colour for the modality, dash for the series."""
    styles = _styles(part)
    colors = {**look.modality_colors(modalities), ALL: look.text}
    points = [
        point(
            row, "Factor applied", row["line"], colors[row["of"]], line=row["line"], dash=STYLES[styles.index(row["style"]) % len(STYLES)][0], thick=1.6, dot=20
        )
        for row in part
    ]
    return Lines(points, names_at_ends([{**row, "ink": colors[row["of"]]} for row in _ends(part)], limits, height, look, 11))


def dash_key(part: Sequence[Row]) -> str:
    """Which dash is which series; a word that all of them begin with is said once, as the line is short."""
    styles = _styles(part)
    if len(styles) <= 1:
        return "".join(styles)
    first = styles[0].split(" ")[0]
    together = all(style.split(" ")[0] == first for style in styles)
    names = [style.removeprefix(first).strip() or "all" for style in styles] if together else styles
    words, pictures = (
        (f"{first}: " if together else "") + mark.join(f"{name} {STYLES[i % len(STYLES)][kind]}" for i, name in enumerate(names))
        for kind, mark in ((1, " · "), (2, ", "))
    )
    return words if len(words) <= LONGEST_KEY else pictures


def _styles(part: Sequence[Row]) -> list[str]:
    return list(dict.fromkeys(row["style"] for row in part))


def _ends(part: Sequence[Row]) -> list[Row]:
    """One label per modality, at the mean of its lines in the leading series, and one per series without a modality."""
    final = max(row["trained"] for row in part)
    last = [row for row in part if row["trained"] == final]
    own = [row["series"] for row in last if row["of"] != ALL]
    lead = "factor" if "factor" in own else own[0] if own else ""
    values: dict[tuple[str, str], list[float]] = {}
    for row in last:
        if row["of"] == ALL or row["series"] == lead:
            values.setdefault((row["style"] if row["of"] == ALL else row["of"], row["of"]), []).append(row["value"])
    return [{"label": label, "of": of, "trained": final, "value": sum(found) / len(found)} for (label, of), found in values.items()]
