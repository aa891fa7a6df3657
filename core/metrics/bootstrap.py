"""Bootstrap of group AUCs and other statistics of the ranking: stratified, and by patient where patients repeat.

Rankings are resampled as counts per score level (see levels.py), which
is the plain bootstrap as long as there are no more distinct scores than levels, and differs from it
by less than the Monte Carlo error beyond. A percentile interval of a max-min gap is no test: the gap
cannot be negative. The intervals and nulls of such summaries are in summary_intervals.py and summary_nulls.py.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypedDict, TypeVar, Unpack

import numpy as np
from numpy.typing import ArrayLike, NDArray

from core.metrics import validate
from core.metrics.draws import CellDraws, Ints, patient_strata
from core.metrics.equity import es_auc, max_gap, worst
from core.metrics.levels import MAX_LEVELS, Levels, make_levels, ranking_within, table_auc
from core.metrics.rates import FN, FP, TN, TP

Floats = NDArray[np.float64]
T = TypeVar("T")


class Resampling(TypedDict, total=False):
    """How replicates are drawn.

    replicates : how many (default 1000)
    seed : default 0
    cluster : (n,) patients; whole patients are drawn then
    weight : (n,) sample weights
    by_label : draw within group and label, so that the counts of positives and negatives stay (patients:
        within group and the labels that occur); else within group only. Default: yes for rankings, no for rates
    max_levels : see `levels`; has no effect on rates
    workers : threads; the answer does not depend on it
    """

    replicates: int
    seed: int
    cluster: ArrayLike | None
    weight: ArrayLike | None
    by_label: bool
    max_levels: int
    workers: int | None


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
class Prepared:
    """Checked arrays of the samples whose group is known, (n,), and the strata of the draw; `keep` : (all samples,)."""

    positive: NDArray[np.bool_]
    group: Ints
    n_groups: int
    weight: Floats | None
    cluster: Ints | None
    patient_stratum: Ints | None
    stratum: Ints
    keep: NDArray[np.bool_]
    resampling: Resampling

    @classmethod
    def of(cls, y: ArrayLike, group: ArrayLike | None, n_groups: int | None, resampling: Resampling, by_label: bool) -> Prepared:
        """by_label : the default where `resampling` says nothing."""
        positive = validate.labels(y)
        index, count = validate.groups(group, positive.size, n_groups)
        keep = index >= 0
        positive, index = positive[keep], index[keep]
        w = validate.weights(resampling.get("weight"), keep.size)
        cluster = resampling.get("cluster")
        patients = validate.clusters(None if cluster is None else np.asarray(cluster)[keep], positive.size)
        within = resampling.get("by_label", by_label)
        member = strata = None
        if patients is not None:
            member, n_patients = patients
            strata = patient_strata(member, n_patients, index, positive, within)
        stratum = index * 2 + positive if within else index
        return cls(positive, index, count, None if w is None else w[keep], member, strata, stratum, keep, resampling)

    def draws(self, cell: Ints, n_cells: int) -> CellDraws:
        """Draws of samples that each lie in one cell, (n,)."""
        return CellDraws.of(
            cell,
            n_cells,
            self.stratum,
            cluster=self.cluster,
            patient_stratum=self.patient_stratum,
            weight=self.weight,
        )

    def joint_draws(self, cells: Sequence[Ints], n_cells: Sequence[int]) -> CellDraws:
        """Draws into the cells of several models at once: one wide table, model after model.

        A patient (or sample) puts its samples in one cell of each, so that replicates of the models are paired. Patients
        are drawn one by one: with one seed other models of the same samples get the same patients.
        """
        n, k = self.positive.size, len(cells)
        offsets = np.cumsum([0, *n_cells])
        unit = np.arange(n) if self.cluster is None else self.cluster
        weight = np.ones(n) if self.weight is None else self.weight
        return CellDraws.of(
            np.concatenate([cell + offsets[i] for i, cell in enumerate(cells)]),
            int(offsets[-1]),
            np.tile(self.stratum, k),
            cluster=np.tile(unit, k),
            patient_stratum=self.stratum if self.patient_stratum is None else self.patient_stratum,
            weight=np.tile(weight, k),
        )

    def over_replicates(self, draws: CellDraws, reduce: Callable[[Floats], T]) -> list[T]:
        """`reduce` of the cell sums (R, n_cells) of every chunk of replicates."""
        return draws.tables(self.resampling.get("replicates", 1000), self.resampling.get("seed", 0), reduce, self.resampling.get("workers"))


@dataclass(frozen=True)
class LevelTables:
    """Cells (group, label, level) of one model's scores, and how to read AUCs from their counts."""

    levels: Levels
    cell: Ints
    n_groups: int
    within: Floats | float
    within_overall: Floats | float

    @classmethod
    def of(cls, one: Prepared, score: ArrayLike) -> LevelTables:
        values = validate.scores(score, one.keep.size)[one.keep]
        levels = make_levels(one.positive, values, one.resampling.get("max_levels", MAX_LEVELS))
        cell = (one.group * 2 + one.positive) * levels.n_levels + levels.level
        within = ranking_within(one.positive, values, one.group, one.n_groups, levels, one.weight)
        everybody = np.zeros(one.group.size, dtype=np.int64)
        whole = ranking_within(one.positive, values, everybody, 1, levels, one.weight)
        return cls(levels, cell, one.n_groups, within, whole[0] if isinstance(whole, np.ndarray) else whole)

    @property
    def n_cells(self) -> int:
        return self.n_groups * 2 * self.levels.n_levels

    def counts(self, cells: Floats) -> Floats:
        """Cell sums (R, n_cells) as (R, G, 2, K): negatives and positives per rising level."""
        return cells.reshape(-1, self.n_groups, 2, self.levels.n_levels)

    def aucs(self, cells: Floats) -> tuple[Floats, Floats]:
        """Overall (R,) and group (R, G) AUCs of cell sums (R, n_cells)."""
        table = self.counts(cells)
        total = table.sum(axis=1)
        overall = table_auc(total[:, 1], total[:, 0], self.within_overall)
        return overall, table_auc(table[:, :, 1], table[:, :, 0], self.within)


def _over_model(one: Prepared, score: ArrayLike, reduce: Callable[[LevelTables, Floats], T]) -> list[T]:
    """`reduce(tables, cell sums)` of one model, chunk by chunk, by the quickest route."""
    tables = LevelTables.of(one, score)
    return one.over_replicates(one.draws(tables.cell, tables.n_cells), lambda cells: reduce(tables, cells))


def _over_models(one: Prepared, scores: ArrayLike, reduce: Callable[[LevelTables, Floats], T]) -> list[list[T]]:
    """`reduce(tables, cell sums)` of each model, chunk by chunk; all models are read from the same draws."""
    tables = [LevelTables.of(one, row) for row in np.atleast_2d(np.asarray(scores, dtype=np.float64))]
    edges = np.cumsum([0, *(t.n_cells for t in tables)])

    def each(cells: Floats) -> list[T]:
        return [reduce(t, cells[:, edges[i] : edges[i + 1]]) for i, t in enumerate(tables)]

    chunks = one.over_replicates(one.joint_draws([t.cell for t in tables], [t.n_cells for t in tables]), each)
    return [[chunk[i] for chunk in chunks] for i in range(len(tables))]


def bootstrap_models(
    y: ArrayLike,
    scores: ArrayLike,
    group: ArrayLike | None = None,
    n_groups: int | None = None,
    **resampling: Unpack[Resampling],
) -> tuple[AucReplicates, ...]:
    """Bootstrap AUCs of several models, (k, n) scores, every replicate drawing the same patients for all of them.

    Differences between the models' replicates are therefore paired, for any summary of them, also over several calls with
    one seed. group : (n,) indices, -1 for missing: such samples are left out altogether. `resampling`: see `Resampling`.
    """
    one = Prepared.of(y, group, n_groups, resampling, by_label=True)
    return tuple(_joined(own) for own in _over_models(one, scores, LevelTables.aucs))


def _joined(parts: Sequence[tuple[Floats, Floats]]) -> AucReplicates:
    return AucReplicates(np.concatenate([p[0] for p in parts]), np.concatenate([p[1] for p in parts]))


def bootstrap_aucs(
    y: ArrayLike,
    score: ArrayLike,
    group: ArrayLike | None = None,
    n_groups: int | None = None,
    **resampling: Unpack[Resampling],
) -> AucReplicates:
    """Bootstrap AUCs of everybody and of each group; see `bootstrap_models`."""
    return _joined(_over_model(Prepared.of(y, group, n_groups, resampling, by_label=True), score, LevelTables.aucs))


Statistic = Callable[[Floats, Floats], Floats]
"""From counts per score level, rising, of positives and negatives, (R, G, K) each, to (R, G, ...).

For example `precision_recall.table_average_precision`.
"""


def _of_levels(statistic: Statistic) -> Callable[[LevelTables, Floats], Floats]:
    def reduce(tables: LevelTables, cells: Floats) -> Floats:
        table = tables.counts(cells)
        return statistic(table[:, :, 1], table[:, :, 0])

    return reduce


def bootstrap_statistic(
    y: ArrayLike,
    score: ArrayLike,
    statistic: Statistic,
    group: ArrayLike | None = None,
    n_groups: int | None = None,
    **resampling: Unpack[Resampling],
) -> Floats:
    """Bootstrap of any per-group statistic of the ranking, (R, G, ...). The same seed draws the samples that `bootstrap_aucs` does."""
    one = Prepared.of(y, group, n_groups, resampling, by_label=True)
    return np.concatenate(_over_model(one, score, _of_levels(statistic)))


def bootstrap_model_statistic(
    y: ArrayLike,
    scores: ArrayLike,
    statistic: Statistic,
    group: ArrayLike | None = None,
    n_groups: int | None = None,
    **resampling: Unpack[Resampling],
) -> tuple[Floats, ...]:
    """The same of several models, (k, n) scores, from draws of the same patients."""
    one = Prepared.of(y, group, n_groups, resampling, by_label=True)
    return tuple(np.concatenate(own) for own in _over_models(one, scores, _of_levels(statistic)))


def replicate_interval(replicates: ArrayLike, value: ArrayLike | None = None, *, level: float = 0.95, kind: str = "percentile") -> tuple[Floats, Floats]:
    """Interval from replicates (R, ...), each limit (...,); NaN where fewer than nine tenths of them are defined.

    kind : "percentile", or "basic", the percentiles mirrored about `value`.
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
    else:
        raise ValueError(f"interval kind {kind!r} is unknown or needs the value")
    return np.where(defined, low, np.nan), np.where(defined, high, np.nan)


def bootstrap_confusion(
    y: ArrayLike,
    prediction: ArrayLike,
    group: ArrayLike | None = None,
    n_groups: int | None = None,
    **resampling: Unpack[Resampling],
) -> Floats:
    """Bootstrap confusion tables, (R, G, 4), ready for `rates.rate` and `rates.rate_summaries`."""
    one = Prepared.of(y, group, n_groups, resampling, by_label=False)
    selected = _decisions(prediction, one)
    kind = np.where(one.positive, np.where(selected, TP, FN), np.where(selected, FP, TN))
    draws = one.draws(one.group * 4 + kind, one.n_groups * 4)
    return np.concatenate(one.over_replicates(draws, lambda cells: cells)).reshape(-1, one.n_groups, 4)


def _decisions(prediction: ArrayLike, one: Prepared) -> NDArray[np.bool_]:
    selected = validate.labels(prediction)
    if selected.size != one.keep.size:
        raise ValueError(validate.LENGTHS_DIFFER.format(what="prediction", got=selected.size, expected=one.keep.size))
    return selected[one.keep]
