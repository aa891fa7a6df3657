"""Against scikit-learn, fairlearn, statsmodels and plain re-computation on random inputs."""

from __future__ import annotations

import itertools

import fairlearn.metrics as fl
import numpy as np
import pytest
from sklearn.metrics import average_precision_score, brier_score_loss, confusion_matrix, roc_auc_score
from statsmodels.stats.multitest import multipletests
from statsmodels.stats.proportion import proportion_confint

from core.metrics.auc import auc, group_aucs
from core.metrics.auc_interval import auc_interval
from core.metrics.calibration import brier, reliability
from core.metrics.cross_group import cross_group_auc
from core.metrics.delong import delong, group_delong
from core.metrics.intervals import wilson
from core.metrics.multiple_testing import benjamini_hochberg, holm
from core.metrics.net_benefit import decision_curve, net_benefit, tables_at
from core.metrics.precision_recall import auprg, average_precision
from core.metrics.rates import FN, FP, TN, TP, confusion, rate_summaries
from tests.metrics.support import cohort

SEEDS = range(5)


@pytest.mark.parametrize("seed", SEEDS)
def test_auc_and_average_precision(seed: int) -> None:
    y, score, group = cohort(300, 4, seed, decimals=1, missing=True)
    weight = np.random.default_rng(seed).random(300)
    areas, precisions = group_aucs(y, score, group, 4, weight), average_precision(y, score, group, 4, weight)
    for g in range(4):
        own = group == g
        assert areas[g] == pytest.approx(roc_auc_score(y[own], score[own], sample_weight=weight[own]))
        assert precisions[g] == pytest.approx(average_precision_score(y[own], score[own], sample_weight=weight[own]))
    assert auc(y, score) == pytest.approx(roc_auc_score(y, score))


def _delong_by_pairs(y: np.ndarray, score: np.ndarray) -> float:
    """DeLong's variance from all pairs."""
    wins = (score[y == 1][:, None] > score[y == 0][None]) + 0.5 * (score[y == 1][:, None] == score[y == 0][None])
    return float(wins.mean(1).var(ddof=1) / wins.shape[0] + wins.mean(0).var(ddof=1) / wins.shape[1])


@pytest.mark.parametrize("seed", SEEDS)
def test_delong_of_groups_equals_all_pairs(seed: int) -> None:
    y, score, group = cohort(200, 3, seed, decimals=1)
    result = group_delong(y, score, group, 3)
    expected = [_delong_by_pairs(y[group == g], score[group == g]) for g in range(3)]
    assert np.diagonal(result.covariance) == pytest.approx(expected)
    assert result.covariance[0, 1] == 0


def test_clusters_of_one_change_nothing_and_duplicated_patients_double_the_variance() -> None:
    y, score, group = cohort(240, 2, 3)
    plain = group_delong(y, score, group, 2)
    singles = group_delong(y, score, group, 2, cluster=np.arange(240)[::-1])
    assert singles.covariance == pytest.approx(plain.covariance)
    twice = group_delong(np.tile(y, 2), np.tile(score, 2), np.tile(group, 2), 2, cluster=np.tile(np.arange(240), 2))
    assert twice.se == pytest.approx(plain.se)
    ignored = group_delong(np.tile(y, 2), np.tile(score, 2), np.tile(group, 2), 2)
    assert np.all(ignored.se < 0.75 * twice.se), "a copy of every patient is no new patient"


def test_clustered_variance_by_simulation() -> None:
    """Two eyes of a patient share an effect: the clustered error matches the spread over cohorts, DeLong's does not."""
    rng = np.random.default_rng(5)
    areas, clustered, plain = [], [], []
    for _ in range(400):
        y = np.repeat(rng.random(100) < 0.4, 2)
        score = np.repeat(rng.normal(size=100), 2) + 0.3 * rng.normal(size=200) + y
        one = delong(y, score, cluster=np.repeat(np.arange(100), 2))
        areas.append(one.auc[0])
        clustered.append(one.se[0])
        plain.append(delong(y, score).se[0])
    assert np.mean(clustered) == pytest.approx(np.std(areas), rel=0.1)
    assert np.mean(plain) < 0.85 * np.std(areas)


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("clustered", [False, True])
def test_cross_group_matrix(seed: int, clustered: bool) -> None:
    y, score, group = cohort(300, 3, seed, decimals=2, missing=True)
    cluster = np.arange(300) // 2 if clustered else None
    matrix = cross_group_auc(y, score, group, 3, cluster=cluster)
    assert np.diagonal(matrix.auc) == pytest.approx(group_delong(y, score, group, 3).auc)
    for a in range(3):
        for b in range(3):
            pair = ((group == a) & (y == 1)) | ((group == b) & (y == 0))
            assert matrix.auc[a, b] == pytest.approx(roc_auc_score(y[pair], score[pair]))
            alone = delong(y[pair], score[pair], cluster=None if cluster is None else cluster[pair])
            assert (matrix.n_pos[a], matrix.n_neg[b]) == (y[pair].sum(), (1 - y[pair]).sum())
            low, high = auc_interval(alone)
            # The variances of few patients are drawn towards what the other columns show: near, not equal.
            assert (matrix.low[a, b], matrix.high[a, b]) == pytest.approx((low[0], high[0]), abs=0.03)


@pytest.mark.parametrize("seed", SEEDS)
def test_rates_and_summaries_as_fairlearn_has_them(seed: int) -> None:
    y, score, group = cohort(400, 4, seed)
    guess = (score > 0.4).astype(int)
    summary = {k: float(v) for k, v in rate_summaries(confusion(y, guess, group)).items()}
    expected = {
        "demographic_parity_difference": fl.demographic_parity_difference,
        "demographic_parity_ratio": fl.demographic_parity_ratio,
        "equalized_odds_difference": fl.equalized_odds_difference,
        "equalized_odds_ratio": fl.equalized_odds_ratio,
        "equal_opportunity_difference": fl.equal_opportunity_difference,
        "equal_opportunity_ratio": fl.equal_opportunity_ratio,
    }
    for name, function in expected.items():
        assert summary[name] == pytest.approx(function(y, guess, sensitive_features=group)), name
    for g in range(4):
        tn, fp, fn, tp = confusion_matrix(y[group == g], guess[group == g]).ravel()
        assert confusion(y, guess, group)[g][[TN, FP, FN, TP]].tolist() == [tn, fp, fn, tp]


def test_wilson_and_corrections_as_statsmodels_has_them() -> None:
    rng = np.random.default_rng(0)
    n = rng.integers(1, 200, 50)
    k = rng.integers(0, n + 1)
    low, high = wilson(k, n)
    assert (low, high) == (
        pytest.approx(proportion_confint(k, n, method="wilson")[0], abs=1e-12),
        pytest.approx(proportion_confint(k, n, method="wilson")[1], abs=1e-12),
    )
    p = rng.random(30) ** 3
    assert holm(p) == pytest.approx(multipletests(p, method="holm")[1])
    assert benjamini_hochberg(p) == pytest.approx(multipletests(p, method="fdr_bh")[1])
    with_gap = holm([*p, np.nan])
    assert with_gap[:-1] == pytest.approx(holm(p)) and np.isnan(with_gap[-1])


@pytest.mark.parametrize("seed", SEEDS)
def test_brier(seed: int) -> None:
    y, p, group = cohort(600, 3, seed)
    scores, _, _ = brier(y, p, group, 3)
    for g in range(3):
        own = group == g
        assert scores[g] == pytest.approx(brier_score_loss(y[own], p[own]))


def test_reliability_of_repeated_patients_is_as_wide_as_of_single_ones() -> None:
    y, p, group = cohort(600, 2, 4)
    once = reliability(y, p, group, 2)
    twice = reliability(np.tile(y, 2), np.tile(p, 2), np.tile(group, 2), 2, cluster=np.tile(np.arange(600), 2))
    ignored = reliability(np.tile(y, 2), np.tile(p, 2), np.tile(group, 2), 2)
    full = once.weight >= 30
    assert (twice.high - twice.low)[full] == pytest.approx((once.high - once.low)[full], rel=0.05)
    assert np.all((ignored.high - ignored.low)[full] < 0.85 * (once.high - once.low)[full])


def _auprg_by_threshold(y: np.ndarray, score: np.ndarray) -> float:
    """Area under the gain curve from its points, the crossing at recall gain 0 found by interpolating counts."""
    prevalence = y.mean()
    counts = [(0.0, 0.0)] + [(float(y[score >= t].sum()), float((1 - y[score >= t]).sum())) for t in np.unique(score)[::-1]]
    start = prevalence * y.sum()
    fine: list[tuple[float, float]] = []
    for (tp0, fp0), (tp1, fp1) in itertools.pairwise(counts):
        if tp0 < start < tp1:
            fine.append((start, fp0 + (fp1 - fp0) * (start - tp0) / (tp1 - tp0)))
        if tp1 >= start:
            fine.append((tp1, fp1))
    tp, fp = np.array(fine).T
    precision, recall = tp / (tp + fp), tp / y.sum()
    gain = (precision - prevalence) / ((1 - prevalence) * precision)
    recall_gain = (recall - prevalence) / ((1 - prevalence) * recall)
    return float(np.trapezoid(gain, recall_gain))


@pytest.mark.parametrize("seed", SEEDS)
def test_auprg(seed: int) -> None:
    y, score, group = cohort(150, 2, seed, decimals=2)
    areas = auprg(y, score, group, 2)
    for g in range(2):
        assert areas[g] == pytest.approx(_auprg_by_threshold(y[group == g], score[group == g]), abs=1e-9)
    assert auprg(y, y)[0] == pytest.approx(1.0)
    assert auprg(y, np.zeros(150))[0] == pytest.approx(0.0)


def test_net_benefit_and_tables_by_hand() -> None:
    y, score = np.array([1, 1, 0, 0, 0]), np.array([0.9, 0.3, 0.6, 0.2, 0.1])
    assert tables_at(y, score, [0.3])[0, 0].tolist() == [2, 1, 0, 2]
    curve = decision_curve(y, score, [0.3, 0.5])
    assert curve.model[0] == pytest.approx([2 / 5 - 1 / 5 * 3 / 7, 1 / 5 - 1 / 5])
    assert curve.treat_all[0] == pytest.approx([0.4 - 0.6 * 3 / 7, 0.4 - 0.6])
    assert curve.treat_none.tolist() == [[0, 0]]
    unsorted = decision_curve(y, score, [0.5, 0.3])
    assert unsorted.model[0] == pytest.approx(curve.model[0][::-1])


def test_thresholds_of_net_benefit_lie_between_0_and_1() -> None:
    table = tables_at([1, 0], [0.9, 0.2], [0.5])[0, 0]
    for threshold in (0.0, 1.0):
        with pytest.raises(ValueError, match="above 0 and below 1"):
            net_benefit(table, threshold)
    assert net_benefit(table, 0.5) == pytest.approx(0.5)
