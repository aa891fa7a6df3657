"""Scores ordered within groups, ties gathered in blocks: what every rank statistic here is read from."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Blocks:
    """Blocks of samples that share group and score, group after group, scores rising; arrays (B,) unless said.

    order : (n',) samples in that order, those of missing group left out. length : samples per block.
    group : group of the block. pos, neg : weight of positives and negatives in the block.
    pos_below, neg_below : weight of them below the block in the same group.
    weight_pos, weight_neg : (G,) totals. n_pos, n_neg : (G,) sample counts.
    """

    order: NDArray[np.int64]
    length: NDArray[np.int64]
    group: NDArray[np.int64]
    pos: Floats
    neg: Floats
    pos_below: Floats
    neg_below: Floats
    weight_pos: Floats
    weight_neg: Floats
    n_pos: NDArray[np.int64]
    n_neg: NDArray[np.int64]


def blocks(positive: NDArray[np.bool_], score: Floats, group: NDArray[np.int64], n_groups: int, weight: Floats | None) -> Blocks:
    """Blocks of checked arrays (n,), from one sort of the scores and a linear pass over the groups."""
    order = np.argsort(score, kind="stable")
    if n_groups > 1 or bool((group < 0).any()):
        # Stable, and linear in time for 16-bit keys: the score order stays within each group.
        key = group[order].astype(np.int16 if n_groups < 2**15 else np.int64)
        order = order[np.argsort(key, kind="stable")][int((group == -1).sum()) :]
    g, s, p = group[order], score[order], positive[order]
    w = np.ones(order.size) if weight is None else weight[order]
    w_pos, w_neg = np.where(p, w, 0.0), np.where(p, 0.0, w)
    if order.size:
        starts = np.flatnonzero(np.r_[True, (s[1:] != s[:-1]) | (g[1:] != g[:-1])])
        pos, neg = np.add.reduceat(w_pos, starts), np.add.reduceat(w_neg, starts)
    else:
        starts = np.zeros(0, dtype=np.int64)
        pos, neg = np.zeros(0), np.zeros(0)
    of = g[starts]
    return Blocks(
        order=order,
        length=np.diff(np.r_[starts, order.size]),
        group=of,
        pos=pos,
        neg=neg,
        pos_below=_running(pos, of),
        neg_below=_running(neg, of),
        weight_pos=np.bincount(of, pos, n_groups).astype(np.float64),
        weight_neg=np.bincount(of, neg, n_groups).astype(np.float64),
        n_pos=np.bincount(g[p], minlength=n_groups),
        n_neg=np.bincount(g[~p], minlength=n_groups),
    )


def _running(values: Floats, group: NDArray[np.int64]) -> Floats:
    """Sum of the values before each block in its own group."""
    if values.size == 0:
        return values
    before = np.cumsum(values) - values
    first = np.r_[True, group[1:] != group[:-1]]
    return before - before[first][np.cumsum(first) - 1]
