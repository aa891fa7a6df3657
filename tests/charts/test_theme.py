"""Colours keep their meaning: fixed orders, readable on their background, never red against green."""

from __future__ import annotations

import re
import tomllib
from itertools import combinations
from math import dist
from pathlib import Path

import pytest

from core.charts.theme import CONTRAST, DARK, LIGHT, SPARE_LIGHT, Look, config, method_rank
from core.methods.source import cards
from dashboard.style import STYLE

ROOT = Path(__file__).resolve().parents[2]
MARK = 3.0
"""Least contrast of a mark with its ground (WCAG 2.2, success criterion 1.4.11)."""
CONES = (
    ((0.367322, 0.860646, -0.227968), (0.280085, 0.672501, 0.047413), (-0.011820, 0.042940, 0.968881)),
    ((0.152286, 1.052583, -0.204868), (0.114503, 0.786281, 0.099216), (-0.003882, -0.048116, 1.051998)),
)
"""Deuteranopia and protanopia on linear sRGB (Machado, Oliveira and Fernandes 2009, severity 1)."""
TO_CONES = ((0.4122214708, 0.5363325363, 0.0514459929), (0.2119034982, 0.6806995451, 0.1073969566), (0.0883024619, 0.2817188376, 0.6299787005))
TO_LAB = ((0.2104542553, 0.7936177850, -0.0040720468), (1.9779984951, -2.4285922050, 0.4505937099), (0.0259040371, 0.7827717662, -0.8086757660))


def _luminance(color: str) -> float:
    parts = [int(color[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.03928 else ((c + 0.055) / 1.055) ** 2.4 for c in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def _contrast(a: str, b: str) -> float:
    high, low = sorted((_luminance(a), _luminance(b)), reverse=True)
    return (high + 0.05) / (low + 0.05)


@pytest.mark.parametrize("look", [LIGHT, DARK], ids=["light", "dark"])
def test_text_can_be_read(look: Look) -> None:
    assert _contrast(look.text, look.background) > 10
    assert _contrast(look.muted, look.background) > 4.5
    assert _contrast(look.better, look.background) > 3
    assert _contrast(look.worse, look.background) > 3


@pytest.mark.parametrize("look", [LIGHT, DARK], ids=["light", "dark"])
def test_marks_can_be_seen_and_told_apart(look: Look) -> None:
    methods = tuple(look.method_color(name) for name in cards())
    for palette in (look.groups, look.modalities, methods):
        assert all(_contrast(color, look.background) > (1.8 if palette is methods else MARK) for color in palette)
        assert all(a != b for a, b in combinations(palette, 2))


def _seen(color: str) -> list[tuple[float, ...]]:
    """OKLab coordinates times 100 (Ottosson 2020) of the colour as it is, and as readers without green or red cones see it."""
    own = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in (int(color[i : i + 2], 16) / 255 for i in (1, 3, 5))]
    found = []
    for matrix in (None, *CONES):
        light = own if matrix is None else [min(1.0, max(0.0, sum(m * c for m, c in zip(row, own, strict=True)))) for row in matrix]
        cones = [max(0.0, sum(m * c for m, c in zip(row, light, strict=True))) ** (1 / 3) for row in TO_CONES]
        found.append(tuple(100 * sum(m * c for m, c in zip(row, cones, strict=True)) for row in TO_LAB))
    return found


def _apart(a: str, b: str) -> list[float]:
    """Distance of two colours in full colour vision, without green cones, without red cones."""
    return [dist(x, y) for x, y in zip(_seen(a), _seen(b), strict=True)]


def test_distances_are_those_of_the_model() -> None:
    assert _apart("#000000", "#FFFFFF")[0] == pytest.approx(100, abs=0.1)
    red, brown = "#B40000", "#6E6E00"
    assert _apart(red, brown)[1] < _apart(red, brown)[0] / 2, "red and olive are alike without green cones"


@pytest.mark.parametrize("look", [LIGHT, DARK], ids=["light", "dark"])
def test_colours_of_a_palette_stay_apart_without_red_or_green_cones(look: Look) -> None:
    """Vermilion and olive were 2.3 apart without red cones, two modalities 2.2 without green ones."""
    for palette in (look.groups, look.modalities):
        distances = [_apart(a, b) for a, b in combinations(palette, 2)]
        assert min(full for full, *_ in distances) > 13
        assert min(min(found) for found in distances) > 9.5
    assert min(_apart(look.better, look.worse)) > 20


@pytest.mark.parametrize("look", [LIGHT, DARK], ids=["light", "dark"])
def test_no_group_and_no_modality_has_the_colour_of_better_or_worse(look: Look) -> None:
    """Two groups were drawn in blue and orange beside verdicts in blue and orange."""
    for color in (*look.groups, *look.modalities):
        for meaning in (look.better, look.worse):
            assert _apart(color, meaning)[0] > 12 and min(_apart(color, meaning)) > 6, (color, meaning)


@pytest.mark.parametrize("look", [LIGHT, DARK], ids=["light", "dark"])
def test_no_method_has_the_colour_of_better_or_worse(look: Look) -> None:
    """MultiFair's blue stood over the blue of what is better, on one page."""
    for name in (*cards(), "somebody's-new-method"):
        color = look.method_color(name)
        assert all(_apart(color, meaning)[0] > 12 for meaning in (look.better, look.worse)), (name, color)
    assert all(look.apart(color) == color for color in (look.text, look.background)), "what is far away stays as it is"


@pytest.mark.parametrize("look", [LIGHT, DARK], ids=["light", "dark"])
def test_the_theme_of_the_pages_can_be_read(look: Look) -> None:
    """Text of tags, captions and links on the grounds that the theme gives them, in both themes."""
    theme = tomllib.loads((ROOT / "dashboard" / ".streamlit" / "config.toml").read_text(encoding="utf-8"))["theme"]
    own = theme[look.mode]
    assert (own["backgroundColor"], own["textColor"]) == (look.background, look.text), "charts and pages have one ground"
    grounds = [own["backgroundColor"], own["secondaryBackgroundColor"], own["sidebar"]["backgroundColor"], own["sidebar"]["secondaryBackgroundColor"]]
    for ground in grounds:
        assert _contrast(own["textColor"], ground) >= CONTRAST
        # Captions and the small print of the sidebar are the text at this opacity.
        for opacity in map(float, re.findall(r"(?:stCaptionContainer\"\]|st-key-brand p|td\.key)[^}]*opacity: (\.\d+)", STYLE)):
            assert _contrast(_mixed(own["textColor"], ground, opacity), ground) >= CONTRAST, (ground, opacity)
    for name in ("blue", "orange", "gray"):
        ground = own[f"{name}BackgroundColor"]
        text = own[f"{name}TextColor"]
        assert _contrast(text, ground) >= CONTRAST and _contrast(text, own["backgroundColor"]) >= CONTRAST, name
    chosen = re.findall(r"light-dark\((#\w{6}), (#\w{6})\)", STYLE)
    assert chosen and all(_contrast(pair[look is DARK], ground) >= CONTRAST for pair in chosen for ground in grounds[:2])
    assert _contrast("#FFFFFF", own["primaryColor"]) >= CONTRAST, "white on the main button"


def _mixed(front: str, back: str, opacity: float) -> str:
    pairs = ((int(front[i : i + 2], 16), int(back[i : i + 2], 16)) for i in (1, 3, 5))
    return "#" + "".join(f"{round(a * opacity + b * (1 - opacity)):02X}" for a, b in pairs)


def test_a_groups_colour_does_not_depend_on_who_is_drawn() -> None:
    groups = ("a", "b", "c")
    assert LIGHT.group_colors(groups)["b"] == LIGHT.groups[1]
    assert len(LIGHT.groups) == len(DARK.groups)


def test_unknown_methods_follow_the_known_ones_stably() -> None:
    assert method_rank("erm") == 0
    assert method_rank("somebody's-new-method") >= max(card.order for card in cards().values())
    assert method_rank("somebody's-new-method") == method_rank("somebody's-new-method")
    assert LIGHT.method_color("somebody's-new-method") in map(LIGHT.apart, SPARE_LIGHT)


def test_charts_have_no_background_of_their_own() -> None:
    assert config(LIGHT)["background"] == "transparent"
