"""Smooth calibration curves: the risk observed at every predicted one, per group, with a pointwise band.

Logistic regression of the label on a restricted cubic spline of the logit of the score (Harrell 2015, 2.4.5; Van Calster et al.
2016): linear below the first knot and above the last, so that the sparse ends do not swing. Knots lie at quantiles of
the group's own scores, and the fewer patients the smaller class has the fewer there are, down to a straight line. The
band is Student's on the logit scale, from the sandwich with scores summed within patients; degrees of freedom as for
the slope (`calibration_fit`).

Pointwise coverage of the 95 % band over the whole curve, 400 cohorts a setting, calibrated and shifted: see the tests.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import expit, logit, stdtrit

from core.metrics import validate
from core.metrics.calibration_fit import CLIP, CONSTANT, FEW_PATIENTS, NO_EVENTS, NO_NON_EVENTS, SEPARATED
from core.metrics.estimate import MinimumCounts

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

POINTS = 50
STEPS = 40
# On the logit, at any row.
LONGEST_STEP = 4.0
# Quantiles of the knots, and how many patients the smaller class needs for them (Harrell's table 2.3, ten events a coefficient).
KNOTS: tuple[tuple[int, tuple[float, ...]], ...] = (
    (50, (0.05, 0.275, 0.5, 0.725, 0.95)),
    (40, (0.05, 0.35, 0.65, 0.95)),
    (30, (0.1, 0.5, 0.9)),
)
LEAST = MinimumCounts()


@dataclass(frozen=True)
class SmoothCurves:
    """Curves of G groups over P points each, (G, P), NaN where there is none.

    predicted : scores from the 1st to the 99th percentile of the group; risk : the observed risk there; se : standard errors of the risk's
    logit; df : (G,) degrees of freedom; reason : per group, why there is no curve, None where there is one.
    """

    predicted: Floats
    risk: Floats
    se: Floats
    df: Floats
    reason: tuple[str | None, ...]

    def band(self, level: float = 0.95) -> tuple[Floats, Floats]:
        """Pointwise limits of the risk, (G, P)."""
        half = stdtrit(self.df, 0.5 + level / 2)[:, None] * self.se
        return expit(logit(self.risk) - half), expit(logit(self.risk) + half)


def calibration_curves(
    y: ArrayLike,
    score: ArrayLike,
    group: ArrayLike | None = None,
    n_groups: int | None = None,
    *,
    points: int = POINTS,
    weight: ArrayLike | None = None,
    cluster: ArrayLike | None = None,
) -> SmoothCurves:
    """Smooth calibration curve of every group.

    Parameters
    ----------
    y : (n,) labels 0 or 1; score : (n,) predicted probabilities, clipped to 1e-6 and 1 - 1e-6
    group : (n,) group indices, -1 left out; None for one group
    points : how many scores the curve is drawn at, equally spaced on the logit
    weight : (n,) sampling weights; cluster : (n,) patient of each row, None when each row is its own

    Raises
    ------
    ValueError : for labels that are not binary and scores outside [0, 1].
    """
    positive = validate.labels(y)
    n = positive.size
    x = logit(np.clip(validate.probabilities(score, n), CLIP, 1 - CLIP))
    index, count = validate.groups(group, n, n_groups)
    w = validate.weights(weight, n)
    patients = validate.clusters(cluster, n)
    curves = []
    order = np.argsort(index, kind="stable")
    edges = np.searchsorted(index[order], np.arange(count + 1))
    for g in range(count):
        rows = order[edges[g] : edges[g + 1]]
        rows = rows if w is None else rows[w[rows] > 0]
        own = np.ones(rows.size) if w is None else w[rows]
        who = np.arange(rows.size) if patients is None else np.unique(patients[0][rows], return_inverse=True)[1]
        curves.append(_one_curve(positive[rows].astype(np.float64), x[rows], own, who, points))
    predicted, risk, se, df, reason = zip(*curves, strict=True) if curves else ((), (), (), (), ())
    shape = (count, points)
    return SmoothCurves(np.reshape(predicted, shape), np.reshape(risk, shape), np.reshape(se, shape), np.array(df), tuple(reason))


Curve = tuple[Floats, Floats, Floats, float, str | None]


def _one_curve(y: Floats, x: Floats, w: Floats, patient: Ints, points: int) -> Curve:
    """Scores, risks, standard errors of their logits, degrees of freedom, reason."""
    events, others = (np.unique(patient[y == value]).size for value in (1, 0))
    none = np.full(points, np.nan)
    why = _too_few(events, others) or (CONSTANT if np.ptp(x) < 1e-9 else None)
    if why is not None:
        return none, none, none, 1.0, why
    first, last = np.quantile(x, (0.01, 0.99))
    at = np.linspace(first, last, points)
    centre, scale = x.mean(), x.std()
    knots = _knots((x - centre) / scale, min(events, others))
    design, drawn = (spline_basis((v - centre) / scale, knots) for v in (x, at))
    fitted = _logistic(design, y, w)
    if fitted is None:
        return none, none, none, 1.0, SEPARATED
    beta, information = fitted
    scores = np.zeros((int(patient.max()) + 1, beta.size))
    np.add.at(scores, patient, design * (w * (y - expit(design @ beta)))[:, None])
    units = scores.shape[0]
    bread = np.linalg.inv(information)
    covariance = bread @ (scores.T @ scores) @ bread * units / (units - beta.size)
    se = np.sqrt(np.einsum("pk,kl,pl->p", drawn, covariance, drawn))
    df = min(units, 2 * min(events, others)) - beta.size
    return expit(at), expit(drawn @ beta), se, float(max(df, 1)), None


def _too_few(events: int, others: int) -> str | None:
    if events == 0 or others == 0:
        return NO_EVENTS if events == 0 else NO_NON_EVENTS
    for found, least, what in ((events, LEAST.positives, "events"), (others, LEAST.negatives, "non-events")):
        if found < least:
            return FEW_PATIENTS.format(what=what, least=least)
    return None


def _knots(x: Floats, patients: int) -> Floats:
    """Knots at quantiles, none for a straight line; ties between quantiles leave fewer knots."""
    for least, quantiles in KNOTS:
        if patients >= least:
            knots = np.unique(np.quantile(x, quantiles))
            if knots.size >= 3 and np.diff(knots).min() > 1e-3:
                return knots
    return np.zeros(0)


def spline_basis(x: Floats, knots: Floats) -> Floats:
    """Constant, x, and a restricted cubic spline for each knot but the last two, (n, K); linear beyond the outer knots."""
    columns = [np.ones_like(x), x]
    if knots.size:
        last, before = knots[-1], knots[-2]
        for knot in knots[:-2]:
            share = (last - knot) / (last - before)
            pull = (before - knot) / (last - before)
            cubes = [np.maximum(x - k, 0) ** 3 for k in (knot, before, last)]
            columns.append((cubes[0] - share * cubes[1] + pull * cubes[2]) / (last - knots[0]) ** 2)
    return np.stack(columns, axis=1)


def _logistic(design: Floats, y: Floats, w: Floats) -> tuple[Floats, Floats] | None:
    """Coefficients and information by Newton's method with bounded steps; None where it does not settle (separation)."""
    beta = np.zeros(design.shape[1])
    mean = float(w @ y / w.sum())
    beta[0] = np.log(mean / (1 - mean))
    for _ in range(STEPS):
        fitted = expit(design @ beta)
        v = w * fitted * (1 - fitted)
        information = design.T @ (design * v[:, None])
        if not np.linalg.cond(information) < 1e12:
            return None
        step = np.linalg.solve(information, design.T @ (w * (y - fitted)))
        moved = float(np.abs(design @ step).max())
        beta = beta + step * min(1.0, LONGEST_STEP / max(moved, 1e-300))
        if moved < 1e-7:
            return beta, information
    return None
