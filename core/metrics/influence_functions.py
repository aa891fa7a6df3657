"""What single samples add to estimates, and from it the covariance of estimates of any kind on the same samples.

An estimate's error is about the sum of its samples' influences (the infinitesimal jackknife), so two estimates covary by
the sum over patients of the products of their influences: AUCs, rates and means, of several groupings and models alike.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

DIFFERENT_SAMPLES = "influences of {a} and of {b} samples: joint inference needs the same samples in the same order"


@dataclass(frozen=True)
class InfluenceFunction:
    """InfluenceFunction of every sample on the estimate of its group; arrays (n,).

    value : 0 where undefined. column : group, -1 for none. unit : index of the patient, None where every sample is one.
    """

    value: Floats
    column: Ints
    unit: Ints | None
    n_units: int


def joint_covariance(influences: Sequence[InfluenceFunction], counts: Sequence[int]) -> Floats:
    """Covariance (E, E) of all estimates, those of the first influence first; E = sum of counts.

    Parameters
    ----------
    influences : of the same samples (and patients) in the same order
    counts : number of groups of each
    """
    sizes = {influence.value.size for influence in influences}
    if len(sizes) > 1:
        raise ValueError(DIFFERENT_SAMPLES.format(a=min(sizes), b=max(sizes)))
    offsets = np.concatenate([[0], np.cumsum(counts)]).astype(np.int64)
    unit = next((i.unit for i in influences if i.unit is not None), None)
    if unit is None:
        return _by_cell(influences, offsets)
    return _by_patient(influences, offsets, unit)


def _by_patient(influences: Sequence[InfluenceFunction], offsets: Ints, unit: Ints) -> Floats:
    shape = (int(unit.max(initial=0)) + 1, int(offsets[-1]))
    summed = sparse.csr_array(shape)
    for influence, offset in zip(influences, offsets, strict=False):
        inside = influence.column >= 0
        where = (unit[inside], influence.column[inside] + offset)
        summed = summed + sparse.csr_array((influence.value[inside], where), shape=shape)
    return np.asarray((summed.T @ summed).toarray(), dtype=np.float64)


def _by_cell(influences: Sequence[InfluenceFunction], offsets: Ints) -> Floats:
    """Of independent samples: those that share all their groups give one product of matrices."""
    columns = list({id(i.column): i.column for i in influences}.values())
    cell = np.zeros(columns[0].size, dtype=np.int64)
    for column in columns:
        cell = cell * (int(column.max(initial=-1)) + 2) + column + 1
        cell = np.unique(cell, return_inverse=True)[1] if int(cell.max(initial=0)) > cell.size else cell
    order = np.argsort(cell.astype(np.int16) if int(cell.max(initial=0)) < 2**15 else cell, kind="stable")
    starts = np.flatnonzero(np.diff(cell[order], prepend=-1))
    values = np.stack([i.value for i in influences], axis=1)[order]
    result = np.zeros((int(offsets[-1]), int(offsets[-1])))
    for begin, end in zip(starts, np.append(starts[1:], order.size), strict=True):
        own = np.array([i.column[order[begin]] for i in influences])
        there = np.flatnonzero(own >= 0)
        at = own[there] + offsets[there]
        block = values[begin:end, there]
        result[np.ix_(at, at)] += block.T @ block
    return result
