"""One look for every chart: colours that keep their meaning on all pages and in reports.

Groups take one palette in a fixed order, methods a second with the family told by the shape,
modalities a third. Good and bad are blue and orange, never green and red, and no group and no
modality is blue or orange: a colour means one thing a screen. Within a palette the colours stay
apart for readers without red or green cones (tests/charts/test_theme.py simulates both). What
cannot be estimated is grey, and hatched where an area is filled.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from math import dist
from typing import Any

from core.charts import grammar as alt
from core.methods.card import LAST_PLACE
from core.methods.source import cards

FONT = '"Inter", "Source Sans", "Source Sans 3", "Segoe UI", "Helvetica Neue", "Liberation Sans", Arial, sans-serif'

GROUPS_LIGHT = ("#1F9059", "#5B2A9D", "#CB6FA0", "#7A4D00", "#9079FE", "#003A04", "#963F70", "#520246")
GROUPS_DARK = ("#3CC98A", "#824ACA", "#ECD3FC", "#AA9117", "#417A78", "#CFEF46", "#D65CBE", "#B84221")

MODALITY_LIGHT = ("#59928F", "#B71727", "#220089", "#B869E5", "#551302", "#6B4680")
MODALITY_DARK = ("#1089A0", "#BA3E3E", "#846CF0", "#FAA9C1", "#AA9117", "#CFEF46")

SPARE_LIGHT = ("#53789E", "#A35C2E", "#5F6B1E", "#7D6AA8")
SPARE_DARK = ("#8FB4DA", "#DE9A6A", "#A8B55A", "#B7A5E2")
"""For methods without a colour on their card, in turn."""

FAMILY_SHAPES: Mapping[str, str] = {"none": "circle", "balance": "triangle-up", "fairness": "square", "both": "diamond"}
FAMILY_NAMES: Mapping[str, str] = {
    "none": "plain training",
    "balance": "modality balance",
    "fairness": "group fairness",
    "both": "balance and fairness",
}


CONTRAST = 4.5
"""Least contrast of text with its ground (WCAG 2.2, success criterion 1.4.3)."""
INKS = ("#FFFFFF", "#000000")
"""Black itself: with anything lighter neither ink reaches CONTRAST on a ground between the two."""


def rgb(color: str) -> tuple[float, ...]:
    """Red, green and blue of `#rrggbb`, 0 to 255."""
    return tuple(int(color[i : i + 2], 16) for i in (1, 3, 5))


def contrast(first: Sequence[float], second: Sequence[float]) -> float:
    """Contrast ratio of two colours, from 1 to 21 (WCAG 2.2, relative luminance of sRGB)."""

    def luminance(color: Sequence[float]) -> float:
        linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in (v / 255 for v in color)]
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

    light, dark = sorted((luminance(first), luminance(second)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


APART = 0.125
"""Least distance in OKLab of a method's colour from those of better and worse."""
_TO_CONES = ((0.4122214708, 0.5363325363, 0.0514459929), (0.2119034982, 0.6806995451, 0.1073969566), (0.0883024619, 0.2817188376, 0.6299787005))
_TO_LAB = ((0.2104542553, 0.7936177850, -0.0040720468), (1.9779984951, -2.4285922050, 0.4505937099), (0.0259040371, 0.7827717662, -0.8086757660))


@cache
def oklab(color: tuple[float, ...]) -> tuple[float, ...]:
    """Red, green and blue in OKLab, in which equal distances look alike (Ottosson 2020)."""
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in (v / 255 for v in color)]
    cones = [sum(m * c for m, c in zip(row, linear, strict=True)) ** (1 / 3) for row in _TO_CONES]
    return tuple(sum(m * c for m, c in zip(row, cones, strict=True)) for row in _TO_LAB)


def ink_over(ground: Sequence[float]) -> str:
    """Black or white, whichever is read better on `ground` (red, green, blue)."""
    return max(INKS, key=lambda ink: contrast(rgb(ink), ground))


NEVER = 1e6


@dataclass(frozen=True)
class Look:
    """The colours of one theme. `mode` is "light" or "dark"; all values are CSS colours."""

    mode: str
    background: str
    text: str
    muted: str
    faint: str
    grid: str
    accent: str
    better: str
    worse: str
    neutral: str
    no_estimate: str
    groups: tuple[str, ...]
    modalities: tuple[str, ...]
    diverging: tuple[str, str, str]
    """Worse (negative), nothing, better (positive)."""
    sequential: tuple[str, str]

    def readable(self, color: str) -> str:
        """`color` as text on the background: mixed with the text's colour until its contrast is CONTRAST."""
        ground, ink = rgb(self.background), rgb(self.text)
        for step in range(21):
            mixed = tuple(round(c + (t - c) * step / 20) for c, t in zip(rgb(color), ink, strict=True))
            if contrast(mixed, ground) >= CONTRAST:
                return color if step == 0 else "#{:02X}{:02X}{:02X}".format(*mixed)
        return self.text

    def ink_on(self, value: float, limits: tuple[float, float, float]) -> str:
        """Colour of a number in the heat map's cell of `value`: light or dark, whichever is read better."""
        low, middle, high = limits
        end, span = (self.diverging[0], middle - low) if value < middle else (self.diverging[2], high - middle)
        share = min(1.0, abs(value - middle) / span) if span else 0.0
        cell = tuple(m + (e - m) * share for m, e in zip(rgb(self.diverging[1]), rgb(end), strict=True))
        return ink_over(cell)

    def strong_from(self, end: int) -> float:
        """From which share of the diverging scale on, towards its `end` (0 or 2), a number takes the other ink of INKS.

        That is the one it does not have in the middle; NEVER, which is beyond every value, where it never does.
        """
        limits = (-1.0, 0.0, 1.0)
        sign = -1 if end == 0 else 1
        usual = self.ink_on(0.0, limits)
        return next((step / 100 for step in range(101) if self.ink_on(sign * step / 100, limits) != usual), NEVER)

    def group_colors(self, groups: Sequence[str]) -> dict[str, str]:
        """Colour per group; `groups` is the attribute's full list in its fixed (sorted) order."""
        return {group: self.groups[i % len(self.groups)] for i, group in enumerate(groups)}

    def modality_colors(self, modalities: Sequence[str]) -> dict[str, str]:
        """Colour per modality; `modalities` in the cohort's order."""
        return {name: self.modalities[i % len(self.modalities)] for i, name in enumerate(modalities)}

    def method_color(self, method: str) -> str:
        """The card's colour; a method without one takes a spare colour, always the same."""
        light = self.mode == "light"
        card = cards().get(method)
        if card is not None and card.colour is not None:
            return self.apart(card.colour[0 if light else 1])
        spare = SPARE_LIGHT if light else SPARE_DARK
        return self.apart(spare[sum(map(ord, method)) % len(spare)])

    def apart(self, color: str) -> str:
        """`color`, darker where it is near those of better and worse: blue and orange mean nothing else."""
        dark = self.text if self.mode == "light" else self.background
        marks = [oklab(rgb(meaning)) for meaning in (self.better, self.worse)]
        for step in range(21):
            mixed = tuple(round(c + (t - c) * step / 20) for c, t in zip(rgb(color), rgb(dark), strict=True))
            if all(dist(oklab(mixed), mark) >= APART for mark in marks):
                return color if step == 0 else "#{:02X}{:02X}{:02X}".format(*mixed)
        return color


LIGHT = Look(
    mode="light", background="#FFFFFF", text="#1B1F27", muted="#5B6472", faint="#98A0AD", grid="#E9ECF1",
    accent="#3549B8", better="#1F6FB5", worse="#C7650A", neutral="#F2F3F6", no_estimate="#B4BAC4",
    groups=GROUPS_LIGHT, modalities=MODALITY_LIGHT, 
    diverging=("#C7650A", "#F5F6F8", "#1F6FB5"), sequential=("#EEF2FA", "#2F4FA8"),
)  # fmt: skip
DARK = Look(
    mode="dark", background="#12151B", text="#E8EBF0", muted="#A3ACBA", faint="#6C7685", grid="#252B36",
    accent="#93A6FF", better="#62AEEA", worse="#F0A04B", neutral="#232935", no_estimate="#59626F",
    groups=GROUPS_DARK, modalities=MODALITY_DARK, 
    diverging=("#AA5F10", "#262C38", "#2B77B8"), sequential=("#1E2736", "#7FA6F5"),
)  # fmt: skip
LOOKS: Mapping[str, Look] = {"light": LIGHT, "dark": DARK}


def method_rank(method: str) -> int:
    """Place of a method in lists, from its card; unknown names follow the known ones, stably."""
    card = cards().get(method)
    return LAST_PLACE + sum(map(ord, method)) if card is None else card.order


def color_scale(colors: Mapping[str, str]) -> alt.Scale:
    """A scale that gives each name its colour, whichever names are in the data."""
    return alt.Scale(domain=list(colors), range=list(colors.values()))


def shape_scale() -> alt.Scale:
    """Shape by method family."""
    return alt.Scale(domain=list(FAMILY_SHAPES), range=list(FAMILY_SHAPES.values()))


def config(look: Look) -> dict[str, Any]:
    """Vega-Lite configuration of a look: no frame, light grid, text that can be read."""
    return {
        "background": "transparent",
        "font": FONT,
        "padding": {"left": 4, "top": 6, "right": 12, "bottom": 4},
        "view": {"stroke": None, "continuousHeight": 240},
        "axis": {
            "domain": False, "ticks": False, "gridColor": look.grid, "labelColor": look.muted, "titleColor": look.muted,
            "labelFontSize": 12, "titleFontSize": 12, "titleFontWeight": "normal", "labelPadding": 6, "titlePadding": 10,
            "labelLimit": 150,
        },
        "axisX": {"titleAnchor": "end", "titleAlign": "right", "grid": False},
        "axisY": {"titleAnchor": "end", "titleAngle": 0, "titleAlign": "left", "titleX": 0, "titleY": -12, "titleBaseline": "bottom"},
        "header": {"labelColor": look.text, "labelFontSize": 13, "labelFontWeight": 600, "titleColor": look.muted, "labelPadding": 8},
        "legend": {
            "labelColor": look.muted, "titleColor": look.muted, "labelFontSize": 12, "titleFontSize": 12,
            "titleFontWeight": "normal", "orient": "top", "symbolSize": 90, "offset": 8, "labelLimit": 200,
        },
        "title": {"color": look.text, "subtitleColor": look.muted, "anchor": "start", "fontSize": 15, "subtitleFontSize": 12, "fontWeight": 600, "offset": 14},
        "text": {"color": look.text, "fontSize": 12},
        "rule": {"color": look.faint, "aria": False},
        "line": {"strokeWidth": 2.2, "strokeCap": "round", "strokeJoin": "round"},
        "area": {"opacity": 0.16},
        "point": {"filled": True, "size": 70, "opacity": 1},
        "bar": {"color": look.accent},
        "range": {"category": list(look.groups), "diverging": list(look.diverging), "heatmap": list(look.sequential)},
        "concat": {"spacing": 28},
        "facet": {"spacing": 24},
    }  # fmt: skip


def styled(chart: Any, look: Look) -> Any:
    """`chart` with the configuration of `look`; call once, on the outermost chart."""
    return chart.configure(**config(look))
