"""Tests and nulls of the audit: which test is used when, and that it finds what is there and nothing else."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import fisher_exact

from core.audit import AuditOptions, Predictions, audit
from tests.audit.cohorts import simulated

OPTIONS = AuditOptions(bootstrap=0, threshold=0.35)


@pytest.mark.parametrize("images", [1, 3])
def test_an_interval_excludes_no_difference_exactly_where_its_p_says_so(images: int) -> None:
    """Pointwise and simultaneous, of every metric: no verdict can contradict its interval."""
    cohort = simulated({"a": 300, "b": 120, "c": 60}, {"a": 0.9, "b": 0.84, "c": 0.78}, images=images)
    found = audit(cohort, OPTIONS)
    tests = [test for m in found.models for a in m.attributes for test in a.tests]
    assert {test.metric for test in tests} >= {"auc", "tpr", "brier", "oe_ratio", "calibration_slope"}
    for test in tests:
        assert test.p is not None and test.p_adjusted is not None and test.low is not None and test.high is not None
        assert (test.low > 0 or test.high < 0) == (test.p < OPTIONS.alpha), test
        low, high = test.simultaneous
        assert low is not None and high is not None
        assert (low > 0 or high < 0) == (test.p_adjusted < OPTIONS.alpha), test
        assert (low <= test.low + 1e-9 and test.high - 1e-9 <= high) or test.p_adjusted < OPTIONS.alpha


def test_two_groups_are_one_test() -> None:
    found = audit(simulated({"a": 300, "b": 200}, {"a": 0.9, "b": 0.8}), OPTIONS)
    pair = next(test for test in found.models[0].attributes[0].tests if test.metric == "auc")
    rest = [test for test in found.models[0].against_rest if test.metric == "auc"]
    assert len(rest) == 1 and rest[0].p == pair.p and rest[0].difference == pair.difference


def test_rates_lie_near_fishers_test() -> None:
    """Fisher's exact test is conservative; the mid-p of the same tables is a little smaller."""
    rng = np.random.default_rng(2)
    for _ in range(10):
        y, group = np.ones(80, dtype=int), np.repeat(["a", "b"], 40)
        y[::4] = 0
        score = rng.random(80)
        attribute = audit(Predictions.build(y, score, {"g": group}), AuditOptions(bootstrap=0)).models[0].attributes[0]
        p = next(test.p for test in attribute.tests if test.metric == "tpr")
        assert p is not None
        hits = [int(((score >= 0.5) & (y == 1) & (group == g)).sum()) for g in "ab"]
        fisher = fisher_exact([[hits[0], 30 - hits[0]], [hits[1], 30 - hits[1]]]).pvalue
        assert p <= fisher + 1e-9 and p > 0.4 * fisher


def test_rate_gaps_stand_beside_what_chance_gives() -> None:
    alike = audit(simulated({"a": 300, "b": 200, "c": 60}), OPTIONS).models[0].attributes[0]
    apart = audit(simulated({"a": 300, "b": 300}, {"a": 0.95, "b": 0.6}), OPTIONS).models[0].attributes[0]
    for name in ("dpd", "deodds", "equal_opportunity_difference", "eodds_ratio"):
        summary = alike.summary(name)
        assert summary.p_null is not None and summary.null_median is not None and summary.p_null > 0.02, name
    found = apart.summary("deodds")
    assert found.p_null is not None and found.p_null < 0.01
    assert found.value is not None and found.null_q95 is not None and found.null_q95 < found.value


def test_the_null_of_a_summary_is_that_of_its_own_groups() -> None:
    """Only two groups have positives, and only one negatives: there is a gap in TPR with its null, and none in FPR."""
    y = np.concatenate([np.tile([0, 1], 100), np.ones(40, dtype=int)])
    score = np.random.default_rng(0).random(240)
    score[200:] = 0.9
    attribute = audit(Predictions.build(y, score, {"g": ["a", "b"] * 100 + ["c"] * 40}), OPTIONS).models[0].attributes[0]
    opportunity = attribute.summary("equal_opportunity_difference")
    assert opportunity.value is not None and opportunity.p_null is not None and opportunity.p_null < 0.001
    share = np.mean(np.array(opportunity.null) >= opportunity.value)
    assert share == pytest.approx(opportunity.p_null, abs=0.002)
    assert attribute.summary("deodds").value is None and attribute.summary("deodds").p_null is None


def test_intersections_have_weighted_and_plain_tests_against_the_rest() -> None:
    cohort = simulated({"a": 300, "b": 300}, {"a": 0.95, "b": 0.6})
    weighted = simulated({"a": 300, "b": 300}, {"a": 0.95, "b": 0.6}, weights=np.ones(600))
    plain, with_weights = (audit(c, OPTIONS).models[0].against_rest for c in (cohort, weighted))
    assert {(t.group, t.metric) for t in plain} == {(t.group, t.metric) for t in with_weights}
    for test in plain:
        other = next(t for t in with_weights if (t.group, t.metric) == (test.group, test.metric))
        assert other.difference == pytest.approx(test.difference, abs=1e-9)


def test_chance_is_drawn_around_one_common_rate() -> None:
    """Selection rates of .2 and .6: among groups alike of this size the ratio would be near 1, wherever the groups themselves are."""
    score = np.concatenate([np.linspace(0, 0.625, 1000), np.linspace(0, 1.25, 1000)])
    y = np.tile([0, 1], 1000)
    made = Predictions.build(y, np.minimum(score, 1.0), {"g": np.repeat(["a", "b"], 1000)})
    ratio = audit(made, AuditOptions(bootstrap=0, threshold=0.5)).models[0].attributes[0].summary("dp_ratio")
    assert ratio.value is not None and ratio.null_median is not None
    assert ratio.value == pytest.approx(1 / 3, abs=0.01) and ratio.null_median > 0.9


def test_no_limit_of_chance_contradicts_the_p_beside_it() -> None:
    """`es_auc .737; chance alone reaches .714 in 5 of 100 (p = .042)` was printed, and the like in up to one of three cohorts."""
    for seed in range(25):
        found = audit(simulated({"a": 160, "b": 90, "c": 50}, {"a": 0.87, "b": 0.8, "c": 0.74}, seed=seed), OPTIONS).models[0].attributes[0]
        for summary in found.summaries:
            if summary.p_null is not None and summary.null_q95 is not None and summary.value is not None and abs(summary.p_null - 0.05) > 0.004:
                assert (summary.value > summary.null_q95) == (summary.p_null < 0.05), (seed, summary.metric)
