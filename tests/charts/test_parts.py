"""Labels move apart, domains hold what is drawn, text has its own room."""

from __future__ import annotations

from itertools import pairwise

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.charts.parts import domain, least_width, spread, with_gutter
from dashboard.style import STYLE, least_step


@given(st.lists(st.floats(-100, 100), min_size=1, max_size=12), st.floats(0.01, 5))
def test_spread_keeps_order_and_distance(positions: list[float], gap: float) -> None:
    placed = spread(positions, gap)
    order = sorted(range(len(positions)), key=lambda i: positions[i])
    for low, high in pairwise(order):
        assert placed[high] - placed[low] >= gap * (1 - 1e-6)


def test_spread_leaves_labels_alone_that_have_room() -> None:
    assert spread([0.0, 10.0, 5.0], 1.0) == [0.0, 10.0, 5.0]


def test_domain_holds_every_value_and_ignores_the_missing() -> None:
    low, high = domain([pd.Series([0.2, None, 0.8])], include=[0.9])
    assert low < 0.2 and high > 0.9
    assert domain([pd.Series([], dtype=float)]) == [0.0, 1.0]


def test_ticks_stay_out_of_the_gutter() -> None:
    limits, ticks = with_gutter([0.6, 0.9], left=0.5, right=0.5)
    assert limits == pytest.approx([0.45, 1.05])
    assert min(ticks) >= 0.6 and max(ticks) <= 0.9 and 3 <= len(ticks) <= 7


def test_a_domain_stays_when_values_within_it_come_or_go() -> None:
    whole = domain([pd.Series([0.712, 0.846])])
    assert whole == [0.7, 0.86]
    assert domain([pd.Series([0.712, 0.8, 0.846])]) == domain([pd.Series([0.714, 0.844])]) == whole
    assert domain([pd.Series([-0.31, 0.62])]) == [-0.4, 0.7]
    assert domain([pd.Series([0.0, 0.00041])], least=1e-6) == [-5e-05, 0.00045]


def test_a_drawing_of_many_columns_is_scrolled_on_a_telephone() -> None:
    """Ten columns of pairs on 390 pixels were numbers that ran into each other."""
    assert least_width(["a"] * 5) == 300 and least_step(least_width(["a"] * 10)) == 500
    assert f'st-key-least-{least_step(450)}-"] [data-testid="stVegaLiteChart"] {{ min-width: 500px; }}' in STYLE
    assert least_step(9999) == 1200 and 'st-key-least-1200-"' in STYLE
