"""True values of everything that an audit estimates, for the cohorts of `core.study.audit_cohorts`: closed forms where there are any.

With d = Phi^-1(AUC) sqrt(2) and spread 1, the logit of the calibrated score is N(d^2/2 + l, d^2) among positives and
N(-d^2/2 + l, d^2) among negatives, l being the logit of the prevalence. Shares above a cut, and so all rates, are normal tails; the AUC of
one group's positives against another's negatives is Phi of the means' difference over sqrt(d_i^2 + d_j^2). Means of scores are summed over a
fine grid of normal quantiles.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import brentq
from scipy.special import expit, logit, ndtr, ndtri

from core.metrics.equity import es_auc, max_gap, min_ratio, worst
from core.study.audit_cohorts import CohortSettings, shift

Floats = NDArray[np.float64]

# Quantiles over which means of scores are summed: errors are far below 1e-4.
GRID = ndtri((np.arange(20_000) + 0.5) / 20_000)
RATES = ("tpr", "fpr", "ppv", "npv", "selection_rate", "accuracy")


@dataclass(frozen=True)
class Truths:
    """True values of one model at one threshold. groups : metric -> (G,). summaries : name -> value. cross : (G, G), row's positives."""

    groups: dict[str, Floats]
    summaries: dict[str, float]
    cross: Floats | None
    overall: dict[str, float]
    prevalence: float


def truths(settings: CohortSettings, threshold: float, model: int = 0, bins: int = 10) -> Truths:
    """True values by group; calibration, means of scores and all that is between groups only where spread is 1."""
    prevalence, share = settings.of_groups(settings.prevalence), _shares(settings)
    found = group_rates(settings, threshold, model) | {"auc": np.asarray(settings.areas(model))}
    overall, cross = _overall_rates(found, prevalence, share), None
    if settings.spread == 1:
        for metric, values in _of_scores(settings, threshold, model, bins, found).items():
            found[metric] = values
        cross = _cross(settings, model)
        both = np.outer(share * prevalence, share * (1 - prevalence))
        overall["auc"] = float((both * cross).sum() / both.sum())
        overall["brier"] = float(share @ found["brier"])
        overall["net_benefit"] = float(share @ found["net_benefit"])
    return Truths(found, _summaries(found, overall.get("auc")), cross, overall, float(share @ prevalence))


def _shares(settings: CohortSettings) -> Floats:
    """Share of all rows that each group has on average."""
    rows = settings.rows
    groups = len(settings.sizes)
    one = isinstance(rows, int) or (len(rows) == 2 and all(isinstance(r, int) for r in rows))
    each = [rows] * groups if one else list(rows)  # type: ignore[arg-type]
    mean = np.array([r if isinstance(r, int) else sum(r) / 2 for r in each], dtype=np.float64)  # type: ignore[arg-type]
    expected = mean * np.asarray(settings.sizes)
    return np.asarray(expected / expected.sum())


def _latent_cut(settings: CohortSettings, model: int, score: float) -> Floats:
    """The binormal score (G,), counted from the negatives' mean, at which the given score is reached."""
    distance = np.array([shift(a, settings.spread) for a in settings.areas(model)])
    moved = settings.of_groups(settings.shift)
    if settings.spread != 1:
        return np.asarray(ndtri(score) - moved + distance / 2)
    inner = (logit(score) - moved) / settings.of_groups(settings.stretch)
    return np.asarray((inner - logit(settings.of_groups(settings.prevalence))) / distance + distance / 2)


def _above(settings: CohortSettings, model: int, score: float) -> tuple[Floats, Floats]:
    """Share of positives and of negatives with at least this score, (G,) each."""
    distance = np.array([shift(a, settings.spread) for a in settings.areas(model)])
    cut = _latent_cut(settings, model, score)
    return np.asarray(ndtr((distance - cut) / settings.spread)), np.asarray(ndtr(-cut))


def group_rates(settings: CohortSettings, threshold: float, model: int = 0) -> dict[str, Floats]:
    """True rates at a threshold, (G,) each: normal tails."""
    tpr, fpr = _above(settings, model, threshold)
    p = settings.of_groups(settings.prevalence)
    selected = p * tpr + (1 - p) * fpr
    return {
        "tpr": tpr,
        "fpr": fpr,
        "selection_rate": selected,
        "accuracy": p * tpr + (1 - p) * (1 - fpr),
        "ppv": p * tpr / selected,
        "npv": (1 - p) * (1 - fpr) / (1 - selected),
    }


def _overall_rates(found: dict[str, Floats], p: Floats, share: Floats) -> dict[str, float]:
    tp, fp = share @ (p * found["tpr"]), share @ ((1 - p) * found["fpr"])
    pos, selected = share @ p, tp + fp
    return {
        "tpr": float(tp / pos),
        "fpr": float(fp / (1 - pos)),
        "selection_rate": float(selected),
        "accuracy": float(tp + 1 - pos - fp),
        "ppv": float(tp / selected),
        "npv": float((1 - pos - fp) / (1 - selected)),
    }


def _scores(settings: CohortSettings, model: int) -> tuple[Floats, Floats]:
    """Scores (G, K) of positives and of negatives, each of equal weight."""
    d = np.array([shift(a) for a in settings.areas(model)])[:, None]
    base, stretch, moved = (settings.of_groups(v)[:, None] for v in (settings.prevalence, settings.stretch, settings.shift))
    pos, neg = (expit(stretch * (d * (GRID + at * d) + logit(base)) + moved) for at in (0.5, -0.5))
    return pos, neg


def _of_scores(settings: CohortSettings, threshold: float, model: int, bins: int, rates: dict[str, Floats]) -> dict[str, Floats]:
    p = settings.of_groups(settings.prevalence)
    pos, neg = _scores(settings, model)
    of_pos, of_neg = ((1 - pos) ** 2).mean(axis=1), (neg**2).mean(axis=1)
    odds = threshold / (1 - threshold)
    expected = p * pos.mean(axis=1) + (1 - p) * neg.mean(axis=1)
    calibrated = (settings.of_groups(settings.stretch) == 1) & (settings.of_groups(settings.shift) == 0)
    error = np.where(calibrated, 0.0, _calibration_error(p, pos, neg, bins))
    return {
        "brier": p * of_pos + (1 - p) * of_neg,
        "balanced_brier": (of_pos + of_neg) / 2,
        "net_benefit": p * rates["tpr"] - (1 - p) * rates["fpr"] * odds,
        "oe_ratio": p / expected,
        "calibration_slope": 1 / settings.of_groups(settings.stretch),
        "calibration_intercept": np.array([_intercept(*row) for row in zip(p, pos, neg, strict=True)]),
        "ece": error,
        "ece_debiased": error,
        "average_precision": _average_precision(p, pos, neg),
        "auprg": _gain_area(p, pos, neg),
    }


def _intercept(p: float, pos: Floats, neg: Floats) -> float:
    return float(brentq(lambda a: p * expit(logit(pos) + a).mean() + (1 - p) * expit(logit(neg) + a).mean() - p, -20, 20))


def _calibration_error(p: Floats, pos: Floats, neg: Floats, bins: int) -> Floats:
    """Sum over equal-width bins of |events - predicted risk|, (G,)."""
    result = np.zeros(p.size)
    for g in range(p.size):
        place = [np.minimum((s[g] * bins).astype(int), bins - 1) for s in (pos, neg)]
        weight = [np.full(GRID.size, p[g] / GRID.size), np.full(GRID.size, (1 - p[g]) / GRID.size)]
        events = np.bincount(place[0], weight[0], bins)
        predicted = sum(np.bincount(at, w * s[g], bins) for at, w, s in zip(place, weight, (pos, neg), strict=True))
        result[g] = np.abs(events - predicted).sum()
    return result


def _gain_area(p: Floats, pos: Floats, neg: Floats) -> Floats:
    """Area under the curve of precision gain over recall gain, from the recall that equals the prevalence on, (G,)."""
    result = np.zeros(p.size)
    for g in range(p.size):
        recall = 1 - np.arange(GRID.size) / GRID.size
        false = 1 - np.searchsorted(neg[g], pos[g]) / GRID.size
        precision = p[g] * recall / (p[g] * recall + (1 - p[g]) * false)
        gains = [(rate - p[g]) / ((1 - p[g]) * rate) for rate in (recall, precision)]
        use = gains[0] >= 0
        across, up = gains[0][use][::-1], gains[1][use][::-1]
        result[g] = np.trapezoid(np.append(up[0], up), np.append(0.0, across))
    return result


def _average_precision(p: Floats, pos: Floats, neg: Floats) -> Floats:
    """Mean precision at the positives' own scores, (G,)."""
    result = np.zeros(p.size)
    for g in range(p.size):
        recall = 1 - (np.arange(GRID.size) + 0.5) / GRID.size
        false = 1 - np.searchsorted(neg[g], pos[g]) / GRID.size
        result[g] = (p[g] * recall / (p[g] * recall + (1 - p[g]) * false)).mean()
    return result


def _cross(settings: CohortSettings, model: int) -> Floats:
    """AUC of row's positives against column's negatives, (G, G)."""
    d = np.array([shift(a) for a in settings.areas(model)])
    base, stretch, moved = (settings.of_groups(v) for v in (settings.prevalence, settings.stretch, settings.shift))
    pos, neg = (stretch * (way * d**2 / 2 + logit(base)) + moved for way in (1, -1))
    spread = stretch * d
    return np.asarray(ndtr((pos[:, None] - neg[None, :]) / np.sqrt(spread[:, None] ** 2 + spread[None, :] ** 2)))


def _summaries(groups: dict[str, Floats], overall: float | None) -> dict[str, float]:
    gaps = {name: float(max_gap(groups[name])) for name in ("auc", "tpr", "fpr", "selection_rate")}
    ratios = {name: float(min_ratio(groups[name])) for name in ("tpr", "fpr", "selection_rate")}
    found = {
        "max_gap": gaps["auc"],
        "worst_group_auc": float(worst(groups["auc"])),
        "dpd": gaps["selection_rate"],
        "dp_ratio": ratios["selection_rate"],
        "deodds": max(gaps["tpr"], gaps["fpr"]),
        "eodds_ratio": min(ratios["tpr"], ratios["fpr"]),
        "equal_opportunity_difference": gaps["tpr"],
        "equal_opportunity_ratio": ratios["tpr"],
    }
    return found if overall is None else found | {"es_auc": float(es_auc(overall, groups["auc"]))}
