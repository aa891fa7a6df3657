"""Sample size: the smallest gap that a comparison would find, and what a stated gap would need.

A two-sided test at level alpha finds a difference d with the stated power when
d = (z_(1 - alpha/2) + z_power) * SE(d), the standard error being that under the difference itself. For AUCs the
group's own variance, as estimated, is carried to the AUC it would have then by the binormal model (auc_interval.py).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import ndtri

from core.metrics.auc_interval import binormal_component

Floats = NDArray[np.float64]

BISECTIONS = 60
UNDETECTABLE = "no gap is large enough to be found with these counts"
OTHERS_TOO_FEW = "even unlimited patients in this group would not do: the group it is compared with is too small"
UNKNOWN = "the group is not estimable"


@dataclass(frozen=True)
class ExtraPatients:
    """How many more of a group a stated gap needs at the same prevalence; None with a reason where it cannot be."""

    positives: int | None
    negatives: int | None
    total: int | None
    reason: str | None


def _quantiles(power: float, alpha: float) -> float:
    if not (0 < power < 1 and 0 < alpha < 1):
        raise ValueError("power and alpha must lie between 0 and 1")
    return float(ndtri(1 - alpha / 2) + ndtri(power))


def model_variance(area: ArrayLike, n_pos: ArrayLike, n_neg: ArrayLike) -> Floats:
    """Variance of an AUC under the equal-variance binormal model, elementwise."""
    a, m, n = (np.asarray(v, dtype=np.float64) for v in (area, n_pos, n_neg))
    return (a * (1 - a) + (m + n - 2) * binormal_component(a)) / (m * n)


def _scaled_variance(at: Floats, area: Floats, se: Floats, m: Floats, n: Floats) -> Floats:
    """The group's variance if its AUC were `at`: the model's, times what was observed over the model's at `area`."""
    own = model_variance(area, m, n)
    # Close to 0 or 1 the ratio of two tiny variances says nothing; it is kept within a factor of four.
    ratio = np.divide(se**2, own, out=np.ones_like(own), where=np.isfinite(se) & (se > 0) & (own > 1e-12))
    return model_variance(at, m, n) * np.clip(ratio, 0.25, 4.0)


def detectable_auc_gap(
    area: ArrayLike,
    se: ArrayLike,
    n_pos: ArrayLike,
    n_neg: ArrayLike,
    other_area: ArrayLike,
    other_se: ArrayLike,
    *,
    power: float = 0.8,
    alpha: float = 0.05,
) -> Floats:
    """Smallest fall of a group's AUC below the others' that the test would find, elementwise; NaN where none would.

    area, se, n_pos, n_neg : of the group (se 0 or NaN: the model's is used). other_area, other_se : of what it is
    compared with. alpha : divide by the number of comparisons when they are corrected.
    """
    z = _quantiles(power, alpha)
    a, s, m, n, b, t = np.broadcast_arrays(
        *(np.asarray(v, dtype=np.float64) for v in (area, se, n_pos, n_neg, other_area, other_se))
    )
    known = np.isfinite(a) & np.isfinite(b) & np.isfinite(t) & (m >= 1) & (n >= 1)
    a0, b0, t0 = np.where(known, a, 0.5), np.where(known, b, 0.5), np.where(known, t, 0.1)
    m0, n0 = np.where(known, m, 2.0), np.where(known, n, 2.0)

    def lacks(gap: Floats) -> Floats:
        return z * np.sqrt(_scaled_variance(b0 - gap, a0, s, m0, n0) + t0**2) - gap

    low, high = np.zeros(a.shape), b0.copy()
    found = known & (lacks(high) <= 0)
    for _ in range(BISECTIONS):
        middle = (low + high) / 2
        enough = lacks(middle) <= 0
        low, high = np.where(enough, low, middle), np.where(enough, middle, high)
    return np.where(found, high, np.nan)


def extra_patients_auc(
    gap: float,
    area: float,
    se: float,
    n_pos: int,
    n_neg: int,
    other_area: float,
    other_se: float,
    *,
    power: float = 0.8,
    alpha: float = 0.05,
) -> ExtraPatients:
    """How many more patients of a group the test needs to find its AUC `gap` below the others'."""
    if not 0 < gap < 1:
        raise ValueError("the gap must lie between 0 and 1")
    if not np.isfinite([area, other_area, other_se]).all() or n_pos < 1 or n_neg < 1:
        return ExtraPatients(None, None, None, UNKNOWN)
    values = (np.asarray(v, dtype=np.float64) for v in (max(other_area - gap, 0.0), area, se, n_pos, n_neg))
    own = float(_scaled_variance(*values))
    return _extra(own, (gap / _quantiles(power, alpha)) ** 2 - other_se**2, n_pos, n_neg)


def _extra(own: float, allowed: float, n_pos: int, n_neg: int) -> ExtraPatients:
    """Patients by which a group must grow so that its variance falls from `own` to `allowed`."""
    if allowed <= 0:
        return ExtraPatients(None, None, None, OTHERS_TOO_FEW)
    factor = max(own / allowed, 1.0) - 1.0
    positives, negatives = int(np.ceil(factor * n_pos - 1e-9)), int(np.ceil(factor * n_neg - 1e-9))
    return ExtraPatients(positives, negatives, positives + negatives, None)


def detectable_rate_gap(
    other_rate: ArrayLike,
    trials: ArrayLike,
    other_trials: ArrayLike,
    *,
    power: float = 0.8,
    alpha: float = 0.05,
    above: bool = False,
) -> Floats:
    """Smallest gap of a group's rate below (or above) the others' that the test would find; NaN where none would.

    trials : the group's denominator, other_trials : the others'; effective sizes where weighted or clustered.
    """
    z = _quantiles(power, alpha)
    p, n, m = np.broadcast_arrays(*(np.asarray(v, dtype=np.float64) for v in (other_rate, trials, other_trials)))
    known = np.isfinite(p) & (n > 0) & (m > 0)
    p0, n0, m0 = np.where(known, p, 0.5), np.where(known, n, 1.0), np.where(known, m, 1.0)
    sign = 1.0 if above else -1.0

    def lacks(gap: Floats) -> Floats:
        # One success and one failure added, as in the test, so that no variance vanishes at rates of 0 and 1.
        q = ((p0 + sign * gap) * n0 + 1) / (n0 + 2)
        r = (p0 * m0 + 1) / (m0 + 2)
        return z * np.sqrt(q * (1 - q) / (n0 + 2) + r * (1 - r) / (m0 + 2)) - gap

    low, high = np.zeros(p.shape), (1 - p0 if above else p0).copy()
    found = known & (lacks(high) <= 0)
    for _ in range(BISECTIONS):
        middle = (low + high) / 2
        enough = lacks(middle) <= 0
        low, high = np.where(enough, low, middle), np.where(enough, middle, high)
    return np.where(found, high, np.nan)


def extra_samples_rate(
    gap: float, other_rate: float, trials: float, other_trials: float, *, power: float = 0.8, alpha: float = 0.05
) -> ExtraPatients:
    """How many more samples in a group's denominator the test needs to find a rate `gap` below the others' (above, if
    there is no room below). Only `total` is filled."""
    if not 0 < gap < 1:
        raise ValueError("the gap must lie between 0 and 1")
    if not np.isfinite(other_rate) or trials < 1 or other_trials < 1:
        return ExtraPatients(None, None, None, UNKNOWN)
    own_rate = other_rate - gap if other_rate - gap >= 0 else min(other_rate + gap, 1.0)
    own = max(own_rate * (1 - own_rate), 1 / (trials + 2)) / trials
    allowed = (gap / _quantiles(power, alpha)) ** 2 - other_rate * (1 - other_rate) / other_trials
    made = _extra(own, allowed, int(trials), 0)
    return ExtraPatients(None, None, made.total, made.reason)
