from __future__ import annotations

import numpy as np

from core.charts.band_histogram import band_histogram
from core.charts.theme import LIGHT
from tests.charts.altair_draws import assert_altair_draws_the_same


def test_a_band_holds_its_lower_edge_and_every_value_is_in_one_bar() -> None:
    values = np.array([10.0, 18, 18, 39, 40, 90, np.nan])
    figure = band_histogram(values, (18, 40), ("<18", "18 to <40", "40+"), "age")
    assert figure.title == "age in 3 bands: <18 (1), 18 to <40 (3), 40+ (2)."
    assert figure.data["rows"].sum() == 6


def test_altair_draws_the_same() -> None:
    assert_altair_draws_the_same(band_histogram(np.arange(100.0), (25, 50), ("a", "b", "c"), "age"), LIGHT)


def test_no_number_is_said() -> None:
    assert band_histogram(np.array([np.nan]), (1.0,), ("a", "b"), "age").empty
