"""Colours keep their meaning: fixed orders, readable on their background, never red against green."""

from __future__ import annotations

from itertools import combinations

import pytest

from core.charts.theme import DARK, LIGHT, SPARE_LIGHT, Look, config, method_rank
from core.methods.source import cards


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
        assert all(_contrast(color, look.background) > 1.8 for color in palette)
        assert all(a != b for a, b in combinations(palette, 2))


def test_a_groups_colour_does_not_depend_on_who_is_drawn() -> None:
    groups = ("a", "b", "c")
    assert LIGHT.group_colors(groups)["b"] == LIGHT.groups[1]
    assert len(LIGHT.groups) == len(DARK.groups)


def test_unknown_methods_follow_the_known_ones_stably() -> None:
    assert method_rank("erm") == 0
    assert method_rank("somebody's-new-method") >= max(card.order for card in cards().values())
    assert method_rank("somebody's-new-method") == method_rank("somebody's-new-method")
    assert LIGHT.method_color("somebody's-new-method") in SPARE_LIGHT


def test_charts_have_no_background_of_their_own() -> None:
    assert config(LIGHT)["background"] == "transparent"
