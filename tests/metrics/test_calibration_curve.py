"""Smooth calibration curves: statsmodels, the shape of the spline, and cohorts of known risk."""

from __future__ import annotations

import numpy as np
import pytest
import statsmodels.api as sm
from scipy.special import expit, logit

from core.audit.estimates.curves import reliability_frame
from core.audit.estimates.scored import Scored
from core.audit.options import AuditOptions
from core.metrics.calibration import reliability
from core.metrics.calibration_curve import calibration_curves, spline_basis
from tests.metrics.support import cohort


def test_the_spline_is_straight_outside_and_smooth_inside() -> None:
    knots = np.array([-1.0, -0.2, 0.3, 1.2])
    x = np.linspace(-3, 4, 7001)
    basis = spline_basis(x, knots)
    assert basis.shape == (7001, 4) and np.linalg.matrix_rank(basis) == 4
    bend = np.diff(basis, 2, axis=0) / 0.001**2
    outside = (x[1:-1] < -1.002) | (x[1:-1] > 1.202)
    assert np.abs(bend[outside]).max() < 1e-5
    assert np.abs(bend[~outside][:, 2:]).max(axis=0).min() > 0.5
    assert np.abs(np.diff(bend, axis=0)).max() < 0.02, "no jump in the curvature"
    assert spline_basis(x, np.zeros(0)).shape == (7001, 2)


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("clustered", [False, True])
def test_curve_and_band_are_statsmodels(weighted: bool, clustered: bool) -> None:
    y, p, group = cohort(900, 2, 3, missing=True)
    rng = np.random.default_rng(1)
    w = rng.integers(1, 4, 900).astype(float) if weighted else np.ones(900)
    patient = rng.integers(0, 300, 900) if clustered else np.arange(900)
    found = calibration_curves(y, p, group, 2, points=7, weight=w if weighted else None, cluster=patient if clustered else None)
    for g in range(2):
        own = group == g
        x = logit(p[own])
        knots = np.quantile(x, (0.05, 0.275, 0.5, 0.725, 0.95))
        at = logit(found.predicted[g])
        assert at == pytest.approx(np.linspace(*np.quantile(x, (0.01, 0.99)), 7))
        reference = sm.GEE(y[own], spline_basis(x, knots), groups=patient[own], weights=w[own], family=sm.families.Binomial()).fit(ctol=1e-12, maxiter=200)
        drawn = spline_basis(at, knots)
        units = np.unique(patient[own]).size
        assert logit(found.risk[g]) == pytest.approx(drawn @ reference.params, abs=1e-5)
        errors = np.sqrt(np.einsum("pk,kl,pl->p", drawn, reference.cov_robust, drawn) * units / (units - 5))
        assert found.se[g] == pytest.approx(errors, rel=1e-4)
        smaller = min(np.unique(patient[own & (y == c)]).size for c in (0, 1))
        assert found.df[g] == min(units, 2 * smaller) - 5


def test_fewer_patients_bend_less() -> None:
    """45 events: three bends of five knots fall to two of four; 20 events: a straight line, which is the slope's own fit."""
    rng = np.random.default_rng(2)
    x = rng.normal(size=400) - 0.5
    for events, columns in ((120, 5), (45, 4), (35, 3), (20, 2)):
        y = np.zeros(400)
        y[rng.choice(400, events, replace=False, p=expit(x) / expit(x).sum())] = 1
        found = calibration_curves(y, expit(x))
        assert found.df[0] == 2 * events - columns
        if columns == 2:
            line = sm.GLM(y, sm.add_constant(x), family=sm.families.Binomial()).fit()
            assert logit(found.risk[0]) == pytest.approx(line.params[0] + line.params[1] * logit(found.predicted[0]), abs=1e-5)


def test_no_curve_without_a_reason() -> None:
    y = np.concatenate([np.zeros(20), np.ones(20), [1] * 4 + [0] * 16, [0, 1] * 10, np.repeat([0, 1], 10)])
    p = np.concatenate([np.linspace(0.1, 0.9, 20)] * 3 + [np.full(20, 0.3), np.linspace(0.1, 0.9, 20)])
    found = calibration_curves(y, p, np.repeat(np.arange(5), 20), 6)
    assert found.reason == (
        "no events", "no non-events", "the events belong to fewer than 5 patients", "the scores are constant", "the scores separate events from non-events",
        "no events",
    )  # fmt: skip
    low, high = found.band()
    assert np.isnan(low).all() and np.isnan(high).all() and np.isnan(found.risk).all()
    with pytest.raises(ValueError, match="between 0 and 1"):
        calibration_curves(y, p * 2)


def test_scores_of_0_and_1_and_ties_are_drawn() -> None:
    rng = np.random.default_rng(3)
    p = rng.random(600).round(1)
    found = calibration_curves(rng.random(600) < 0.8 * p + 0.1, p)
    assert found.reason == (None,) and np.isfinite(found.band()[0]).all()


@pytest.mark.parametrize(("patients", "rows", "a", "b", "centre"), [(120, 1, 0.0, 1.0, -0.8), (500, 1, 0.5, 0.7, -2.0), (40, 3, 0.0, 1.0, 0.0)])
def test_bands_cover_point_by_point(patients: int, rows: int, a: float, b: float, centre: float) -> None:
    rng = np.random.default_rng(patients)
    patient = np.repeat(np.arange(200 * patients), rows)
    x = centre + rng.normal(size=200 * patients)[patient]
    y = (rng.random(200 * patients)[patient]) < expit(a + b * x)
    found = calibration_curves(y, expit(x), patient // patients, 200, points=15, cluster=patient)
    low, high = found.band()
    true = expit(a + b * logit(found.predicted))
    assert np.isfinite(low).mean() > 0.97
    assert 0.92 <= ((low <= true) & (true <= high))[np.isfinite(low)].mean() <= 0.98


def test_bins_of_a_few_rows_are_no_points_of_a_curve() -> None:
    p = np.concatenate([np.full(10, 0.05), np.full(9, 0.15), np.full(30, 0.95)])
    y = (np.arange(49) % 3 == 0).astype(int)
    assert reliability(y, p).drawn[0].tolist() == [True, False, False, False, False, False, False, False, False, True]
    frame = reliability_frame(Scored("m", y == 1, p, None, "none", None, None), np.zeros(49, dtype=np.int64), ("a",), AuditOptions())
    assert frame["n"].tolist() == [10, 30]
    patient = np.repeat([0, 1, 2, 3], [10, 9, 15, 15])
    assert not reliability(patient % 2, p, cluster=patient).drawn[0].any(), "thirty images of two patients are no thirty rows"
