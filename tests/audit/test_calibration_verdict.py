"""Verdicts on calibration rest on O:E and slope: words, corrections, and how often they are wrong."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
from scipy.special import expit

from core.audit.inference.calibration_verdict import CalibrationVerdict, calibration_verdict
from core.audit.inference.tolerances import DEFAULT_TOLERANCES, Tolerance
from core.audit.inference.verdicts import DISPARITY, NONE_FOUND, NOT_ENOUGH
from core.metrics.calibration_fit import CalibrationFit, calibration_fit
from core.metrics.linear_estimates import LinearEstimates, all_pairs
from core.metrics.multiple_testing import holm


def estimates(value: list[float], se: float) -> LinearEstimates:
    found = np.array(value)
    reason = tuple(None if np.isfinite(v) else "no events" for v in found)
    return LinearEstimates(found, np.where(np.isfinite(found), se**2, np.nan), np.full(found.size, 500.0), reason)


def verdict(log_oe: list[float], slope: list[float], se: float = 0.02, **more: object) -> CalibrationVerdict:
    fit = CalibrationFit(estimates(log_oe, se), estimates(slope, se), estimates(log_oe, se))
    return calibration_verdict(fit, all_pairs(len(slope)), **more)  # type: ignore[arg-type]


def test_the_three_words() -> None:
    assert verdict([0.0, 0.01], [1.0, 1.02]).verdict == NONE_FOUND
    assert verdict([0.0, 0.01], [1.0, 1.02], se=0.2).verdict == NOT_ENOUGH
    assert verdict([0.0, 0.4], [1.0, 1.0]).verdict == DISPARITY
    assert verdict([0.0, 0.0], [1.0, 0.7]).verdict == DISPARITY
    assert verdict([0.0, np.nan], [1.0, 1.0]).verdict == NOT_ENOUGH, "a group that cannot be judged is no proof of anything"
    assert verdict([0.0], [1.0]).verdict == NOT_ENOUGH


def test_p_is_corrected_over_both_metrics_and_all_pairs() -> None:
    found = verdict([0.0, 0.05, 0.08], [1.0, 1.03, 1.06])
    plain = np.concatenate([s.differences.p for s in found.statements])
    assert np.concatenate([s.p_holm for s in found.statements]) == pytest.approx(holm(plain)) and plain.size == 6
    assert [s.metric for s in found.statements] == ["oe_ratio", "calibration_slope"]


def test_shown_differences_come_smallest_p_first_and_excess_is_told_apart() -> None:
    found = verdict([0.0, 0.14, 0.5], [1.0, 1.0, 1.0])
    assert found.shown == (("oe_ratio", 1), ("oe_ratio", 2), ("oe_ratio", 0))
    assert found.statements[0].bound == pytest.approx(np.log(1.25))
    assert (found.statements[0].p_beyond < 0.05).tolist() == [False, True, True], "log 1.25 is .22"


def test_the_readers_tolerance_counts_and_must_be_one_that_needs_no_reference() -> None:
    wide = {"oe_ratio": Tolerance("ratio", 1.0), "calibration_slope": Tolerance("absolute", 0.5)}
    assert verdict([0.0, 0.3], [1.0, 1.0], se=0.12).verdict == NOT_ENOUGH
    found = verdict([0.0, 0.3], [1.0, 1.0], se=0.12, tolerances=wide)
    assert found.verdict == NONE_FOUND and [s.bound for s in found.statements] == [pytest.approx(np.log(2)), 0.5]
    with pytest.raises(ValueError, match="absolute or a ratio"):
        verdict([0.0, 0.1], [1.0, 1.0], tolerances={**DEFAULT_TOLERANCES, "oe_ratio": DEFAULT_TOLERANCES["ppv"]})


def words(seed: int, count: int, sizes: tuple[int, ...], centres: tuple[float, ...], spreads: tuple[float, ...], slopes: tuple[float, ...]) -> Counter[str]:
    """Verdicts on `count` cohorts whose groups' true logit is slope * (logit - centre) + centre."""
    rng = np.random.default_rng(seed)
    group = np.tile(np.repeat(np.arange(len(sizes)), sizes), count)
    code = np.repeat(np.arange(count), sum(sizes)) * len(sizes) + group
    noise = np.array(spreads)[group] * rng.normal(size=group.size)
    x = np.array(centres)[group] + noise
    y = rng.random(group.size) < expit(np.array(centres)[group] + np.array(slopes)[group] * noise)
    fit = calibration_fit(y, expit(x), code, count * len(sizes))
    return Counter(calibration_verdict(fit, all_pairs(len(sizes)) + k * len(sizes)).verdict for k in range(count))


def test_calibrated_groups_of_any_spread_and_prevalence_are_seldom_a_disparity() -> None:
    found = words(1, 300, (1500, 300, 100), (-3.0, -1.0, 0.2), (0.8, 1.5, 2.0), (1.0, 1.0, 1.0))
    assert found[DISPARITY] <= 300 * 0.05 + 3 * np.sqrt(300 * 0.05 * 0.95)
    assert found[NONE_FOUND] == 0, "100 rows show nothing to be within a quarter"


def test_groups_that_differ_by_the_tolerance_are_seldom_called_alike() -> None:
    """Slopes of 1 and .8 differ by the tolerance itself."""
    found = words(2, 200, (4000, 4000), (-0.5, -0.5), (1.5, 1.5), (1.0, 0.8))
    assert found[NONE_FOUND] <= 200 * 0.05 + 3 * np.sqrt(200 * 0.05 * 0.95)
    assert words(3, 40, (20_000, 20_000), (-0.5, -0.5), (1.5, 1.2), (1.0, 1.0))[NONE_FOUND] > 30
