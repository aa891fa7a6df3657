"""Lines over epochs with their looks in their rows: colour, dash, width and dots, and a name at each end.

What is in the rows needs no scale of its own, so lines of several kinds are one layer. The rows are
dictionaries: a few hundred of them are regrouped in a tenth of the time that a frame takes.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd

from core.charts import grammar as alt
from core.charts.figure import Width
from core.charts.parts import LONGEST, decimal_axis, end_room, epoch_axis, spread, tooltips, within
from core.charts.theme import Look

Row = dict[str, Any]

NAMED = 3
"""M modalities have M(M-1)/2 pairs, 15 for six. Up to so many are named at their ends; of more, the
lowest is drawn in colour with its name and the others stay faint (their names are in the tooltip)."""
SOLID, DASHED, DOTTED, FINE = [1, 0], [6, 3], [2, 3], [2, 2]
LONG = 14
"""Names of pairs beyond so many characters take two lines."""
LEFT, ROOM = 0.11, 1.32
"""The epoch axis has room for the labels of the values at the left, and for names at the right."""
SIMILARITY = [0.0, 1.05]
HEIGHT = 150


@dataclass(frozen=True)
class Lines:
    """Rows of one drawing.

    points : trained, value, line, label, ink, dash, thick, dot (0: none), run, of, what, shown.
    names : trained, value, label, ink, font.
    """

    points: list[Row]
    names: list[Row]


def rows_of(frame: pd.DataFrame) -> list[Row]:
    """`frame` as one dictionary per row."""
    rows: list[Any] = frame.to_dict("records")
    return rows


def known(value: Any) -> bool:
    """Neither None nor NaN, which both mean: not measured."""
    return value is not None and not math.isnan(value)


def point(row: Row, what: str, of: str, ink: str, **looks: Any) -> Row:
    """A row of `Lines.points`. `row`: run, trained, value, shown."""
    usual = {"label": of, "line": f"{of} {what}", "dash": SOLID, "thick": 2.0, "dot": 34}
    return {name: row[name] for name in ("run", "trained", "value", "shown")} | {"what": what, "of": of, "ink": ink} | usual | looks


def names_at_ends(points: Iterable[Row], limits: Sequence[float], height: int, look: Look, font: int = 12, lines: int = 1) -> list[Row]:
    """The name of each line beside its last point, moved apart."""
    ends: dict[str, Row] = {}
    for row in points:
        if known(row["value"]) and (row["label"] not in ends or row["trained"] >= ends[row["label"]]["trained"]):
            ends[row["label"]] = row
    gap = (limits[1] - limits[0]) * (font * lines + 3) / height
    placed = within(spread([float(row["value"]) for row in ends.values()], gap), gap, limits)
    return [
        {"trained": row["trained"], "value": value, "label": label, "ink": look.readable(row["ink"]), "font": font}
        for (label, row), value in zip(ends.items(), placed, strict=True)
    ]


def of_modalities(rows: Iterable[Row], modalities: Sequence[str], limits: Sequence[float], height: int, what: str, look: Look, **looks: Any) -> Lines:
    """One line per modality. `rows`: run, modality, trained, value, shown."""
    colors = look.modality_colors(modalities)
    points = [point(row, what, row["modality"], colors[row["modality"]], **looks) for row in rows]
    return Lines(points, names_at_ends(points, limits, height, look))


def pairs_of(rows: Iterable[Row]) -> list[str]:
    """Names of the pairs in `rows` (`pair`, `trained`, `value`), the lowest at the last epoch first."""
    last: dict[str, Row] = {}
    for row in rows:
        if known(row["value"]) and (row["pair"] not in last or row["trained"] >= last[row["pair"]]["trained"]):
            last[row["pair"]] = row
    return sorted(last, key=lambda pair: float(last[pair]["value"]))


def of_pairs(rows: Sequence[Row], limits: Sequence[float], height: int, what: str, look: Look) -> Lines:
    """One line per pair. `rows`: run, pair, trained, value, shown."""
    pairs = pairs_of(rows)
    many = len(pairs) > NAMED
    named = pairs[:1] if many else pairs
    front: Row = {"ink": look.worse if many else look.text, "thick": 1.8}
    behind: Row = {"ink": look.faint, "thick": 1.2, "dot": 20}
    dash = dict(zip(named, (SOLID, DASHED, DOTTED), strict=False))
    points = [
        point(row, what, row["pair"], label=_broken(row["pair"]), **(front | {"dash": dash[row["pair"]]} if row["pair"] in dash else behind)) for row in rows
    ]
    # What is in colour lies on top: the lines are drawn in the order of the rows.
    points.sort(key=lambda row: row["of"] in dash)
    tall = max((2 if "\n" in _broken(pair) else 1 for pair in named), default=1)
    return Lines(points, names_at_ends((row for row in points if row["of"] in dash), limits, height, look, 11, tall))


def _broken(pair: str) -> str:
    return pair.replace(" / ", " /\n") if len(pair) > LONG else pair


def epochs_x(last: int, title: str | None = "Epochs trained", field: str = "trained", grid: bool = False, room: float = ROOM) -> alt.X:
    """The epoch axis, with room at both sides."""
    return alt.X(f"{field}:Q", scale=alt.Scale(domain=list(span(last, room)), nice=False), axis=epoch_axis(last, title, first=1, grid=grid))


def span(last: int, room: float = ROOM) -> tuple[float, float]:
    """Ends of the epoch axis; `room` times the epochs is its right end."""
    return 0.5 - LEFT * last, 0.5 + last * room


def room_for(names: Sequence[Row]) -> float:
    """How long the epoch axis of a panel of its own must be for these names at the ends of its lines."""
    return max(ROOM, end_room(line for row in names for line in row["label"].split("\n")))


def marks(points: Sequence[Row], names: Sequence[Row], x: alt.X, scale: alt.Scale, axis: alt.Axis | None, look: Look) -> list[Any]:
    """Lines, dots and names at their `value`s. A name may stand on a line of the grid: its ground is cleared first.

    Not for readers who cannot see them: heights may be in pixels, and the chart's own sentence and its table say more
    than hundreds of single marks.
    """
    y = alt.Y("value:Q", scale=scale, axis=axis)
    base = alt.Chart(pd.DataFrame(points)).encode(x=x, y=y, color=alt.Color("ink:N", scale=None))
    lines = base.mark_line(aria=False).encode(strokeDash=alt.StrokeDash("dash:N", scale=None), size=alt.Size("thick:Q", scale=None), detail="line:N")
    dots = base.mark_point(aria=False).encode(
        size=alt.Size("dot:Q", scale=None), tooltip=tooltips({"run": "Run", "of": "Line", "trained": "Epoch", "what": "Quantity", "shown": "Value"})
    )
    words = alt.Chart(pd.DataFrame(names)).encode(x=x, y=y, text="label:N", size=alt.Size("font:Q", scale=None))
    style: dict[str, Any] = {"aria": False, "align": "left", "baseline": "middle", "dx": 7, "fontWeight": 600, "lineBreak": "\n", "limit": LONGEST}
    halo = words.mark_text(**style, stroke=look.background, strokeWidth=4, strokeJoin="round").encode(color=alt.value(look.background))
    return [halo, lines, dots, words.mark_text(**style).encode(color=alt.Color("ink:N", scale=None))]


def similarity(lines: Lines, last: int, look: Look, width: Width) -> Any:
    """A panel of magnitude similarities."""
    drawn = marks(lines.points, lines.names, epochs_x(last, room=room_for(lines.names)), alt.Scale(domain=SIMILARITY, nice=False), _similarity_axis(), look)
    return alt.layer(*drawn).properties(width=width, height=HEIGHT)


def silent(why: str, last: int, look: Look, width: Width) -> Any:
    """The same panel with words in the place of lines."""
    word = pd.DataFrame({"trained": [0.5 + last / 2], "value": [SIMILARITY[1] / 2], "why": [why]})
    y = alt.Y("value:Q", scale=alt.Scale(domain=SIMILARITY, nice=False), axis=_similarity_axis())
    return alt.layer(alt.Chart(word).mark_text(color=look.muted).encode(x=epochs_x(last), y=y, text="why:N")).properties(width=width, height=HEIGHT)


def _similarity_axis() -> alt.Axis:
    return decimal_axis("Magnitude similarity", tickCount=4)
