"""Operating points: a threshold fitted on given data for a stated aim, and decisions made with it.

A sample is selected when its score is at least the threshold. Fit on validation and apply to test:
nothing here fits a threshold on the data that it is judged on.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from core.metrics import validate
from core.metrics.net_benefit import tables_at
from core.metrics.rates import rate

Floats = NDArray[np.float64]

KINDS = ("fixed", "sensitivity", "specificity", "selection_rate", "youden")
NEEDS_BOTH = "{kind} needs positives and negatives to be fitted; there are {n_pos} and {n_neg}"
NEEDS_SAMPLES = "no samples to fit the threshold on"


@dataclass(frozen=True)
class OperatingPoint:
    """A threshold with the aim it was fitted for and what it achieves on the data of the fit.

    threshold is None where it could not be fitted; `reason` then says why.
    """

    kind: str
    target: float | None
    threshold: float | None
    sensitivity: float | None
    specificity: float | None
    selection_rate: float | None
    reason: str | None

    def decide(self, score: ArrayLike) -> NDArray[np.int8]:
        """Decisions 0/1, (n,). Raises ValueError where there is no threshold."""
        if self.threshold is None:
            raise ValueError(self.reason or "no threshold")
        return (np.asarray(score, dtype=np.float64) >= self.threshold).astype(np.int8)


def fit_threshold(y: ArrayLike, score: ArrayLike, kind: str, target: float | None = None, weight: ArrayLike | None = None) -> OperatingPoint:
    """Threshold for an aim, chosen among the observed scores and one above all of them.

    kind : "fixed" (target is the threshold itself), "sensitivity" (the largest threshold that reaches the
        target), "specificity" (the smallest that reaches it), "selection_rate" (the closest; the
        smaller selection on a tie) or "youden" (largest sensitivity + specificity; target unused).

    Raises ValueError for an unknown kind or a target missing or outside [0, 1].
    """
    positive = validate.labels(y)
    values = validate.scores(score, positive.size)
    w = validate.weights(weight, positive.size)
    if kind not in KINDS:
        raise ValueError(f"unknown operating point {kind!r}; known: {', '.join(KINDS)}")
    if kind != "youden" and target is None:
        raise ValueError(f"operating point {kind!r} needs a target")
    if kind in ("sensitivity", "specificity", "selection_rate") and target is not None and not 0 <= target <= 1:
        raise ValueError(f"target {kind} must lie between 0 and 1, not {target}")
    if kind == "fixed" and target is not None:
        return _achieved(kind, target, float(target), positive, values, w)
    if positive.size == 0:
        return OperatingPoint(kind, target, None, None, None, None, NEEDS_SAMPLES)
    n_pos = int(positive.sum())
    n_neg = positive.size - n_pos
    one_class = (kind == "sensitivity" and not n_pos) or (kind == "specificity" and not n_neg)
    if one_class or (kind == "youden" and not (n_pos and n_neg)):
        return OperatingPoint(kind, target, None, None, None, None, NEEDS_BOTH.format(kind=kind, n_pos=n_pos, n_neg=n_neg))
    distinct = np.unique(values)
    cuts = np.append(distinct, np.nextafter(distinct[-1], np.inf))
    table = tables_at(positive, values, cuts, weight=w)[0]
    chosen = cuts[_choose(kind, target, rate(table, "tpr"), rate(table, "tnr"), rate(table, "selection_rate"))]
    return _achieved(kind, target, float(chosen), positive, values, w)


def _choose(kind: str, target: float | None, tpr: Floats, tnr: Floats, selected: Floats) -> int:
    """Index of the threshold; thresholds rise, so sensitivity and selection fall and specificity rises."""
    aim = 0.0 if target is None else target - 1e-12
    if kind == "sensitivity":
        return int(np.flatnonzero(tpr >= aim)[-1])
    if kind == "specificity":
        return int(np.flatnonzero(tnr >= aim)[0])
    if kind == "selection_rate":
        distance = np.abs(selected - (target or 0.0))
        return int(np.flatnonzero(distance <= distance.min() + 1e-12)[-1])
    return int(np.argmax(tpr + tnr))


def _achieved(kind: str, target: float | None, threshold: float, positive: NDArray[np.bool_], values: Floats, w: Floats | None) -> OperatingPoint:
    table = tables_at(positive, values, [threshold], weight=w)[0, 0]
    got = [float(rate(table, name)) for name in ("tpr", "tnr", "selection_rate")]
    shown = [value if np.isfinite(value) else None for value in got]
    return OperatingPoint(kind, target, threshold, shown[0], shown[1], shown[2], None)
