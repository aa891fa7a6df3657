"""Standardisation to a common prevalence: scikit-learn, brute-force reweighting, and simulation of equal ROC."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from sklearn.metrics import accuracy_score, brier_score_loss, precision_score

from core.metrics.linear_estimates import LinearEstimates, from_pulls
from core.metrics.net_benefit import net_benefit
from core.metrics.prevalence import STANDARDISED, Standardised, standardise
from core.metrics.rates import confusion
from core.metrics.scaled_estimates import ScaledEstimates
from tests.metrics.support import cohort


def plain(metric: str, y: NDArray, score: NDArray, w: NDArray) -> float:
    """The metric at a threshold of .4, rows weighted, by other means."""
    chosen = score >= 0.4
    if metric == "ppv":
        return precision_score(y, chosen, sample_weight=w)
    if metric == "npv":
        return precision_score(1 - y, ~chosen, sample_weight=w)
    if metric == "selection_rate":
        return np.average(chosen, weights=w)
    if metric == "accuracy":
        return accuracy_score(y, chosen, sample_weight=w)
    if metric == "brier":
        return brier_score_loss(y, score, sample_weight=w)
    return float(net_benefit(confusion(y, chosen, weight=w), 0.4)[0])


def found(metric: str, y: NDArray, score: NDArray, group: NDArray, n_groups: int, **more: object) -> Standardised:
    return standardise(metric, y, score if metric == "brier" else score >= 0.4, group, n_groups, threshold=0.4, **more)  # type: ignore[arg-type]


@pytest.mark.parametrize("metric", STANDARDISED)
@pytest.mark.parametrize("weighted", [False, True])
def test_values_are_those_of_groups_reweighted_to_the_common_prevalence(metric: str, weighted: bool) -> None:
    y, score, group = cohort(900, 3, 1, missing=True)
    w = np.random.default_rng(1).integers(1, 4, 900).astype(float) if weighted else np.ones(900)
    got = found(metric, y, score, group, 3, weight=w if weighted else None)
    common = np.average(y, weights=w)
    assert got.prevalence == pytest.approx(common)
    for g in range(3):
        own = group == g
        prevalence = np.average(y[own], weights=w[own])
        to_common = w[own] * np.where(y[own] == 1, common / prevalence, (1 - common) / (1 - prevalence))
        assert got.own_prevalence[g] == pytest.approx(prevalence)
        assert got.raw[g] == pytest.approx(plain(metric, y[own], score[own], w[own]))
        assert got.standardised.value[g] == pytest.approx(plain(metric, y[own], score[own], to_common))


@pytest.mark.parametrize("metric", STANDARDISED)
def test_errors_are_the_bootstraps_within_classes(metric: str) -> None:
    y, score, _ = cohort(500, 1, 3)
    got = found(metric, y, score, np.zeros(500, dtype=int), 1, prevalence=0.2)
    rng = np.random.default_rng(0)
    drawn = []
    for _ in range(800):
        rows = np.concatenate([rng.choice(np.flatnonzero(y == c), (y == c).sum()) for c in (0, 1)])
        w = np.where(y[rows] == 1, 0.2 / y.mean(), 0.8 / (1 - y.mean()))
        drawn.append(plain(metric, y[rows], score[rows], w))
    low, high = got.standardised.interval(0.6827)
    assert (high - low)[0] / 2 == pytest.approx(np.std(drawn), rel=0.1)


@pytest.mark.parametrize("metric", STANDARDISED)
def test_copies_of_a_patients_rows_add_nothing(metric: str) -> None:
    y, score, group = cohort(300, 2, 5)
    once = found(metric, y, score, group, 2)
    thrice = found(metric, *(np.tile(v, 3) for v in (y, score, group)), 2, cluster=np.tile(np.arange(300), 3))
    assert thrice.standardised.on_scale.variance == pytest.approx(once.standardised.on_scale.variance)
    assert thrice.differences().standardised.p == pytest.approx(once.differences().standardised.p)


def test_patients_with_both_classes_correlate_them() -> None:
    """Each patient has an ill and a healthy row that are selected together: their errors add up in the selection rate."""
    rng = np.random.default_rng(2)
    chosen = np.repeat(rng.random(200) < 0.5, 2)
    y = np.tile([0, 1], 200)
    patient = np.repeat(np.arange(200), 2)
    together = standardise("selection_rate", y, chosen, cluster=patient).standardised.on_scale.variance[0]
    apart = standardise("selection_rate", y, chosen).standardised.on_scale.variance[0]
    assert together == pytest.approx(2 * apart, rel=0.02)


def test_rates_of_0_and_1_have_an_error_and_absent_classes_a_reason() -> None:
    y = np.array([1] * 7 + [0] * 20 + [1] * 30 + [0] * 30 + [0] * 9 + [1] * 4 + [0] * 9)
    chosen = np.array([1] * 7 + [0] * 20 + [1, 0] * 30 + [0] * 9 + [0] * 13)
    group = np.repeat([0, 1, 2, 3], [27, 60, 9, 13])
    for metric in ("ppv", "npv", "selection_rate", "accuracy", "net_benefit"):
        got = standardise(metric, y, chosen, group, 4, threshold=0.5)
        low, high = got.standardised.interval()
        assert got.standardised.reason[0] is None and high[0] - low[0] > 0.1, metric
        assert got.standardised.reason[2] == "no positives"
        assert np.isnan(low[2]) and np.isnan(got.standardised.value[2])
        pair = got.differences([[0, 1], [0, 2]]).standardised
        assert pair.p[0] > 1e-9 and np.isnan(pair.p[1]) and pair.reason == (None, "no positives")
        assert np.isnan(pair.interval()[0][1])
        assert got.differences([[0, 2]]).verdicts(0.1) == ("open",)
    assert standardise("ppv", y, chosen, group, 4).standardised.reason[3] == "nobody is selected"
    assert standardise("npv", y, 1 - chosen, group, 4).standardised.reason[3] == "everybody is selected"
    low, high = standardise("ppv", y, chosen, group, 4).standardised.interval()
    assert high[0] == 1.0 and 0.3 < low[0] < 0.95, "a PPV of 1 is in its own interval"


@pytest.mark.parametrize(
    ("call", "words"), [(("auc", 0.3, 0.5), "unknown metric"), (("net_benefit", 0.3, None), "threshold"), (("ppv", 1.0, 0.5), "common prevalence")]
)
def test_wrong_input_is_refused(call: tuple[str, float, float | None], words: str) -> None:
    metric, prevalence, threshold = call
    with pytest.raises(ValueError, match=words):
        standardise(metric, [0, 1, 1, 0], [0, 1, 0, 1], prevalence=prevalence, threshold=threshold)


scaled = st.tuples(
    st.floats(-3, 3), st.floats(-3, 3), st.floats(0.05, 1.5), st.floats(0.05, 1.5), st.floats(2, 200), st.sampled_from(["identity", "log", "logit"])
)


def test_a_higher_confidence_never_has_the_narrower_interval() -> None:
    """By MOVER alone the limits of this correlated pair near a bound are -.42 at 90 % and -.35 at 99.99 %: an equivalence p of 5e-23 stood beside them."""
    linear = LinearEstimates(np.zeros(2), np.array([1.5**2, 0.125**2]), np.array([2.0, 2.0]), (None, None), np.array([[2.25, 0.140625], [0.140625, 0.015625]]))
    pair = ScaledEstimates(np.full(2, 0.5), linear, "logit").differences()
    lows = [float(pair.interval(level)[0][0]) for level in (0.5, 0.8, 0.9, 0.99, 0.9999)]
    assert np.all(np.diff(lows) <= 1e-4) and lows[2] < -0.4
    assert pair.p_within(0.4)[0] > 0.05


@settings(max_examples=150, deadline=None)
@given(scaled, st.floats(0.05, 0.995), st.floats(-0.9, 0.9))
def test_intervals_are_dual_to_tests_on_every_scale(values: tuple, level: float, correlation: float) -> None:
    a, b, s, t, df, scale = values
    back = {"identity": lambda v: v, "log": np.exp, "logit": lambda v: 1 / (1 + np.exp(-v))}[scale]
    centre = np.array([a, b])
    covariance = np.array([[s * s, correlation * s * t], [correlation * s * t, t * t]])
    linear = LinearEstimates(centre, np.array([s * s, t * t]), np.array([df, df]), (None, None), covariance)
    pair = ScaledEstimates(back(centre), linear, scale).differences()
    low, high = pair.interval(level)
    assert low[0] <= pair.difference[0] <= high[0]
    p = pair.p[0]
    if abs(p - (1 - level)) > 1e-6:
        assert (low[0] > 0 or high[0] < 0) == (p < 1 - level)
    if scale == "identity" and p > 1e-9:
        assert p == pytest.approx(linear.differences().p[0], rel=1e-5)
    within = pair.p_within(0.4)[0]
    inside = pair.interval(0.9)
    if abs(within - 0.05) > 1e-6:
        assert (inside[0][0] > -0.4 and inside[1][0] < 0.4) == (within < 0.05)


def cohorts(
    count: int, sizes: tuple[int, int], prevalences: tuple[float, float], tpr: tuple[float, float], fpr: float, seed: int
) -> tuple[NDArray, NDArray, NDArray, NDArray]:
    """Labels and decisions of `count` cohorts of two groups each, their codes and the pairs."""
    rng = np.random.default_rng(seed)
    group = np.tile(np.repeat([0, 1], sizes), count)
    code = group * count + np.repeat(np.arange(count), sum(sizes))
    y = rng.random(group.size) < np.array(prevalences)[group]
    chosen = rng.random(group.size) < np.where(y, np.array(tpr)[group], fpr)
    return y, chosen, code, np.stack([np.arange(count), np.arange(count) + count], axis=1)


@pytest.mark.parametrize("metric", ["ppv", "npv", "selection_rate", "accuracy", "net_benefit"])
def test_equal_rates_within_classes_seldom_leave_a_difference(metric: str) -> None:
    """Prevalences of .1 and .4: the raw metrics differ by construction, the standardised ones do not."""
    y, chosen, code, pairs = cohorts(500, (400, 300), (0.1, 0.4), (0.75, 0.75), 0.15, 7)
    got = standardise(metric, y, chosen, code, 1000, prevalence=0.25, threshold=0.3).differences(pairs)
    assert (got.standardised.p < 0.05).mean() <= 0.08
    # Selection rates, PPV and the rest differ, and the prevalences are named as what makes the difference.
    assert np.abs(got.raw.mean()) > 5 * np.abs(got.standardised.difference.mean())
    assert got.explained + got.standardised.difference == pytest.approx(got.raw)


def test_a_difference_at_the_bound_is_seldom_called_explained() -> None:
    """Selection rates at prevalence .25 differ by .25 * (.85 - .65) = .05, the bound itself."""
    y, chosen, code, pairs = cohorts(1000, (2500, 2500), (0.1, 0.4), (0.85, 0.65), 0.15, 9)
    words = np.array(standardise("selection_rate", y, chosen, code, 2000, prevalence=0.25).differences(pairs).verdicts(0.05))
    assert (words == "explained").mean() <= 0.07
    y, chosen, code, pairs = cohorts(100, (5000, 5000), (0.1, 0.4), (0.75, 0.75), 0.15, 10)
    words = np.array(standardise("selection_rate", y, chosen, code, 200, prevalence=0.25).differences(pairs).verdicts(0.05))
    assert (words == "explained").mean() > 0.95


def test_what_remains_is_said() -> None:
    y, chosen, code, pairs = cohorts(100, (2000, 2000), (0.3, 0.3), (0.9, 0.5), 0.1, 11)
    words = np.array(standardise("ppv", y, chosen, code, 200).differences(pairs).verdicts(0.02))
    assert (words == "remains").mean() > 0.9


def test_patients_whose_rows_differ_count_for_more_than_one_row_each() -> None:
    """Four rows of each of 60 patients, as unlike as rows of four patients: hardly wider than without patients."""
    rng = np.random.default_rng(15)
    y, chosen = rng.random(240) < 0.4, rng.random(240) < 0.5
    for metric in ("selection_rate", "ppv"):
        apart, together = (standardise(metric, y, chosen, prevalence=0.4, cluster=c).standardised.on_scale.variance[0] for c in (None, np.arange(240) // 4))
        assert together < 1.5 * apart, metric


def test_variances_are_the_closed_ones() -> None:
    """Rates of independent rows have p (1 - p) / (n - 1); squared errors have C / (C - 2) times theirs, on the logarithm."""
    y, score, _ = cohort(300, 1, 21)
    chosen = score >= 0.4
    at = 0.3
    rates = [(chosen[y == c].mean(), (y == c).sum()) for c in (1, 0)]
    parts = [p * (1 - p) / (n - 1) for p, n in rates]
    found = standardise("selection_rate", y, chosen, prevalence=at).standardised.on_scale
    # A success and a failure more never make it less, and here hardly more.
    assert found.variance[0] == pytest.approx(at**2 * parts[0] + (1 - at) ** 2 * parts[1], rel=1e-3)
    errors = [((score - y) ** 2)[y == c] for c in (1, 0)]
    mean = at * errors[0].mean() + (1 - at) * errors[1].mean()
    own = [e.var(ddof=1) / e.size * e.size / (e.size - 2) for e in errors]
    found = standardise("brier", y, score, prevalence=at).standardised.on_scale
    assert found.value[0] == pytest.approx(np.log(mean))
    assert found.variance[0] == pytest.approx((at**2 * own[0] + (1 - at) ** 2 * own[1]) / mean**2)


def test_the_logit_of_a_ppv_has_half_a_row_added_to_each_rate() -> None:
    """8 of 10 positives and none of 20 negatives selected; a rate of p says as much as n - 1 rows, one of 0 as its 20."""
    y, chosen = np.repeat([1, 0], [10, 20]), np.repeat([1, 0], [8, 22])
    found = standardise("ppv", y, chosen, prevalence=0.3).standardised.on_scale
    t, f = (0.8 * 9 + 0.5) / 10, 0.5 / 21
    assert found.value[0] == pytest.approx(np.log(0.3 / 0.7) + np.log(t / f))
    # Shrinking never makes a rate surer than its jackknife says.
    assert found.variance[0] == pytest.approx(max(0.16 / 9, t * (1 - t) / 10) / t**2 + f * (1 - f) / 21 / f**2, rel=1e-6)


def test_limits_of_a_difference_join_the_right_sides() -> None:
    """Zou and Donner: the lower limit takes a's distance down and b's distance up."""
    linear = LinearEstimates(np.array([1.0, -0.5]), np.array([0.16, 0.25]), np.array([1e6, 1e6]), (None, None))
    values = np.exp(linear.value)
    low, high = ScaledEstimates(values, linear, "log").differences().interval(0.95)
    z = 1.959964
    (down_a, up_a), (down_b, up_b) = ((v - v * np.exp(-z * s), v * np.exp(z * s) - v) for v, s in zip(values, (0.4, 0.5), strict=True))
    d = values[0] - values[1]
    assert (low[0], high[0]) == (pytest.approx(d - np.hypot(down_a, up_b), rel=1e-5), pytest.approx(d + np.hypot(up_a, down_b), rel=1e-5))


def test_a_value_at_its_bound_has_no_distance_beyond_it() -> None:
    """A PPV of 0 lies below its limits on the logit: the difference's limit on that side is the other group's alone."""
    linear = LinearEstimates(np.array([-2.0, 0.0]), np.array([0.04, 0.04]), np.array([1e6, 1e6]), (None, None))
    low, _ = ScaledEstimates(np.array([0.0, 0.5]), linear, "logit").differences().interval(0.5)
    up = 1 / (1 + np.exp(-0.67449 * 0.2)) - 0.5
    assert low[0] == pytest.approx(-0.5 - up, rel=1e-4)


def test_few_rows_leave_it_open() -> None:
    y, chosen, code, pairs = cohorts(50, (60, 60), (0.2, 0.4), (0.75, 0.75), 0.15, 16)
    words = standardise("selection_rate", y, chosen, code, 100, prevalence=0.25).differences(pairs).verdicts(0.02)
    assert words.count("open") > 40 and "explained" not in words


def test_no_variation_is_no_certainty() -> None:
    found = from_pulls(np.array([0.3, 0.4]), np.array([0.0, 0.0, 0.1, -0.1]), np.array([0, 0, 1, 1]), None, np.ones(2), (None, None))
    assert found.reason == ("no variation to estimate an error from", None) and np.isnan(found.variance[0]) and np.isnan(found.differences().p[0])


def test_degrees_of_freedom_are_satterthwaites_with_one_less_in_each_class() -> None:
    y, score, _ = cohort(60, 1, 23)
    at = 0.3
    parts = []
    for c, share in ((1, at), (0, 1 - at)):
        errors = ((score - y) ** 2)[y == c]
        parts.append((share**2 * errors.var(ddof=1) / (errors.size - 2), errors.size))
    found = standardise("brier", y, score, prevalence=at).standardised.on_scale
    expected = sum(v for v, _ in parts) ** 2 / sum(v**2 / (n - 1) for v, n in parts)
    assert found.df[0] == pytest.approx(expected)
