"""Tolerances that mean something at the prevalence at hand, and operating points that select nearly nobody."""

from __future__ import annotations

import math

import numpy as np
import pytest

from core.audit.estimates.scored import Scored
from core.audit.inference.data_warnings import extreme_selection
from core.audit.inference.tolerances import DEFAULT_TOLERANCES, Tolerance, bound


@pytest.mark.parametrize(
    ("metric", "overall", "prevalence", "expected"),
    [
        ("auc", 0.8, 0.01, 0.05),
        ("tpr", None, 0.01, 0.05),
        ("selection_rate", 0.01, 0.01, 0.0025),
        ("selection_rate", 0.3, 0.3, 0.075),
        ("ppv", 0.6, 0.3, 0.1),
        ("npv", 0.99, 0.01, 0.0025),
        ("net_benefit", -0.3, 0.01, 0.001),
        ("brier", 0.0098, 0.01, 0.1 * 0.0099),
        ("oe_ratio", 1.2, 0.01, math.log(1.25)),
        ("calibration_slope", 0.9, 0.5, 0.2),
    ],
)
def test_the_bound_follows_the_prevalence(metric: str, overall: float | None, prevalence: float, expected: float) -> None:
    assert bound(metric, overall, prevalence).value == pytest.approx(expected)


def test_a_relative_bound_names_what_it_is_a_share_of() -> None:
    assert bound("ppv", 0.6, 0.3).words == ".100 (25% of what the overall value lacks to 1, .400)"
    assert bound("oe_ratio", None, 0.3).words == "1.25 times"
    assert bound("brier", None, 0.5, DEFAULT_TOLERANCES["brier"].with_value(0.2)).value == pytest.approx(0.05)
    assert bound("ppv", None, 0.3, Tolerance("absolute", 0.03)).value == 0.03


def test_no_share_of_nothing() -> None:
    for overall in (0.0, 1.0, None, float("nan")):
        found = bound("ppv", overall, 0.3)
        assert found.value is None and found.reason


def decided(n: int, positives: int, selected: int, threshold: float | None = 0.5) -> Scored:
    y, decision = np.arange(n) < positives, (np.arange(n) < selected).astype(np.int8)
    return Scored("m", y, np.full(n, 0.4), decision, None, None, threshold)


def test_a_threshold_that_selects_nearly_nobody_is_a_finding() -> None:
    (found,) = extreme_selection(decided(40_000, 400, 8))
    assert found.code == "nearly_nobody_selected" and "selects 8 of 40,000 rows, though 400 are positive" in found.message
    assert "threshold of 0.5" in found.message and found.rows == 8 and "--target" in found.remedy
    assert "none of 100 rows" in extreme_selection(decided(100, 20, 0, None))[0].message
    (other,) = extreme_selection(decided(1000, 950, 999))
    assert other.code == "nearly_everybody_selected" and "all but 1 of 1,000" in other.message


def test_ordinary_operating_points_are_none() -> None:
    assert extreme_selection(decided(1000, 100, 10)) == () and extreme_selection(decided(1000, 100, 910)) == ()
    assert len(extreme_selection(decided(1000, 100, 9))) == 1 and len(extreme_selection(decided(1000, 100, 911))) == 1
    assert extreme_selection(decided(50, 0, 0)) == () and extreme_selection(decided(50, 50, 0)) == ()
    assert extreme_selection(Scored("m", np.array([True, False]), np.zeros(2), None, "none", None, None)) == ()
