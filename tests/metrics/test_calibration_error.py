"""The calibration error's debiasing, interval and test: exact sums, Monte Carlo, and cohorts of known truth."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.special import expit, gammaincc
from scipy.stats import binom
from sklearn.calibration import calibration_curve

from core.metrics.calibration import bin_of_score, debiased_ece, ece, reliability
from core.metrics.calibration_error import CalibrationErrors, _Direction, binomial_distance, calibration_error_intervals


def test_a_score_of_1_belongs_to_the_last_bin_everywhere() -> None:
    p = np.array([0.0, 0.05, 0.1, 0.95, 1.0])
    assert bin_of_score(p, 10).tolist() == [0, 0, 1, 9, 9]
    curve = reliability([0, 1, 0, 1, 1], p)
    assert curve.weight[0].tolist() == [2, 1, 0, 0, 0, 0, 0, 0, 0, 2]
    assert curve.predicted[0, 9] == pytest.approx(0.975) and curve.observed[0, 9] == 1 and curve.observed[0, 0] == 0.5


def test_the_curve_is_scikit_learns() -> None:
    rng = np.random.default_rng(1)
    p = np.concatenate([rng.random(500), np.ones(5)])
    y = rng.random(505) < p
    curve = reliability(y, p)
    observed, predicted = calibration_curve(y, p, n_bins=10)
    assert curve.observed[0] == pytest.approx(observed) and curve.predicted[0] == pytest.approx(predicted)


@pytest.mark.parametrize(
    ("n", "risk", "centre"), [(1, 0.3, 0.3), (7, 0.05, 0.2), (7, 0.0, 0.2), (12, 1.0, 0.4), (20, 0.5, 0.5), (40, 0.13, 0.1), (9, 0.4, 0.0), (9, 0.4, 1.0)]
)
def test_distance_from_the_predicted_share_is_summed_exactly(n: int, risk: float, centre: float) -> None:
    k = np.arange(n + 1)
    distance, chance = np.abs(k / n - centre), binom.pmf(k, n, risk)
    mean, variance = binomial_distance(*(np.array([float(v)]) for v in (n, risk, centre)))
    assert mean[0] == pytest.approx((distance * chance).sum(), abs=1e-12)
    assert variance[0] == pytest.approx((distance**2 * chance).sum() - (distance * chance).sum() ** 2, abs=1e-12)


def test_the_debiased_error_is_the_one_that_noise_lifts_to_the_plain_one() -> None:
    rng = np.random.default_rng(2)
    p = rng.random(400)
    y = rng.random(400) < np.clip(p + 0.1, 0, 1)
    curve = reliability(y, p)
    plain, debiased = ece(curve)[0], debiased_ece(curve)[0]
    gap = (curve.observed - curve.predicted)[0] * debiased / plain
    noise = rng.normal(size=(200_000, 10)) * np.sqrt(curve.predicted * (1 - curve.predicted) / curve.weight)[0]
    lifted = (np.abs(gap + noise) * curve.weight[0]).sum(axis=1).mean() / 400
    assert 0 < debiased < plain and lifted == pytest.approx(plain, rel=0.005)


def test_debiased_errors_of_calibrated_cohorts_are_small_and_often_0() -> None:
    y, p, group, _ = cohorts(np.random.default_rng(3), 400, 80, 0.0, 1.5)
    curve = reliability(y, p, group, 400)
    plain, debiased = ece(curve), debiased_ece(curve)
    assert debiased.mean() < 0.4 * plain.mean() and 0.3 < (debiased == 0).mean() < 0.7
    assert (debiased <= plain).all()


def test_scaling_the_weights_changes_nothing_and_unequal_ones_widen() -> None:
    y, p, group, _ = cohorts(np.random.default_rng(4), 3, 300, 0.4, 1.2)
    w = np.random.default_rng(5).lognormal(0, 1, y.size)
    once, tenfold, equal = (calibration_error_intervals(y, p, group, 3, weight=k) for k in (w, 10 * w, None))
    assert tenfold.debiased == pytest.approx(once.debiased) and tenfold.interval() == (pytest.approx(once.interval()[0]), pytest.approx(once.interval()[1]))
    width = [np.subtract(*reversed(found.interval())).mean() for found in (once, equal)]
    assert width[0] > 1.2 * width[1]


def test_images_of_one_patient_are_no_more_patients() -> None:
    y, p, group, _ = cohorts(np.random.default_rng(6), 4, 300, 0.5, 1.2)
    once = calibration_error_intervals(y, p, group, 4)
    thrice = calibration_error_intervals(*(np.tile(v, 3) for v in (y, p, group)), 4, cluster=np.tile(np.arange(y.size), 3))
    for a, b in zip(once.interval(), thrice.interval(), strict=True):
        assert a == pytest.approx(b, abs=0.004)
    assert thrice.plain == pytest.approx(once.plain)


def test_patients_with_rows_in_many_bins_err_together() -> None:
    """Each patient's rows have the same label under different scores: the noise of all bins moves as one."""
    rng = np.random.default_rng(7)
    y = np.repeat(rng.random(200) < 0.7, 4)
    p = np.tile([0.35, 0.45, 0.55, 0.65], 200)
    patient = np.repeat(np.arange(200), 4)
    apart = calibration_error_intervals(y, p, cluster=rng.permutation(800) // 4)
    together = calibration_error_intervals(y, p, cluster=patient)
    width = [np.subtract(*reversed(found.interval()))[0] for found in (together, apart)]
    assert width[0] > 1.5 * width[1]


def test_intervals_contain_their_estimate_and_grow_with_the_level() -> None:
    y, p, group, _ = cohorts(np.random.default_rng(8), 100, 60, 0.3, 1.5)
    found = calibration_error_intervals(y, p, group, 100)
    narrow, wide = found.interval(0.5), found.interval(0.99)
    for low, high in (narrow, wide):
        assert (low <= found.debiased).all() and (found.debiased <= high).all() and (low >= 0).all() and (high > 0).all()
    assert (wide[0] <= narrow[0]).all() and (narrow[1] <= wide[1]).all()
    levels = np.where(np.arange(100) % 2, 0.5, 0.99)
    assert found.interval(levels)[1] == pytest.approx(np.where(levels == 0.5, narrow[1], wide[1]))
    low, _ = found.interval(0.95)
    assert ((low > 0) == (gammaincc(found.shape[:, 0], found.plain / found.scale[:, 0]) < 0.05)).all(), "0 is left out exactly when calibration is rejected"


def test_groups_without_rows_have_no_error_and_wrong_levels_are_refused() -> None:
    found = calibration_error_intervals([0, 1, 1, 0], [0.2, 0.9, 0.4, 0.1], [0, 0, 0, 2], 3)
    low, high = found.interval()
    assert np.isnan([found.plain[1], found.debiased[1], low[1], high[1]]).all()
    assert np.isfinite([low[0], high[0], low[2], high[2]]).all(), "no events: the observed gaps show the way"
    assert np.isnan(found.differences().p).tolist() == [True, False, True]
    with pytest.raises(ValueError, match="between 0 and 1"):
        found.interval(1.0)


def cohorts(rng: np.random.Generator, count: int, n: int, shift: float, spread: float, centre: float = -0.5) -> tuple[NDArray, NDArray, NDArray, float]:
    """Labels, scores and codes of `count` cohorts whose true logit is higher by `shift`, and their true ECE."""
    x = centre + spread * rng.normal(size=count * n)
    y = rng.random(x.size) < expit(x + shift)
    nodes = centre + spread * np.linspace(-8, 8, 100_001)
    density = np.exp(-(((nodes - centre) / spread) ** 2) / 2)
    gap = (expit(nodes + shift) - expit(nodes)) * density / density.sum()
    truth = np.abs(np.bincount(bin_of_score(expit(nodes), 10), gap, 10)).sum()
    return y, expit(x), np.repeat(np.arange(count), n), float(truth)


@pytest.mark.parametrize(("n", "shift", "spread", "centre"), [(120, 0.0, 1.5, -0.5), (800, 0.0, 1.0, -3.2), (150, 0.7, 1.0, -0.5), (600, -0.4, 2.0, 0.3)])
def test_intervals_cover_calibrated_and_miscalibrated_models(n: int, shift: float, spread: float, centre: float) -> None:
    """500 cohorts: a coverage of .95 lies within .92 and .98 in 99.7 of 100 runs."""
    y, p, group, truth = cohorts(np.random.default_rng(n), 500, n, shift, spread, centre)
    low, high = calibration_error_intervals(y, p, group, 500).interval()
    covered = ((low <= truth + 1e-12) & (truth <= high)).mean()
    assert 0.92 <= covered <= 0.985, covered


def test_calibrated_groups_of_different_spread_are_seldom_called_different() -> None:
    """Prevalences of about .05 and .5, 1,500 and 100 rows: shuffling groups called half of such cohorts different."""
    rng = np.random.default_rng(12)
    y, p, a, _ = cohorts(rng, 200, 1500, 0.0, 1.0, -3.3)
    y2, p2, b, _ = cohorts(rng, 200, 100, 0.0, 2.0, 0.0)
    found = calibration_error_intervals(np.concatenate([y, y2]), np.concatenate([p, p2]), np.concatenate([a, b + 200]), 400)
    differences = found.differences(np.stack([np.arange(200), np.arange(200) + 200], axis=1))
    low, high = differences.interval()
    assert np.array_equal((low > 0) | (high < 0), differences.p < 0.05)
    assert (differences.p < 0.05).mean() <= 0.09
    assert ((low <= differences.difference) & (differences.difference <= high)).all()


def test_a_real_difference_of_errors_is_found() -> None:
    rng = np.random.default_rng(13)
    y, p, a, _ = cohorts(rng, 1, 1500, 0.0, 1.5)
    y2, p2, b, _ = cohorts(rng, 1, 1500, 1.5, 1.5)
    found = calibration_error_intervals(np.concatenate([y, y2]), np.concatenate([p, p2]), np.concatenate([a, b + 1])).differences()
    assert found.p[0] < 1e-4 and found.interval(0.99)[1][0] < 0


def test_patients_with_rows_in_several_bins_make_the_error_less_sure() -> None:
    """Three bins of which a patient's rows are all ill or all healthy: the variance of the sum of distances, by drawing patients."""
    rng = np.random.default_rng(5)
    patients = 400
    p = np.tile([0.25, 0.45, 0.65], patients)
    y = (np.repeat(rng.random(patients), 3) < p).astype(int)
    patient = np.repeat(np.arange(patients), 3)
    alone, together = (calibration_error_intervals(y, p, cluster=c) for c in (None, patient))

    def spread(found: CalibrationErrors) -> float:
        return float(np.sqrt(found.shape[0, 0]) * found.scale[0, 0])

    drawn = [ece(reliability((np.repeat(rng.random(patients), 3) < p).astype(int), p))[0] for _ in range(600)]
    assert spread(together) == pytest.approx(np.std(drawn), rel=0.15) and spread(alone) < 0.87 * spread(together)


def test_gaps_of_one_size_and_two_directions_do_not_vary() -> None:
    """Rows whose risk moves by .1 up in one bin and down in the other add nothing to the noise of the error."""
    p = np.repeat([0.25, 0.75], 40)
    y = np.tile([0, 1, 1, 0], 20)
    curve = reliability(y, p)
    group, bucket = np.zeros(80, dtype=np.int64), bin_of_score(p, 10)
    same = _Direction.of(curve, np.where(p < 0.5, 0.1, -0.1), np.ones(80), group, bucket)
    assert same.spread[0] == pytest.approx(0, abs=1e-15) and same.gap[0, [2, 7]] == pytest.approx([0.1, -0.1])
    uneven = _Direction.of(curve, np.where(p < 0.5, 0.1, -0.3), np.ones(80), group, bucket)
    assert uneven.spread[0] == pytest.approx(0.01)
    unknown = _Direction.of(curve, np.full(80, np.nan), np.ones(80), group, bucket)
    assert unknown.gap[0, [2, 7]] == pytest.approx([0.25, -0.25]), "the observed gaps, where recalibration is not estimable"
