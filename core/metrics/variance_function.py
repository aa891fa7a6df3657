"""Variance of an estimate as a function of the true value, read from its score limits: V(t) = (distance / q)^2."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from core.metrics.comparisons import GroupEstimates

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

QUANTILES = np.geomspace(1e-3, 1e3, 60)
GRID = np.linspace(0.0, 1.0, 401)
# Limits nearer to an edge than this share of the way are the edge's.
AT_EDGE = 1e-9


def variance_table(estimates: GroupEstimates) -> Floats:
    """(k, len(GRID)) variance of each estimate, a rate or an area, where the true value is that of `GRID`; NaN where it is unknown."""
    value = estimates.value
    index, quantile = np.repeat(np.arange(value.size), QUANTILES.size), np.tile(QUANTILES, value.size)
    below, above = (side.reshape(value.size, -1) for side in estimates.limits.distances(quantile, index))
    table = np.full((value.size, GRID.size), np.nan)
    scale = np.concatenate([QUANTILES[::-1], QUANTILES])
    for g in np.flatnonzero(np.isfinite(value)):
        true = np.concatenate([(value[g] - below[g])[::-1], value[g] + above[g]])
        sd = np.concatenate([below[g][::-1], above[g]]) / scale
        inside = np.concatenate([below[g][::-1] < value[g] * (1 - AT_EDGE), above[g] < (1 - value[g]) * (1 - AT_EDGE)])
        if inside.any():
            table[g] = np.interp(GRID, true[inside], np.square(sd[inside]))
    return table


def variance_at(table: Floats, index: Ints, true: Floats) -> Floats:
    """Variance of estimates `index` at true values, of one shape, by linear interpolation."""
    place = np.clip(true, 0.0, 1.0) * (GRID.size - 1)
    left = np.minimum(place.astype(np.int64), GRID.size - 2)
    part = place - left
    return np.asarray(table[index, left] * (1 - part) + table[index, left + 1] * part)
