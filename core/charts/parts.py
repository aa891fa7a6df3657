"""Pieces that several charts share. Everything here draws or reshapes; nothing estimates."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import pandas as pd

from core.charts import grammar as alt
from core.charts import text
from core.charts.theme import INKS, Look, color_scale

ESTIMATE = {"value": "AUC", "low": "Low", "high": "High", "n_pos": "Positive", "n_neg": "Negative", "reason": "Why not estimable"}
"""Headings of the columns of an AUC with its counts, in tables below charts."""
HATCH = "M-1,.5L-.5,1M-1,-.25L.25,1M-1,-1L1,1M-.25,-1L1,.25M.5,-1L1,-.5"
"""Path of a hatched square, for cells that cannot be estimated."""

DIGITS = (
    "format(datum.value, abs(datum.value * 100 - round(datum.value * 100)) < 1e-6 ? '.2f' : abs(datum.value * 1000 - round(datum.value * "
    "1000)) < 1e-5 ? '.3f' : '.4f')"
)
"""A tick's value with two decimals, and with more only where two would write its neighbour's number too."""
DECIMALS = f"datum.value == 0 ? '0' : replace(replace({DIGITS}, /^([-\u2212]?)0\\./, '$1.'), '-', '\u2212')"
"""Axis label without the leading zero."""
LEAST_RANGE = 0.1
"""Of an axis of AUCs: where all are alike, at perfect separation for example, a narrower one would show noise."""


def decimal_axis(title: str | None, **more: Any) -> alt.Axis:
    """Axis of a quantity near one: .5, not 0.50."""
    return alt.Axis(title=title, labelExpr=DECIMALS, **more)


def epoch_axis(last: int, title: str | None = "Epochs trained", first: int = 0, **more: Any) -> alt.Axis:
    """Whole epochs only, few enough to read on a narrow panel."""
    step = max(1, -(-last // 6))
    return alt.Axis(title=title, values=[epoch for epoch in range(0, last + 1, step) if epoch >= first], format="d", **more)


def interval_texts(frame: pd.DataFrame, digits: int = 3, signed: bool = False) -> list[str]:
    """`value [low, high]` of each row."""
    return [text.interval(v, lo, hi, digits, signed) for v, lo, hi in zip(frame["value"], frame["low"], frame["high"], strict=True)]


def tooltips(fields: Mapping[str, str]) -> list[alt.Tooltip]:
    """Tooltip of columns (all already text or whole numbers): column -> heading."""
    return [alt.Tooltip(f"{column}:N", title=heading) for column, heading in fields.items()]


def domain(frames: Iterable[pd.Series], include: Sequence[float] = (), pad: float = 0.06, least: float = 0.05) -> list[float]:
    """One domain for several panels: covers every finite value and `include`, with some air.

    Its ends are round, so that the scales, and with them the panels, mostly stay as they are when
    a run comes or goes.
    """
    values = [float(v) for series in frames for v in series.dropna()]
    values += list(include)
    if not values:
        return [0.0, 1.0]
    low, high = min(values), max(values)
    room = max(high - low, least)
    power = 10.0 ** math.floor(math.log10(room))
    step = power / 2 if room >= 2 * power else power / 10
    # Through text: a multiple of .05 shall be no .15000000000000002.
    return [float(f"{count * step:.10g}") for count in (math.floor((low - pad * room) / step), math.ceil((high + pad * room) / step))]


def share_domain(frames: Iterable[pd.Series], include: Sequence[float] = ()) -> list[float]:
    """`domain` of quantities between 0 and 1, never beyond these and at least LEAST_RANGE wide."""
    low, high = domain(frames, include)
    low, high = max(0.0, low), min(1.0, high)
    if high - low < LEAST_RANGE:
        high = max(high, LEAST_RANGE)
        low = high - LEAST_RANGE
    return [round(low, 4), round(high, 4)]


def with_gutter(limits: Sequence[float], left: float = 0.0, right: float = 0.0) -> tuple[list[float], list[float]]:
    """A domain with room for text beside the marks, and ticks that stay out of that room.

    `left`, `right`: room as a share of the data's own range.
    """
    low, high = limits
    room = high - low
    step = next((s for s in (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.25) if room / s <= 6), 0.5)
    first = math.ceil(low / step - 1e-9)
    ticks = [round(k * step, 4) for k in range(first, math.floor(high / step + 1e-9) + 1)]
    return [low - left * room, high + right * room], ticks


def spread(positions: Sequence[float], gap: float) -> list[float]:
    """Move labels apart so that neighbours are at least `gap` away, each as little as possible.

    Overlapping neighbours are centred on their common mean, repeatedly.
    """
    order = sorted(range(len(positions)), key=lambda i: positions[i])
    blocks: list[tuple[float, list[int]]] = []
    for index in order:
        blocks.append((positions[index], [index]))
        while len(blocks) > 1:
            (low, first), (high, second) = blocks[-2], blocks[-1]
            if high - low >= gap * (len(first) + len(second)) / 2:
                break
            centre = (low * len(first) + high * len(second)) / (len(first) + len(second))
            blocks[-2:] = [(centre, first + second)]
    placed = list(positions)
    for centre, members in blocks:
        for step, index in enumerate(members):
            placed[index] = centre + gap * (step - (len(members) - 1) / 2)
    return placed


def end_labels(frame: pd.DataFrame, x: str, name: str, limits: Sequence[float], height: int, font: int = 12) -> pd.DataFrame:
    """One row per `name` at its last `x`, with `label_y` moved apart for text of `font` pixels."""
    last = frame.dropna(subset=["value"]).sort_values(x).groupby(name, sort=False).tail(1).copy()
    gap = (limits[1] - limits[0]) * (font + 3) / height
    last["label_y"] = within(spread(list(last["value"].astype(float)), gap), gap, limits)
    return last


LONGEST = 120
"""Pixels of a name at the end of a line; a longer one ends in dots."""


def end_room(names: Iterable[str], panel: int = 300) -> float:
    """By how much an axis is longer than its data, so that names of lines fit at their ends in a panel of `panel` pixels."""
    needed = min(LONGEST, 8 + 7.2 * max(map(len, names), default=0))
    return max(1.28, panel / (panel - needed))


def within(positions: Sequence[float], gap: float, limits: Sequence[float]) -> list[float]:
    """Labels pushed inside `limits`, kept `gap` apart; too many for the room overflow at the bottom."""
    placed = list(positions)
    order = sorted(range(len(placed)), key=lambda i: placed[i])
    floor = limits[0]
    for index in order:
        placed[index] = max(placed[index], floor)
        floor = placed[index] + gap
    ceiling = limits[1]
    for index in reversed(order):
        placed[index] = min(placed[index], ceiling)
        ceiling = placed[index] - gap
    return placed


def colored(field: str, colors: Mapping[str, str], legend: alt.Legend | None = None) -> alt.Color:
    """Colour by name with the fixed palette; direct labels stand in for a legend by default."""
    return alt.Color(f"{field}:N", scale=color_scale(colors), legend=legend)


def text_colored(look: Look, field: str, colors: Mapping[str, str]) -> alt.Color:
    """`colored` for words: the same hues, as dark or light as words must be."""
    return colored(field, {name: look.readable(color) for name, color in colors.items()})


def reference_line(look: Look, value: float, axis: str = "y", dash: tuple[int, int] = (4, 4)) -> alt.Chart:
    """A thin line at `value`: chance, zero, the overall estimate."""
    data = pd.DataFrame({"value": [value]})
    return alt.Chart(data).mark_rule(color=look.faint, strokeDash=list(dash), strokeWidth=1).encode(**{axis: alt.datum(value)})


SLANTED = {"labelAngle": -38, "labelAlign": "left", "labelLimit": 190, "labelOverlap": False, "labelExpr": "replace(datum.label, '\\n', ' ')"}
"""Names over columns that are narrower than the names."""


def crowded(columns: Sequence[str]) -> bool:
    """Whether the names of a heat map's columns would run into each other where three panels stand side by side."""
    return len(columns) * max((len(line) for name in columns for line in name.split("\n")), default=0) > 40


def wide_enough(columns: Sequence[str], panels: int) -> int:
    """How many heat maps with these columns stand in a row so that their numbers fit into their cells."""
    return min(panels, 3 if len(columns) <= 5 else 2 if len(columns) <= 7 else 1)


def least_width(columns: Sequence[str]) -> int:
    """Pixels of a heat map with these columns below which its numbers run into each other."""
    return 100 + 40 * len(columns)


LINE = 14
"""Height of a line of an axis' labels, in pixels: those above a plot grow down into it."""


def _lines(names: Sequence[str]) -> dict[str, Any]:
    """Names that stand upright, in as many lines as they have."""
    lines = max((name.count("\n") for name in names), default=0)
    return {"labelAngle": 0, "labelLimit": 110, "labelExpr": "split(datum.label, '\\n')", "labelPadding": 4 + LINE * lines}


def heat_map(
    frame: pd.DataFrame, look: Look, width: int | str, *, x: str, y: str, x_order: Sequence[str], y_order: Sequence[str],
    limits: tuple[float, float, float], tips: Mapping[str, str], x_title: str | None, y_title: str | None, cell: int = 44,
) -> Any:  # fmt: skip
    """Cells with their numbers in them; `frame` has value (missing: hatched), shown (text), `x`, `y`.

    `limits` are the values of the three diverging colours.
    """
    frame = frame.assign(light=[not text.missing(value) and look.ink_on(value, limits) == INKS[0] for value in frame["value"]])
    base = alt.Chart(frame).encode(
        x=alt.X(
            f"{x}:N",
            sort=list(x_order),
            scale=alt.Scale(domain=list(x_order)),
            axis=alt.Axis(title=x_title, orient="top", domain=False, **(SLANTED if crowded(x_order) else _lines(x_order))),
        ),
        y=alt.Y(f"{y}:N", sort=list(y_order), scale=alt.Scale(domain=list(y_order)), axis=alt.Axis(title=y_title)),
        tooltip=tooltips(tips),
    )
    known = alt.datum.value != None  # noqa: E711 - a Vega expression, not a Python comparison
    cells = (
        base.transform_filter(known)
        .mark_rect(cornerRadius=3, stroke=look.background, strokeWidth=2)
        .encode(color=alt.Color("value:Q", scale=alt.Scale(domain=list(limits), range=list(look.diverging), interpolate="rgb", clamp=True), legend=None))
    )
    numbers = (
        base.transform_filter(known).mark_text(fontSize=12).encode(text="shown:N", color=alt.condition(alt.datum.light, alt.value(INKS[0]), alt.value(INKS[1])))
    )
    unknown = base.transform_filter(alt.datum.value == None)  # noqa: E711
    blank = unknown.mark_rect(cornerRadius=3, stroke=look.background, strokeWidth=2, color=look.neutral)
    hatched = unknown.mark_point(shape=HATCH, size=420, filled=False, stroke=look.no_estimate, strokeWidth=1)
    return (blank + hatched + cells + numbers).properties(width=width, height=cell * len(y_order))


def agreement_square(look: Look, x: tuple[str, str], y: tuple[str, str], **axis: Any) -> tuple[alt.X, alt.Y, Any]:
    """Axes of shares from 0 to 1 and the dashed diagonal on which both are the same; `x`, `y` : column and title."""
    scale = alt.Scale(domain=[0, 1])
    across = alt.X(f"{x[0]}:Q", scale=scale, axis=decimal_axis(x[1], tickCount=5, **axis))
    up = alt.Y(f"{y[0]}:Q", scale=scale, axis=decimal_axis(y[1], tickCount=5))
    diagonal = alt.Chart(pd.DataFrame({x[0]: [0.0, 1.0], y[0]: [0.0, 1.0]})).mark_line(color=look.faint, strokeDash=[4, 4], strokeWidth=1)
    return across, up, diagonal.encode(x=across, y=up)


def smooth_curve(base: Any, y: alt.Y, tips: list[alt.Tooltip] | None = None, band: float = 0.16, **mark: Any) -> list[Any]:
    """Band (how opaque) and line of a smooth calibration curve over `predicted`; the band's limits are in `low` and `high`."""
    shade = base.mark_area(opacity=band, aria=False, **mark).encode(y=alt.Y("low:Q", scale=alt.Scale(domain=[0, 1])), y2="high:Q")
    line = base.mark_line(strokeWidth=2.2, **mark).encode(y=y, order="predicted:Q", **({"tooltip": tips} if tips else {}))
    return [shade, line]
