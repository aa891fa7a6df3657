"""Paired comparison of models, against independent answers."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from scipy.special import expit, logit
from sklearn.metrics import average_precision_score

from core.audit import AuditOptions, Predictions, Target, audit
from core.audit.comparison.compare_models import RATES, Comparison, PairedDifference, compare
from core.errors import UserError
from core.metrics.calibration import debiased_ece, reliability
from core.metrics.calibration_error import calibration_error_intervals
from core.metrics.precision_recall import auprg
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
    assert (found.low, found.high) == pytest.approx((difference - 1.959964 * se, difference + 1.959964 * se), abs=0.06 * se)


def test_a_worse_model_is_found_and_summaries_are_paired() -> None:
    found = compare(two_models(0.4, 4000), "first", "second", AuditOptions(bootstrap=300))
    auc = row(found, "auc")
    assert auc.difference is not None and auc.difference > 0.03 and auc.p is not None and auc.p < 1e-6
    worst = row(found, "worst_group_auc", "group")
    assert worst.low is not None and worst.low > 0 and worst.p is not None and worst.p < 0.01
    summaries = {r.metric: r for r in found.rows if r.attribute == "group" and r.group == "(all)"}
    of_auc = {"es_auc", "max_gap", "worst_group_auc"}
    assert set(summaries) == of_auc | {"dpd", "dp_ratio", "deodds", "eodds_ratio", "equal_opportunity_difference", "equal_opportunity_ratio"}
    each = {r.metric for r in found.rows if (r.attribute, r.group) == ("group", "a")}
    assert each == {"auc", *RATES, "brier", "balanced_brier", "net_benefit", "average_precision", "auprg", "ece_debiased"}
    assert each == {r.metric for r in found.rows if r.attribute == "(all)"}
    for metric, sign in (("auprg", 1), ("average_precision", 1), ("brier", -1), ("net_benefit", 1), ("ece_debiased", -1)):
        one = row(found, metric)
        assert one.low is not None and one.high is not None and one.low < one.high and sign * one.low > 0 and sign * one.high > 0, metric


def test_differences_are_those_of_the_audits_own_values() -> None:
    predictions = two_models(0.3, 1500)
    options = AuditOptions(bootstrap=100)
    result = audit(predictions, options)
    found = compare(predictions, "first", "second", options)
    a, b = (result.model(name).attribute("group") for name in ("first", "second"))
    for r in found.rows:
        if r.attribute == "group" and r.group == "(all)":
            seen: list[Any] = [x.summary(r.metric).value for x in (a, b)]
        elif r.attribute == "group":
            seen = [x.tables[r.metric].value[x.grouping.groups.index(r.group)] for x in (a, b)]
        else:
            continue
        assert (r.value_a, r.value_b) == (pytest.approx(seen[0]), pytest.approx(seen[1])), (r.group, r.metric)
        assert r.difference == pytest.approx(seen[0] - seen[1], abs=1e-9), (r.group, r.metric)


def test_resampled_differences_agree_with_a_plain_bootstrap() -> None:
    """Rows redrawn in a loop, every metric from scratch: the intervals must be as wide, by 400 replicates of each."""
    predictions = two_models(0.3, 500)
    found = compare(predictions, "first", "second", AuditOptions(bootstrap=400))
    rng = np.random.default_rng(8)
    y, scores = predictions.y, [predictions.scores[m] for m in ("first", "second")]
    drawn: dict[str, list[float]] = {"auprg": [], "average_precision": []}
    for _ in range(400):
        rows = rng.integers(0, y.size, y.size)
        drawn["auprg"].append(float(auprg(y[rows], scores[0][rows])[0] - auprg(y[rows], scores[1][rows])[0]))
        drawn["average_precision"].append(average_precision_score(y[rows], scores[0][rows]) - average_precision_score(y[rows], scores[1][rows]))
    for metric, values in drawn.items():
        one = row(found, metric)
        assert one.low is not None and one.high is not None
        assert one.high - one.low == pytest.approx(np.ptp(np.quantile(values, [0.025, 0.975])), rel=0.2), metric


def test_calibration_errors_of_two_models_are_compared_by_their_own_intervals() -> None:
    """Two models calibrated alike: their difference reaches 0, and is no wider than both intervals together. One stretched: it is found."""
    predictions = two_models(0.3, 500)
    y, scores = predictions.y, predictions.scores
    own = row(compare(predictions, "first", "second", AuditOptions(bootstrap=0)), "ece_debiased")
    ends = [[float(end[0]) for end in calibration_error_intervals(y, scores[m]).interval()] for m in ("first", "second")]
    errors = [float(debiased_ece(reliability(y, scores[m]))[0]) for m in ("first", "second")]
    assert (own.value_a, own.value_b) == (pytest.approx(errors[0]), pytest.approx(errors[1])) and own.low is not None and own.high is not None
    below, above = ([abs(errors[k] - ends[k][side]) for k in range(2)] for side in range(2))
    assert own.low == pytest.approx(own.difference - np.hypot(below[0], above[1])) and own.high == pytest.approx(own.difference + np.hypot(above[0], below[1]))
    stretched = expit(3 * logit(np.clip(scores["first"], 1e-6, 1 - 1e-6)))
    off = Predictions.build(y, {"first": stretched, "second": scores["first"]}, {"group": predictions.attributes["group"].values()})
    found = row(compare(off, "first", "second", AuditOptions(bootstrap=0)), "ece_debiased")
    assert found.low is not None and found.low > 0 and found.p is not None and found.p < 0.01


def test_thresholds_per_group_hold_in_a_comparison() -> None:
    options = AuditOptions(bootstrap=0, target=Target("sensitivity", 0.8), per_group_threshold=True)
    predictions = two_models(0.3, 1500)
    found, told = compare(predictions, "first", "second", options), audit(predictions, options)
    for group in "ab":
        table = told.model("first").attribute("group").tables["tpr"]
        assert row(found, "tpr", "group", group).value_a == pytest.approx(table.value["ab".index(group)])


def test_like_models_do_not_differ() -> None:
    rejected = [row(compare(two_models(0.01, 600, seed), "first", "second", AuditOptions(bootstrap=200)), "max_gap", "group").p for seed in range(20)]
    assert sum(p is not None and p < 0.05 for p in rejected) <= 4


def test_the_same_model_twice_does_not_differ_and_no_interval_has_width_0() -> None:
    base = simulated({"a": 100, "b": 100})
    twice = Predictions.build(base.y, {"x": base.scores["model"], "y": base.scores["model"]}, {"group": base.attributes["group"].values()})
    for found in compare(twice, "x", "y", AuditOptions(bootstrap=0)).rows:
        if found.metric in ("auc", *RATES, "max_gap", "es_auc", "worst_group_auc", "dpd", "dp_ratio", "deodds", "eodds_ratio"):
            assert (found.difference, found.p) == (0.0, 1.0), found.metric
            assert found.low is not None and found.high is not None and found.low < 0 < found.high, found.metric


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
