"""Paired comparison of models, against independent answers."""

from __future__ import annotations

import numpy as np
import pytest

from core.audit import AuditOptions, Predictions
from core.audit.compare import Comparison, PairedDifference, compare
from core.errors import UserError
from tests.audit.cohorts import simulated


def two_models(noise: float, n: int = 1000, seed: int = 0) -> Predictions:
    base = simulated({"a": n // 2, "b": n // 2}, seed=seed)
    worse = np.clip(base.scores["model"] + np.random.default_rng(seed + 1).normal(0, noise, n), 0, 1)
    return Predictions.build(base.y, {"first": base.scores["model"], "second": worse}, {"group": base.attributes["group"].values()})


def row(found: Comparison, metric: str, attribute: str = "(all)", group: str = "(all)") -> PairedDifference:
    return next(r for r in found.rows if (r.metric, r.attribute, r.group) == (metric, attribute, group))


def test_paired_rates_agree_with_mcnemar() -> None:
    """Among positives, TPR a - TPR b is (b - c) / n with variance (b + c - (b - c)^2 / n) / n^2."""
    predictions = two_models(0.2)
    found = row(compare(predictions, "first", "second", AuditOptions(bootstrap=0)), "tpr")
    positive = predictions.y == 1
    a, b = (predictions.scores[m][positive] >= 0.5 for m in ("first", "second"))
    only_a, only_b, n = (a & ~b).sum(), (~a & b).sum(), positive.sum()
    difference = (only_a - only_b) / n
    se = np.sqrt((only_a + only_b - (only_a - only_b) ** 2 / n) / n / (n - 1))
    assert found.difference == pytest.approx(difference)
    assert (found.low, found.high) == pytest.approx((difference - 1.959964 * se, difference + 1.959964 * se), rel=1e-6)


def test_a_worse_model_is_found_and_summaries_are_paired() -> None:
    found = compare(two_models(0.4, 4000), "first", "second", AuditOptions(bootstrap=300))
    auc = row(found, "auc")
    assert auc.difference is not None and auc.difference > 0.03 and auc.p is not None and auc.p < 1e-6
    worst = row(found, "worst_group_auc", "group")
    assert worst.low is not None and worst.low > 0 and worst.p is not None and worst.p < 0.01
    assert {r.metric for r in found.rows if r.attribute == "group" and r.group == "(all)"} == {"es_auc", "max_gap", "worst_group_auc", "dpd", "deodds", "equal_opportunity_difference"}


def test_like_models_do_not_differ() -> None:
    rejected = [row(compare(two_models(0.01, 600, seed), "first", "second", AuditOptions(bootstrap=200)), "max_gap", "group").p for seed in range(20)]
    assert sum(p is not None and p < 0.05 for p in rejected) <= 4


def test_the_same_model_twice_has_no_variance() -> None:
    base = simulated({"a": 100, "b": 100})
    twice = Predictions.build(base.y, {"x": base.scores["model"], "y": base.scores["model"]}, {"group": base.attributes["group"].values()})
    found = row(compare(twice, "x", "y"), "auc")
    assert (found.difference, found.p, found.low) == (0.0, None, None) and found.reason is not None


def test_small_groups_are_left_out_with_the_reason() -> None:
    base = simulated({"a": 200, "b": 6})
    pair = Predictions.build(base.y, {"x": base.scores["model"], "y": base.scores["model"][::-1]}, {"group": base.attributes["group"].values()})
    found = row(compare(pair, "x", "y"), "auc", "group", "b")
    assert found.difference is None and "needed" in str(found.reason)
    assert list(compare(pair, "x", "y").frame.columns[:5]) == ["model_a", "model_b", "attribute", "group", "metric"]


def test_unknown_models() -> None:
    with pytest.raises(UserError, match="there is no model 'z'"):
        compare(two_models(0.1), "first", "z")
    with pytest.raises(UserError, match="with itself"):
        compare(two_models(0.1), "first", "first")
