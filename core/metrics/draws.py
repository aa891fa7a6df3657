"""Bootstrap draws: which units are resampled, in which strata, and how chunks keep the answer thread-proof.

Every chunk of replicates has its own random stream, spawned from the seed by the chunk's number, and
the size of a chunk depends on the data only. So the number of threads cannot change an answer.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
T = TypeVar("T")

# Elements that one chunk may hold at once: 4 million float64 are 32 MB.
CHUNK_ELEMENTS = 4_000_000
# Drawing one category's count costs about this many single draws of a sample.
COST_OF_BINOMIAL = 8


def default_workers() -> int:
    """Threads used when none are asked for: at most two, numpy releases the lock in the heavy parts."""
    return min(2, os.cpu_count() or 1)


def chunk_sizes(total: int, elements_each: int) -> tuple[int, ...]:
    """How `total` replicates of `elements_each` array elements split into chunks."""
    if total < 1:
        raise ValueError("at least one replicate is needed")
    size = max(1, min(total, CHUNK_ELEMENTS // max(elements_each, 1)))
    full, rest = divmod(total, size)
    return (size,) * full + ((rest,) if rest else ())


def over_chunks(sizes: tuple[int, ...], seed: int, work: Callable[[int, np.random.Generator], T], workers: int | None = None) -> list[T]:
    """`work(size, generator)` for every chunk, in order, on threads."""
    streams = np.random.SeedSequence(seed).spawn(len(sizes))
    generators = [np.random.Generator(np.random.PCG64DXSM(stream)) for stream in streams]
    threads = default_workers() if workers is None else workers
    if threads <= 1 or len(sizes) == 1:
        return [work(size, generator) for size, generator in zip(sizes, generators, strict=True)]
    with ThreadPoolExecutor(threads) as pool:
        return list(pool.map(work, sizes, generators))


@dataclass(frozen=True)
class Units:
    """What is drawn: n_units patients (or samples), each drawn with replacement within its stratum.

    by_stratum : (n_units,) units ordered by stratum; start, size : (n_units,) first slot and size of the
    stratum that each slot of that order belongs to.
    """

    by_stratum: Ints
    start: Ints
    size: Ints

    @property
    def n_units(self) -> int:
        return self.by_stratum.size

    @classmethod
    def of(cls, stratum: Ints) -> Units:
        """Units from the stratum of each, (n_units,)."""
        order = np.argsort(stratum, kind="stable")
        _, first, inverse, size = np.unique(stratum[order], return_index=True, return_inverse=True, return_counts=True)
        return cls(order, first[inverse], size[inverse])

    def draw(self, replicates: int, rng: np.random.Generator) -> Ints:
        """Positions in `by_stratum` of the drawn units, (replicates, n_units), each slot from its own stratum."""
        slot = rng.random((replicates, self.n_units))
        slot *= self.size
        slot += self.start
        return slot.astype(np.int64)

    def counts(self, replicates: int, rng: np.random.Generator) -> Floats:
        """How often each unit is drawn, (replicates, n_units)."""
        drawn = np.take(self.by_stratum, self.draw(replicates, rng), mode="clip")
        drawn += np.arange(replicates)[:, None] * self.n_units
        table = np.bincount(drawn.ravel(), minlength=replicates * self.n_units)
        return table.reshape(replicates, self.n_units).astype(np.float64)


def patient_strata(cluster: Ints, n_patients: int, group: Ints, positive: NDArray[np.bool_], by_label: bool) -> Ints:
    """Stratum of every patient, (n_patients,): group of the first sample and, if asked, which labels occur."""
    first = np.full(n_patients, -1, dtype=np.int64)
    first[cluster[::-1]] = group[::-1]
    if not by_label:
        return first
    has_pos = np.bincount(cluster[positive], minlength=n_patients) > 0
    has_neg = np.bincount(cluster[~positive], minlength=n_patients) > 0
    return (first + 1) * 4 + has_pos * 2 + has_neg


@dataclass(frozen=True)
class CellDraws:
    """Draws that end in a table of cells: the sum of weights in each of n_cells per replicate.

    Three exact routes to the same distribution. Samples that are their own patients and have no
    weights: a multinomial over the cells of a stratum when cells are few, else single draws. Patients
    or weights: draws of patients times the (sparse) table of what each patient puts in each cell.
    """

    n_cells: int
    units: Units | None
    cell: Ints | None  # of the units in the order of their strata
    content: sparse.csr_array | None
    strata_counts: NDArray[np.int64] | None
    strata_cells: Ints | None

    @classmethod
    def of(
        cls,
        cell: Ints,
        n_cells: int,
        stratum: Ints,
        *,
        cluster: Ints | None = None,
        patient_stratum: Ints | None = None,
        weight: Floats | None = None,
    ) -> CellDraws:
        """Plan of draws for samples with a cell each, (n,); `stratum` is (n,), `patient_stratum` (n_patients,)."""
        n = cell.size
        if cluster is not None or weight is not None:
            unit = np.arange(n) if cluster is None else cluster
            strata = stratum if patient_stratum is None else patient_stratum
            values = np.ones(n) if weight is None else weight
            content = sparse.csr_array((values, (cell, unit)), shape=(n_cells, strata.size))
            return cls(n_cells, Units.of(strata), None, content, None, None)
        # Strata by cells, kept ragged as one row per stratum over all of its cells.
        names, row = np.unique(stratum, return_inverse=True)
        if names.size * n_cells * COST_OF_BINOMIAL < n * 50:
            counts = np.bincount(row * n_cells + cell, minlength=names.size * n_cells).reshape(names.size, n_cells)
            used = counts.any(axis=0)
            if int((counts > 0).sum()) * COST_OF_BINOMIAL < n:
                return cls(n_cells, None, None, None, counts[:, used], np.flatnonzero(used))
        units = Units.of(row.astype(np.int64))
        return cls(n_cells, units, cell[units.by_stratum].astype(np.int64), None, None, None)

    @property
    def elements(self) -> int:
        """Array elements that one replicate needs."""
        return self.n_cells if self.units is None else max(self.n_cells, self.units.n_units)

    def draw(self, replicates: int, rng: np.random.Generator) -> Floats:
        """Cell sums, (replicates, n_cells)."""
        if self.units is None:
            assert self.strata_counts is not None and self.strata_cells is not None
            table = np.zeros((replicates, self.n_cells))
            for counts in self.strata_counts:
                occupied = np.flatnonzero(counts)
                share = counts[occupied] / counts.sum()
                table[:, self.strata_cells[occupied]] += rng.multinomial(counts.sum(), share, size=replicates)
            return table
        if self.content is not None:
            return np.ascontiguousarray((self.content @ self.units.counts(replicates, rng).T).T)
        assert self.cell is not None
        # Rounding can carry the last slot one past the end, hence the clipping.
        drawn = np.take(self.cell, self.units.draw(replicates, rng), mode="clip")
        drawn += np.arange(replicates)[:, None] * self.n_cells
        sums = np.bincount(drawn.ravel(), minlength=replicates * self.n_cells)
        return sums.reshape(replicates, self.n_cells).astype(np.float64)

    def tables(self, replicates: int, seed: int, reduce: Callable[[Floats], T], workers: int | None = None) -> list[T]:
        """`reduce` of every chunk's cell sums, in order."""
        sizes = chunk_sizes(replicates, self.elements)
        return over_chunks(sizes, seed, lambda size, rng: reduce(self.draw(size, rng)), workers)
