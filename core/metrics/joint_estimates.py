"""Estimates of all groups of one attribute together with their correlation: AUCs with everybody's, rates, of several models.

These are what summaries, their nulls and their differences between models are made from. A correlation that rests on few
patients is drawn towards 0, the cautious side for a difference between models, as if PRIOR further patients had shown none.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import sparse

from core.metrics import validate
from core.metrics.auc_comparisons import group_auc_estimates
from core.metrics.comparisons import GroupEstimates
from core.metrics.influence import Influence
from core.metrics.rate_comparisons import group_rate_estimates
from core.metrics.score_limits import ScoreLimits

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]

PRIOR = 2.0


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
    return _joined(parts, rows.unit)


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
    return _joined(parts, rows.unit)


def _joined(parts: Sequence[GroupEstimates], unit: Ints) -> GroupEstimates:
    influences = [part.influence for part in parts if part.influence is not None]
    return stacked(parts, cautious_correlation(influences, [part.value.size for part in parts], unit))


def cautious_correlation(influences: Sequence[Influence], counts: Sequence[int], unit: Ints) -> Floats:
    """Correlation of all estimates of all sets, (k, k) with k the sum of `counts`, drawn towards 0 where few patients show it.

    unit : (n,) patient of each row. An estimate without variance, ranked or decided without a fault, is
        uncorrelated with all others.
    """
    edges = np.cumsum([0, *counts])
    inside = [(part.column >= 0) & (part.value != 0) for part in influences]
    values = np.concatenate([part.value[own] for part, own in zip(influences, inside, strict=True)])
    columns = np.concatenate([part.column[own] + edge for part, own, edge in zip(influences, inside, edges[:-1], strict=True)])
    units = np.concatenate([unit[own] for own in inside])
    k = int(edges[-1])
    sums = sparse.csr_array((values, (units, columns)), shape=(int(unit.max(initial=0)) + 1, k))
    covariance = (sums.T @ sums).toarray()
    squares, fourths = np.diagonal(covariance), np.asarray(sums.power(4).sum(axis=0)).ravel()
    informative = np.divide(squares**2, fourths, out=np.zeros(k), where=fourths > 0)
    scale = np.sqrt(np.divide(informative / (informative + PRIOR), squares, out=np.zeros(k), where=squares > 0))
    correlation = np.clip(covariance * np.outer(scale, scale), -1.0, 1.0)
    np.fill_diagonal(correlation, 1.0)
    return np.asarray(correlation, dtype=np.float64)
