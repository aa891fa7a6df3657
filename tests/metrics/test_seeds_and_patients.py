"""Means over seeds and patients: intervals cover under both sources, one seed knows the patients only."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import norm, t

from core.metrics.seeds_and_patients import NO_SEED, NO_SPREAD, UNSTABLE, cochran_cox_quantile, mean_over_trainings, seeds_and_patients


@pytest.mark.parametrize("seeds", [1, 2, 3, 5])
@pytest.mark.parametrize("between", [0.0, 0.5, 2.0])
def test_intervals_cover_the_truth(seeds: int, between: float) -> None:
    """Mean of s trainings N(truth, between^2), all judged on the same patients, whose error is N(0, 1)."""
    rng = np.random.default_rng(seeds * 10 + int(between * 2))
    covered = []
    for _ in range(1500):
        trained = rng.normal(0.3, between, seeds) if seeds > 1 else np.array([0.3])
        patients = rng.normal()
        replicates = patients + trained[:, None] + np.tile(rng.normal(size=200), (seeds, 1))
        found = seeds_and_patients(trained + patients, replicates)
        covered.append(found.low <= 0.3 <= found.high)
    # Satterthwaite's approximation is somewhat short where two or three seeds alone must tell a large spread.
    least = {2: 0.91, 3: 0.93}.get(seeds, 0.945) if between > 1 else 0.945
    assert np.mean(covered) >= least - 3 * np.sqrt(0.95 * 0.05 / 1500)
    assert np.mean(covered) <= 0.985 or between > 0


def test_one_seed_is_the_bootstrap_and_many_replicates_alike_are_a_t_test() -> None:
    rng = np.random.default_rng(0)
    draws = rng.normal(0.1, 0.05, (1, 4000))
    alone = seeds_and_patients([0.1], draws)
    assert alone.se_seeds is None and alone.sd is None
    assert (alone.low, alone.high) == pytest.approx((0.1 - 1.96 * draws.std(ddof=1), 0.1 + 1.96 * draws.std(ddof=1)), rel=1e-3)
    assert alone.p == pytest.approx(2 * norm.sf(0.1 / draws.std(ddof=1)), rel=1e-3)
    values = np.array([0.1, 0.3, 0.2, 0.25])
    trained = seeds_and_patients(values, np.tile(values[:, None], 500))
    half = t.ppf(0.975, 3) * values.std(ddof=1) / 2
    assert (trained.low, trained.high) == pytest.approx((values.mean() - half, values.mean() + half))


def test_what_is_undefined_says_why() -> None:
    assert seeds_and_patients([np.nan], np.full((1, 50), np.nan)).reason == NO_SEED
    assert seeds_and_patients([0.5], np.r_[np.full(30, np.nan), np.zeros(70)][None]).reason == UNSTABLE
    same = seeds_and_patients([0.0, 0.0], np.zeros((2, 100)))
    assert same.reason == NO_SPREAD and same.p is None and same.mean == 0
    partly = seeds_and_patients([0.4, np.nan], np.stack([np.linspace(0.3, 0.5, 100), np.full(100, np.nan)]))
    assert partly.n == 1 and partly.mean == pytest.approx(0.4)


@pytest.mark.parametrize("seeds", [1, 2, 3, 5])
@pytest.mark.parametrize("between", [0.0, 0.5, 2.0])
def test_the_mean_of_trainings_covers_the_truth(seeds: int, between: float) -> None:
    """Every training with the interval of its patients, whose errors are the same for all."""
    rng = np.random.default_rng(seeds * 10 + int(between * 2) + 1)
    covered = []
    for _ in range(4000):
        seen = rng.normal(0.3, between if seeds > 1 else 0.0, seeds) + rng.normal()
        mean, low, high = mean_over_trainings(seen, seen - 1.96, seen + 1.96)
        assert mean == pytest.approx(seen.mean())
        covered.append(low <= 0.3 <= high)
    assert np.mean(covered) >= 0.94 - 3 * np.sqrt(0.95 * 0.05 / 4000)


def test_the_mean_of_trainings_keeps_the_shape_of_the_patients_interval() -> None:
    assert mean_over_trainings([0.98], [0.95], [0.99]) == pytest.approx((0.98, 0.95, 0.99))
    mean, low, high = mean_over_trainings([0.97, 0.99, 0.98], [0.94, 0.96, 0.95], [0.98, 1.0, 0.99])
    assert low < 0.95 and high > 0.99 and high - mean < mean - low


def test_the_quantile_lies_between_those_of_patients_and_of_trainings() -> None:
    tail = 0.025
    assert cochran_cox_quantile(tail, 1.0, 0.0, 5) == cochran_cox_quantile(tail, 1.0, 3.0, 1) == pytest.approx(norm.isf(tail)), "one training has no spread"
    assert cochran_cox_quantile(tail, 0.0, 2.0, 3) == pytest.approx(t.isf(tail, 2))
    assert cochran_cox_quantile(tail, 1.0, 3.0, 3) == pytest.approx((norm.isf(tail) + 3 * t.isf(tail, 2)) / 4)


def test_trainings_that_agree_keep_the_patients_limits() -> None:
    assert mean_over_trainings([0.8, 0.8], [0.7, 0.7], [0.85, 0.85]) == pytest.approx((0.8, 0.7, 0.85))
