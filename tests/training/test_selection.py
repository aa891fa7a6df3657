"""Per-epoch metrics by the audit's functions, and the rules that choose an epoch by them."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from core.errors import UserError
from core.training.evaluate import RankingMetrics, ranking_metrics
from core.training.selection import better


def found(a: float, b: float, overall: float | None = None) -> RankingMetrics:
    whole = (a + b) / 2 if overall is None else overall
    return RankingMetrics(whole, whole / (1 + abs(a - whole) + abs(b - whole)), min(a, b), abs(a - b), {"a": a, "b": b}, {}, None)


def test_metrics_against_scikit_learn_and_the_guard() -> None:
    rng = np.random.default_rng(0)
    y, group = rng.integers(0, 2, 400), np.r_[np.zeros(200, int), np.ones(180, int), np.full(12, 2), np.full(8, -1)]
    y[380:392] = np.r_[np.ones(4), np.zeros(8)]
    score = y + rng.normal(0, 1.5, 400)
    value = ranking_metrics(y, score, group, ("x", "y", "z"))
    parts = [roc_auc_score(y[group == g], score[group == g]) for g in (0, 1)]
    assert value.auc == pytest.approx(roc_auc_score(y, score))
    assert list(value.judged.values()) == pytest.approx(parts)
    assert value.worst_group_auc == pytest.approx(min(parts)) and value.max_gap == pytest.approx(abs(parts[0] - parts[1]))
    known = group >= 0
    whole = roc_auc_score(y[known], score[known])
    assert value.es_auc == pytest.approx(whole / (1 + sum(abs(p - whole) for p in parts)))
    # Four positives are one too few: z is in no summary and is named with its count.
    assert set(value.left_out) == {"z"} and "4" in value.left_out["z"] and "z: " in value.without


def test_three_classes_are_macro_one_against_the_rest() -> None:
    rng = np.random.default_rng(1)
    y, group = rng.integers(0, 3, 300), rng.integers(0, 2, 300)
    probability = rng.dirichlet((1, 1, 1), 300) + 0.5 * np.eye(3)[y]
    probability /= probability.sum(1, keepdims=True)
    value = ranking_metrics(y, probability, group, ("x", "y"))
    assert value.auc == pytest.approx(roc_auc_score(y, probability, multi_class="ovr", average="macro"))
    inside = group == 1
    assert value.judged["y"] == pytest.approx(roc_auc_score(y[inside], probability[inside], multi_class="ovr", average="macro"))


def test_rules_by_hand() -> None:
    even, uneven, high = found(0.80, 0.80), found(0.78, 0.95), found(0.70, 0.99, 0.93)
    assert better(high, even, "auc") and not better(even, high, "auc")
    assert better(even, uneven, "worst_group") and not better(uneven, even, "worst_group")
    assert better(even, high, "es_auc") is (even.es_auc > high.es_auc)
    tied = found(0.80, 0.85)
    assert better(tied, even, "minimax_pareto") and not better(even, tied, "minimax_pareto")
    assert better(found(0.9, 0.9), None, "no_harm")
    assert better(found(0.85, 0.90), found(0.80, 0.90), "no_harm")
    assert not better(found(0.90, 0.86), found(0.80, 0.90), "no_harm")  # b loses .04
    assert not better(RankingMetrics(None, None, None, None, {}, {}, "none"), None, "auc")


def test_what_is_kept_by_minimax_pareto_is_on_the_front() -> None:
    rng = np.random.default_rng(2)
    epochs = [found(*rng.uniform(0.6, 0.95, 2)) for _ in range(40)]
    kept = None
    for one in epochs:
        kept = one if better(one, kept, "minimax_pareto") else kept
    assert kept is not None and kept.worst_group_auc == max(one.worst_group_auc for one in epochs)
    assert not any(all(one.judged[g] >= kept.judged[g] for g in "ab") and one.judged != kept.judged for one in epochs)


def test_a_rule_about_groups_without_groups_says_what_to_do() -> None:
    lonely = RankingMetrics(0.8, None, 0.8, None, {"a": 0.8}, {"b": "3 positives, 5 are needed"}, "1 group is estimable")
    with pytest.raises(UserError, match=r"selection=worst_group needs two groups.*b: 3 positives.*selection=auc"):
        better(lonely, None, "worst_group")
