"""Permutation: how large a gap between groups chance alone gives, and tests of one group against others.

Group labels are shuffled among the positives and among the negatives, so that every group keeps its
counts. Patients with several samples move as a whole, within patients of like label counts. Tests of a
group against another are studentized (Janssen 1997; Chung and Romano 2013): valid also when the groups'
variances differ. p-values are (1 + exceedances) / (1 + permutations).

The gap, ES-AUC and the worst group are not studentized: their null is that groups are alike given the label. Where
groups have the same AUC but their scores lie apart (prevalence .35 against .6, calibrated), shuffled groups mix
both, and in simulations at 5 % the gap was rejected in 7 and the worst group in 10 of 100; pairs and groups against the rest kept 4 to 5.
So verdicts rest on pairs, and the null of a summary says how large it comes out by chance among groups alike.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from core.metrics import validate
from core.metrics.draws import Ints, chunk_sizes, over_chunks
from core.metrics.equity import es_auc, max_gap, worst
from core.metrics.levels import Levels, level_counts, make_levels, table_delong

Floats = NDArray[np.float64]

# Ties within a level cost a test next to no power: efficiency is about 1 - 1 / levels^2.
PERMUTATION_LEVELS = 64
# Shuffling and counting one sample costs about a tenth of drawing one cell's hypergeometric count.
COST_OF_HYPERGEOMETRIC = 10
MANY_PATIENT_SAMPLES = 3
ROUNDING = 1e-9


@dataclass(frozen=True)
class NullTest:
    """A statistic against its permutation null. `null` is (R,); value, p, median and q95 are None if undefined."""

    value: float | None
    p: float | None
    null_median: float | None
    null_q95: float | None
    null: Floats
    permutations: int

    @classmethod
    def of(cls, value: float, null: Floats, *, small_is_extreme: bool = False, mid: bool = False) -> NullTest:
        """Test of one observed value; permutations in which the statistic is undefined count as exceeding it.

        mid : those that equal the value count half, which undoes the conservatism of statistics that take few values.
        """
        if not np.isfinite(value):
            return cls(None, None, None, None, null, null.size)
        known = null[np.isfinite(null)]
        if known.size == 0:
            return cls(float(value), None, None, None, null, null.size)
        beyond = known <= value + ROUNDING if small_is_extreme else known >= value - ROUNDING
        exceeding = int(beyond.sum()) + null.size - known.size
        equal = int((np.abs(known - value) <= ROUNDING).sum()) if mid else 0
        median, q95 = np.quantile(known, [0.5, 0.05 if small_is_extreme else 0.95])
        return cls(float(value), (1 + exceeding - equal / 2) / (1 + null.size), float(median), float(q95), null, null.size)


@dataclass(frozen=True)
class GroupTests:
    """Tests of several groups (or pairs), each array (T,): difference of AUCs, its DeLong-type standard error, p.

    first, second : group indices; second is -1 for all other groups together. p_joint is adjusted for all
    tests here by the maximum of the permuted statistics (Westfall and Young 1993); NaN for pairs, whose
    permutations are separate.
    """

    first: Ints
    second: Ints
    difference: Floats
    se: Floats
    z: Floats
    p: Floats
    p_joint: Floats


@dataclass(frozen=True)
class AucNull:
    """Permutation results of one attribute: max-min gap, ES-AUC, worst group, and every group against the rest."""

    max_gap: NullTest
    es_auc: NullTest
    worst_group: NullTest
    one_vs_rest: GroupTests


@dataclass(frozen=True)
class _Shuffle:
    """Draws of permuted (group, label, level) tables, (R, G, 2, K)."""

    group: Ints
    cell: Ints
    n_groups: int
    n_cells: int
    weight: Floats | None
    members: tuple[Ints, ...]
    patient: Ints | None
    patient_group: Ints | None

    def draw(self, size: int, rng: np.random.Generator) -> Floats:
        if self.patient is None:
            permuted = np.empty((size, self.group.size), dtype=np.int64)
            for members in self.members:
                permuted[:, members] = rng.permuted(np.tile(self.group[members], (size, 1)), axis=1)
        else:
            assert self.patient_group is not None
            owners = np.empty((size, self.patient_group.size), dtype=np.int64)
            for members in self.members:
                owners[:, members] = rng.permuted(np.tile(self.patient_group[members], (size, 1)), axis=1)
            permuted = owners[:, self.patient]
        permuted *= self.n_cells
        permuted += self.cell
        permuted += np.arange(size)[:, None] * (self.n_groups * self.n_cells)
        weight = None if self.weight is None else np.tile(self.weight, size)
        table = np.bincount(permuted.ravel(), weight, size * self.n_groups * self.n_cells)
        return table.reshape(size, self.n_groups, self.n_cells).astype(np.float64)


@dataclass(frozen=True)
class _Hypergeometric:
    """The same draws for many samples, cell by cell: which groups the samples of each cell fall to."""

    sizes: tuple[Ints, ...]
    cells: tuple[Ints, ...]
    n_groups: int
    n_cells: int

    def draw(self, size: int, rng: np.random.Generator) -> Floats:
        table = np.zeros((size, self.n_groups, self.n_cells))
        offset = 0
        for groups, cells in zip(self.sizes, self.cells, strict=True):
            left = np.tile(cells, (size, 1))
            for g in range(self.n_groups - 1):
                # Group g takes its share of what the groups before it have left in every cell.
                taken = _multivariate(left, int(groups[g]), rng)
                table[:, g, offset : offset + cells.size] = taken
                left -= taken
            table[:, -1, offset : offset + cells.size] = left
            offset += cells.size
        return table


def _multivariate(left: Ints, wanted: int, rng: np.random.Generator) -> Ints:
    """Multivariate hypergeometric draws of `wanted` items from each row of cell counts (R, K)."""
    after = left.sum(axis=1, keepdims=True) - np.cumsum(left, axis=1)
    need = np.full(left.shape[0], wanted, dtype=np.int64)
    taken = np.empty_like(left)
    for k in range(left.shape[1]):
        good, bad = left[:, k], after[:, k]
        taken[:, k] = rng.hypergeometric(good, bad, need)
        need -= taken[:, k]
    return taken


@dataclass(frozen=True)
class _Problem:
    positive: NDArray[np.bool_]
    group: Ints
    n_groups: int
    levels: Levels
    weight: Floats | None
    cluster: ArrayLike | None

    def observed(self) -> Floats:
        """(1, G, 2, K) counts as observed."""
        cell = self.group * 2 + self.positive
        return level_counts(cell, self.n_groups * 2, self.levels, self.weight).reshape(1, self.n_groups, 2, -1)

    def tables(self, permutations: int, seed: int, reduce: Callable[[Floats], Floats], workers: int | None) -> Floats:
        """`reduce` of permuted tables (R, G, 2, K), joined along R."""
        k = self.levels.n_levels
        n_cells = 2 * k
        patients = validate.clusters(self.cluster, self.positive.size)
        source: _Shuffle | _Hypergeometric
        cost_of_cells = self.n_groups * n_cells * COST_OF_HYPERGEOMETRIC
        if patients is None and self.weight is None and cost_of_cells < self.positive.size:
            labels = (~self.positive, self.positive)
            source = _Hypergeometric(
                tuple(np.bincount(self.group[c], minlength=self.n_groups) for c in labels),
                tuple(np.bincount(self.levels.level[c], minlength=k) for c in labels),
                self.n_groups,
                n_cells,
            )
            elements = self.n_groups * n_cells
        else:
            cell = self.positive * k + self.levels.level.astype(np.int64)
            if patients is None:
                member = patient_group = None
                stratum = self.positive.astype(np.int64)
            else:
                member, n_patients = patients
                patient_group, stratum = self._patients(member, n_patients)
            members = tuple(np.flatnonzero(stratum == s) for s in np.unique(stratum))
            source = _Shuffle(self.group, cell, self.n_groups, n_cells, self.weight, members, member, patient_group)
            elements = max(self.positive.size, self.n_groups * n_cells)
        sizes = chunk_sizes(permutations, elements)
        shape = (-1, self.n_groups, 2, k)
        parts = over_chunks(sizes, seed, lambda size, rng: reduce(source.draw(size, rng).reshape(shape)), workers)
        return np.concatenate(parts)

    def _patients(self, member: Ints, count: int) -> tuple[Ints, Ints]:
        """Group and stratum of every patient. A patient in several groups counts by the first sample's."""
        first = np.empty(count, dtype=np.int64)
        first[member[::-1]] = self.group[::-1]
        many = MANY_PATIENT_SAMPLES
        n_pos = np.minimum(np.bincount(member[self.positive], minlength=count), many)
        n_neg = np.minimum(np.bincount(member[~self.positive], minlength=count), many)
        return first, n_pos * (many + 1) + n_neg


def _problem(
    y: ArrayLike,
    score: ArrayLike,
    group: ArrayLike,
    n_groups: int | None,
    cluster: ArrayLike | None,
    weight: ArrayLike | None,
    max_levels: int,
    chosen: tuple[int, ...] | None = None,
) -> _Problem:
    positive = validate.labels(y)
    n = positive.size
    index, count = validate.groups(group, n, n_groups)
    values, w = validate.scores(score, n), validate.weights(weight, n)
    if chosen is not None:
        renumbered = np.full(count + 1, -1)
        renumbered[list(chosen)] = np.arange(len(chosen))
        index, count = renumbered[index], len(chosen)
    keep = index >= 0
    positive, index, values = positive[keep], index[keep], values[keep]
    member = None if cluster is None else np.asarray(cluster)[keep]
    return _Problem(
        positive, index, count, make_levels(positive, values, max_levels), None if w is None else w[keep], member
    )


def _studentized(area: Floats, variance: Floats, other: Floats, other_variance: Floats) -> tuple[Floats, Floats]:
    """Difference and its standard error; a zero variance (both perfect) gives NaN."""
    total = variance + other_variance
    return area - other, np.sqrt(np.where(total > 0, total, np.nan))


def permute_aucs(
    y: ArrayLike,
    score: ArrayLike,
    group: ArrayLike,
    n_groups: int | None = None,
    *,
    permutations: int = 1000,
    seed: int = 0,
    cluster: ArrayLike | None = None,
    weight: ArrayLike | None = None,
    usable: ArrayLike | None = None,
    max_levels: int = PERMUTATION_LEVELS,
    workers: int | None = None,
) -> AucNull:
    """Permutation null of the max-min gap, ES-AUC and worst group, and each group tested against all others.

    Parameters
    ----------
    y, score : (n,)
    group : (n,) indices, -1 (missing) left out
    usable : (G,) bool, groups large enough to be compared; the others are shuffled along but not compared
    cluster, weight : (n,) patients, sample weights (which travel with the sample)
    max_levels : scores are compared at this many levels, as observed and permuted alike
    workers : threads; the answer does not depend on it
    """
    problem = _problem(y, score, group, n_groups, cluster, weight, max_levels)
    g = problem.n_groups
    chosen = np.ones(g, dtype=bool) if usable is None else np.asarray(usable, dtype=bool)

    def reduce(table: Floats) -> Floats:
        neg, pos = table[:, :, 0], table[:, :, 1]
        all_pos, all_neg = pos.sum(axis=1), neg.sum(axis=1)
        overall, _ = table_delong(all_pos, all_neg)
        area, variance = table_delong(pos, neg)
        rest, rest_variance = table_delong(all_pos[:, None] - pos, all_neg[:, None] - neg)
        area = np.where(chosen, area, np.nan)
        difference, se = _studentized(area, variance, rest, rest_variance)
        return np.concatenate([overall[:, None], area, difference, se], axis=1)

    seen = reduce(problem.observed())[0]
    null = problem.tables(permutations, seed, reduce, workers)
    areas, null_areas = seen[1 : g + 1], null[:, 1 : g + 1]
    with np.errstate(invalid="ignore"):
        t = seen[g + 1 : 2 * g + 1] / seen[2 * g + 1 :]
        null_t = np.abs(null[:, g + 1 : 2 * g + 1] / null[:, 2 * g + 1 :])
    compared = GroupTests(
        first=np.arange(g),
        second=np.full(g, -1),
        difference=seen[g + 1 : 2 * g + 1],
        se=seen[2 * g + 1 :],
        z=t,
        p=_exceedance(np.abs(t), null_t),
        p_joint=_exceedance(np.abs(t), np.nanmax(np.nan_to_num(null_t), axis=1, keepdims=True)),
    )
    whole, null_whole = seen[0], null[:, 0]
    return AucNull(
        max_gap=NullTest.of(float(max_gap(areas)), max_gap(null_areas)),
        es_auc=NullTest.of(float(es_auc(whole, areas)), es_auc(null_whole, null_areas), small_is_extreme=True),
        worst_group=NullTest.of(float(worst(areas)), worst(null_areas), small_is_extreme=True),
        one_vs_rest=compared,
    )


def _exceedance(observed: Floats, null: Floats) -> Floats:
    """Permutation p-values (T,) of observed (T,) against null (R, T) or (R, 1); undefined permutations exceed."""
    exceeding = (~(null < observed - ROUNDING)).sum(axis=0)
    return np.where(np.isfinite(observed), (1 + exceeding) / (1 + null.shape[0]), np.nan)


def permute_pairs(
    y: ArrayLike,
    score: ArrayLike,
    group: ArrayLike,
    pairs: ArrayLike,
    n_groups: int | None = None,
    *,
    permutations: int = 1000,
    seed: int = 0,
    cluster: ArrayLike | None = None,
    weight: ArrayLike | None = None,
    max_levels: int = PERMUTATION_LEVELS,
    workers: int | None = None,
) -> GroupTests:
    """Studentized permutation tests of pairs of groups, (T, 2) indices, each shuffled within its own two groups.

    Other parameters as in `permute_aucs`. The seed of a pair depends on its two groups only.
    """
    wanted = np.asarray(pairs, dtype=np.int64).reshape(-1, 2)

    def reduce(table: Floats) -> Floats:
        area, variance = table_delong(table[:, :, 1], table[:, :, 0])
        return np.stack(_studentized(area[:, 0], variance[:, 0], area[:, 1], variance[:, 1]), axis=1)

    results = np.full((wanted.shape[0], 4), np.nan)
    for row, (a, b) in enumerate(wanted):
        problem = _problem(y, score, group, n_groups, cluster, weight, max_levels, (int(a), int(b)))
        difference, se = reduce(problem.observed())[0]
        t = difference / se
        own_seed = int(np.random.SeedSequence([seed, int(a), int(b)]).generate_state(1)[0])
        null = problem.tables(permutations, own_seed, reduce, workers)
        with np.errstate(invalid="ignore"):
            p = _exceedance(np.array([abs(t)]), np.abs(null[:, :1] / null[:, 1:]))[0]
        results[row] = difference, se, t, p
    difference, se, z, p = results.T
    return GroupTests(wanted[:, 0], wanted[:, 1], difference, se, z, p, np.full(wanted.shape[0], np.nan))
