"""Whether the file of a chart would tell a count of few patients."""

from __future__ import annotations

import pandas as pd

from core.charts.figure import Figure

COUNTS = frozenset({"n", "n_pos", "n_neg", "n_patients", "present", "selected", "tp", "fp", "fn", "tn"})
STEPS = frozenset({"roc", "reliability", "decision_curves", "score_distribution", "sliding_threshold", "thresholds"})
"""Figures by group whose steps and bars are single patients: reports that hide small counts leave them out."""


def tells_small_counts(figure: Figure, limit: int) -> bool:
    """Whether the chart shows a count from 1 to `limit` - 1, or steps of single patients; such a file is not for readers outside.

    A chart cannot be cut as a report's tables are: its title, its other marks and their sum would tell what a missing mark hides.
    """
    if figure.name in STEPS:
        return True
    counts = [pd.to_numeric(figure.data[name], errors="coerce") for name in figure.data.columns if str(name) in COUNTS]
    return any(bool((one.gt(0) & one.lt(limit)).any()) for one in counts)
