"""Variances where patients repeat and rows are weighted, against brute force: pairs of rows, patients left out, models of statsmodels."""

from __future__ import annotations

import numpy as np
import pytest
import statsmodels.api as sm

from core.metrics import auc_comparisons
from core.metrics.auc import auc
from core.metrics.comparisons import compare_pairs
from core.metrics.delong import delong, group_delong
from core.metrics.rate_comparisons import RatioMoments, class_mean_variance, group_mean_estimates, group_rate_estimates
from core.metrics.rates import effective_sizes


def _eyes(seed: int, patients: int = 60, groups: int = 1) -> dict[str, np.ndarray]:
    """Two eyes each, some patients with one ill and one healthy eye; eyes of a patient look alike."""
    rng = np.random.default_rng(seed)
    patient = np.repeat(np.arange(patients), 2)
    y = (rng.random(2 * patients) < 0.4).astype(int)
    score = 1.5 * rng.normal(size=patients)[patient] + rng.normal(size=2 * patients) + 1.2 * y
    return {
        "y": y,
        "score": score.round(1),
        "patient": patient,
        "group": rng.integers(0, groups, 2 * patients),
        "weight": rng.gamma(3.0, size=patients)[patient],
    }


def _obuchowski(y: np.ndarray, score: np.ndarray, patient: np.ndarray) -> float:
    """Obuchowski's (1997) variance from all pairs of a positive and a negative row, patient by patient."""
    pos, neg = np.flatnonzero(y == 1), np.flatnonzero(y == 0)
    wins = (score[pos][:, None] > score[neg]) + 0.5 * (score[pos][:, None] == score[neg])
    area, ids = wins.mean(), np.unique(patient)
    x = np.array([wins[patient[pos] == i].mean(axis=1).sum() for i in ids])
    z = np.array([wins[:, patient[neg] == i].mean(axis=0).sum() for i in ids])
    m, n = np.array([(patient[pos] == i).sum() for i in ids]), np.array([(patient[neg] == i).sum() for i in ids])
    with_pos, with_neg, everyone = (m > 0).sum(), (n > 0).sum(), ids.size
    s10 = with_pos / ((with_pos - 1) * m.sum()) * ((x - m * area) ** 2).sum()
    s01 = with_neg / ((with_neg - 1) * n.sum()) * ((z - n * area) ** 2).sum()
    s11 = everyone / (everyone - 1) * ((x - m * area) * (z - n * area)).sum()
    return float(s10 / m.sum() + s01 / n.sum() + 2 * s11 / (m.sum() * n.sum()))


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_clustered_delong_is_obuchowskis_with_the_cross_term(seed: int) -> None:
    d = _eyes(seed)
    expected = _obuchowski(d["y"], d["score"], d["patient"])
    found = group_delong(d["y"], d["score"], np.zeros(d["y"].size, dtype=int), 1, cluster=d["patient"])
    assert found.covariance[0, 0] == pytest.approx(expected, rel=1e-10)
    assert delong(d["y"], d["score"], cluster=d["patient"]).covariance[0, 0] == pytest.approx(expected, rel=1e-10)
    assert found.pos.variance[0] + found.neg.variance[0] > 1.08 * expected, "a patient with one ill and one healthy eye makes the AUC surer"


def _left_out(d: dict[str, np.ndarray], weight: np.ndarray | None) -> float:
    """Jackknife: the AUC without each patient in turn."""
    areas = []
    for i in np.unique(d["patient"]):
        rest = d["patient"] != i
        areas.append(auc(d["y"][rest], d["score"][rest], None if weight is None else weight[rest]))
    return float((len(areas) - 1) / len(areas) * np.square(np.array(areas) - np.mean(areas)).sum())


@pytest.mark.parametrize("weighted", [False, True])
def test_clustered_variance_is_that_of_patients_left_out(weighted: bool) -> None:
    d = _eyes(4, 150)
    weight = d["weight"] if weighted else None
    found = group_delong(d["y"], d["score"], np.zeros(300, dtype=int), 1, cluster=d["patient"], weight=weight)
    expected = _left_out(d, weight)
    assert found.covariance[0, 0] == pytest.approx(expected, rel=0.05)
    assert found.covariance[0, 0] * found.inflation[0] == pytest.approx(expected, rel=0.05)
    assert found.inflation[0] > 1


def test_clustered_variance_of_a_difference_between_groups_that_share_patients() -> None:
    """The better eye is in one group, the other in the second: their AUCs go together, their difference is surer."""
    d = _eyes(5, 200)
    side = np.tile([0, 1], 200)
    found = group_delong(d["y"], d["score"], side, 2, cluster=d["patient"])
    rng, drawn = np.random.default_rng(6), []
    for _ in range(1500):
        take = (rng.integers(0, 200, 200)[:, None] * 2 + [0, 1]).ravel()
        drawn.append([auc(d["y"][take][side == g], d["score"][take][side == g]) for g in (0, 1)])
    expected = np.cov(np.array(drawn).T)
    assert np.sqrt(np.diagonal(found.covariance)) == pytest.approx(np.sqrt(np.diagonal(expected)), rel=0.08)
    correlation = found.covariance[0, 1] / np.sqrt(found.covariance[0, 0] * found.covariance[1, 1])
    assert correlation == pytest.approx(np.corrcoef(np.array(drawn).T)[0, 1], abs=0.08)


@pytest.mark.parametrize("weighted", [False, True])
def test_variance_of_a_rate_is_that_of_patients_left_out(weighted: bool) -> None:
    d = _eyes(7, 40)
    weight = d["weight"] if weighted else np.ones(80)
    hit = (d["score"] > 0.5).astype(float)
    ratio = RatioMoments(hit, np.zeros(80, dtype=np.int64), 1, (d["patient"], 40), weight if weighted else None)
    rates = [np.average(hit[d["patient"] != i], weights=weight[d["patient"] != i]) for i in range(40)]
    assert ratio.value[0] == pytest.approx(np.average(hit, weights=weight))
    assert ratio.variance[0] == pytest.approx(np.square(np.array(rates) - ratio.value[0]).sum())
    assert ratio.kish[0] == pytest.approx(weight.sum() ** 2 / (np.square(np.bincount(d["patient"], weight)).sum()))


@pytest.mark.parametrize("weighted", [False, True])
def test_effective_size_of_a_rate_is_that_of_a_generalized_estimating_equation(weighted: bool) -> None:
    """statsmodels' robust variance with working independence lacks the factor C / (C - 1) for C patients."""
    d = _eyes(8, 120)
    chosen, ill = (d["score"] > 0.8).astype(int), d["y"] == 1
    weight = d["weight"] if weighted else None
    found = effective_sizes(d["y"], chosen, np.zeros(240, dtype=int), 1, "tpr", cluster=d["patient"], weight=weight)
    own = None if weight is None else weight[ill]
    fit = sm.GEE(chosen[ill], np.ones(ill.sum()), groups=d["patient"][ill], family=sm.families.Gaussian(), weights=own).fit()
    c = np.unique(d["patient"][ill]).size
    p = fit.params[0]
    assert found[0] == pytest.approx(p * (1 - p) / (fit.bse[0] ** 2 * c / (c - 1)), rel=1e-6)


def test_weighted_rates_of_copies_have_the_limits_of_the_patients() -> None:
    """Ten equal rows a patient: as many effective rows as patients, whatever their weights have in common."""
    rng = np.random.default_rng(9)
    hit = (rng.random(80) < 0.3).astype(int)
    group, patient = np.repeat([0, 1], 400), np.repeat(np.arange(80), 10)
    once = group_rate_estimates(np.ones(80, int), hit, np.repeat([0, 1], 40), 2, "tpr").interval(0.95)
    copied = group_rate_estimates(np.ones(800, int), np.repeat(hit, 10), group, 2, "tpr", cluster=patient, weight=np.full(800, 0.1)).interval(0.95)
    assert copied[1] - copied[0] == pytest.approx(once[1] - once[0], rel=0.08)


@pytest.mark.parametrize("clustered", [False, True])
def test_mean_of_squares_is_that_of_least_squares(clustered: bool) -> None:
    d = _eyes(10, 300, groups=2)
    risk = 1 / (1 + np.exp(-d["score"]))
    values = (risk - d["y"]) ** 2
    patient = d["patient"] if clustered else None
    found = compare_pairs(group_mean_estimates(values, d["group"], 2, cluster=patient), [(0, 1)])
    design = sm.add_constant((d["group"] == 0).astype(float))
    fit = sm.OLS(values, design).fit(cov_type="cluster", cov_kwds={"groups": d["patient"]}) if clustered else sm.OLS(values, design).fit(cov_type="HC1")
    assert found.difference[0] == pytest.approx(fit.params[1])
    assert found.se[0] == pytest.approx(fit.bse[1], rel=0.02)
    stratified = compare_pairs(group_mean_estimates(values, d["group"], 2, stratum=d["y"], low=0, high=1, cluster=patient), [(0, 1)])
    assert stratified.se[0] == pytest.approx(fit.bse[1], rel=0.04)


def test_a_group_without_any_event_is_not_sure_of_its_brier_score() -> None:
    """30 rows, none positive: their Brier score is tiny and hardly varies, and one event would have changed it."""
    rng = np.random.default_rng(11)
    y = np.r_[rng.random(1000) < 0.03, np.zeros(30)].astype(int)
    values = np.where(y == 1, 0.9, 0.001 + 0.0001 * rng.random(1030))
    group = np.repeat([0, 1], [1000, 30])
    plain = compare_pairs(group_mean_estimates(values, group, 2), [(0, 1)])
    honest = compare_pairs(group_mean_estimates(values, group, 2, stratum=y, low=0, high=1), [(0, 1)])
    assert plain.p[0] < 0.001 and honest.p[0] > 0.05


def test_net_benefit_is_a_difference_of_two_shares() -> None:
    """Of 200 rows 30 true and 20 false positives at odds 1/4: the standard error of a multinomial contrast."""
    stratum = np.repeat([1, 2, 0], [30, 20, 150])
    values = np.select([stratum == 1, stratum == 2], [1.0, -0.25], 0.0)
    both = group_mean_estimates(np.tile(values, 2), np.repeat([0, 1], 200), 2, stratum=np.tile(stratum, 2), high=1.0)
    assert both.value[0] == pytest.approx(0.15 - 0.25 * 0.1)
    expected = np.sqrt((0.15 + 0.25**2 * 0.1 - both.value[0] ** 2) / 200)
    assert both.se[0] == pytest.approx(expected, rel=0.01)


@pytest.mark.parametrize("rows", [1, 2])
def test_the_mean_of_both_classes_means_varies_as_patients_left_out_say(rows: int) -> None:
    """Jackknife of (mean among positives + mean among negatives) / 2, without each patient in turn; both classes in some patients."""
    rng = np.random.default_rng(rows)
    patient = np.repeat(np.arange(80), rows)
    positive = rng.random(patient.size) < 0.4
    values = rng.random(80)[patient] + rng.random(patient.size) + positive
    cluster = patient if rows > 1 else None
    variance, freedom = class_mean_variance(values, positive, np.zeros(patient.size, dtype=np.int64), 1, cluster=cluster)

    def balanced(keep: np.ndarray) -> float:
        return (values[keep & positive].mean() + values[keep & ~positive].mean()) / 2

    left = np.array([balanced(patient != i) for i in range(80)])
    assert variance[0] == pytest.approx(79 / 80 * ((left - balanced(patient >= 0)) ** 2).sum(), rel=0.03)
    assert freedom[0] <= 79


def test_degrees_of_freedom_of_the_balanced_mean_count_patients() -> None:
    rng = np.random.default_rng(3)
    patient = np.repeat(np.arange(7), 15)
    _, freedom = class_mean_variance(rng.random(105), rng.random(105) < 0.5, np.zeros(105, dtype=np.int64), 1, cluster=patient)
    assert freedom[0] <= 6


def test_a_handful_of_patients_know_less_of_their_spread() -> None:
    """C / (C - 2): the AUC's variance at its own value, over what it is where each patient is counted as known."""
    d = _eyes(4, patients=6)
    result = group_delong(d["y"], d["score"], np.zeros(12, dtype=int), 1, cluster=d["patient"])
    stretch = auc_comparisons._stretch(result)
    separate = result.pos.variance + result.neg.variance
    assert stretch == pytest.approx(np.clip(result.covariance[0, 0] / separate, *auc_comparisons.SHARED) * result.inflation * 6 / 4)


def test_degrees_of_freedom_of_a_rate_count_patients_and_not_rows() -> None:
    rng = np.random.default_rng(6)
    y, chosen, patient = rng.random(105) < 0.4, rng.random(105) < 0.5, np.repeat(np.arange(7), 15)
    found = group_rate_estimates(y, chosen, np.zeros(105, dtype=np.int64), 1, "selection_rate", cluster=patient)
    assert found.df[0] <= 6
    weighted = group_rate_estimates(y, chosen, np.zeros(105, dtype=np.int64), 1, "selection_rate", weight=np.repeat([100.0, 0.1], [5, 100]))
    assert weighted.df[0] < 5, "five rows hold nearly all of the weight"
