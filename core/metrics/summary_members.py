"""Fairness summaries as the largest or smallest of smooth members, which is how their differences are bounded."""

from __future__ import annotations

from itertools import permutations, product

import numpy as np
from numpy.typing import NDArray

from core.metrics.equity import es_auc, max_gap, min_ratio, worst
from core.metrics.summary_differences import Extremum, ModelEstimates

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

# Signs of ES-AUC's sum are enumerated for this many groups, those whose side of the overall AUC is least certain.
ENUMERATED = 6
# A ratio above this is far from being the smallest.
RATIO_LIMIT = 1e3

SINGLE = Extremum(lambda v: v[..., 0])
WORST_GROUP = Extremum(lambda v: worst(v[..., :-1]), lambda v: v[..., :-1], smallest=True)
"""Of AUCs of groups and, last, of everybody."""


def largest_difference_of(blocks: tuple[Ints, ...]) -> Extremum:
    """Largest difference between two estimates of one block; a block holds the indices of one metric's groups."""
    first, second = _ordered(blocks)
    return Extremum(lambda v: np.max([max_gap(v[..., block]) for block in blocks], axis=0), lambda v: v[..., first] - v[..., second])


def smallest_ratio_of(blocks: tuple[Ints, ...]) -> Extremum:
    """Smallest ratio of two estimates of one block."""
    first, second = _ordered(blocks)

    def members(v: Floats) -> Floats:
        top, bottom = v[..., first], v[..., second]
        return np.divide(top, bottom, out=np.full(top.shape, RATIO_LIMIT), where=bottom > top / RATIO_LIMIT)

    return Extremum(lambda v: np.min([min_ratio(v[..., block]) for block in blocks], axis=0), members, smallest=True)


def _ordered(blocks: tuple[Ints, ...]) -> tuple[Ints, Ints]:
    pairs = np.array([pair for block in blocks for pair in permutations(block.tolist(), 2)], dtype=np.int64).reshape(-1, 2)
    return pairs[:, 0], pairs[:, 1]


def es_auc_of(a: ModelEstimates, b: ModelEstimates) -> Extremum:
    """ES-AUC with a member for all signs of the groups near the overall AUC; the others have a sign in each model."""
    deviation = np.concatenate([a.value, b.value])[:, :-1] - np.concatenate([a.value, b.value])[:, -1:]
    spread = np.stack([errors.of_truth[:, :-1].std(axis=0) for errors in (*a.errors, *b.errors)])
    near = np.argsort((np.abs(deviation) / np.maximum(spread, 1e-12)).min(axis=0))[:ENUMERATED]
    flips = np.array(list(product((1.0, -1.0), repeat=near.size)))
    signs = np.repeat(np.unique(np.where(deviation >= 0, 1.0, -1.0), axis=0), flips.shape[0], axis=0)
    signs[:, near] = np.tile(flips, (signs.shape[0] // flips.shape[0], 1))
    signs = np.unique(signs, axis=0)

    def members(v: Floats) -> Floats:
        whole = v[..., -1:]
        return whole / np.maximum(1 + (v[..., :-1] - whole) @ signs.T, 1e-2)

    return Extremum(lambda v: es_auc(v[..., -1], v[..., :-1]), members, smallest=True)
