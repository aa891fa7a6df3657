"""Intervals that cover, operating points, calibration of small groups, seeds, Pareto front."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import norm

from core.metrics.auc_interval import auc_interval
from core.metrics.calibration import debiased_ece, ece, reliability
from core.metrics.delong import delong, group_delong
from core.metrics.equity import equity
from core.metrics.estimate import MinimumCounts
from core.metrics.intervals import wilson
from core.metrics.operating_point import fit_threshold
from core.metrics.pareto import pareto_front
from core.metrics.rates import confusion, effective_sizes, rate, rate_counts
from core.metrics.seeds import mean_over_seeds, paired_over_seeds
from tests.metrics.support import cohort


def binormal(n_pos: int, n_neg: int, area: float, spread: float) -> tuple[np.ndarray, np.ndarray]:
    """Limits of 1,500 cohorts with this AUC; positives spread `spread` times as far as negatives."""
    rng = np.random.default_rng(n_pos)
    repeats = 1500
    pos = rng.normal(norm.ppf(area) * np.sqrt(1 + spread**2), spread, (repeats, n_pos))
    score = np.concatenate([pos, rng.normal(size=(repeats, n_neg))], axis=1).ravel()
    y = np.tile(np.r_[np.ones(n_pos, dtype=int), np.zeros(n_neg, dtype=int)], repeats)
    return auc_interval(group_delong(y, score, np.repeat(np.arange(repeats), n_pos + n_neg)))


# Where intervals break down: few positives, far more negatives, high areas, spreads that differ.
HARD = [(20, 400, 0.95, 2.0), (20, 400, 0.95, 0.5), (20, 20, 0.95, 1.0), (20, 20, 0.85, 2.0), (50, 50, 0.95, 1.0)]


@pytest.mark.parametrize(
    ("n_pos", "n_neg", "area", "spread"),
    [(n, max(100, n), area, 1.0) for n in (20, 50, 500) for area in (0.6, 0.8, 0.95)] + HARD,
)
def test_auc_intervals_cover(n_pos: int, n_neg: int, area: float, spread: float) -> None:
    low, high = binormal(n_pos, n_neg, area, spread)
    covered = np.mean((low <= area) & (area <= high))
    # Three standard errors of 1,500 simulations beyond 93 and 97 percent.
    assert 0.93 - 0.013 <= covered <= 0.97 + 0.013


def test_large_groups_get_delongs_interval() -> None:
    rng = np.random.default_rng(2)
    y = rng.random(40_000) < 0.4
    result = delong(y, rng.normal(size=y.size) + y)
    low, high = auc_interval(result)
    half = 1.96 * result.se[0]
    assert [result.auc[0] - low[0], high[0] - result.auc[0]] == pytest.approx([half, half], rel=0.02)


def test_perfect_and_tiny_groups_never_get_a_zero_width() -> None:
    for m, n in ((2, 2), (5, 5), (5, 500), (500, 5)):
        result = delong([1] * m + [0] * n, [1.0] * m + [0.0] * n)
        low, high = auc_interval(result)
        assert result.auc[0] == 1 and high[0] == 1 and 0 < low[0] < 1
    one_patient = delong([1] * 6 + [0] * 6, np.arange(12.0)[::-1], cluster=[0] * 6 + list(range(1, 7)))
    assert np.isnan(auc_interval(one_patient)[0][0]), "six positives of one patient are one"
    with pytest.raises(ValueError, match="at least 2"):
        MinimumCounts(1, 5)


def test_excluded_groups_are_named() -> None:
    summary = equity(0.8, [0.9, np.nan, 0.7], ("a", "b", "c"))
    assert (summary.worst_group, summary.best_group, summary.excluded) == ("c", "a", ("b",))
    alone = equity(0.8, [0.9, np.nan], ("a", "b"))
    assert alone.max_gap is None and alone.es_auc is None and alone.reason is not None


def test_effective_sizes() -> None:
    y, score, group = cohort(400, 2, 1)
    guess = score > 0.4
    twice = [np.tile(v, 2) for v in (y, guess, group)]
    patient = np.tile(np.arange(400), 2)
    table = confusion(*twice)
    sizes = effective_sizes(*twice, 2, "selection_rate", cluster=patient)
    assert sizes == pytest.approx(confusion(y, guess, group).sum(axis=1), rel=0.02)
    wide = wilson(rate(table, "selection_rate") * sizes, sizes)
    once = wilson(*rate_counts(confusion(y, guess, group), "selection_rate"))
    assert np.ravel(wide) == pytest.approx(np.ravel(once), abs=2e-3)


def test_calibration_error_debiased_for_group_size() -> None:
    """Calibrated scores: the plain error of a small group looks large, the debiased one much less so."""
    rng = np.random.default_rng(3)
    plain, corrected = [], []
    for _ in range(200):
        p = rng.random(80)
        curve = reliability(rng.random(80) < p, p)
        plain.append(ece(curve)[0])
        corrected.append(debiased_ece(curve)[0])
    assert np.mean(plain) > 0.08
    assert np.mean(corrected) < 0.65 * np.mean(plain)
    p = rng.random(100_000)
    curve = reliability(rng.random(100_000) < p**2, p)
    assert debiased_ece(curve)[0] == pytest.approx(ece(curve)[0], abs=0.002)


def test_operating_points() -> None:
    y, score, _ = cohort(500, 2, 2, decimals=2)
    point = fit_threshold(y, score, "sensitivity", 0.8)
    assert point.threshold is not None and point.sensitivity is not None and point.sensitivity >= 0.8
    higher = np.unique(score)[np.unique(score) > point.threshold][0]
    assert np.mean(score[y == 1] >= higher) < 0.8, "the largest threshold that reaches the target"
    specific = fit_threshold(y, score, "specificity", 0.9)
    assert specific.specificity is not None and specific.specificity >= 0.9
    chosen = fit_threshold(y, score, "selection_rate", 0.25)
    assert chosen.selection_rate == pytest.approx(0.25, abs=0.02)
    youden = fit_threshold(y, score, "youden")
    best = max(np.mean(score[y == 1] >= t) + np.mean(score[y == 0] < t) for t in np.unique(score))
    assert youden.sensitivity is not None and youden.specificity is not None
    assert youden.sensitivity + youden.specificity == pytest.approx(best)
    assert fit_threshold(y, score, "fixed", 0.5).decide(score).tolist() == (score >= 0.5).astype(int).tolist()
    alone = fit_threshold(np.zeros(5), np.arange(5), "sensitivity", 0.8)
    assert alone.threshold is None and alone.reason is not None and (alone.kind, alone.target) == ("sensitivity", 0.8)
    with pytest.raises(ValueError, match="unknown operating point"):
        fit_threshold(y, score, "other", 0.5)
    with pytest.raises(ValueError, match="needs a target"):
        fit_threshold(y, score, "sensitivity")


def test_seeds() -> None:
    mean = mean_over_seeds([0.8, 0.82, np.nan, 0.84])
    assert (mean.mean, mean.sd, mean.n, mean.left_out) == (pytest.approx(0.82), pytest.approx(0.02), 3, 1)
    assert mean.low == pytest.approx(0.82 - 4.302653 * 0.02 / np.sqrt(3))
    single = mean_over_seeds([0.8])
    assert single.mean == 0.8 and single.sd is None and single.low is None and single.reason is not None
    assert mean_over_seeds([np.nan]).mean is None
    gap = paired_over_seeds([0.8, 0.83, 0.84], [0.79, 0.80, 0.82])
    assert gap.mean == pytest.approx(0.02) and gap.wins == 3 and gap.p == pytest.approx(0.0742, abs=1e-3)
    assert paired_over_seeds([0.5, 0.6], [0.4, 0.5]).p is None


def test_pareto_front() -> None:
    points = [[0.9, 0.1], [0.8, 0.05], [0.8, 0.2], [0.9, 0.1], [np.nan, 0]]
    assert pareto_front(points, [True, False]).tolist() == [True, True, False, True, False]
    assert pareto_front([[1, 2], [2, 1], [1, 1]]).tolist() == [True, True, False]
    with pytest.raises(ValueError, match="directions"):
        pareto_front(points, [True])
