"""Counts of positives and negatives per score level: the form in which AUCs are resampled.

An AUC depends on the scores only through how many positives and negatives lie at each level. Up to
`max_levels` distinct scores every score is its own level and all results are exact. Beyond that
neighbouring scores share a level; the levels hold equal shares of both classes, so that a rare class
keeps its resolution, and the ranking inside a level enters as the level's own AUC.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from core.metrics.auc import placements

Floats = NDArray[np.float64]

MAX_LEVELS = 256


@dataclass(frozen=True)
class Levels:
    """level : (n,) int32 level of every sample, rising with the score; exact : one level per distinct score."""

    level: NDArray[np.int32]
    n_levels: int
    exact: bool


def make_levels(positive: NDArray[np.bool_], score: Floats, max_levels: int = MAX_LEVELS) -> Levels:
    """Levels of (n,) scores, at most `max_levels` of them."""
    if max_levels < 2:
        raise ValueError("at least 2 levels are needed")
    distinct, rank = np.unique(score, return_inverse=True)
    if distinct.size <= max_levels:
        return Levels(rank.astype(np.int32), int(distinct.size), True)
    mass = np.zeros(distinct.size)
    for of_class in (positive, ~positive):
        total = int(of_class.sum())
        if total:
            mass += np.bincount(rank[of_class], minlength=distinct.size) / total
    middle = (np.cumsum(mass) - mass / 2) / mass.sum()
    coarse = np.minimum((middle * max_levels).astype(np.int64), max_levels - 1)
    _, dense = np.unique(coarse, return_inverse=True)
    return Levels(dense[rank].astype(np.int32), int(dense.max()) + 1, False)


def ranking_within(
    positive: NDArray[np.bool_],
    score: Floats,
    group: NDArray[np.int64],
    n_groups: int,
    levels: Levels,
    weight: Floats | None = None,
) -> Floats | float:
    """AUC inside every group and level, (n_groups, K), one half where a class is absent there; 0.5 if levels are exact."""
    if levels.exact:
        return 0.5
    k = levels.n_levels
    inner = np.where(group >= 0, group * k + levels.level, -1)
    area = placements(positive, score, inner, n_groups * k, weight).auc
    return np.where(np.isfinite(area), area, 0.5).reshape(n_groups, k)


def table_auc(pos: Floats, neg: Floats, within: Floats | float = 0.5) -> Floats:
    """AUC, shape (...,), of level counts (..., K) of positives and negatives; NaN where a class is absent."""
    below = np.cumsum(neg, axis=-1)
    total_neg, total_pos = below[..., -1].copy(), pos.sum(axis=-1)
    below -= neg
    below += within * neg
    below *= pos
    pairs = total_pos * total_neg
    return np.divide(below.sum(axis=-1), pairs, out=np.full(pairs.shape, np.nan), where=pairs > 0)
