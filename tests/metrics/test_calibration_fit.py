"""Calibration intercept, slope and O:E: statsmodels, refits without a patient, and simulation of known truth."""

from __future__ import annotations

import numpy as np
import pytest
import statsmodels.api as sm
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy.special import expit, logit, ndtr, stdtrit

from core.metrics.calibration_comparison import calibration_comparisons
from core.metrics.calibration_fit import CalibrationFit, calibration_fit
from core.metrics.linear_estimates import LinearEstimates, PairDifferences
from tests.metrics.support import cohort

SEEDS = range(5)
NAMES = ("intercept", "slope", "log_oe")


def reference(y: NDArray, p: NDArray, w: NDArray) -> dict[str, float]:
    """The three coefficients of one group by statsmodels and a quotient."""
    x = logit(np.clip(p, 1e-6, 1 - 1e-6))
    family = sm.families.Binomial()
    free = sm.GLM(y, sm.add_constant(x), family=family, freq_weights=w).fit(tol=1e-12)
    fixed = sm.GLM(y, np.ones(y.size), family=family, offset=x, freq_weights=w).fit(tol=1e-12)
    return {"intercept": fixed.params[0], "slope": free.params[1], "log_oe": np.log((w * y).sum() / (w * p).sum())}


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("weighted", [False, True])
def test_coefficients_are_statsmodels(seed: int, weighted: bool) -> None:
    y, p, group = cohort(600, 3, seed, missing=True)
    w = np.random.default_rng(seed).integers(1, 4, 600).astype(float) if weighted else np.ones(600)
    found = calibration_fit(y, p, group, 3, weight=w if weighted else None)
    for g in range(3):
        expected = reference(y[group == g], p[group == g], w[group == g])
        for name in NAMES:
            assert getattr(found, name).value[g] == pytest.approx(expected[name], rel=1e-6, abs=1e-8), name


@pytest.mark.parametrize("clustered", [False, True])
@pytest.mark.parametrize("weighted", [False, True])
def test_errors_are_those_of_refits_without_each_patient(clustered: bool, weighted: bool) -> None:
    """The jackknife itself: exact for O:E, one Newton step from it for the others."""
    y, p, group = cohort(300, 2, 11)
    rng = np.random.default_rng(3)
    patient = rng.integers(0, 90, 300) + 1000 * group if clustered else np.arange(300)
    w = rng.integers(1, 4, 300).astype(float) if weighted else np.ones(300)
    found = calibration_fit(y, p, group, 2, cluster=patient, weight=w)
    for g in range(2):
        own = group == g
        everybody = reference(y[own], p[own], w[own])
        members = np.unique(patient[own])
        pulls: dict[str, list[float]] = {name: [] for name in NAMES}
        for member in members:
            rest = own & (patient != member)
            for name, value in reference(y[rest], p[rest], w[rest]).items():
                pulls[name].append(everybody[name] - value)
        for name in NAMES:
            expected = np.sqrt((members.size - 1) / members.size * np.sum(np.square(pulls[name])))
            assert getattr(found, name).se[g] == pytest.approx(expected, rel={"log_oe": 1e-9, "intercept": 0.01, "slope": 0.06}[name]), name


def test_the_slopes_error_is_one_newton_step_without_each_patient() -> None:
    y, p, _ = cohort(80, 1, 13)
    patient = np.arange(80) // 3
    found = calibration_fit(y, p, cluster=patient)
    design = sm.add_constant(logit(p))
    fitted = sm.GLM(y, design, family=sm.families.Binomial()).fit(tol=1e-12).fittedvalues
    information = design.T @ (design * (fitted * (1 - fitted))[:, None])
    moved = []
    for member in np.unique(patient):
        own = design[patient == member]
        v = (fitted * (1 - fitted))[patient == member]
        moved.append(np.linalg.solve(information - own.T @ (own * v[:, None]), own.T @ (y - fitted)[patient == member])[1])
    assert found.slope.variance[0] == pytest.approx(26 / 27 * np.sum(np.square(moved)), rel=1e-6)
    assert found.slope.df[0] == 25 and found.intercept.df[0] == 26 and found.log_oe.df[0] == 26


def test_few_events_leave_the_slope_few_degrees_of_freedom() -> None:
    """Eight events among 200 patients: twice eight less two; where every patient has both classes, all patients count."""
    y, p, _ = cohort(200, 1, 17)
    y = np.where(np.cumsum(y) <= 8, y, 0)
    found = calibration_fit(y, p)
    assert y.sum() == 8 and found.slope.df[0] == 14 and found.log_oe.df[0] == 199
    both = calibration_fit(np.tile([0, 1], 60), cohort(120, 1, 3)[1], cluster=np.repeat(np.arange(60), 2))
    assert both.slope.df[0] == 58


def test_large_samples_have_the_sandwich_errors_of_statsmodels() -> None:
    y, p, _ = cohort(20_000, 1, 5)
    x = logit(p)
    found = calibration_fit(y, p)
    free = sm.GLM(y, sm.add_constant(x), family=sm.families.Binomial()).fit(cov_type="HC0")
    fixed = sm.GLM(y, np.ones(y.size), family=sm.families.Binomial(), offset=x).fit(cov_type="HC0")
    poisson = sm.GLM(y, np.ones(y.size), family=sm.families.Poisson(), offset=np.log(p)).fit(cov_type="HC0")
    for name, error in (("slope", free.bse[1]), ("intercept", fixed.bse[0]), ("log_oe", poisson.bse[0])):
        assert getattr(found, name).se[0] == pytest.approx(error, rel=2e-3), name


def test_copies_of_a_patients_rows_add_nothing() -> None:
    y, p, group = cohort(200, 2, 2)
    once = calibration_fit(y, p, group, 2)
    thrice = calibration_fit(np.tile(y, 3), np.tile(p, 3), np.tile(group, 3), 2, cluster=np.tile(np.arange(200), 3))
    for name in NAMES:
        for field in ("value", "variance", "df"):
            assert getattr(getattr(thrice, name), field) == pytest.approx(getattr(getattr(once, name), field), rel=1e-6)


def test_rows_of_weight_zero_are_not_there() -> None:
    y, p, group = cohort(200, 2, 4)
    w = np.arange(200) % 3
    kept = w > 0
    for name in NAMES:
        a, b = (getattr(f, name) for f in (calibration_fit(y, p, group, 2, weight=w), calibration_fit(y[kept], p[kept], group[kept], 2, weight=w[kept])))
        assert a.variance == pytest.approx(b.variance) and list(a.df) == list(b.df)


def test_groups_that_share_patients_are_compared_as_pairs() -> None:
    """Every patient has one row in each group with the same label and score: no difference, hardly any error."""
    y, p, _ = cohort(150, 1, 6)
    shifted = expit(logit(p) + 0.01 * np.arange(150) / 150)
    fit = calibration_fit(np.tile(y, 2), np.concatenate([p, shifted]), np.repeat([0, 1], 150), 2, cluster=np.tile(np.arange(150), 2))
    for name in NAMES:
        found = getattr(calibration_comparisons(fit), name)
        assert found.se[0] < 0.05 * getattr(fit, name).se[0]


def coefficients(values: NDArray, variances: NDArray, df: NDArray) -> LinearEstimates:
    return LinearEstimates(values, variances, df, (None,) * values.size)


@settings(max_examples=200, deadline=None)
@given(st.floats(-3, 3), st.floats(0.05, 2), st.floats(0.05, 2), st.floats(1, 300), st.floats(1, 300), st.floats(0.01, 0.999))
def test_an_interval_leaves_zero_out_exactly_when_p_is_small(d: float, s: float, t: float, k: float, m: float, level: float) -> None:
    found = coefficients(np.array([d, 0.0]), np.array([s * s, t * t]), np.array([k, m])).differences()
    low, high = found.interval(level)
    assert (low[0] > 0 or high[0] < 0) == (found.p[0] < 1 - level)
    assert low[0] <= d <= high[0]
    bound = 0.7
    inside = found.interval(np.array([0.9]))
    assert (-bound < inside[0][0] and inside[1][0] < bound) == (found.p_within(bound)[0] < 0.05)
    assert (low[0] > bound or high[0] < -bound) == (found.p_beyond(bound)[0] < 1 - level)
    assert np.all(found.p_beyond(10 * (1 + np.abs(found.difference))) == 1), "far inside the bound nothing speaks for an excess"


def test_levels_may_differ_by_pair_and_are_checked() -> None:
    found = coefficients(np.array([0.0, 1.0, 3.0]), np.ones(3), np.array([8.0, 9.0, 1000.0])).differences([[0, 1], [0, 2]])
    low, high = found.interval(np.array([0.9, 0.99]))
    # Welch: two variances of 1 with 8 and 9 degrees of freedom have 4 / (1 / 8 + 1 / 9).
    assert found.df[0] == pytest.approx(4 / (1 / 8 + 1 / 9))
    assert (high - low)[0] / 2 == pytest.approx(np.sqrt(2) * stdtrit(4 / (1 / 8 + 1 / 9), 0.95))
    assert (high - low)[1] / 2 == pytest.approx(np.sqrt(2) * stdtrit(found.df[1], 0.995))
    with pytest.raises(ValueError, match="between 0 and 1"):
        found.interval(1.0)


def test_what_cannot_be_estimated_says_why() -> None:
    y = np.array([0, 0, 0, 1, 1, 1] + [0] * 6 + [1] * 6 + [0, 1] * 3 + [0, 1, 0, 1, 0, 0])
    p = np.concatenate([[0.1, 0.2, 0.3, 0.7, 0.8, 0.9], np.linspace(0.1, 0.9, 12), np.full(6, 0.4), np.linspace(0.1, 0.9, 6)])
    patient = np.concatenate([np.arange(24), [30, 31, 32, 31, 33, 34]])
    found = calibration_fit(y, p, np.repeat(np.arange(5), 6), 5, cluster=patient)
    assert found.slope.reason == (
        "the scores separate events from non-events",
        "no events",
        "no non-events",
        "the scores are constant",
        "the events belong to fewer than 2 patients",
    )
    assert found.log_oe.reason[1] == "no events" and found.log_oe.reason[0] is None
    for name in NAMES:
        one: LinearEstimates = getattr(found, name)
        for value, variance, why in zip(one.value, one.variance, one.reason, strict=True):
            assert (np.isnan(value) and np.isnan(variance)) if why else (np.isfinite(value) and variance > 0), name
        pairs: PairDifferences = getattr(calibration_comparisons(found), name)
        assert all(np.isnan(p) == (why is not None) for p, why in zip(pairs.p, pairs.reason, strict=True))


def test_scores_of_exactly_0_and_1_and_no_probabilities() -> None:
    rng = np.random.default_rng(8)
    p = rng.random(500).round(1)
    y = rng.random(500) < 0.9 * p + 0.05
    assert p.min() == 0 and p.max() == 1
    found = calibration_fit(y, p)
    expected = reference(y, p, np.ones(500))
    for name in NAMES:
        assert getattr(found, name).value[0] == pytest.approx(expected[name], rel=1e-5)
    with pytest.raises(ValueError, match="between 0 and 1"):
        calibration_fit(y, p * 1.2)


def test_scores_far_from_one_half_converge() -> None:
    """Scores about .01 with a slope of .6: Newton's steps from the identity once left for infinity here."""
    rng = np.random.default_rng(21)
    x = rng.normal(size=(200, 300)) - 4.9
    y = rng.random(x.shape) < expit(0.7 + 0.6 * x + 0.3)
    found = calibration_fit(y.ravel(), expit(x).ravel(), np.repeat(np.arange(200), 300), 200)
    enough = y.sum(axis=1) >= 5
    assert enough.sum() > 100 and np.isfinite(found.slope.value[enough]).mean() > 0.99


def test_a_slope_of_exactly_0_is_no_separation() -> None:
    y = np.repeat(np.tile([True, False], 50), 4)
    found = calibration_fit(y, np.tile([0.35, 0.45, 0.55, 0.65], 100))
    assert found.slope.reason == (None,) and found.slope.value[0] == pytest.approx(0, abs=1e-9) and found.slope.p(1.0)[0] < 1e-3


def simulated(rng: np.random.Generator, count: int, patients: int, centre: float, spread: float, rows: int, a: float, b: float) -> CalibrationFit:
    """Fits of `count` cohorts whose true risk is expit(a + b * logit of the score); rows of a patient go together."""
    patient = np.arange(count * patients * rows) // rows

    def noise() -> NDArray:
        return np.sqrt(0.5) * rng.normal(size=count * patients)[patient] + np.sqrt(0.5) * rng.normal(size=patient.size)

    x = centre + spread * noise()
    y = ndtr(noise()) < expit(a + b * x)
    return calibration_fit(y, expit(x), patient // patients, count, cluster=patient)


@pytest.mark.parametrize(
    ("patients", "centre", "spread", "rows", "a", "b"),
    [(400, -3.2, 1.0, 1, 0.0, 1.0), (30, 0.3, 1.5, 1, 0.0, 1.0), (12, -0.5, 1.0, 4, 0.0, 1.0), (80, -1.5, 0.8, 3, 0.6, 0.7)],
)
def test_intervals_cover(patients: int, centre: float, spread: float, rows: int, a: float, b: float) -> None:
    """800 cohorts: a coverage of .95 lies within .927 and .973 in 99.7 of 100 runs."""
    found = simulated(np.random.default_rng(patients), 800, patients, centre, spread, rows, a, b)
    nodes, share = np.polynomial.hermite_e.hermegauss(80)
    share = share / share.sum()
    risk, predicted = expit(a + b * (centre + spread * nodes)), expit(centre + spread * nodes)
    truth = {"slope": b, "log_oe": np.log((share * risk).sum() / (share * predicted).sum())}
    for name, true in truth.items():
        low, high = getattr(found, name).interval(0.95)
        known = np.isfinite(low)
        assert known.mean() > 0.9
        covered = ((low <= true) & (true <= high))[known].mean()
        assert 0.925 <= covered <= 0.985, (name, covered)


def test_a_rare_disease_predicted_three_times_too_often_is_seen() -> None:
    """Prevalence 1 %: A's risk is right, B's three times too high. An absolute tolerance saw no difference."""
    rng = np.random.default_rng(4)
    risk = expit(rng.normal(size=20_000) - 5.2)
    group = np.repeat([0, 1], 10_000)
    y = rng.random(20_000) < risk
    score = np.where(group == 1, np.minimum(3 * risk, 1), risk)
    found = calibration_comparisons(calibration_fit(y, score, group, 2))
    ratio, low, _ = found.oe_ratio()
    assert ratio[0] == pytest.approx(3, rel=0.4) and low[0] > 1.25 and found.log_oe.p[0] < 1e-6
    assert found.log_oe.p_within(np.log(1.25))[0] > 0.99


def test_two_patients_of_a_class_are_enough_to_fit_and_one_is_not() -> None:
    score = np.linspace(0.2, 0.8, 60)
    for y in (np.ones(60), np.zeros(60)):
        for few, known in ((1, False), (2, True)):
            labels = y.copy()
            labels[[10, 40][:few]] = 1 - labels[0]
            found = calibration_fit(labels, score, np.zeros(60, dtype=int), 1)
            assert (found.slope.reason[0] is None) == known, (labels.sum(), few)
