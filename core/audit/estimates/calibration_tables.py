"""Calibration of every group on common bins: errors, coefficients and the balanced Brier score, with intervals and tests.

The plain ECE grows with noise, so a small group looks worse calibrated than a large one with the same model: its interval is
that of the true error, and groups are compared by their debiased errors. Verdicts on calibration rest on O:E and the slope.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.special import stdtrit

from core.audit.estimates.group_estimates import MetricTable
from core.audit.estimates.scored import Scored
from core.audit.options import AuditOptions
from core.metrics.calibration import brier
from core.metrics.calibration_error import CalibrationErrors, calibration_error_intervals
from core.metrics.calibration_fit import CalibrationFit, calibration_fit
from core.metrics.rate_comparisons import class_mean_variance

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
CALIBRATION_METRICS = ("ece", "ece_debiased", "calibration_intercept", "calibration_slope", "oe_ratio", "balanced_brier")
ERROR_METHOD = "labels drawn from the recalibrated risk"


def calibration_tables(data: Scored, codes: Ints, count: int, too_few: Sequence[str | None], options: AuditOptions) -> list[MetricTable]:
    """ECE and debiased ECE (Neyman), intercept, slope and O:E (jackknife over patients), balanced Brier score (Student's t)."""
    if data.no_probability:
        return [MetricTable.undefined(name, count, data.no_probability) for name in CALIBRATION_METRICS]
    errors = calibration_error_intervals(data.y, data.score, codes, count, bins=options.calibration_bins, weight=data.weight, cluster=data.cluster)
    fit = calibration_fit(data.y, data.score, codes, count, weight=data.weight, cluster=data.cluster)
    _, _, balanced = brier(data.y, data.score, codes, count, weight=data.weight, cluster=data.cluster)
    return [
        *error_tables(errors, too_few, 1 - options.alpha),
        *coefficient_tables(fit, too_few, 1 - options.alpha),
        _balanced(data, codes, count, balanced, too_few, options),
    ]


def coefficient_tables(fit: CalibrationFit, too_few: Sequence[str | None], level: float) -> list[MetricTable]:
    """Intercept, slope and O:E of every group; O:E as a ratio, its interval from the logarithm, its error by the delta method."""
    tables = []
    for name, found in (("calibration_intercept", fit.intercept), ("calibration_slope", fit.slope), ("oe_ratio", fit.log_oe)):
        (value, low, high), se = (found.value, *found.interval(level)), found.se
        if name == "oe_ratio":
            value, low, high, se = np.exp(value), np.exp(low), np.exp(high), np.exp(value) * se
        reasons = tuple(why or own for why, own in zip(too_few, found.reason, strict=True))
        judged = np.array([why is None for why in reasons], dtype=bool)
        tables.append(MetricTable(name, value, low, high, se, judged, reasons, "jackknife over patients, Student's t", found.covariance, freedom=found.df))
    return tables


def _table(name: str, value: Floats, low: Floats, high: Floats, se: Floats, too_few: Sequence[str | None], method: str) -> MetricTable:
    undefined = "constant scores, perfectly separated classes or an absent class"
    reasons = tuple(why or (None if np.isfinite(v) else undefined) for v, why in zip(value, too_few, strict=True))
    return MetricTable(name, value, low, high, se, np.array([why is None for why in reasons]), reasons, method)


def _balanced(data: Scored, codes: Ints, count: int, value: Floats, too_few: Sequence[str | None], options: AuditOptions) -> MetricTable:
    """Mean of the two classes' Brier scores: each is a mean over its own rows; patients with rows of both move both."""
    variance, freedom = class_mean_variance(np.square(data.score - data.y), data.y, codes, count, cluster=data.cluster, weight=data.weight)
    se = np.sqrt(np.where(variance > 0, variance, np.nan))
    half = stdtrit(freedom, 1 - options.alpha / 2) * se
    return _table("balanced_brier", value, np.maximum(value - half, 0.0), value + half, se, too_few, "Student's t")


def error_tables(found: CalibrationErrors, too_few: Sequence[str | None], level: float) -> list[MetricTable]:
    """ECE, plain and debiased, with the interval of the true error; the plain one's is widened where it leaves the value out."""
    low, high = found.interval(level)
    none = np.full(low.shape, np.nan)
    return [
        _table("ece", found.plain, np.minimum(low, found.plain), np.maximum(high, found.plain), none, too_few, ERROR_METHOD),
        _table("ece_debiased", found.debiased, low, high, none, too_few, ERROR_METHOD),
    ]
