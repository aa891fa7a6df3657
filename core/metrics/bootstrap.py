"""Bootstrap of group AUCs, precision-recall areas and rates: stratified, and by patient where patients repeat.

Rates are resampled as cell counts. AUCs are resampled as counts per score level (see levels.py), which
is the plain bootstrap as long as there are no more distinct scores than levels, and differs from it
by less than the Monte Carlo error beyond. A percentile interval of a max-min gap is no test: the gap
cannot be negative. Use permutation.py for that.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import ndtr, ndtri

from core.metrics import validate
from core.metrics.equity import es_auc, max_gap, worst
from core.metrics.levels import MAX_LEVELS, Levels, make_levels, ranking_within, table_auc
from core.metrics.rates import FN, FP, TN, TP
from core.metrics.resampling import CellDraws, Ints, patient_strata

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class AucReplicates:
    """overall : (R,), groups : (R, G) bootstrap AUCs; NaN where a replicate lacks a class."""

    overall: Floats
    groups: Floats

    def summaries(self) -> dict[str, Floats]:
        """Replicates (R,) of "auc", "es_auc", "max_gap" and "worst_group"."""
        return {
            "auc": self.overall,
            "es_auc": es_auc(self.overall, self.groups),
            "max_gap": max_gap(self.groups),
            "worst_group": worst(self.groups),
        }


@dataclass(frozen=True)
class _Prepared:
    positive: NDArray[np.bool_]
    group: Ints
    n_groups: int
    weight: Floats | None
    cluster: Ints | None
    patient_stratum: Ints | None
    stratum: Ints
    keep: NDArray[np.bool_]


def _prepare(
    y: ArrayLike,
    group: ArrayLike | None,
    n_groups: int | None,
    cluster: ArrayLike | None,
    weight: ArrayLike | None,
    by_label: bool,
) -> _Prepared:
    """Checked arrays without samples of missing group, and the strata of the draw."""
    positive = validate.labels(y)
    index, count = validate.groups(group, positive.size, n_groups)
    keep = index >= 0
    positive, index = positive[keep], index[keep]
    w = validate.weights(weight, keep.size)
    patients = validate.clusters(None if cluster is None else np.asarray(cluster)[keep], positive.size)
    member = strata = None
    if patients is not None:
        member, n_patients = patients
        strata = patient_strata(member, n_patients, index, positive, by_label)
    stratum = index * 2 + positive if by_label else index
    return _Prepared(positive, index, count, None if w is None else w[keep], member, strata, stratum, keep)


def bootstrap_aucs(
    y: ArrayLike,
    score: ArrayLike,
    group: ArrayLike | None = None,
    n_groups: int | None = None,
    *,
    replicates: int = 1000,
    seed: int = 0,
    cluster: ArrayLike | None = None,
    weight: ArrayLike | None = None,
    by_label: bool = True,
    max_levels: int = MAX_LEVELS,
    workers: int | None = None,
) -> AucReplicates:
    """Bootstrap AUCs of everybody and of each group.

    Parameters
    ----------
    y, score : (n,)
    group : (n,) indices, -1 for missing: such samples are left out altogether
    cluster : (n,) patients; whole patients are drawn then
    by_label : draw within group and label, so that the counts of positives and negatives stay (patients:
        within group and the labels that occur); else within group only
    max_levels : see `levels`
    workers : threads; the answer does not depend on it
    """
    one = _prepare(y, group, n_groups, cluster, weight, by_label)
    values = validate.scores(score, one.keep.size)[one.keep]
    tables = _LevelTables.of(one, values, max_levels)

    def reduce(counts: Floats) -> tuple[Floats, Floats]:
        return tables.aucs(counts)

    parts = tables.draws(one).tables(replicates, seed, reduce, workers)
    return AucReplicates(np.concatenate([p[0] for p in parts]), np.concatenate([p[1] for p in parts]))


@dataclass(frozen=True)
class _LevelTables:
    """Cells (group, label, level) of one model's scores, and how to read AUCs from their counts."""

    levels: Levels
    cell: Ints
    n_groups: int
    within: Floats | float
    within_overall: Floats | float

    @classmethod
    def of(cls, one: _Prepared, score: Floats, max_levels: int) -> _LevelTables:
        levels = make_levels(one.positive, score, max_levels)
        cell = (one.group * 2 + one.positive) * levels.n_levels + levels.level
        within = ranking_within(one.positive, score, one.group, one.n_groups, levels, one.weight)
        everybody = np.zeros(one.group.size, dtype=np.int64)
        whole = ranking_within(one.positive, score, everybody, 1, levels, one.weight)
        return cls(levels, cell, one.n_groups, within, whole[0] if isinstance(whole, np.ndarray) else whole)

    @property
    def n_cells(self) -> int:
        return self.n_groups * 2 * self.levels.n_levels

    def draws(self, one: _Prepared) -> CellDraws:
        return CellDraws.of(
            self.cell,
            self.n_cells,
            one.stratum,
            cluster=one.cluster,
            patient_stratum=one.patient_stratum,
            weight=one.weight,
        )

    def aucs(self, counts: Floats) -> tuple[Floats, Floats]:
        """Overall (R,) and group (R, G) AUCs of cell sums (R, n_cells)."""
        table = counts.reshape(-1, self.n_groups, 2, self.levels.n_levels)
        total = table.sum(axis=1)
        overall = table_auc(total[:, 1], total[:, 0], self.within_overall)
        return overall, table_auc(table[:, :, 1], table[:, :, 0], self.within)


def bootstrap_statistic(
    y: ArrayLike,
    score: ArrayLike,
    statistic: Callable[[Floats, Floats], Floats],
    group: ArrayLike | None = None,
    n_groups: int | None = None,
    *,
    replicates: int = 1000,
    seed: int = 0,
    cluster: ArrayLike | None = None,
    weight: ArrayLike | None = None,
    by_label: bool = True,
    max_levels: int = MAX_LEVELS,
    workers: int | None = None,
) -> Floats:
    """Bootstrap of any per-group statistic of the ranking, (R, G).

    `statistic(pos, neg)` takes counts per score level, rising, (R, G, K) each, and returns (R, G): for
    example `precision_recall.table_average_precision`. The same seed draws the same samples as
    `bootstrap_aucs` does. The other parameters are those of `bootstrap_aucs`.
    """
    one = _prepare(y, group, n_groups, cluster, weight, by_label)
    values = validate.scores(score, one.keep.size)[one.keep]
    tables = _LevelTables.of(one, values, max_levels)
    shape = (-1, one.n_groups, 2, tables.levels.n_levels)

    def reduce(counts: Floats) -> Floats:
        table = counts.reshape(shape)
        return statistic(table[:, :, 1], table[:, :, 0])

    return np.concatenate(tables.draws(one).tables(replicates, seed, reduce, workers))


def bootstrap_models(
    y: ArrayLike,
    scores: ArrayLike,
    group: ArrayLike | None = None,
    n_groups: int | None = None,
    *,
    replicates: int = 1000,
    seed: int = 0,
    cluster: ArrayLike | None = None,
    weight: ArrayLike | None = None,
    by_label: bool = True,
    max_levels: int = MAX_LEVELS,
    workers: int | None = None,
) -> tuple[AucReplicates, ...]:
    """Bootstrap AUCs of several models, (k, n) scores, every replicate drawing the same patients for all of them.

    Differences between the models' replicates are therefore paired, for any summary of them.
    """
    one = _prepare(y, group, n_groups, cluster, weight, by_label)
    models = np.atleast_2d(np.asarray(scores, dtype=np.float64))
    kept = [validate.scores(row, one.keep.size)[one.keep] for row in models]
    tables = [_LevelTables.of(one, row, max_levels) for row in kept]
    # One wide table, model after model: a patient puts its samples in one cell of each.
    draws = _joint_draws(one, tables)
    edges = np.cumsum([0] + [t.n_cells for t in tables])

    def reduce(counts: Floats) -> list[tuple[Floats, Floats]]:
        return [t.aucs(counts[:, edges[i] : edges[i + 1]]) for i, t in enumerate(tables)]

    parts = draws.tables(replicates, seed, reduce, workers)
    return tuple(
        AucReplicates(np.concatenate([p[i][0] for p in parts]), np.concatenate([p[i][1] for p in parts]))
        for i in range(len(tables))
    )


def _joint_draws(one: _Prepared, tables: list[_LevelTables]) -> CellDraws:
    """Draws of patients (or samples) into the cells of all models at once."""
    n, k = one.positive.size, len(tables)
    offsets = np.cumsum([0] + [t.n_cells for t in tables])
    cell = np.concatenate([t.cell + offsets[i] for i, t in enumerate(tables)])
    unit = np.arange(n) if one.cluster is None else one.cluster
    strata = one.stratum if one.patient_stratum is None else one.patient_stratum
    weight = np.ones(n) if one.weight is None else one.weight
    return CellDraws.of(
        cell,
        int(offsets[-1]),
        np.tile(one.stratum, k),
        cluster=np.tile(unit, k),
        patient_stratum=strata,
        weight=np.tile(weight, k),
    )


def bootstrap_confusion(
    y: ArrayLike,
    prediction: ArrayLike,
    group: ArrayLike | None = None,
    n_groups: int | None = None,
    *,
    replicates: int = 1000,
    seed: int = 0,
    cluster: ArrayLike | None = None,
    weight: ArrayLike | None = None,
    by_label: bool = False,
    workers: int | None = None,
) -> Floats:
    """Bootstrap confusion tables, (R, G, 4), ready for `rates.rate` and `rates.rate_summaries`.

    Drawn within groups; labels vary unless `by_label`, because selection rate, PPV and accuracy depend on
    how many positives there happen to be.
    """
    one = _prepare(y, group, n_groups, cluster, weight, by_label)
    selected = validate.labels(prediction)
    if selected.size != one.keep.size:
        raise ValueError(validate.LENGTHS_DIFFER.format(what="prediction", got=selected.size, expected=one.keep.size))
    selected = selected[one.keep]
    kind = np.where(one.positive, np.where(selected, TP, FN), np.where(selected, FP, TN))
    draws = CellDraws.of(
        one.group * 4 + kind,
        one.n_groups * 4,
        one.stratum,
        cluster=one.cluster,
        patient_stratum=one.patient_stratum,
        weight=one.weight,
    )
    parts = draws.tables(replicates, seed, lambda counts: counts, workers)
    return np.concatenate(parts).reshape(replicates, one.n_groups, 4)


def bootstrap_pair_confusion(
    y: ArrayLike,
    prediction_a: ArrayLike,
    prediction_b: ArrayLike,
    group: ArrayLike | None = None,
    n_groups: int | None = None,
    *,
    replicates: int = 1000,
    seed: int = 0,
    cluster: ArrayLike | None = None,
    weight: ArrayLike | None = None,
    workers: int | None = None,
) -> tuple[Floats, Floats]:
    """Bootstrap confusion tables of two models' decisions, (R, G, 4) each, from the same drawn patients."""
    one = _prepare(y, group, n_groups, cluster, weight, by_label=False)
    a, b = validate.labels(prediction_a)[one.keep], validate.labels(prediction_b)[one.keep]
    # Label and both decisions make eight cells per group; each model's table sums over the other's decision.
    cell = one.group * 8 + one.positive * 4 + a * 2 + b
    draws = CellDraws.of(
        cell,
        one.n_groups * 8,
        one.stratum,
        cluster=one.cluster,
        patient_stratum=one.patient_stratum,
        weight=one.weight,
    )
    counts = np.concatenate(draws.tables(replicates, seed, lambda counts: counts, workers))
    table = counts.reshape(replicates, one.n_groups, 2, 2, 2)
    order = [(1, 1), (0, 1), (1, 0), (0, 0)]  # label, decision: TP, FP, FN, TN
    of_a, of_b = table.sum(axis=4), table.sum(axis=3)
    return (
        np.stack([of_a[:, :, label, decision] for label, decision in order], axis=-1),
        np.stack([of_b[:, :, label, decision] for label, decision in order], axis=-1),
    )


def replicate_interval(
    replicates: ArrayLike, value: ArrayLike | None = None, *, level: float = 0.95, kind: str = "percentile"
) -> tuple[Floats, Floats]:
    """Interval from replicates (R, ...), each limit (...,); NaN where fewer than nine tenths of them are defined.

    kind : "percentile"; "bias-corrected" (Efron 1981), which shifts the percentiles by the share of replicates
        below `value`; or "basic", the percentiles mirrored about `value`.
    """
    draws = np.asarray(replicates, dtype=np.float64)
    defined = np.isfinite(draws).mean(axis=0) >= 0.9
    tails = np.array([(1 - level) / 2, (1 + level) / 2])
    masked = np.where(defined, draws, 0.0)
    if kind == "percentile":
        low, high = np.nanquantile(masked, tails, axis=0)
    elif kind == "basic" and value is not None:
        upper, lower = np.nanquantile(masked, tails, axis=0)
        low, high = 2 * np.asarray(value) - lower, 2 * np.asarray(value) - upper
    elif kind == "bias-corrected" and value is not None:
        low, high = _bias_corrected(masked, np.asarray(value, dtype=np.float64), tails)
    else:
        raise ValueError(f"interval kind {kind!r} is unknown or needs the value")
    return np.where(defined, low, np.nan), np.where(defined, high, np.nan)


def _bias_corrected(draws: Floats, value: Floats, tails: Floats) -> tuple[Floats, Floats]:
    """Bias-corrected percentile limits; a value outside all replicates keeps a shift of finite size."""
    count = np.isfinite(draws).sum(axis=0)
    below = (draws < value).sum(axis=0) + 0.5 * (draws == value).sum(axis=0)
    shift = 2 * ndtri(np.clip(below / count, 0.5 / count, 1 - 0.5 / count))
    ordered = np.sort(draws, axis=0)  # NaN sorts last
    limits = []
    for tail in tails:
        position = ndtr(shift + ndtri(tail)) * (count - 1)
        lower = np.floor(position).astype(np.int64)
        upper = np.minimum(lower + 1, count - 1)
        a = np.take_along_axis(ordered, lower[None], 0)[0]
        b = np.take_along_axis(ordered, upper[None], 0)[0]
        limits.append(a + (b - a) * (position - lower))
    return limits[0], limits[1]
