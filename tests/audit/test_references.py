"""The whole audit's output against scikit-learn, fairlearn and statsmodels, on random inputs."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from fairlearn.metrics import (
    MetricFrame,
    demographic_parity_difference,
    demographic_parity_ratio,
    equal_opportunity_difference,
    equalized_odds_difference,
    equalized_odds_ratio,
    false_positive_rate,
    selection_rate,
    true_positive_rate,
)
from sklearn.metrics import accuracy_score, average_precision_score, brier_score_loss, precision_score, roc_auc_score
from statsmodels.stats.multitest import multipletests
from statsmodels.stats.proportion import proportion_confint

from core.audit import AuditOptions, Predictions, audit

PLAIN = AuditOptions(bootstrap=0, threshold=0.4)
SEEDS = range(6)


def table(seed: int, n: int = 400) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Labels, scores (with ties for some seeds), groups of unequal size, whole weights."""
    rng = np.random.default_rng(seed)
    y = (rng.random(n) < 0.35).astype(int)
    score = np.round(1 / (1 + np.exp(-(rng.normal(size=n) + 1.3 * y - 1))), 2 if seed % 2 else 9)
    return y, score, rng.choice(["a", "b", "c"], n, p=[0.5, 0.3, 0.2]), rng.integers(1, 4, n)


def document(seed: int, weighted: bool = False) -> dict[str, Any]:
    y, score, group, weight = table(seed)
    return audit(Predictions.build(y, score, {"g": group}, weights=weight if weighted else None), PLAIN).to_dict()


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("seed", SEEDS)
def test_estimates_are_those_of_metricframe(seed: int, weighted: bool) -> None:
    y, score, group, weight = table(seed)
    guess = (score >= 0.4).astype(int)
    on_scores = {"auc": roc_auc_score, "average_precision": average_precision_score, "brier": brier_score_loss}
    on_labels = {
        "tpr": true_positive_rate,
        "fpr": false_positive_rate,
        "ppv": precision_score,
        "npv": lambda true, guessed, **more: precision_score(1 - true, 1 - guessed, **more),
        "selection_rate": selection_rate,
        "accuracy": accuracy_score,
    }
    found = document(seed, weighted)
    for metrics, answers in ((on_scores, score), (on_labels, guess)):
        more = {"sample_params": {name: {"sample_weight": weight} for name in metrics}} if weighted else {}
        frame = MetricFrame(metrics=metrics, y_true=y, y_pred=answers, sensitive_features=pd.Series(group, name="g"), **more)
        for name in metrics:
            assert found["overall"][name] == pytest.approx(frame.overall[name]), name
            for g in "abc":
                assert found["attributes"]["g"]["groups"][g][name] == pytest.approx(frame.by_group.loc[g, name]), (name, g)


@pytest.mark.parametrize("seed", SEEDS)
def test_summaries_are_those_of_fairlearn(seed: int) -> None:
    y, score, group, _ = table(seed)
    told = document(seed)["attributes"]["g"]
    for name, reference in {
        "dpd": demographic_parity_difference,
        "dp_ratio": demographic_parity_ratio,
        "deodds": equalized_odds_difference,
        "eodds_ratio": equalized_odds_ratio,
        "equal_opportunity_difference": equal_opportunity_difference,
    }.items():
        assert told[name] == pytest.approx(reference(y, (score >= 0.4).astype(int), sensitive_features=group)), name
    by_group = MetricFrame(metrics=roc_auc_score, y_true=y, y_pred=score, sensitive_features=group)
    assert told["max_gap"] == pytest.approx(by_group.difference())
    assert told["es_auc"] == pytest.approx(by_group.overall / (1 + np.abs(by_group.by_group - by_group.overall).sum()))


@pytest.mark.parametrize("seed", SEEDS)
def test_rates_have_wilson_intervals(seed: int) -> None:
    y, score, group, _ = table(seed)
    told = document(seed)["attributes"]["g"]["groups"]
    for g in "abc":
        own = (group == g) & (y == 1)
        low, high = proportion_confint(int((score[own] >= 0.4).sum()), int(own.sum()), method="wilson")
        assert told[g]["tpr_ci"] == pytest.approx([low, high])


def test_corrections_are_those_of_statsmodels() -> None:
    """All metrics but the declared one are corrected together, as one exploratory family."""
    y, score, group, _ = table(1)
    found = audit(Predictions.build(y, score, {"g": group}), AuditOptions(bootstrap=0, threshold=0.4)).models[0].attributes[0].tests
    explored = [test for test in found if test.metric != "auc" and test.p is not None]
    assert len({test.metric for test in explored}) > 5
    adjusted = np.array([test.p_adjusted for test in explored])
    assert adjusted == pytest.approx(multipletests([test.p for test in explored], method="fdr_bh")[1])


def test_balanced_brier_and_its_interval_by_hand() -> None:
    y, score, group, _ = table(2)
    options = AuditOptions(bootstrap=0, threshold=0.4)
    found = audit(Predictions.build(y, score, {"g": group}), options).models[0].attributes[0].tables["balanced_brier"]
    for index, g in enumerate("abc"):
        parts = [(score[(group == g) & (y == label)] - label) ** 2 for label in (0, 1)]
        assert found.value[index] == pytest.approx(np.mean([p.mean() for p in parts]))
        assert found.se[index] == pytest.approx(np.sqrt(sum(p.var(ddof=1) / p.size for p in parts)) / 2)
        assert found.low[index] < found.value[index] < found.high[index]
