"""Differences between groups: one pivot, of which test and interval are two sides, against independent answers."""

from __future__ import annotations

from dataclasses import replace
from itertools import combinations

import numpy as np
import pytest
from scipy.special import ndtri
from scipy.stats import norm, ttest_ind
from statsmodels.stats.proportion import confint_proportions_2indep, proportion_confint

from core.metrics.auc_comparisons import auc_estimates, group_auc_estimates
from core.metrics.comparisons import GroupEstimates, PairComparisons, compare_pairs
from core.metrics.delong import delong, group_delong
from core.metrics.intervals import wilson
from core.metrics.rate_comparisons import group_mean_estimates, group_rate_estimates
from core.metrics.score_limits import LinearLimits

PAIRS = list(combinations(range(4), 2))


def _cohort(seed: int, n: int = 400, groups: int = 4, rows: int = 1) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(seed)
    patient = np.repeat(np.arange(n), rows)
    group = rng.integers(0, groups, n)[patient]
    y = (rng.random(patient.size) < 0.4).astype(int)
    score = rng.normal(size=n)[patient] + rng.normal(size=patient.size) + 1.5 * y
    return {"y": y, "score": score, "group": group, "cluster": patient, "weight": rng.gamma(3.0, size=n)[patient]}


def _estimates(kind: str, data: dict[str, np.ndarray], clustered: bool, weighted: bool) -> GroupEstimates:
    more = {"cluster": data["cluster"] if clustered else None, "weight": data["weight"] if weighted else None}
    chosen = (data["score"] > 1).astype(int)
    if kind == "auc":
        return group_auc_estimates(data["y"], data["score"], data["group"], 4, **more)
    if kind == "mean":
        risk = 1 / (1 + np.exp(-data["score"]))
        return group_mean_estimates((risk - data["y"]) ** 2, data["group"], 4, stratum=data["y"], low=0, high=1, **more)
    return group_rate_estimates(data["y"], chosen, data["group"], 4, kind, **more)


@pytest.mark.parametrize("kind", ["auc", "tpr", "ppv", "accuracy", "mean"])
@pytest.mark.parametrize(("clustered", "weighted"), [(False, False), (True, False), (False, True), (True, True)])
def test_an_interval_excludes_zero_exactly_where_its_test_rejects(kind: str, clustered: bool, weighted: bool) -> None:
    found = compare_pairs(_estimates(kind, _cohort(3, 120, rows=2 if clustered else 1), clustered, weighted), PAIRS)
    assert np.all((found.p > 0) & (found.p <= 1)) and np.all(found.se > 0)
    for factor, excluded in ((1 - 1e-6, False), (1 + 1e-6, True)):
        low, high = found.interval_at_p(np.minimum(found.p * factor, 1 - 1e-12))
        assert np.array_equal((low > 0) | (high < 0), np.full(len(PAIRS), excluded))
    for level in (0.5, 0.8, 0.95, 0.999):
        low, high = found.interval(level)
        assert np.array_equal((low > 0) | (high < 0), found.p < 1 - level)
        assert np.all((low <= found.difference) & (found.difference <= high))
        assert np.all((low >= -1) & (high <= 1))


def test_a_level_of_its_own_for_every_pair() -> None:
    found = compare_pairs(_estimates("auc", _cohort(4), False, False), PAIRS)
    levels = np.linspace(0.6, 0.99, len(PAIRS))
    low, high = found.interval(levels)
    for k, level in enumerate(levels):
        assert (low[k], high[k]) == (pytest.approx(found.interval(level)[0][k]), pytest.approx(found.interval(level)[1][k]))


@pytest.mark.parametrize(("ka", "na", "kb", "nb"), [(56, 70, 48, 80), (9, 10, 3, 10), (0, 20, 4, 15), (5, 5, 29, 40), (0, 10, 0, 20)])
def test_rates_are_newcombes_hybrid_score_interval(ka: int, na: int, kb: int, nb: int) -> None:
    prediction = np.repeat([1, 0, 1, 0], [ka, na - ka, kb, nb - kb])
    group = np.repeat([0, 1], [na, nb])
    found = compare_pairs(group_rate_estimates(np.ones(na + nb, int), prediction, group, 2, "tpr"), [(0, 1)])
    low, high = found.interval(0.95)
    expected = confint_proportions_2indep(ka, na, kb, nb, method="newcomb", compare="diff")
    assert (low[0], high[0]) == pytest.approx(expected, abs=1e-9)
    own = proportion_confint(ka, na, method="wilson")
    assert tuple(limit[0] for limit in found.estimates.interval(0.95)) == pytest.approx(own, abs=1e-9)
    assert found.p[0] == 1 if ka / na == kb / nb else found.p[0] < 1


def test_large_groups_are_tested_as_delong_tests_them() -> None:
    data = _cohort(5, 20_000, groups=2)
    found = compare_pairs(group_auc_estimates(data["y"], data["score"], data["group"], 2), [(0, 1)])
    own = [delong(data["y"][data["group"] == g], data["score"][data["group"] == g]) for g in (0, 1)]
    se = float(np.hypot(own[0].se[0], own[1].se[0]))
    assert found.se[0] == pytest.approx(se, rel=0.005)
    assert found.statistic[0] == pytest.approx((own[0].auc[0] - own[1].auc[0]) / se, rel=0.01)


def test_a_group_ranked_without_fault_is_not_known_exactly() -> None:
    rng = np.random.default_rng(1)
    y = np.r_[rng.random(2000) < 0.1, np.repeat([1, 0], [7, 43])].astype(int)
    score = np.r_[rng.normal(size=2000) + 1.8 * y[:2000], np.where(y[2000:] == 1, 9.0, rng.normal(size=50))]
    group = np.repeat([0, 1], [2000, 50])
    found = compare_pairs(group_auc_estimates(y, score, group, 2), [(0, 1)])
    low, high = found.estimates.interval(0.95)
    assert found.estimates.value[1] == 1 and high[1] == 1 and low[1] < 0.7
    assert found.se[0] > 0.02 and found.p[0] > 0.05
    both = compare_pairs(group_auc_estimates(np.r_[y[2000:], y[2000:]], np.r_[score[2000:], score[2000:]], np.repeat([0, 1], 50), 2), [(0, 1)])
    assert both.p[0] == 1 and both.interval(0.95)[0][0] < 0 < both.interval(0.95)[1][0]


def test_unequal_rows_per_patient_do_not_hide_a_difference() -> None:
    """One eye each at AUC .99 against two eyes each at .6: exchanging patients of like label counts could never tell."""
    rng = np.random.default_rng(2)
    patient = np.r_[np.arange(40), np.repeat(np.arange(40, 80), 2)]
    group = (patient >= 40).astype(int)
    y = (rng.random(80) < 0.5).astype(int)[patient]
    score = rng.normal(size=80)[patient] + 0.5 * rng.normal(size=120) + np.where(group == 0, 4.0, 0.3) * y
    found = compare_pairs(group_auc_estimates(y, score, group, 2, cluster=patient), [(0, 1)])
    low, _ = found.interval(0.95)
    assert found.p[0] < 0.01 and low[0] > 0


def test_degrees_of_freedom_count_patients_not_rows() -> None:
    for rows in (3, 30):
        data = _cohort(7, 24, groups=2, rows=rows)
        found = compare_pairs(group_auc_estimates(data["y"], data["score"], data["group"], 2, cluster=data["cluster"]), [(0, 1)])
        assert found.df[0] < 24
        rates = compare_pairs(group_rate_estimates(data["y"], data["score"] > 1, data["group"], 2, "tpr", cluster=data["cluster"]), [(0, 1)])
        assert rates.df[0] < 24


def test_repeating_every_row_adds_nothing() -> None:
    """A patient whose rows are copies of one row is one row: no test may gain from copies."""
    data = _cohort(8, 200)
    copied = {name: np.repeat(values, 3) for name, values in data.items()}
    for kind in ("auc", "tpr", "npv", "mean"):
        once = compare_pairs(_estimates(kind, data, False, False), PAIRS)
        thrice = compare_pairs(_estimates(kind, copied, True, False), PAIRS)
        assert thrice.difference == pytest.approx(once.difference)
        assert thrice.se == pytest.approx(once.se, rel=0.12)
        assert np.all(thrice.se > 0.97 * once.se)


def test_what_cannot_be_estimated_is_not_compared() -> None:
    y, score = np.r_[np.ones(9), np.zeros(20), 1, np.zeros(9)], np.linspace(0, 1, 39)
    group = np.repeat([0, 1], [29, 10])
    found = compare_pairs(group_auc_estimates(y, score, group, 3), [(0, 1), (0, 2)])
    assert np.isnan(found.p).all() and np.isnan(found.interval(0.95)).all()
    constant = group_mean_estimates(np.full(30, 0.2), np.repeat([0, 1], 15), 2)
    assert np.isnan(compare_pairs(constant, [(0, 1)]).p).all(), "no test may use a standard error of 0"


def _rejected(estimates: list[PairComparisons]) -> float:
    return float(np.mean([found.p[0] < 0.05 for found in estimates]))


@pytest.mark.parametrize(
    ("patients", "rows", "auc", "prevalence"),
    [
        ((1000, 60), (1, 1), 0.92, (0.1, 0.15)),
        ((85, 85), (1, 1), 0.92, (0.08, 0.08)),
        ((10, 10), (30, 30), 0.8, (0.4, 0.4)),
        ((60, 60), (1, 2), 0.8, (0.4, 0.4)),
    ],
)
def test_equal_groups_are_rarely_called_different(patients: tuple[int, int], rows: tuple[int, int], auc: float, prevalence: tuple[float, float]) -> None:
    """200 cohorts without a difference: more than 22 rejections would have a chance below 1 in 1,000 at a size of .05."""
    rng = np.random.default_rng(17)
    found = []
    for _ in range(200):
        group = np.repeat([0, 1], patients)
        member = np.repeat(np.arange(sum(patients)), np.array(rows)[group])
        own = group[member]
        y = (rng.random(member.size) < np.array(prevalence)[own]).astype(int)
        score = np.sqrt(0.6) * rng.normal(size=group.size)[member] + np.sqrt(0.4) * rng.normal(size=member.size) + np.sqrt(2) * ndtri(auc) * y
        found.append(compare_pairs(group_auc_estimates(y, score, own, 2, cluster=member if max(rows) > 1 else None), [(0, 1)]))
    assert _rejected(found) <= 22 / 200


def test_difference_of_the_whole_module_is_signed_first_minus_second() -> None:
    data = _cohort(9, 300, groups=2)
    one = compare_pairs(group_auc_estimates(data["y"], data["score"], data["group"], 2), [(0, 1), (1, 0)])
    assert one.difference[0] == -one.difference[1] and one.p[0] == pytest.approx(one.p[1])
    low, high = one.interval(0.9)
    assert (low[0], high[0]) == (pytest.approx(-high[1]), pytest.approx(-low[1]))


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("clustered", [False, True])
def test_groups_that_hold_nothing_are_not_compared_and_disturb_no_other(clustered: bool) -> None:
    """Group 0 has weights of 0 only, group 2 no positives, group 3 no rows."""
    rng = np.random.default_rng(10)
    group = np.r_[np.repeat([0, 1, 2], 40), np.full(10, -1), np.full(40, 4)]
    y, score = rng.integers(0, 2, 170), rng.random(170).round(1)
    y[group == 2] = 0
    weight = np.where(group == 0, 0.0, rng.random(170))
    more = {"weight": weight, "cluster": np.arange(170) // 2 if clustered else None}
    pairs = [(0, 1), (1, 2), (1, 3), (1, 4)]
    for found in (
        compare_pairs(group_auc_estimates(y, score, group, 5, **more), pairs),
        compare_pairs(group_rate_estimates(y, score > 0.5, group, 5, "tpr", **more), pairs),
        compare_pairs(group_mean_estimates((score - y) ** 2, group, 5, stratum=y, low=0, high=1, **more), pairs),
    ):
        assert np.isnan(found.p[[0, 2]]).all() and np.isfinite(found.p[3])
        low, high = found.interval(0.95)
        assert np.array_equal(np.isnan(low), np.isnan(found.p)) and high[3] > low[3]
    none = compare_pairs(group_auc_estimates(y, score, group, 5, **more), [])
    assert none.p.size == 0 and none.interval(0.95)[0].size == 0


def test_same_scores_for_all_are_no_evidence() -> None:
    found = compare_pairs(group_auc_estimates(np.tile([0, 1], 50), np.full(100, 0.5), np.repeat([0, 1], 50), 2), [(0, 1)])
    low, high = found.interval(0.95)
    assert found.p[0] == 1 and low[0] < 0 < high[0]


def test_means_are_compared_as_welch_does() -> None:
    rng = np.random.default_rng(11)
    a, b = rng.normal(size=9), rng.normal(0.9, 3.0, size=25)
    se = np.array([a.std(ddof=1) / 3, b.std(ddof=1) / 5])
    value = np.array([a.mean(), b.mean()])
    found = compare_pairs(GroupEstimates(value, np.array([8.0, 24.0]), LinearLimits(value, se)), [(0, 1), (1, 0)])
    expected = ttest_ind(a, b, equal_var=False)
    assert found.statistic[0] == pytest.approx(expected.statistic) and found.df[0] == pytest.approx(expected.df)
    assert found.p == pytest.approx([expected.pvalue] * 2)
    limits = expected.confidence_interval(0.9)
    assert (found.interval(0.9)[0][0], found.interval(0.9)[1][0]) == (pytest.approx(limits.low), pytest.approx(limits.high))


def test_estimates_that_share_patients_are_compared_with_their_correlation() -> None:
    value, se = np.array([0.5, 0.2]), np.array([0.1, 0.2])
    shared = np.array([[1, 0.6], [0.6, 1]])
    found = compare_pairs(GroupEstimates(value, np.full(2, np.inf), LinearLimits(value, se), shared), [(0, 1)])
    expected = np.sqrt(0.01 + 0.04 - 2 * 0.6 * 0.02)
    assert found.se[0] == pytest.approx(expected)
    assert found.p[0] == pytest.approx(2 * norm.sf(0.3 / expected))
    apart = compare_pairs(GroupEstimates(value, np.full(2, np.inf), LinearLimits(value, se), -shared + 2 * np.eye(2)), [(0, 1)])
    assert apart.se[0] == pytest.approx(np.sqrt(0.01 + 0.04 + 2 * 0.6 * 0.02))


def test_a_rate_of_one_counts_patients() -> None:
    """Thirty right decisions on ten patients are ten, as far as anybody can tell."""
    patient = np.repeat(np.arange(20), 3)
    found = group_rate_estimates(np.ones(60, int), np.ones(60, int), np.repeat([0, 1], 30), 2, "tpr", cluster=patient)
    below, _ = found.limits.distances(np.full(2, 1.96), np.arange(2))
    assert 1 - below == pytest.approx([float(wilson(10, 10)[0])] * 2, abs=1e-4)
    assert np.all(found.df <= 9)


def test_leverage_of_large_patients_widens_a_difference() -> None:
    rng = np.random.default_rng(12)
    patient = np.repeat(np.arange(24), np.r_[np.full(12, 4), [30, 2, 2, 2, 2, 2, 2, 2, 2, 2, 1, 1]])
    group = (patient >= 12).astype(int)
    y = (rng.random(patient.size) < 0.5).astype(int)
    score = rng.normal(size=24)[patient] + rng.normal(size=patient.size) + y
    result = group_delong(y, score, group, 2, cluster=patient)
    assert result.inflation[1] > 1.5 > result.inflation[0] > 1
    honest, plain = (auc_estimates(r).se for r in (result, replace(result, inflation=np.ones(2))))
    assert honest / plain == pytest.approx(np.sqrt(result.inflation), rel=0.15)


def test_no_p_value_is_0_however_far_groups_lie_apart() -> None:
    far = compare_pairs(GroupEstimates(np.array([0.1, 0.9]), np.full(2, np.inf), LinearLimits(np.array([0.1, 0.9]), np.full(2, 1e-3))), [[0, 1]])
    assert 0 < far.p[0] < 1e-300
