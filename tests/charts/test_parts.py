"""Labels move apart, domains hold what is drawn, text has its own room."""

from __future__ import annotations

from itertools import pairwise

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.charts.parts import domain, spread, with_gutter


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
