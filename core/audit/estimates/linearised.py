"""Estimates of every group at once, with the influence of each row on its own group's estimate.

An estimate's variance is the sum over independent units of the squared sum of their rows'
influences (the infinitesimal jackknife): p (1 - p) / (n - 1) for a proportion of independent
rows, the clustered variance of a ratio where patients repeat, and Taylor linearisation under
sampling weights (Cochran 1977, ch. 6). Groups are disjoint, so one array holds all of them.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


@dataclass(frozen=True)
class Linearised:
    """One metric in C groups.

    value : float64 (C,), NaN where undefined.
    influence : float64 (n,), influence of row i on the estimate of its group (0 outside groups).
    codes : int64 (n,), group of each row, -1 for none.
    cluster : int64 (n,) patient of each row, or None where rows are independent.
    """

    value: Floats
    influence: Floats
    codes: Ints
    cluster: Ints | None = None

    @property
    def covariance(self) -> Floats:
        """(C, C) covariance of the estimates; diagonal unless patients are in several groups."""
        count = self.value.size
        inside = self.codes >= 0
        codes, influence = self.codes[inside], self.influence[inside]
        if self.cluster is None:
            return np.diag(np.bincount(codes, weights=influence**2, minlength=count)).astype(np.float64)
        patients = int(self.cluster.max()) + 1
        place = (self.cluster[inside], codes)
        # Sparse: a patient is in one group, rarely in several.
        sums = sparse.csr_array((influence, place), shape=(patients, count))
        sums.sum_duplicates()
        units = np.bincount(sums.indices, minlength=count).astype(np.float64)
        covariance = (sums.T @ sums).toarray()
        scale = np.sqrt(units / np.maximum(units - 1, 1))
        return np.asarray(covariance * np.outer(scale, scale), dtype=np.float64)

    def se(self) -> Floats:
        """float64 (C,) standard errors, NaN where undefined."""
        return np.where(np.isnan(self.value), np.nan, np.sqrt(np.diag(self.covariance)))


def linearise_ratio(numerator: Floats, denominator: Floats, codes: Ints, count: int, weights: Floats | None = None, cluster: Ints | None = None) -> Linearised:
    """Sum of `numerator` over sum of `denominator` in each group; a mean when the denominator is 1."""
    inside = codes >= 0
    safe = np.where(inside, codes, 0)
    w = inside.astype(np.float64) if weights is None else np.where(inside, weights, 0.0)
    top = np.bincount(safe, weights=w * numerator, minlength=count)
    bottom = np.bincount(safe, weights=w * denominator, minlength=count)
    with np.errstate(invalid="ignore", divide="ignore"):
        value = np.where(bottom > 0, top / bottom, np.nan)
    units = np.bincount(safe, weights=(w > 0) & (denominator != 0), minlength=count)
    scale = np.zeros(count)
    np.divide(1.0, bottom, out=scale, where=bottom > 0)
    if cluster is None:
        scale *= np.sqrt(units / np.maximum(units - 1, 1))
    influence = w * (numerator - np.nan_to_num(value)[safe] * denominator) * scale[safe]
    return Linearised(value, influence, codes, cluster)
