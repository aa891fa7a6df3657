"""The strips of one run on one epoch axis, and the heat map of the brushed epochs above them: one drawing.

All of it is one view whose vertical scale counts pixels from the top. Views stacked by Vega-Lite
would each bring axes and a share of the brush, take a browser three times as long, and put the same
strip of two runs at different heights.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd

from core.charts import grammar as alt
from core.charts.figure import Width
from core.charts.gradient_lines import Lines, Row, epochs_x, marks, span
from core.charts.parts import HATCH
from core.charts.text import MINUS, decimal
from core.charts.theme import INKS, Look

BRUSH = "epochs"
PLOT = 92
"""Pixels of a strip's own drawing."""
HEAD, NOTE, AIR, GAP = 18, 14, 12, 14
"""Pixels of a heading, of the line below it, of the room for the uppermost value, and between strips."""
RIBBON, RIBBON_GAP = 9, 6
CELL = 30
NAMES = 0.25
"""Share of the width that the heat map leaves for the names of the groups."""
MOST = 0.5
"""Cosine at which the colours of the heat map end."""
SHOWN = (
    "datum.known ? replace(replace(format(abs(datum.value) < 0.005 ? 0 : datum.value, abs(datum.value) < 0.005 ? '.2f' : '+.2f'), '0.', '.'), "
    "'-', '\u2212') : 'not measured'"
)


WORDS = 300
"""Pixels of a heading: a column of three on a page, or the whole width of a telephone, is hardly wider."""
FEW = 3
"""Modalities whose names stand beside each other in one line."""


@dataclass(frozen=True)
class Strip:
    """One band of lines under its heading.

    limits : of the values; the same in all runs where they can be compared.
    lines : None when there is nothing to draw; `said` then says why.
    note : a second line of the heading; None: no room is left for one.
    ribbon : trained, value (a share), shown: coloured cells below the lines; None: no room.
    """

    heading: str
    limits: Sequence[float]
    lines: Lines | None
    said: str = ""
    note: str | None = None
    ribbon: Sequence[Row] | None = None
    write: Callable[[float], str] = lambda value: "0" if value == 0 else decimal(value, 2)

    @property
    def height(self) -> int:
        return self.above + PLOT + (RIBBON_GAP + RIBBON if self.ribbon is not None else 0)

    @property
    def above(self) -> int:
        return HEAD + (NOTE if self.note is not None else 0) + AIR


@dataclass(frozen=True)
class Heat:
    """cells : rows of trained, modality, group, value."""

    cells: Sequence[Row]
    modalities: Sequence[str]
    groups: Sequence[str]

    @property
    def height(self) -> int:
        return 2 * HEAD + CELL * len(self.groups)


def ticks(limits: Sequence[float], most: int = 4) -> list[float]:
    """Round values within `limits`, at most `most` of them."""
    room = limits[1] - limits[0]
    power = 10.0 ** math.floor(math.log10(room))
    step = next(s for k in (0.1, 0.2, 0.5, 1.0, 2.0, 5.0) if room / (s := k * power) < most)
    first, final = math.ceil(limits[0] / step - 1e-9), math.floor(limits[1] / step + 1e-9)
    return [float(f"{count * step:.10g}") for count in range(first, final + 1)]


def drawing(
    strips: Sequence[Strip], heat: Heat | None, run: str, trained: Sequence[int], last: int, brushed: tuple[int, int] | None, look: Look, width: Width
) -> Any:
    """`brushed`: the epochs marked in a drawing that nobody can brush; None: the drawing has a brush.

    `trained`: the run's epochs; `last`: the last of all runs.
    """
    top = heat.height + GAP if heat is not None else 0
    tops = [top + sum(strip.height + GAP for strip in strips[:i]) for i in range(len(strips))]
    total = tops[-1] + strips[-1].height
    scale = alt.Scale(domain=[total, 0], nice=False, zero=False)
    x = epochs_x(last, grid=True)
    epochs = pd.DataFrame({"trained": list(trained), "run": run})
    layers: list[Any] = [alt.Chart(epochs, name="strips").mark_point(aria=False, opacity=0, size=1).encode(x=x)]
    if brushed is not None:
        band = pd.DataFrame({"from": [brushed[0] - 0.4], "to": [brushed[1] + 0.4]})
        layers.append(alt.Chart(band).mark_rect(aria=False, color=look.accent, opacity=0.1).encode(x=epochs_x(last, field="from", grid=True), x2="to:Q"))
    rules: list[tuple[float, bool]] = []
    words: list[tuple[float, str, int]] = []
    points: list[Row] = []
    names: list[Row] = []
    ribbon: list[Row] = []
    for strip, start in zip(strips, tops, strict=True):
        words.append((start + HEAD - 4, strip.heading, 12))
        floor = start + strip.above + PLOT
        if strip.note:
            words.append((start + HEAD + NOTE - 4, strip.note, 11))
        if strip.lines is None:
            words.append((floor - PLOT / 2, strip.said, 12))
            continue
        at = _Place(strip.limits, floor)
        for tick in ticks(strip.limits):
            rules.append((at(tick), tick == 0))
            words.append((at(tick) - 1, strip.write(tick), 11))
        points += [{**row, "value": at(row["value"])} for row in strip.lines.points]
        names += [{**row, "value": at(row["value"])} for row in strip.lines.names]
        if strip.ribbon:
            start, end = floor + RIBBON_GAP, floor + RIBBON_GAP + RIBBON
            ribbon += [{**row, "y": start, "to": end, "from": row["trained"] - 0.5, "until": row["trained"] + 0.5} for row in strip.ribbon]
            names.append({"trained": last + 0.5, "label": "opposed", "ink": look.muted, "font": 11, "value": (start + end) / 2})
    if ribbon:
        layers.append(_ribbon(ribbon, last, scale, look))
    layers += _rules(rules, scale, look)
    if heat is not None:
        layers += _heat(heat, last, brushed, scale, look)
        words.append((HEAD - 6, "Group by modality, mean cosine, marked epochs", 12))
    if points:
        layers += marks(points, names, x, scale, None, look)
    layers.append(_words(words, scale, look))
    # The heat map's colours are a scale of their own: shared with it, the lines' inks would be taken for numbers.
    whole = alt.layer(*layers).resolve_scale(color="independent").properties(width=width, height=total)
    return whole.properties(params=[_brush(whole.layer[0].name, look)]) if brushed is None else whole


class _Place:
    """From values of a strip to pixels from the top."""

    def __init__(self, limits: Sequence[float], floor: float) -> None:
        self.low, self.per, self.floor = limits[0], PLOT / (limits[1] - limits[0]), floor

    def __call__(self, value: Any) -> Any:
        return round(self.floor - (value - self.low) * self.per, 2)


def _y(scale: alt.Scale, field: str = "y") -> alt.Y:
    return alt.Y(f"{field}:Q", scale=scale, axis=None)


def _brush(view: str, look: Look) -> alt.TopLevelSelectionParameter:
    """One brush through all strips, bound to the layer `view`."""
    mark = alt.BrushConfig(fill=look.accent, fillOpacity=0.1, stroke="transparent", cursor="col-resize")
    return alt.TopLevelSelectionParameter(name=BRUSH, select=alt.IntervalSelectionConfig(type="interval", encodings=["x"], mark=mark), views=[view])


def _rules(rules: Sequence[tuple[float, bool]], scale: alt.Scale, look: Look) -> list[Any]:
    """Grid lines, and a darker one at zero."""
    frame = pd.DataFrame([{"y": y, "ink": look.faint if zero else look.grid, "dash": [4, 4] if zero else [1, 0]} for y, zero in rules])
    if frame.empty:
        return []
    return [
        alt.Chart(frame)
        .mark_rule(aria=False, strokeWidth=1)
        .encode(y=_y(scale), color=alt.Color("ink:N", scale=None), strokeDash=alt.StrokeDash("dash:N", scale=None))
    ]


def _words(words: Sequence[tuple[float, str, int]], scale: alt.Scale, look: Look) -> Any:
    """Headings, and values on their grid lines: inside the drawing, whose width is the page's."""
    frame = pd.DataFrame(words, columns=["y", "words", "font"])
    return (
        alt.Chart(frame)
        # A longer text would take its room from the plot, in the end all of it.
        .mark_text(aria=False, align="left", baseline="bottom", color=look.muted, limit=WORDS)
        .encode(x=alt.value(0), y=_y(scale), text="words:N", size=alt.Size("font:Q", scale=None))
    )


def _ribbon(ribbon: Sequence[Row], last: int, scale: alt.Scale, look: Look) -> Any:
    return (
        alt.Chart(pd.DataFrame(ribbon))
        .mark_rect(aria=False, color=look.worse)
        .encode(
            x=epochs_x(last, field="from", grid=True), x2="until:Q", y=_y(scale), y2="to:Q",
            opacity=alt.Opacity("value:Q", scale=alt.Scale(domain=[0, 1], range=[0.04, 1]), legend=None),
            tooltip=[alt.Tooltip("trained:N", title="Epoch"), alt.Tooltip("shown:N", title="Conflicting steps")],
        )
    )  # fmt: skip


def _means(placed: pd.DataFrame, chosen: Any, wide: float) -> Any:
    """A cell's mean over the chosen epochs, and where its corners and its middle lie."""
    return (
        alt.Chart(placed)
        .transform_filter(chosen)
        .transform_aggregate(value="mean(value)", known="valid(value)", groupby=["modality", "group", "x", "y"])
        .transform_calculate(shown=SHOWN)
        .transform_calculate(
            told="datum.group + ', ' + datum.modality + ': ' + datum.shown",
            word="datum.known ? datum.shown : ''",
            to=f"datum.x + {wide}",
            down=f"datum.y + {CELL}",
            middle=f"datum.x + {wide / 2}",
            centre=f"datum.y + {CELL / 2}",
        )
        .encode(
            tooltip=[
                alt.Tooltip("group:N", title="Group"),
                alt.Tooltip("modality:N", title="Modality"),
                alt.Tooltip("shown:N", title="Mean cosine"),
                alt.Tooltip("known:Q", title="Epochs"),
            ]
        )
    )


def _heat(heat: Heat, last: int, brushed: tuple[int, int] | None, scale: alt.Scale, look: Look) -> list[Any]:
    """Mean of the brushed epochs' cosines, computed in the browser as the brush moves, on a ground that hides the brush."""
    low, high = span(last)
    left, wide = low + NAMES * (high - low), (1 - NAMES) * (high - low) / len(heat.modalities)
    columns = {modality: left + i * wide for i, modality in enumerate(heat.modalities)}
    rows = {group: 2 * HEAD + i * CELL for i, group in enumerate(heat.groups)}
    x = epochs_x(last, field="x", grid=True)
    ground = pd.DataFrame({"x": [low], "to": [high], "y": [0.0], "down": [float(heat.height + GAP / 2)]})
    layers: list[Any] = [alt.Chart(ground).mark_rect(aria=False, color=look.background, opacity=1).encode(x=x, x2="to:Q", y=_y(scale), y2="down:Q")]
    fields = ("trained", "modality", "group", "value")
    placed = pd.DataFrame(
        [{**{name: cell[name] for name in fields}, "x": columns[cell["modality"]], "y": rows[cell["group"]]} for cell in heat.cells],
        columns=[*fields, "x", "y"],
    )
    chosen: Any = {"param": BRUSH} if brushed is None else f"datum.trained >= {brushed[0]} && datum.trained <= {brushed[1]}"
    base = _means(placed, chosen, wide)
    middle = {"x": epochs_x(last, field="middle", grid=True), "y": _y(scale, "centre")}
    colours = alt.Scale(domain=[-MOST, 0, MOST], range=list(look.diverging), interpolate="rgb", clamp=True)
    cells = base.mark_rect(aria=False, cornerRadius=3, stroke=look.background, strokeWidth=2).encode(
        x=x, x2="to:Q", y=_y(scale), y2="down:Q",
        color=alt.condition("datum.known > 0", alt.Color("value:Q", scale=colours, legend=None), alt.value(look.neutral)),
    )  # fmt: skip
    usual = look.ink_on(0.0, (-1.0, 0.0, 1.0))
    strong = f"datum.value > {look.strong_from(2) * MOST} || datum.value < {-look.strong_from(0) * MOST}"
    numbers = base.mark_text(fontSize=12).encode(
        **middle,
        text="word:N",
        description=alt.Description("told:N"),
        color=alt.condition(strong, alt.value(next(ink for ink in INKS if ink != usual)), alt.value(usual)),
    )
    hatched = (
        base.transform_filter("datum.known == 0")
        .mark_point(aria=False, shape=HATCH, size=320, filled=False, stroke=look.no_estimate, strokeWidth=1)
        .encode(**middle)
    )
    words: dict[str, Any] = {"aria": False, "color": look.muted, "fontSize": 11}
    sides = pd.DataFrame({"y": [at + CELL / 2 for at in rows.values()], "name": list(rows)})
    layers += [cells, hatched, numbers, *_heads(columns, wide, x, scale, words)]
    layers.append(alt.Chart(sides).mark_text(align="left", limit=72, **{**words, "color": look.text}).encode(x=alt.value(0), y=_y(scale), text="name:N"))
    return layers


def _heads(columns: Mapping[str, float], wide: float, x: alt.X, scale: alt.Scale, words: Mapping[str, Any]) -> list[Any]:
    """Names over the columns of the heat map. Of many every second one stands higher, and the last ends with its column."""
    many = len(columns) > FEW
    places = pd.DataFrame(
        [
            {"x": at + (wide if many and i == len(columns) - 1 else wide / 2), "y": 2 * HEAD - (6.0 + 10.0 * (i % 2) if many else 10.0), "name": name}
            for i, (name, at) in enumerate(columns.items())
        ]
    )
    style = {**words, "fontSize": 10, "limit": 80} if many else {**words, "limit": 74}
    parts = [(places[:-1], "center"), (places[-1:], "right")] if many else [(places, "center")]
    return [alt.Chart(part).mark_text(align=align, **style).encode(x=x, y=_y(scale), text="name:N") for part, align in parts]


def thousandths(value: float) -> str:
    """Of a relative update: .0031 -> 3.1."""
    return f"{1000 * value:.2f}".rstrip("0").rstrip(".").replace("-", MINUS)
