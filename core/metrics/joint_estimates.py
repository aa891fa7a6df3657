"""Estimates of all groups of one attribute together with their correlation: AUCs with everybody's, rates, of several models.

These are what summaries, their nulls and their differences between models are made from. How far two models go together
in one estimate is seen from the patients in whom they differ. Where these are few, k in number, one minus the correlation is
taken for 1 + PRIOR / k times what it seems: about what Student's t with k degrees of freedom asks for.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import sparse

from core.metrics import validate
from core.metrics.auc_comparisons import group_auc_estimates
from core.metrics.comparisons import GroupEstimates
from core.metrics.influence_functions import InfluenceFunction
from core.metrics.rate_comparisons import group_rate_estimates
from core.metrics.score_limits import ScoreLimits

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]

PRIOR = 3.0
# Standardised influences that differ less are the same.
SAME = 1e-12


@dataclass(frozen=True)
class StackedLimits:
    """Limits of several sets of estimates one after the other; edges : where each begins, and the end of the last."""

    parts: tuple[ScoreLimits, ...]
    edges: Ints

    def distances(self, quantile: Floats, index: Ints) -> tuple[Floats, Floats]:
        below, above = np.empty(index.size), np.empty(index.size)
        for part, begin, end in zip(self.parts, self.edges[:-1], self.edges[1:], strict=True):
            own = (index >= begin) & (index < end)
            if own.any():
                below[own], above[own] = part.distances(quantile[own], index[own] - begin)
        return below, above


@dataclass(frozen=True)
class SelectedLimits:
    """Limits of some of the estimates, by their indices."""

    limits: ScoreLimits
    chosen: Ints

    def distances(self, quantile: Floats, index: Ints) -> tuple[Floats, Floats]:
        return self.limits.distances(quantile, self.chosen[index])


def selected(estimates: GroupEstimates, chosen: Ints) -> GroupEstimates:
    """Some of the estimates, by their indices, in that order."""
    correlation = None if estimates.correlation is None else estimates.correlation[np.ix_(chosen, chosen)]
    return GroupEstimates(estimates.value[chosen], estimates.df[chosen], SelectedLimits(estimates.limits, chosen), correlation)


def stacked(parts: Sequence[GroupEstimates], correlation: Floats) -> GroupEstimates:
    """Several sets of estimates one after the other, with the correlation of all of them."""
    edges = np.cumsum([0, *(part.value.size for part in parts)])
    limits = StackedLimits(tuple(part.limits for part in parts), edges)
    return GroupEstimates(np.concatenate([p.value for p in parts]), np.concatenate([p.df for p in parts]), limits, correlation)


@dataclass(frozen=True)
class _Rows:
    """Checked rows whose group is known, (n,); unit : patient of each; cluster : the same, None where none repeats."""

    positive: Bools
    group: Ints
    n_groups: int
    unit: Ints
    cluster: Ints | None
    weight: Floats | None
    keep: Bools

    @classmethod
    def of(cls, y: ArrayLike, group: ArrayLike, n_groups: int | None, cluster: ArrayLike | None, weight: ArrayLike | None) -> _Rows:
        positive = validate.labels(y)
        index, count = validate.groups(group, positive.size, n_groups)
        w = validate.weights(weight, positive.size)
        keep = index >= 0
        patients = validate.clusters(None if cluster is None else np.asarray(cluster)[keep], int(keep.sum()))
        unit = np.arange(keep.sum()) if patients is None else patients[0]
        return cls(positive[keep], index[keep], count, unit, None if patients is None else unit, None if w is None else w[keep], keep)


def joint_aucs(
    y: ArrayLike,
    scores: ArrayLike,
    group: ArrayLike,
    n_groups: int | None = None,
    *,
    cluster: ArrayLike | None = None,
    weight: ArrayLike | None = None,
) -> GroupEstimates:
    """AUC of each group and, last, of everybody with a group; model after model.

    Parameters
    ----------
    y : (n,) labels 0/1
    scores : (n,) or (m, n) scores of one or m models
    group : (n,) indices, -1 for missing: such rows are left out
    cluster, weight : (n,) patients, sampling weights

    Returns
    -------
    GroupEstimates : of m * (G + 1) AUCs, correlated over models, groups and everybody
    """
    rows = _Rows.of(y, group, n_groups, cluster, weight)
    everybody = np.zeros(rows.group.size, dtype=np.int64)
    parts = [
        group_auc_estimates(rows.positive, score, index, count, cluster=rows.cluster, weight=rows.weight)
        for score in np.atleast_2d(np.asarray(scores, dtype=np.float64))[:, rows.keep]
        for index, count in ((rows.group, rows.n_groups), (everybody, 1))
    ]
    return _joined(parts, rows.unit, len(parts) // 2)


def joint_rates(
    y: ArrayLike,
    decisions: ArrayLike,
    group: ArrayLike,
    names: Sequence[str],
    n_groups: int | None = None,
    *,
    cluster: ArrayLike | None = None,
    weight: ArrayLike | None = None,
) -> GroupEstimates:
    """Rates of each group: of every model all `names` one after the other, each in all groups.

    Parameters
    ----------
    y : (n,) labels 0/1
    decisions : (n,) or (m, n) decisions 0/1 of one or m models
    group : (n,) indices, -1 left out
    names : of `rates.CELLS`
    cluster, weight : (n,) patients, sampling weights

    Returns
    -------
    GroupEstimates : of m * len(names) * G rates, correlated over models, rates and groups
    """
    rows = _Rows.of(y, group, n_groups, cluster, weight)
    parts = [
        group_rate_estimates(rows.positive, decision, rows.group, rows.n_groups, name, cluster=rows.cluster, weight=rows.weight)
        for decision in np.atleast_2d(np.asarray(decisions))[:, rows.keep]
        for name in names
    ]
    return _joined(parts, rows.unit, len(parts) // len(names))


def _joined(parts: Sequence[GroupEstimates], unit: Ints, models: int) -> GroupEstimates:
    influences = [part.influence for part in parts if part.influence is not None]
    return stacked(parts, cautious_correlation(influences, [part.value.size for part in parts], unit, models))


def cautious_correlation(influences: Sequence[InfluenceFunction], counts: Sequence[int], unit: Ints, models: int = 1) -> Floats:
    """Correlation of all estimates of all sets, (k, k) with k the sum of `counts`.

    unit : (n,) patient of each row. models : the sets are those of so many models, model after model; for one estimate under
        two models the correlation is cautious. An estimate without variance, ranked or decided without a fault, is
        uncorrelated with all others.
    """
    edges = np.cumsum([0, *counts])
    inside = [(part.column >= 0) & (part.value != 0) for part in influences]
    values = np.concatenate([part.value[own] for part, own in zip(influences, inside, strict=True)])
    columns = np.concatenate([part.column[own] + edge for part, own, edge in zip(influences, inside, edges[:-1], strict=True)])
    units = np.concatenate([unit[own] for own in inside])
    k = int(edges[-1])
    sums = sparse.csc_array((values, (units, columns)), shape=(int(unit.max(initial=0)) + 1, k))
    covariance = (sums.T @ sums).toarray()
    squares = np.diagonal(covariance)
    scale = np.divide(1.0, np.sqrt(squares), out=np.zeros(k), where=squares > 0)
    correlation = np.clip(covariance * np.outer(scale, scale), -1.0, 1.0)
    np.fill_diagonal(correlation, 1.0)
    size = k // models
    for own in range(size if models > 1 else 0):
        places = own + size * np.arange(models)
        seen = places[scale[places] > 0]
        # One estimate under all models, a row each: cutting columns out one by one took most of the time of many models.
        rows = np.ascontiguousarray(sums[:, seen].toarray().T) * scale[seen, None]
        for a, b in combinations(range(seen.size), 2):
            correlation[seen[a], seen[b]] = correlation[seen[b], seen[a]] = 1 - _cautious(rows[a], rows[b])
    return np.asarray(correlation, dtype=np.float64)


def _cautious(first: Floats, second: Floats) -> float:
    """1 - correlation of two columns of unit length, (patients,), larger by PRIOR over the number of patients that show it."""
    squares = np.square(first - second)
    apart, fourth = float(squares.sum()), float(np.square(squares).sum())
    if apart > SAME:
        return min(apart / 2 * (1 + PRIOR * fourth / apart**2), 1.0)
    # Both models rank or decide alike: as if PRIOR patients more had shown no correlation.
    informative = 1 / float(np.power(first, 4).sum())
    return PRIOR / (informative + PRIOR)
