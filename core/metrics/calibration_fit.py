"""Calibration in the large and calibration slope of every group, by logistic regression of the label on the score.

Standard errors are Fisher's where samples are independent. Where patients repeat, or samples have weights, they are the
sandwich's (Huber 1967; Liang and Zeger 1986 with working independence): scores of the likelihood are summed within
patients, and C / (C - 1) corrects for the number of patients C.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import expit, logit

from core.metrics import validate
from core.metrics.patient_sums import PatientSums

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

CLIP = 1e-6
STEPS = 50


@dataclass(frozen=True)
class _Data:
    """Samples of known group: logit of the score, label, group, weight, and their patients (None: Fisher's errors)."""

    x: Floats
    y: Floats
    group: Ints
    count: int
    weight: Floats
    sums: PatientSums | None

    def total(self, values: Floats) -> Floats:
        return np.bincount(self.group, values, self.count).astype(np.float64)

    @property
    def both_classes(self) -> NDArray[np.bool_]:
        return (self.total(self.weight * self.y) > 0) & (self.total(self.weight * (1 - self.y)) > 0)


def intercept_and_slope(
    y: ArrayLike,
    score: ArrayLike,
    group: ArrayLike | None = None,
    n_groups: int | None = None,
    *,
    weight: ArrayLike | None = None,
    cluster: ArrayLike | None = None,
) -> tuple[Floats, Floats, Floats, Floats]:
    """Calibration in the large and slope of every group with standard errors: intercept, se, slope, se, each (G,).

    Logistic regressions of the label on logit(score) (Cox 1958; Van Calster et al. 2019): the intercept with
    the slope held at 1, the slope with a free intercept. All groups are fitted at once by Newton's
    method. NaN where a class is absent, the scores are constant or separate the classes. Scores are
    clipped to [1e-6, 1 - 1e-6].

    cluster : (n,) patient of each sample; None when each sample is its own patient
    """
    positive = validate.labels(y)
    n = positive.size
    p = validate.probabilities(score, n)
    index, count = validate.groups(group, n, n_groups)
    w = validate.weights(weight, n)
    patients = validate.clusters(cluster, n)
    known = index >= 0
    sums = None
    if patients is not None or w is not None:
        sums = PatientSums.of(index[known], None if patients is None else patients[0][known], count)
    data = _Data(
        x=logit(np.clip(p[known], CLIP, 1 - CLIP)),
        y=positive[known].astype(np.float64),
        group=index[known],
        count=count,
        weight=np.ones(int(known.sum())) if w is None else w[known],
        sums=sums,
    )
    a, a_var = _intercept(data)
    b, b_var = _slope(data)
    with np.errstate(invalid="ignore"):
        return a, np.sqrt(a_var), b, np.sqrt(b_var)


def _intercept(data: _Data) -> tuple[Floats, Floats]:
    both = data.both_classes
    a = np.zeros(data.count)
    information = np.full(data.count, np.nan)
    for _ in range(STEPS):
        fitted = expit(data.x + a[data.group])
        information = data.total(data.weight * fitted * (1 - fitted))
        score = data.total(data.weight * (data.y - fitted))
        step = np.divide(score, information, out=np.zeros(data.count), where=both & (information > 0))
        a += np.clip(step, -3, 3)
        if bool((np.abs(step) < 1e-9).all()):
            break
    with np.errstate(divide="ignore", invalid="ignore"):
        variance = 1 / information
        if data.sums is not None:
            residual = data.weight * (data.y - expit(data.x + a[data.group]))
            variance = data.sums.squares(residual) * data.sums.correction / information**2
    return np.where(both, a, np.nan), np.where(both, variance, np.nan)


def _slope(data: _Data) -> tuple[Floats, Floats]:
    x, g = data.x, data.group
    a, b = np.zeros(data.count), np.ones(data.count)
    active = data.both_classes
    converged = np.zeros(data.count, dtype=bool)
    variance = np.full(data.count, np.nan)
    for _ in range(STEPS):
        fitted = expit(a[g] + b[g] * x)
        v = data.weight * fitted * (1 - fitted)
        residual = data.weight * (data.y - fitted)
        i0, i1, i2 = data.total(v), data.total(v * x), data.total(v * x * x)
        s0, s1 = data.total(residual), data.total(residual * x)
        determinant = i0 * i2 - i1 * i1
        # A vanishing determinant means constant scores, or separated classes with weights gone to 0.
        active &= determinant > 1e-10 * np.maximum(i0 * i2, 1e-300)
        safe = np.where(active, determinant, 1.0)
        step_a = np.where(active & ~converged, (i2 * s0 - i1 * s1) / safe, 0.0)
        step_b = np.where(active & ~converged, (i0 * s1 - i1 * s0) / safe, 0.0)
        a, b = a + np.clip(step_a, -3, 3), b + np.clip(step_b, -3, 3)
        variance = np.where(active, i0 / safe, np.nan)
        if data.sums is not None:
            # Each patient's pull on the slope: the second row of the inverse information times its score.
            pull = residual * (i0[g] * x - i1[g]) / safe[g]
            variance = np.where(active, data.sums.squares(pull) * data.sums.correction, np.nan)
        converged = np.maximum(np.abs(step_a), np.abs(step_b)) < 1e-8
        if bool((converged | ~active).all()):
            break
    # Separated classes let the slope grow without end: Newton never settles, or settles with no information left.
    good = active & converged & (variance * b**-2 < 1e4)
    return np.where(good, b, np.nan), np.where(good, variance, np.nan)
