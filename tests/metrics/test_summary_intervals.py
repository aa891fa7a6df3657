"""Intervals of summaries that are maxima: coverage, invariants, and that pairs, intervals and p never contradict each other."""

from __future__ import annotations

import numpy as np
import pytest
from fairlearn.metrics import (
    demographic_parity_difference,
    demographic_parity_ratio,
    equal_opportunity_difference,
    equal_opportunity_ratio,
    equalized_odds_difference,
    equalized_odds_ratio,
)
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy.special import ndtri
from scipy.stats import studentized_range

from core.metrics.comparisons import GroupEstimates
from core.metrics.equity import es_auc, max_gap
from core.metrics.equity_scaled_interval import es_auc_interval
from core.metrics.intervals import wilson
from core.metrics.joint_estimates import joint_aucs, joint_rates, selected
from core.metrics.max_statistics import MinPNull, correlated_draws, normal_draws
from core.metrics.score_limits import LinearLimits
from core.metrics.summary_intervals import Family, SummaryEstimate, largest_difference, smallest_ratio, smallest_value
from core.metrics.summary_nulls import auc_nulls

RATES = ("tpr", "fpr", "selection_rate")


def normal(value: NDArray, se: NDArray, correlation: NDArray | None = None) -> GroupEstimates:
    """Estimates with known standard errors."""
    return GroupEstimates(value, np.full(value.size, np.inf), LinearLimits(value, se), correlation)


def scored(rng: np.random.Generator, sizes: list[int], auc: float = 0.85, prevalence: float = 0.35) -> tuple[NDArray, NDArray, NDArray]:
    """Labels, scores and groups with one AUC."""
    group = np.repeat(np.arange(len(sizes)), sizes)
    y = rng.random(group.size) < prevalence
    return y, rng.normal(size=group.size) + ndtri(auc) * np.sqrt(2) * y, group


def within(found: SummaryEstimate, truth: float) -> bool:
    assert found.low is not None and found.high is not None
    return found.low <= truth <= found.high


def test_two_groups_have_the_interval_of_their_difference() -> None:
    family = Family.of(normal(np.array([0.8, 0.7]), np.array([0.03, 0.04])))
    found = largest_difference(family)
    assert (found.low, found.high) == pytest.approx((0.1 - 1.959964 * 0.05, 0.1 + 1.959964 * 0.05), abs=1e-6)
    apart = largest_difference(Family.of(normal(np.array([0.8, 0.6]), np.array([0.03, 0.04]))))
    assert apart.low == pytest.approx(0.2 - 1.959964 * 0.05, abs=1e-6) and apart.p is not None and apart.p < 0.001
    alike = largest_difference(Family.of(normal(np.array([0.8, 0.79]), np.array([0.03, 0.04]))))
    assert alike.low == 0.0 and alike.high is not None and alike.high > 0.1


@pytest.mark.parametrize("groups", [3, 5, 12])
def test_equal_variances_give_tukeys_test(groups: int) -> None:
    """The largest of all standardised differences of independent means: the studentized range over sqrt(2)."""
    family = Family.of(normal(np.zeros(groups), np.ones(groups)))
    tukey = studentized_range.isf(0.05, groups, np.inf) / np.sqrt(2)
    assert -ndtri(family.null.critical(0.05) / 2) == pytest.approx(tukey, rel=0.01)
    p = 0.003
    exact = studentized_range.sf(-ndtri(p / 2) * np.sqrt(2), groups, np.inf)
    assert family.null.adjusted(p) == pytest.approx(exact, rel=0.08)


def test_corrected_p_and_critical_level_are_two_sides_of_one_test() -> None:
    null = Family.of(normal(np.zeros(6), np.array([1.0, 1, 2, 0.5, 3, 1]))).null
    for alpha in (0.5, 0.1, 0.05, 0.01, 0.001, 1e-6):
        at = null.critical(alpha)
        assert null.adjusted(at * (1 - 1e-9)) <= alpha + 1e-12 and null.adjusted(min(at * 1.01, 1.0)) > alpha * 0.99
    assert null.adjusted(1e-12) == pytest.approx(15e-12) and null.adjusted(1.0) == 1.0
    assert MinPNull(np.zeros(0), 1).adjusted(0.03) == 0.03
    assert np.isnan(MinPNull(np.linspace(0, 1, 9), 3).adjusted(float("nan")))


def test_draws_are_the_same_in_every_call_and_have_their_correlation() -> None:
    assert normal_draws(3) is normal_draws(3)
    wanted = np.array([[1, 0.9, 0], [0.9, 1, -0.3], [0, -0.3, 1]])
    assert np.corrcoef(correlated_draws(wanted, 3).T) == pytest.approx(wanted, abs=0.02)


@pytest.mark.parametrize(("sizes", "prevalence"), [([400, 200, 100, 60], 0.35), ([120, 120], 0.2), ([150, 60, 40], 0.5)])
def test_gap_es_auc_and_worst_group_cover_where_groups_are_alike(sizes: list[int], prevalence: float) -> None:
    """ES-AUC's bootstrap interval covered .67 in the first setting, the percentiles of a gap exclude 0 always."""
    rng = np.random.default_rng(11)
    y, score, group = scored(rng, [50 * n for n in sizes], prevalence=prevalence)
    whole = float(joint_aucs(y, score, group).value[-1])
    truth = {"gap": 0.0, "worst": 0.85, "es_auc": whole / (1 + len(sizes) * abs(0.85 - whole))}
    covered: dict[str, list[bool]] = {name: [] for name in truth}
    rejected = []
    for _ in range(150):
        joint = joint_aucs(*scored(rng, sizes, prevalence=prevalence))
        groups = selected(joint, np.arange(len(sizes)))
        family = Family.of(groups)
        found = {"gap": largest_difference(family), "worst": smallest_value(groups), "es_auc": es_auc_interval(joint)}
        for name, one in found.items():
            covered[name].append(within(one, truth[name]))
        gap = found["gap"]
        assert gap.low is not None and gap.p is not None and (gap.low > 0) == (gap.p < 0.05)
        rejected.append(gap.p < 0.05)
    least = 0.93 - 3 * np.sqrt(0.05 * 0.95 / 150)
    assert all(np.mean(hits) >= least for hits in covered.values()), {name: np.mean(hits) for name, hits in covered.items()}
    assert np.mean(rejected) <= 0.05 + 3 * np.sqrt(0.05 * 0.95 / 150)


def test_equal_aucs_of_unequal_prevalence_and_scores_are_not_rejected() -> None:
    """Shuffling groups called these gaps beyond chance in up to 14 %, the worst group in up to 61 %."""
    rng, rejected = np.random.default_rng(5), []
    for _ in range(150):
        one, other = scored(rng, [300], prevalence=0.5), scored(rng, [400], prevalence=0.06)
        y, score = np.concatenate([one[0], other[0]]), np.concatenate([one[1], 3 * other[1] + 2])
        joint = joint_aucs(y, score, np.repeat([0, 1], [300, 400]))
        family = Family.of(selected(joint, np.arange(2)))
        nulls = auc_nulls(joint, family)
        assert len({test.p for test in nulls.values()}) == 1
        rejected.append(nulls["worst_group"].p < 0.05)  # type: ignore[operator]
    assert np.mean(rejected) <= 0.05 + 3 * np.sqrt(0.05 * 0.95 / 150)


def test_the_chance_gaps_beyond_the_observed_one_are_its_p() -> None:
    rng = np.random.default_rng(2)
    y, score, group = scored(rng, [200, 90, 60])
    joint = joint_aucs(y, score + 0.4 * (group == 2) * (2 * y - 1), group)
    test = auc_nulls(joint, Family.of(selected(joint, np.arange(3))))["max_gap"]
    assert test.value is not None and test.p is not None and 0.001 < test.p < 0.5
    assert np.mean(test.null >= test.value) == pytest.approx(test.p, abs=0.01)
    assert test.null_q95 is not None and (test.value > test.null_q95) == (test.p < 0.05)
    others = {name: null for name, null in auc_nulls(joint, Family.of(selected(joint, np.arange(3)))).items() if name != "max_gap"}
    assert len(others) == 2 and all(null.null_q95 is None and null.null_median is not None for null in others.values())


def test_groups_ranked_without_a_fault_have_an_interval() -> None:
    y, group = np.tile([0, 1], 60), np.repeat([0, 1, 2], 40)
    joint = joint_aucs(y, y.astype(float), group)
    groups = selected(joint, np.arange(3))
    gap, worst, es = largest_difference(Family.of(groups)), smallest_value(groups), es_auc_interval(joint)
    assert (gap.value, worst.value, es.value) == (0.0, 1.0, 1.0)
    assert gap.low == 0.0 and gap.high is not None and gap.high > 0.01
    for found in (worst, es):
        assert found.low is not None and found.low < 0.97 and found.high == pytest.approx(1.0)


@given(st.integers(0, 10_000), st.integers(2, 6), st.sampled_from([1, 3]))
@settings(max_examples=25, deadline=None)
def test_intervals_contain_their_estimate_widen_with_the_level_and_do_not_know_names(seed: int, count: int, rows: int) -> None:
    rng = np.random.default_rng(seed)
    n = 60 * count
    y, group = np.repeat(rng.random(n // rows) < 0.4, rows), rng.integers(0, count, n // rows).repeat(rows)
    score, cluster = rng.normal(size=y.size) + y, None if rows == 1 else np.repeat(np.arange(n // rows), rows)
    judged = np.array([min((y & (group == g)).sum(), (~y & (group == g)).sum()) >= 5 * rows for g in range(count)])
    order = rng.permutation(count)

    def summaries(group: NDArray, judged: NDArray, level: float) -> dict[str, SummaryEstimate]:
        joint = joint_aucs(y, score, group, count, cluster=cluster)
        rates = joint_rates(y, score > 0.5, group, RATES, count, cluster=cluster)
        odds = Family.of(selected(rates, np.arange(2 * count)), np.tile(judged, 2), blocks=2)
        groups = selected(joint, np.arange(count))
        return {
            "gap": largest_difference(Family.of(groups, judged), level), "worst": smallest_value(groups, judged, level),
            "es_auc": es_auc_interval(joint, judged, level), "deodds": largest_difference(odds, level), "ratio": smallest_ratio(odds, level),
        }  # fmt: skip

    narrow, wide, renamed = summaries(group, judged, 0.8), summaries(group, judged, 0.95), summaries(np.argsort(order)[group], judged[order], 0.95)
    for name, found in wide.items():
        assert (found.value is None) == (found.reason is not None)
        if found.value is None:
            continue
        assert 0 <= found.low <= found.value <= found.high <= 1 and found.high > found.low, name  # type: ignore[operator]
        assert found.low <= narrow[name].low <= narrow[name].high <= found.high, name  # type: ignore[operator]
        other = renamed[name]
        assert other.value == pytest.approx(found.value)
        assert (other.low, other.high) == pytest.approx((found.low, found.high), abs=0.01), name


def test_values_are_fairlearns() -> None:
    rng = np.random.default_rng(4)
    y, score, group = scored(rng, [120, 80, 50])
    decision = (score > 0.8).astype(int)
    joint = joint_rates(y, decision, group, RATES)
    families = {
        "parity": Family.of(selected(joint, np.arange(6, 9))),
        "odds": Family.of(selected(joint, np.arange(6)), blocks=2),
        "opportunity": Family.of(selected(joint, np.arange(3))),
    }
    given_ = {"sensitive_features": group}
    for name, difference, ratio in (
        ("parity", demographic_parity_difference, demographic_parity_ratio),
        ("odds", equalized_odds_difference, equalized_odds_ratio),
        ("opportunity", equal_opportunity_difference, equal_opportunity_ratio),
    ):
        assert largest_difference(families[name]).value == pytest.approx(difference(y, decision, **given_))
        assert smallest_ratio(families[name]).value == pytest.approx(ratio(y, decision, **given_))


def test_ratio_and_difference_exclude_equality_together() -> None:
    rng = np.random.default_rng(9)
    seen = set()
    for _ in range(60):
        y, score, group = scored(rng, [60, 50, 30])
        family = Family.of(selected(joint_rates(y, score + 0.5 * (group == 1) > 0.6, group, RATES), np.arange(6, 9)))
        gap, ratio = largest_difference(family), smallest_ratio(family)
        assert gap.low is not None and ratio.high is not None and gap.p == ratio.p
        assert (gap.low > 0) == (ratio.high < 1 - 1e-9)
        seen.add(gap.low > 0)
    assert seen == {True, False}


def test_ratios_of_rates_near_zero_stay_in_range() -> None:
    y, group = np.zeros(60, dtype=int), np.repeat([0, 1], 30)
    decision = np.r_[np.zeros(30), np.ones(4), np.zeros(26)].astype(int)
    found = smallest_ratio(Family.of(selected(joint_rates(y, decision, group, ("selection_rate",)), np.arange(2))))
    assert found.value == 0 and found.low == 0 and found.high is not None and 0.1 < found.high <= 1
    nobody = smallest_ratio(Family.of(joint_rates(y, np.zeros(60, dtype=int), group, ("selection_rate",))))
    assert nobody.value is None and nobody.reason == "the largest rate is 0"


def test_groups_that_are_not_judged_are_in_no_summary() -> None:
    y, score, group = scored(np.random.default_rng(1), [100, 100, 100])
    joint = joint_aucs(y, np.where(group == 2, -score, score), group)
    judged = np.array([True, True, False])
    areas = joint.value[:2]
    gap = largest_difference(Family.of(selected(joint, np.arange(3)), judged))
    assert gap.value == pytest.approx(float(max_gap(areas))) and gap.value < 0.2
    assert smallest_value(selected(joint, np.arange(3)), judged).value == pytest.approx(areas.min())
    assert es_auc_interval(joint, judged).value == pytest.approx(float(es_auc(joint.value[-1], areas)))
    alone = Family.of(selected(joint, np.arange(3)), np.array([True, False, False]))
    assert largest_difference(alone).value is None and largest_difference(alone).reason is not None


def test_the_worst_group_has_sidaks_upper_limit_and_its_own_lower_one() -> None:
    found = smallest_value(normal(np.array([0.8, 0.8, 0.8, 0.81]), np.array([0.02, 0.02, 0.05, 0.02])))
    tail = 1 - 0.975 ** (1 / 4)
    assert found.high == pytest.approx(0.8 - ndtri(tail) * 0.02) and found.low == pytest.approx(0.8 - 1.959964 * 0.05)


def test_ratios_have_the_limits_at_which_the_difference_is_0() -> None:
    """At the limit r, the limit of smaller - r larger by Newcombe's construction from Wilson's limits is 0."""
    y, group = np.zeros(90, dtype=int), np.repeat([0, 1], [50, 40])
    decision = np.r_[np.ones(6), np.zeros(44), np.ones(17), np.zeros(23)].astype(int)
    found = smallest_ratio(Family.of(joint_rates(y, decision, group, ("selection_rate",))))
    (low_a, low_b), (high_a, high_b) = wilson([6, 17], [50, 40])
    a, b = 6 / 50, 17 / 40
    assert found.value == pytest.approx(a / b) and found.low is not None and found.high is not None
    assert a - found.low * b == pytest.approx(np.hypot(a - low_a, found.low * (high_b - b)))
    assert found.high * b - a == pytest.approx(np.hypot(high_a - a, found.high * (b - low_b)))


def test_es_auc_of_known_variances() -> None:
    """Groups not shown to deviate: the upper limit is the overall AUC's, nearly; the lower one allows for every sign."""
    value, se = np.array([0.84, 0.86, 0.85, 0.85]), np.array([0.03, 0.03, 0.03, 0.015])
    found = es_auc_interval(normal(value, se), p=0.7)
    assert found.value == pytest.approx(0.85 / 1.02) and found.p == 0.7
    assert found.high == pytest.approx(0.85 - ndtri(0.02) * 0.015)
    # All deviations from a known overall AUC of one sign or another: sums of three independent errors.
    exact = es_auc_interval(normal(value, np.array([0.03, 0.03, 0.03, 1e-9])))
    assert exact.low == pytest.approx(0.85 / (1 + 0.02 + 1.959964 * 0.03 * np.sqrt(3)), abs=1e-4)
    shown = es_auc_interval(normal(np.array([0.65, 0.85, 0.85, 0.85]), np.array([0.01, 0.01, 0.01, 1e-9])))
    assert shown.high == pytest.approx(0.85 / (1 + 0.2 - 0.01 * ndtri(1 - (1 - 0.995 ** (1 / 3)) / 2)), abs=1e-4)
