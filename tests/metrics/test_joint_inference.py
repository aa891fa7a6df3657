"""The joint distribution of a family of comparisons, and the correction made from it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import combinations
from typing import Any

import numpy as np
import pytest
from scipy.stats import multivariate_normal, norm

from core.metrics.auc_comparisons import group_auc_estimates
from core.metrics.comparisons import GroupEstimates, compare_pairs
from core.metrics.influence_functions import InfluenceFunction, joint_covariance
from core.metrics.joint_inference import loadings
from core.metrics.multiple_testing import compatible_interval, holm, step_down_max_t
from core.metrics.rate_comparisons import group_rate_estimates


def test_one_test_needs_no_correction() -> None:
    found = step_down_max_t([0.03], np.ones((1, 1)))
    assert found.adjusted == pytest.approx([0.03]) and found.marginal == pytest.approx(0.05)


@pytest.mark.parametrize("r", [0.0, 0.5, 0.9, 0.99])
def test_two_tests_are_adjusted_by_the_bivariate_normal(r: float) -> None:
    correlations = np.array([[1, r], [r, 1]])
    p = np.array([0.02, 0.04])
    found = step_down_max_t(p, np.linalg.cholesky(correlations))
    c = norm.isf(p / 2)
    box = multivariate_normal(cov=correlations).cdf([c[0]] * 2, lower_limit=[-c[0]] * 2)
    assert found.adjusted[0] == pytest.approx(1 - box, abs=0.004)
    assert found.adjusted[1] == pytest.approx(max(0.04, 1 - box), abs=0.004)
    critical = norm.isf(found.marginal / 2)
    assert multivariate_normal(cov=correlations).cdf([critical] * 2, lower_limit=[-critical] * 2) == pytest.approx(0.95, abs=0.005)


def test_copies_of_one_test_count_once_and_unrelated_ones_as_sidak_says() -> None:
    p = np.array([0.01, 0.011, 0.0105, 0.9])
    same = step_down_max_t(p, np.ones((4, 1)))
    assert same.adjusted[:3] == pytest.approx(0.0115, abs=0.004)
    assert same.marginal == pytest.approx(0.05, abs=0.004)
    unknown = step_down_max_t(p)
    assert unknown.adjusted[0] == pytest.approx(1 - 0.99**4)
    assert unknown.marginal == pytest.approx(1 - 0.95**0.25)


@pytest.mark.parametrize("alpha", [0.05, 0.1, 0.013, 1e-5])
def test_marginal_level_and_adjusted_p_say_the_same_at_the_edge(alpha: float) -> None:
    """One step at `marginal` rejects exactly what its adjusted p rejects: 1 of 11,000 comparisons fell between the two."""
    rng = np.random.default_rng(8)
    rows = rng.normal(size=(6, 3))
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    marginal = step_down_max_t(np.full(6, 0.5), rows, alpha).marginal
    for p in (marginal * (1 - 1e-7), marginal * (1 + 1e-7), *(marginal * (1 + rng.uniform(-0.02, 0.02, 100)))):
        others = np.full(5, 0.9)
        assert (step_down_max_t(np.concatenate([[p], others]), rows, alpha).adjusted[0] < alpha) == (p < marginal)


def test_never_less_powerful_than_holm_never_zero_and_the_same_every_time() -> None:
    rng = np.random.default_rng(3)
    for tests in (2, 7, 60):
        rows = rng.normal(size=(tests, 5))
        rows /= np.linalg.norm(rows, axis=1, keepdims=True)
        p = rng.random(tests) ** 4
        p[0], p[-1] = 1e-200, np.nan
        found, again = step_down_max_t(p, rows), step_down_max_t(p, rows)
        known = ~np.isnan(p)
        assert np.array_equal(found.adjusted, again.adjusted, equal_nan=True) and np.isnan(found.adjusted[-1])
        assert np.all(found.adjusted[known] <= holm(p)[known] + 1e-12)
        assert np.all(found.adjusted[known] >= p[known]) and np.all(found.adjusted[known] > 0)
        order = np.argsort(p[known])
        assert np.all(np.diff(found.adjusted[known][order]) >= 0)


def test_the_error_rate_of_a_family_is_held_and_not_wasted() -> None:
    """Differences of 6 groups, 3 of them alike: any false rejection in 5 of 100 families at most, in more than Holm's."""
    rng = np.random.default_rng(5)
    pairs = np.array(list(combinations(range(6), 2)))
    shifts = np.array([0, 0, 0, 4.0, 8.0, 12.0])
    rows = np.zeros((len(pairs), 6))
    rows[np.arange(len(pairs)), pairs[:, 0]], rows[np.arange(len(pairs)), pairs[:, 1]] = 1 / np.sqrt(2), -1 / np.sqrt(2)
    true = shifts[pairs[:, 0]] == shifts[pairs[:, 1]]
    wrong, simultaneous = [], []
    for _ in range(400):
        z = rows @ (rng.normal(size=6) + shifts)
        found = step_down_max_t(2 * norm.sf(np.abs(z)), rows)
        wrong.append(bool((found.adjusted[true] < 0.05).any()))
        critical = norm.isf(found.marginal / 2)
        simultaneous.append(bool((np.abs(z - rows @ shifts) <= critical).all()))
    assert np.mean(wrong) <= 0.085, "400 families: .085 has a chance of 1 in 1,000"
    assert 0.915 <= np.mean(simultaneous) <= 0.98


def _cohort(clustered: bool) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(7)
    n, rows = 300, 2 if clustered else 1
    patient = np.repeat(np.arange(n), rows)
    y = (rng.random(patient.size) < 0.4).astype(int)
    common = rng.normal(size=n)[patient]
    scores = [common + rng.normal(size=patient.size) + 1.5 * y for _ in range(2)]
    groups = [rng.integers(0, 3, n)[patient], rng.integers(-1, 2, n)[patient]]
    return {"y": y, "a": scores[0], "b": scores[1], "first": groups[0], "second": groups[1], "patient": patient}


@pytest.mark.parametrize("clustered", [False, True])
def test_joint_covariance_is_the_sum_over_patients_of_products(clustered: bool) -> None:
    rng = np.random.default_rng(8)
    unit = rng.integers(0, 40, 120) if clustered else None
    parts = [InfluenceFunction(rng.normal(size=120), rng.integers(-1, count, 120), unit, 40) for count in (2, 3)]
    own = np.arange(120) if unit is None else unit
    dense = np.zeros((120, 5))
    for i in range(120):
        for part, offset in zip(parts, (0, 2), strict=True):
            if part.column[i] >= 0:
                dense[own[i], part.column[i] + offset] += part.value[i]
    assert joint_covariance(parts, [2, 3]) == pytest.approx(dense.T @ dense)


@pytest.mark.parametrize("clustered", [False, True])
def test_correlations_are_those_of_a_bootstrap_of_patients(clustered: bool) -> None:
    """Differences of AUCs and of rates, by two attributes and two models, against 1,000 resampled cohorts."""
    data = _cohort(clustered)

    pairs = {"first": list(combinations(range(3), 2)), "second": [(0, 1)]}

    def estimates(take: np.ndarray, patient: np.ndarray | None) -> list[tuple[GroupEstimates, list]]:
        y, found = data["y"][take], []
        for name, count in (("first", 3), ("second", 2)):
            group = data[name][take]
            found += [(group_auc_estimates(y, data[m][take], group, count, cluster=patient), pairs[name]) for m in "ab"]
            found.append((group_rate_estimates(y, data["a"][take] > 1, group, count, "tpr", cluster=patient), pairs[name]))
        return found

    everyone = np.arange(data["y"].size)
    seen = loadings([compare_pairs(*own) for own in estimates(everyone, data["patient"] if clustered else None)])
    rng = np.random.default_rng(9)
    rows = 2 if clustered else 1
    drawn = []
    for _ in range(400):
        take = (rng.integers(0, 300, 300)[:, None] * rows + np.arange(rows)).ravel()
        drawn.append([own.value[a] - own.value[b] for own, compared in estimates(take, None) for a, b in compared])
    expected = np.corrcoef(np.array(drawn).T)
    assert seen @ seen.T == pytest.approx(expected, abs=0.2)
    assert np.abs(seen @ seen.T - expected).mean() < 0.05
    assert np.diagonal(seen @ seen.T) == pytest.approx(1)


def test_intervals_agree_with_step_down_tests() -> None:
    low, high = compatible_interval([-0.01, -0.02, 0.1], [0.3, 0.4, 0.5], [0.15, 0.2, 0.3], [True, False, True])
    assert low.tolist() == [0.0, -0.02, 0.1] and high.tolist() == [0.3, 0.4, 0.5]
    low, high = compatible_interval([-0.3], [0.01], [-0.15], [True])
    assert (low[0], high[0]) == (-0.3, 0.0)


def test_influences_of_different_samples_are_refused() -> None:
    one, other = (InfluenceFunction(np.zeros(n), np.zeros(n, dtype=np.int64), None, n) for n in (3, 4))
    with pytest.raises(ValueError, match="same samples"):
        joint_covariance([one, other], [1, 1])


def test_a_maximum_that_no_draw_reaches_has_holms_p_and_not_0() -> None:
    found = step_down_max_t([1e-12, 0.4], np.eye(2))
    assert found.adjusted[0] == pytest.approx(2e-12, rel=1e-6, abs=0)


def test_variance_that_no_sample_shows_is_shared_with_no_other() -> None:
    """Two pairs with one group in common: where its limits are k times as wide as its samples show, only 1 / k^2 of its variance goes along."""
    rng = np.random.default_rng(12)
    y, group = np.tile([0, 1], 150), np.repeat([0, 1, 2], 100)
    score = y + rng.normal(size=300)
    plain = group_auc_estimates(y, score, group, 3)

    @dataclass(frozen=True)
    class Wider:
        inner: Any
        factor: np.ndarray

        def distances(self, quantile: np.ndarray, chosen: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
            below, above = self.inner.distances(quantile, chosen)
            return below * self.factor[chosen], above * self.factor[chosen]

    for k in (1.0, 3.0):
        wide = replace(plain, limits=Wider(plain.limits, np.array([k, 1.0, 1.0])))
        of_two_models = [compare_pairs(e, [(0, 1)]) for e in (wide, replace(wide))]
        rows = loadings(of_two_models)
        shown = np.sqrt(np.diagonal(joint_covariance([plain.influence], [3])))
        share = np.minimum(shown / wide.se, 1.0)
        variance = np.square(wide.se)
        expected = (variance[0] * share[0] ** 2 + variance[1] * share[1] ** 2) / (variance[0] + variance[1])
        assert float(rows[0] @ rows[1]) == pytest.approx(expected), k
