"""Calibration of every group by what can be compared between groups: intercept, slope and observed over expected events.

The intercept (calibration in the large, slope held at 1) and the slope come from logistic regressions of the label on the
logit of the score (Cox 1958; Van Calster et al. 2019); the ratio of observed to expected events (O:E) is compared on its
logarithm. A calibrated model has 0, 1 and 0, whatever its scores look like, so that groups whose scores are spread
differently can be compared.

Errors are the one-step jackknife's over patients (CR3, Bell and McCaffrey 2002): how far each estimate moves when a patient
leaves, (I - I_c)^-1 s_c for the information I and score s of the likelihood. They do not take the logistic shape for true,
know which rows share a patient and what rows weigh, and do not fall short with few patients or few events as the plain
sandwich does. Student's t with C - 1 degrees of freedom for C patients gives intervals and tests. The slope sets events
against non-events like a comparison of two samples: its degrees of freedom are twice the smaller class's patients, or C
where that is less, minus 2.

Coverage of the 95 % intervals of intercept, slope and log O:E in 1,000 cohorts each (python -m tests.benchmarks.measure_calibration;
patients at prevalence, spread of the logits; settings on which nothing was chosen): 350 at .02 .958 .946 .963; 180 at .07, 1.3
.959 .963 .961; 70 at .4 .957 .957 .961; 900 at .12, 1.8, true slope .8 .955 .955 .954; 250 at .3, true slope 1.4 .952 .958 .954; 9 patients of 4
rows .969 .966 .956; 35 of 5, true slope .8 .953 .948 .950; 150 of 2 with log-normal weights .939 .938 .950; 2,500 at .03 .941 .962 .942.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import expit, logit

from core.metrics import validate
from core.metrics.linear_estimates import LinearEstimates, from_pulls
from core.metrics.patient_sums import PatientSums

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

# Scores of 0 and 1 have no finite logit: they count as one in a million.
CLIP = 1e-6
STEPS = 50
LONGEST_STEP = 2.0
# Patients with an event, and with a non-event, that a coefficient needs before its error means anything.
LEAST_PATIENTS = 2

NO_EVENTS = "no events"
NO_NON_EVENTS = "no non-events"
FEW_PATIENTS = "the {what} belong to fewer than {least} patients"
CONSTANT = "the scores are constant"
SEPARATED = "the scores separate events from non-events"
NO_RISK = "the scores predict no events at all"


@dataclass(frozen=True)
class CalibrationFit:
    """Coefficients of G groups; `log_oe` is the logarithm of observed over expected events (0: as many as predicted)."""

    intercept: LinearEstimates
    slope: LinearEstimates
    log_oe: LinearEstimates


@dataclass(frozen=True)
class _Data:
    """Rows of known group and weight: score, its logit, label, group, weight, and their patients; known : (n,) which rows."""

    known: NDArray[np.bool_]
    p: Floats
    x: Floats
    y: Floats
    group: Ints
    count: int
    weight: Floats
    sums: PatientSums
    patient: Ints | None

    @classmethod
    def of(cls, y: ArrayLike, score: ArrayLike, group: ArrayLike | None, n_groups: int | None, weight: ArrayLike | None, cluster: ArrayLike | None) -> _Data:
        positive = validate.labels(y)
        n = positive.size
        p = validate.probabilities(score, n)
        index, count = validate.groups(group, n, n_groups)
        w = validate.weights(weight, n)
        patients = validate.clusters(cluster, n)
        known = (index >= 0) if w is None else (index >= 0) & (w > 0)
        g = index[known]
        own = None if patients is None else patients[0][known]
        sums = PatientSums.of(g, own, count)
        patient = None
        if own is not None:
            patient = np.empty(sums.owner.size, dtype=np.int64)
            patient[sums.member] = own
        rows = np.ones(g.size) if w is None else w[known]
        return cls(known, p[known], logit(np.clip(p[known], CLIP, 1 - CLIP)), positive[known].astype(np.float64), g, count, rows, sums, patient)

    def total(self, values: Floats) -> Floats:
        return np.bincount(self.group, values, self.count).astype(np.float64)

    def class_patients(self) -> tuple[Ints, Ints]:
        """Patients with an event and patients with a non-event, (G,) each."""
        has = [self.sums.of_patients(own) > 0 for own in (self.y, 1 - self.y)]
        events, others = (np.bincount(self.sums.owner[h], minlength=self.count) for h in has)
        return events, others

    def reasons(self) -> list[str | None]:
        """Per group, why nothing can be fitted: a class is absent, or belongs to too few patients."""
        result: list[str | None] = []
        for events, others in zip(*self.class_patients(), strict=True):
            absent = NO_EVENTS if events == 0 else NO_NON_EVENTS if others == 0 else None
            few = "events" if events < LEAST_PATIENTS else "non-events" if others < LEAST_PATIENTS else None
            result.append(absent or (FEW_PATIENTS.format(what=few, least=LEAST_PATIENTS) if few else None))
        return result

    def estimates(self, value: Floats, pull: Floats, df: Ints, reason: Sequence[str | None]) -> LinearEstimates:
        """From the jackknife's pull (k,) of each patient and the degrees of freedom (G,)."""
        patients = self.sums.patients
        with np.errstate(divide="ignore", invalid="ignore"):
            scaled = pull * np.sqrt((patients - 1) / patients)[self.sums.owner]
        return from_pulls(value, scaled, self.sums.owner, self.patient, np.maximum(df, 1).astype(np.float64), reason)


def calibration_fit(
    y: ArrayLike,
    score: ArrayLike,
    group: ArrayLike | None = None,
    n_groups: int | None = None,
    *,
    weight: ArrayLike | None = None,
    cluster: ArrayLike | None = None,
) -> CalibrationFit:
    """Calibration intercept, slope and log O:E of every group, with errors that count patients.

    Parameters
    ----------
    y : (n,) labels 0 or 1
    score : (n,) predicted probabilities; for the logit, 0 and 1 are clipped to 1e-6 and 1 - 1e-6
    group : (n,) group indices, -1 left out; None for one group
    weight : (n,) sampling weights; cluster : (n,) patient of each row, None when each row is its own

    Returns
    -------
    Estimates of G groups each; NaN with a reason where a class is absent or belongs to a single patient, for the slope
    also where scores are constant or separate the classes.

    Raises
    ------
    ValueError : for labels that are not binary and scores outside [0, 1].
    """
    data = _Data.of(y, score, group, n_groups, weight, cluster)
    reason = data.reasons()
    intercept = _intercept(data, reason)
    slope = _slope(data, reason, np.nan_to_num(intercept.value))
    return CalibrationFit(intercept, slope, _log_oe(data, reason))


def recalibrated_risk(
    y: ArrayLike,
    score: ArrayLike,
    group: ArrayLike | None = None,
    n_groups: int | None = None,
    *,
    weight: ArrayLike | None = None,
) -> Floats:
    """Risk (n,) by the logistic recalibration of each group, NaN where its slope is not estimable and for rows left out."""
    data = _Data.of(y, score, group, n_groups, weight, None)
    reason = data.reasons()
    found = _regression(data, reason, np.nan_to_num(_intercept(data, reason).value))
    risk = np.full(data.known.size, np.nan)
    risk[data.known] = np.where(found.good[data.group], found.fitted(data), np.nan)
    return risk


def _log_oe(data: _Data, reason: Sequence[str | None]) -> LinearEstimates:
    """Pulls are exact: log O/E with the patient and without."""
    observed, expected = data.weight * data.y, data.weight * data.p
    total_o, total_e = data.total(observed), data.total(expected)
    owner = data.sums.owner
    with np.errstate(divide="ignore", invalid="ignore"):
        value = np.log(total_o / total_e)
        left_o = total_o[owner] - data.sums.of_patients(observed)
        left_e = total_e[owner] - data.sums.of_patients(expected)
        pull = value[owner] - np.log(left_o / left_e)
    return data.estimates(value, pull, data.sums.patients - 1, [why or (None if e > 0 else NO_RISK) for why, e in zip(reason, total_e, strict=True)])


def _intercept(data: _Data, reason: Sequence[str | None]) -> LinearEstimates:
    usable = np.array([why is None for why in reason], dtype=bool)
    a = np.zeros(data.count)
    for _ in range(STEPS):
        fitted = expit(data.x + a[data.group])
        information = data.total(data.weight * fitted * (1 - fitted))
        score = data.total(data.weight * (data.y - fitted))
        step = np.divide(score, information, out=np.zeros(data.count), where=usable & (information > 0))
        a += np.clip(step, -3, 3)
        if bool((np.abs(step) < 1e-9).all()):
            break
    fitted = expit(data.x + a[data.group])
    v = data.weight * fitted * (1 - fitted)
    left = data.total(v)[data.sums.owner] - data.sums.of_patients(v)
    with np.errstate(divide="ignore", invalid="ignore"):
        pull = data.sums.of_patients(data.weight * (data.y - fitted)) / left
    return data.estimates(a, pull, data.sums.patients - 1, reason)


@dataclass(frozen=True)
class _Regression:
    """Logistic regression of the label on the logit about its group's mean, (G,) each; `good` where it settled."""

    intercept: Floats
    slope: Floats
    mean: Floats
    constant: NDArray[np.bool_]
    good: NDArray[np.bool_]

    def fitted(self, data: _Data) -> Floats:
        g = data.group
        return np.asarray(expit(self.intercept[g] + self.slope[g] * (data.x - self.mean[g])), dtype=np.float64)


def _regression(data: _Data, reason: Sequence[str | None], start: Floats) -> _Regression:
    """`start` : (G,) calibration in the large, where Newton's method sets out."""
    g = data.group
    # Logits about their group's mean: intercept and slope then hardly depend on each other, and Newton's steps stay short.
    mean = np.divide(data.total(data.weight * data.x), data.total(data.weight), out=np.zeros(data.count), where=data.total(data.weight) > 0)
    x = data.x - mean[g]
    a, b = mean + start, np.ones(data.count)
    active = np.array([why is None for why in reason], dtype=bool)
    constant, converged = np.zeros(data.count, dtype=bool), np.zeros(data.count, dtype=bool)
    for step in range(STEPS):
        fitted = expit(a[g] + b[g] * x)
        v, residual = data.weight * fitted * (1 - fitted), data.weight * (data.y - fitted)
        i0, i1, i2 = data.total(v), data.total(v * x), data.total(v * x * x)
        s0, s1 = data.total(residual), data.total(residual * x)
        determinant = i0 * i2 - i1 * i1
        # A vanishing determinant means constant scores at the start, later separated classes with weights gone to 0.
        spread = determinant > 1e-10 * np.maximum(i0 * i2, 1e-300)
        if step == 0:
            constant = active & ~spread
        active &= spread
        safe = np.where(active, determinant, 1.0)
        step_a = np.where(active & ~converged, (i2 * s0 - i1 * s1) / safe, 0.0)
        step_b = np.where(active & ~converged, (i0 * s1 - i1 * s0) / safe, 0.0)
        longest = np.maximum(np.abs(step_a), np.abs(step_b))
        short = np.minimum(1.0, LONGEST_STEP / np.maximum(longest, 1e-300))
        a, b = a + step_a * short, b + step_b * short
        converged |= longest < 1e-8
        if bool((converged | ~active).all()):
            break
    # Separated classes let the slope grow without end: Newton never settles, or settles with no information left.
    return _Regression(a, b, mean, constant, active & converged & (i0 / safe < 1e4 * np.maximum(b**2, 1.0)))


def _slope(data: _Data, reason: Sequence[str | None], start: Floats) -> LinearEstimates:
    found = _regression(data, reason, start)
    fitted = found.fitted(data)
    v, residual, x = data.weight * fitted * (1 - fitted), data.weight * (data.y - fitted), data.x - found.mean[data.group]
    with np.errstate(divide="ignore", invalid="ignore"):
        pull = _slope_pull(data, (v, v * x, v * x * x), (residual, residual * x))
    why = [r or (CONSTANT if c else None if k else SEPARATED) for r, c, k in zip(reason, found.constant, found.good, strict=True)]
    events, others = data.class_patients()
    smaller = np.minimum(data.sums.patients, 2 * np.minimum(events, others))
    return data.estimates(found.slope, pull, smaller - 2, why)


def _slope_pull(data: _Data, information: tuple[Floats, Floats, Floats], score: tuple[Floats, Floats]) -> Floats:
    """Second row of the information without the patient, inverted, times the patient's score, (k,)."""
    owner = data.sums.owner
    i0, i1, i2 = (data.total(part)[owner] - data.sums.of_patients(part) for part in information)
    s0, s1 = (data.sums.of_patients(part) for part in score)
    return np.asarray((i0 * s1 - i1 * s0) / (i0 * i2 - i1 * i1), dtype=np.float64)
