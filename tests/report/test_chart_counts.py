"""A chart's file is for readers outside only where it tells no small count."""

from __future__ import annotations

import pandas as pd
import pytest

from core.charts.figure import Figure
from core.report.chart_counts import tells_small_counts


def figure(name: str = "forest", **columns: list[object]) -> Figure:
    return Figure(name=name, title="t", alt="a", data=pd.DataFrame(columns), panels=())


@pytest.mark.parametrize(
    ("columns", "tells"),
    [
        ({"n_pos": [40, 10]}, True),
        ({"n_pos": [40, 11], "value": [3, 0.5]}, False),
        ({"n_neg": [0, 30]}, False),
        ({"selected": [None, 3]}, True),
        ({"epoch": [1, 2], "value": [5.0, 6.0]}, False),
    ],
)
def test_a_small_count_is_told(columns: dict[str, list[object]], tells: bool) -> None:
    assert tells_small_counts(figure(**columns), 11) is tells


def test_curves_that_step_by_patients_are_told_by_their_name() -> None:
    assert tells_small_counts(figure("roc", fpr=[0.0, 1.0]), 11)
