"""Bootstrap AUCs of many models of the same patients, who are drawn once for all of them.

A replicate is a count of every patient. Of a model only the places of its occupied cells (group,
label, score level) are kept, as sparse matrices: they turn the counts (patients, R) into sums per
cell, these into the negatives below every positive, and those into AUCs. So all replicates of a model are
three sparse products and one running sum; models follow each other, because stacking them gains
nothing and leaves the processor's cache.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Unpack

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import sparse

from core.metrics.bootstrap import AucReplicates, LevelTables, Prepared, Resampling
from core.metrics.draws import Ints, Units, chunk_sizes, over_chunks

Floats = NDArray[np.float64]

MODELS_AT_ONCE = 2_000_000
"""Samples times models whose matrices are held at once: about 100 MB. Further models draw the same patients again."""


@dataclass(frozen=True)
class _Reading:
    """How to read the AUCs of one model from counts of patients; Q = groups and, last, everybody.

    content : (cells, patients) sums of weights, cells of negatives first, each half by (q, rising level).
    below : (cells of positives, cells of negatives + 1) from running sums of negatives to those that a positive of the
        cell outranks. of : (Q, cells of positives), which positives are whose. edges : (Q + 1,) places in the running sum.
    """

    content: sparse.csr_array
    below: sparse.csr_array
    of: sparse.csr_array
    edges: Ints

    @classmethod
    def of_model(cls, tables: LevelTables, unit: Ints, n_units: int, weight: Floats) -> _Reading:
        k, whose = tables.levels.n_levels, tables.n_groups + 1
        group, label, level = tables.cell // (2 * k), tables.cell // k % 2, tables.cell % k
        keys = np.concatenate([(label * whose + q) * k + level for q in (group, np.full_like(group, tables.n_groups))])
        cells, row = np.unique(keys, return_inverse=True)
        content = sparse.csr_array((np.tile(weight, 2), (row, np.tile(unit, 2))), shape=(cells.size, n_units))
        first = int(np.searchsorted(cells, whose * k))
        negative, positive = cells[:first], cells[first:] - whose * k
        edges = np.searchsorted(negative, np.arange(whose + 1) * k)
        inside = np.full((whose, k), 0.5)
        inside[:-1], inside[-1] = tables.within, tables.within_overall
        share, q = inside.ravel()[positive], positive // k
        each = np.arange(positive.size)
        # Below the level all, at the level a share, and nothing of the groups that come before.
        ends = np.searchsorted(negative, positive, "left"), np.searchsorted(negative, positive, "right"), edges[q]
        values = np.concatenate([1 - share, share, -np.ones(positive.size)])
        below = sparse.csr_array((values, (np.tile(each, 3), np.concatenate(ends))), shape=(positive.size, first + 1))
        of = sparse.csr_array((np.ones(positive.size), (q, each)), shape=(whose, positive.size))
        return cls(content, below, of, edges)

    def aucs(self, counts: Floats) -> Floats:
        """AUCs (Q, R) of counts of patients (patients, R); NaN where a class is absent."""
        sums = self.content @ counts
        first = self.below.shape[1] - 1
        running = np.zeros((first + 1, counts.shape[1]))
        np.cumsum(sums[:first], axis=0, out=running[1:])
        positives = sums[first:]
        outranked = self.below @ running
        outranked *= positives
        pairs = (self.of @ positives) * (running[self.edges[1:]] - running[self.edges[:-1]])
        return np.divide(self.of @ outranked, pairs, out=np.full(pairs.shape, np.nan), where=pairs > 0)


def bootstrap_stack(
    y: ArrayLike, scores: ArrayLike, group: ArrayLike | None = None, n_groups: int | None = None, **how: Unpack[Resampling]
) -> tuple[AucReplicates, ...]:
    """`bootstrap.bootstrap_models` of one model after the other, (k, n) scores, in a tenth of the time.

    With one seed every call with these samples draws the same patients, whichever models it has, so
    replicates may be kept model by model and are still paired. They are those of `bootstrap_models`
    with one model, as long as it makes as many draws at a time: up to 4,000,000 / replicates
    samples, and as many cells. A chunk of replicates holds at most some 250 MB.
    """
    one = Prepared.of(y, group, n_groups, how, by_label=True)
    rows = np.atleast_2d(np.asarray(scores, dtype=np.float64))
    n = one.positive.size
    unit = np.arange(n, dtype=np.int64) if one.cluster is None else one.cluster
    weight = np.ones(n) if one.weight is None else one.weight
    units = Units.of(one.stratum if one.patient_stratum is None else one.patient_stratum)
    sizes = chunk_sizes(how.get("replicates", 1000), units.n_units)
    found: list[AucReplicates] = []
    at_once = max(1, MODELS_AT_ONCE // max(n, 1))
    for start in range(0, len(rows), at_once):
        readings = [_Reading.of_model(LevelTables.of(one, row), unit, units.n_units, weight) for row in rows[start : start + at_once]]

        def chunk(size: int, rng: np.random.Generator, readings: Sequence[_Reading] = readings) -> list[Floats]:
            counts = np.ascontiguousarray(units.counts(size, rng).T)
            return [reading.aucs(counts) for reading in readings]

        chunks = over_chunks(sizes, how.get("seed", 0), chunk, how.get("workers"))
        for own in zip(*chunks, strict=True):
            table = np.concatenate(own, axis=1)
            found.append(AucReplicates(table[-1], table[:-1].T))
    return tuple(found)
