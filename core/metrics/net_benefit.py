"""Clinical use: net benefit and decision curves per group (Vickers and Elkin 2006).

Net benefit = TP/n - FP/n * t/(1 - t) at threshold probability t; treating nobody has 0, treating everybody
prevalence - (1 - prevalence) * t/(1 - t).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from core.metrics import validate
from core.metrics.rates import FN, FP, TN, TP

Floats = NDArray[np.float64]

THRESHOLDS_OUT_OF_RANGE = "decision thresholds are probabilities: they must lie above 0 and below 1"


@dataclass(frozen=True)
class DecisionCurve:
    """Net benefit over thresholds (T,): model and treat_all (G, T), NaN for an empty group; treat_none is 0."""

    thresholds: Floats
    model: Floats
    treat_all: Floats

    @property
    def treat_none(self) -> Floats:
        return np.zeros_like(self.model)


def tables_at(
    y: ArrayLike,
    score: ArrayLike,
    thresholds: ArrayLike,
    group: ArrayLike | None = None,
    n_groups: int | None = None,
    weight: ArrayLike | None = None,
) -> Floats:
    """Confusion tables (G, T, 4) at many thresholds at once, selecting scores >= threshold, from one pass."""
    positive = validate.labels(y)
    n = positive.size
    values = validate.scores(score, n)
    index, count = validate.groups(group, n, n_groups)
    w = validate.weights(weight, n)
    cuts = np.asarray(thresholds, dtype=np.float64)
    order = np.argsort(cuts, kind="stable")
    # Number of thresholds that a sample reaches: it is selected at these and at no other.
    reached = np.searchsorted(cuts[order], values, side="right")
    known = index >= 0
    key = ((index * 2 + positive) * (cuts.size + 1) + reached)[known]
    shape = (count, 2, cuts.size + 1)
    held = np.bincount(key, None if w is None else w[known], count * 2 * shape[2]).astype(np.float64).reshape(shape)
    not_selected = np.cumsum(held, axis=-1)[..., :-1]
    selected = held.sum(axis=-1, keepdims=True) - not_selected
    table = np.empty((count, cuts.size, 4))
    table[:, order, TP], table[:, order, FN] = selected[:, 1], not_selected[:, 1]
    table[:, order, FP], table[:, order, TN] = selected[:, 0], not_selected[:, 0]
    return table


def net_benefit(table: ArrayLike, threshold: ArrayLike) -> Floats:
    """Net benefit (...,) of confusion tables (..., 4) at threshold probabilities (...,); NaN for empty tables."""
    cells, t = np.asarray(table, dtype=np.float64), np.asarray(threshold, dtype=np.float64)
    if bool(((t <= 0) | (t >= 1)).any()):
        raise ValueError(THRESHOLDS_OUT_OF_RANGE)
    total = cells.sum(axis=-1)
    gained = cells[..., TP] - cells[..., FP] * t / (1 - t)
    return np.divide(gained, total, out=np.full(total.shape, np.nan), where=total > 0)


def treat_all(table: ArrayLike, threshold: ArrayLike) -> Floats:
    """Net benefit of selecting everybody, (...,), from confusion tables (..., 4)."""
    cells = np.asarray(table, dtype=np.float64)
    everybody = np.zeros_like(cells)
    everybody[..., TP] = cells[..., TP] + cells[..., FN]
    everybody[..., FP] = cells[..., FP] + cells[..., TN]
    return net_benefit(everybody, threshold)


def decision_curve(
    y: ArrayLike,
    score: ArrayLike,
    thresholds: ArrayLike | None = None,
    group: ArrayLike | None = None,
    n_groups: int | None = None,
    weight: ArrayLike | None = None,
) -> DecisionCurve:
    """Decision curve of every group; scores must be calibrated probabilities for it to mean what it says.

    thresholds : (T,) in (0, 1), by default 0.01 to 0.99.
    """
    cuts = np.linspace(0.01, 0.99, 99) if thresholds is None else np.asarray(thresholds, dtype=np.float64)
    table = tables_at(y, score, cuts, group, n_groups, weight)
    return DecisionCurve(cuts, net_benefit(table, cuts), treat_all(table, cuts))
