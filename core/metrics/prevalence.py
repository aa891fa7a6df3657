"""Metrics that move with the prevalence, standardised to a common one.

PPV, NPV, selection rate, accuracy, Brier score and net benefit of a group are made of its prevalence and of what the model
does within the classes: the true and false positive rate, or the classes' mean squared errors. Groups in which the model
does the same within the classes still differ in these metrics when they differ in prevalence. Direct standardisation puts
one prevalence in the place of every group's own: what remains of a difference is the model's, the rest the prevalences'.

Variances are the jackknife's over patients of the two class means, by the delta method, on the logit for PPV and NPV and on
the logarithm for the Brier score, whose errors are skewed. A rate's variance is never less than with a success and a failure
added (half of each on the logit; Walter 1975, Agresti and Caffo 2000), so that a rate of 0 or 1 has an error.

Size at 5 % of the test of the standardised difference where the groups have the same ROC curve, and coverage of the first group's 95 %
interval, in 1,000 cohorts each (python -m tests.benchmarks.measure_calibration), for PPV, NPV, selection rate, accuracy, net
benefit and Brier score: 250 patients at prevalence .08 against 250 at .35: size .046 .035 .053 .048 .047 .048, coverage .965 .966 .951 .953
.948 .955; 80 at .15 against 900 at .04: .022 .028 .054 .044 .051 .041, .983 .964 .947 .951 .945 .952; 50 at .45 twice: .010 .002
.044 .045 .041 .049, .953 .939 .955 .953 .954 .940; 10 patients of 5 rows against 45 of 2: .032 .019 .053 .056 .062 .034, .967 .957
.932 .919 .930 .959. PPV and NPV of small groups are conservative; a Brier score from 20 rows a class of a model with AUC above .95 is not (.09).

"explained" is said of a standardised difference of exactly the bound in .056 .060 .051 .053 .044 (PPV, NPV, selection rate, accuracy, net benefit; bound
.05 and .04, 3,000 a group at prevalences of .1 and .4), of none at all in .67 1.00 .96 .94 1.00; with 600 a group in .000 .055 .000 .000 .031 and
.00 .54 .00 .01 .48.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from core.metrics import validate
from core.metrics.calibration_fit import FEW_PATIENTS, LEAST_PATIENTS
from core.metrics.linear_estimates import from_pulls
from core.metrics.patient_sums import PatientSums
from core.metrics.scaled_estimates import Scale, ScaledDifferences, ScaledEstimates

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

RATES = ("ppv", "npv", "selection_rate", "accuracy", "net_benefit")
STANDARDISED = (*RATES, "brier")
SCALES: dict[str, Scale] = {"ppv": "logit", "npv": "logit", "selection_rate": "identity", "accuracy": "identity", "net_benefit": "identity", "brier": "log"}
NO_POSITIVES = "no positives"
NO_NEGATIVES = "no negatives"
NOBODY_SELECTED = "nobody is selected"
EVERYBODY_SELECTED = "everybody is selected"
PREVALENCE_OUT_OF_RANGE = "the common prevalence must lie above 0 and below 1"
THRESHOLD_NEEDED = "net benefit needs a threshold above 0 and below 1"


@dataclass(frozen=True)
class Standardised:
    """One metric in G groups, at each group's own prevalence and at a common one.

    prevalence : the common one; own_prevalence, raw : (G,); standardised : (G,) with errors.
    """

    metric: str
    prevalence: float
    own_prevalence: Floats
    raw: Floats
    standardised: ScaledEstimates

    def differences(self, pairs: ArrayLike | None = None) -> StandardisedDifferences:
        """Differences of pairs of groups, (T, 2) indices; None: of every two groups."""
        found = self.standardised.differences(pairs)
        a, b = found.on_scale.pairs.T
        return StandardisedDifferences(self.metric, self.raw[a] - self.raw[b], found)


@dataclass(frozen=True)
class StandardisedDifferences:
    """Differences of T pairs of groups: `raw` (T,) as seen, `standardised` as they would be at one prevalence."""

    metric: str
    raw: Floats
    standardised: ScaledDifferences

    @property
    def explained(self) -> Floats:
        """(T,) part of the raw difference that the prevalences make: raw less standardised."""
        return self.raw - self.standardised.difference

    def verdicts(self, bound: ArrayLike, alpha: float = 0.05) -> tuple[str, ...]:
        """Per pair, what the prevalences have to do with a difference that was found.

        "explained" : at one prevalence the difference is shown to lie within `bound` (equivalence at level alpha).
        "remains" : at one prevalence the groups still differ (test at level alpha) and equivalence is not shown.
        "open" : neither; also where the standardised difference is not estimable.
        """
        within, p = self.standardised.p_within(bound), self.standardised.p
        return tuple("explained" if w < alpha else "remains" if q < alpha else "open" for w, q in zip(within, p, strict=True))


@dataclass(frozen=True)
class _ClassMean:
    """Mean of a value within one class of every group.

    value : (G,); shrunk : (G,) value for derivatives, away from 0 and 1 for a rate; pull : (k,) of each patient-in-group;
    variance, extra : (G,) the pulls' variance, and what a rate near 0 or 1 lacks of it; patients : (G,) with the class.
    """

    value: Floats
    shrunk: Floats
    pull: Floats
    variance: Floats
    extra: Floats
    patients: Ints


def standardise(
    metric: str,
    y: ArrayLike,
    value: ArrayLike,
    group: ArrayLike | None = None,
    n_groups: int | None = None,
    *,
    prevalence: float | None = None,
    threshold: float | None = None,
    weight: ArrayLike | None = None,
    cluster: ArrayLike | None = None,
) -> Standardised:
    """One metric of every group at its own prevalence and at a common one.

    Parameters
    ----------
    metric : one of `STANDARDISED`
    y : (n,) labels 0 or 1
    value : (n,) decisions 0 or 1; for "brier" the predicted probabilities
    group : (n,) group indices, -1 left out; None for one group
    prevalence : the common prevalence, taken as known; None: that of all rows given, those of group -1 included
    threshold : probability at which the decisions were made, for "net_benefit"
    weight : (n,) sampling weights; cluster : (n,) patient of each row, None when each row is its own

    Raises
    ------
    ValueError : for an unknown metric, a prevalence or threshold outside (0, 1), scores outside [0, 1].
    """
    if metric not in STANDARDISED:
        raise ValueError(f"unknown metric '{metric}': one of {', '.join(STANDARDISED)}")
    if metric == "net_benefit" and (threshold is None or not 0 < threshold < 1):
        raise ValueError(THRESHOLD_NEEDED)
    positive = validate.labels(y)
    n = positive.size
    w = validate.weights(weight, n)
    rows = np.ones(n) if w is None else w
    common = float(rows @ positive / rows.sum()) if prevalence is None else prevalence
    if not 0 < common < 1:
        raise ValueError(PREVALENCE_OUT_OF_RANGE)
    rate = metric != "brier"
    z = validate.labels(value).astype(np.float64) if rate else (validate.probabilities(value, n) - positive) ** 2
    index, count = validate.groups(group, n, n_groups)
    patients = validate.clusters(cluster, n)
    kept = (index >= 0) & (rows > 0)
    own = None if patients is None else patients[0][kept]
    sums = PatientSums.of(index[kept], own, count)
    added = 0.0 if not rate else 0.5 if SCALES[metric] == "logit" else 1.0
    classes = tuple(_class_mean(z[kept], (rows * of)[kept], sums, added) for of in (positive, ~positive))
    weights = [np.bincount(index[kept], (rows * of)[kept], count) for of in (positive, ~positive)]
    odds = 0.0 if threshold is None else threshold / (1 - threshold)
    with np.errstate(invalid="ignore", divide="ignore"):
        own_prevalence = np.asarray(weights[0] / (weights[0] + weights[1]))
        raw = FORMULAS[metric](classes[0].value, classes[1].value, own_prevalence, odds)[0]
    found = _delta(metric, classes, common, odds, sums, own)
    return Standardised(metric, common, own_prevalence, np.asarray(raw), found)


def _class_mean(z: Floats, w: Floats, sums: PatientSums, added: float) -> _ClassMean:
    """Mean of `z` with weights `w`, which are 0 outside the class; `added` successes and failures shrink a rate (0: no rate)."""
    count = sums.n_groups
    by_patient = sums.of_patients(w)
    has = by_patient > 0
    patients = np.bincount(sums.owner[has], minlength=count)
    total = np.bincount(sums.owner, by_patient, count)
    with np.errstate(invalid="ignore", divide="ignore"):
        mean = np.bincount(sums.owner, sums.of_patients(w * z), count) / total
        left = total[sums.owner] - by_patient
        moved = (sums.of_patients(w * z) - by_patient * mean[sums.owner]) / left
        pull = np.where(has & (left > 0), moved * np.sqrt((patients - 1) / patients)[sums.owner], 0.0)
        variance = np.bincount(sums.owner, pull**2, count).astype(np.float64)
        if not added:
            # Squared errors are skewed: few large ones may be missing among few patients, and their spread with them.
            return _ClassMean(mean, mean, pull, variance, variance * 2 / np.maximum(patients - 2, 1), patients)
        # Patients of equal weight that would have this variance; those there are where a rate of 0 or 1 shows none.
        kish = total**2 / np.bincount(sums.owner, by_patient**2, count)
        size = np.where(variance > 0, mean * (1 - mean) / variance, kish)
        shrunk = (mean * size + added) / (size + 2 * added)
        extra = np.maximum(shrunk * (1 - shrunk) / (size + 2 * added) - variance, 0.0)
    return _ClassMean(mean, shrunk, pull, variance, extra, patients)


def _delta(metric: str, classes: tuple[_ClassMean, ...], prevalence: float, odds: float, sums: PatientSums, patient: Ints | None) -> ScaledEstimates:
    """The metric at one prevalence, its error from those of the two class means."""
    pos, neg = classes
    at = np.asarray(prevalence)
    scale = SCALES[metric]
    with np.errstate(invalid="ignore", divide="ignore"):
        value, _, _ = FORMULAS[metric](pos.value, neg.value, at, odds)
        centre, of_pos, of_neg = FORMULAS[metric](pos.shrunk, neg.shrunk, at, odds)
        if scale == "identity":
            centre = value
        else:
            slope = 1 / centre if scale == "log" else 1 / (centre * (1 - centre))
            of_pos, of_neg = of_pos * slope, of_neg * slope
            centre = np.log(centre) if scale == "log" else np.log(centre / (1 - centre))
        # A group without a class has no derivative, and no estimate either.
        of_pos, of_neg = np.nan_to_num(of_pos), np.nan_to_num(of_neg)
        parts = of_pos**2 * (pos.variance + pos.extra), of_neg**2 * (neg.variance + neg.extra)
        df = (parts[0] + parts[1]) ** 2 / (parts[0] ** 2 / np.maximum(pos.patients - 1, 1) + parts[1] ** 2 / np.maximum(neg.patients - 1, 1))
    pull = of_pos[sums.owner] * pos.pull + of_neg[sums.owner] * neg.pull
    extra = of_pos**2 * np.nan_to_num(pos.extra) + of_neg**2 * np.nan_to_num(neg.extra)
    reason = [_why_not(metric, *row) for row in zip(pos.patients, neg.patients, pos.value, neg.value, strict=True)]
    of_owner = None
    if patient is not None:
        of_owner = np.empty(sums.owner.size, dtype=np.int64)
        of_owner[sums.member] = patient
    df = np.maximum(np.nan_to_num(df, nan=1.0), 1.0)
    linear = from_pulls(np.asarray(centre, dtype=np.float64), pull, sums.owner, of_owner, df, reason, extra)
    return ScaledEstimates(np.where(np.isfinite(linear.value), value, np.nan), linear, scale)


def _why_not(metric: str, pos: int, neg: int, of_pos: float, of_neg: float) -> str | None:
    """Why a group has no standardised value, or None."""
    for patients, absent, what in ((pos, NO_POSITIVES, "positives"), (neg, NO_NEGATIVES, "negatives")):
        if patients < LEAST_PATIENTS:
            return absent if patients == 0 else FEW_PATIENTS.format(what=what, least=LEAST_PATIENTS)
    if metric == "ppv" and of_pos + of_neg == 0:
        return NOBODY_SELECTED
    return EVERYBODY_SELECTED if metric == "npv" and of_pos + of_neg == 2 else None


Formula = Callable[[Floats, Floats, Floats, float], tuple[Floats, Floats, Floats]]


def _ppv(t: Floats, f: Floats, at: Floats, odds: float) -> tuple[Floats, Floats, Floats]:  # noqa: ARG001 -- one signature for all
    selected = at * t + (1 - at) * f
    slope = at * (1 - at) / selected**2
    return at * t / selected, slope * f, -slope * t


def _npv(t: Floats, f: Floats, at: Floats, odds: float) -> tuple[Floats, Floats, Floats]:  # noqa: ARG001 -- one signature for all
    passed = at * (1 - t) + (1 - at) * (1 - f)
    slope = at * (1 - at) / passed**2
    return (1 - at) * (1 - f) / passed, slope * (1 - f), -slope * (1 - t)


def _selection_rate(t: Floats, f: Floats, at: Floats, odds: float) -> tuple[Floats, Floats, Floats]:  # noqa: ARG001 -- one signature for all
    return at * t + (1 - at) * f, at + 0 * t, 1 - at + 0 * t


def _accuracy(t: Floats, f: Floats, at: Floats, odds: float) -> tuple[Floats, Floats, Floats]:  # noqa: ARG001 -- one signature for all
    return at * t + (1 - at) * (1 - f), at + 0 * t, at - 1 + 0 * t


def _net_benefit(t: Floats, f: Floats, at: Floats, odds: float) -> tuple[Floats, Floats, Floats]:
    return at * t - (1 - at) * f * odds, at + 0 * t, (at - 1) * odds + 0 * t


# Each from the classes' means (rates; for Brier squared errors), the prevalence and the threshold's odds: the metric and its
# derivatives with respect to the two means.
FORMULAS: dict[str, Formula] = {
    "ppv": _ppv,
    "npv": _npv,
    "selection_rate": _selection_rate,
    "accuracy": _accuracy,
    "net_benefit": _net_benefit,
    "brier": _selection_rate,
}
