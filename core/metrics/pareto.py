"""The Pareto front of several models over several aims."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray


def pareto_front(points: ArrayLike, maximise: ArrayLike | None = None) -> NDArray[np.bool_]:
    """Which points no other point dominates, (n,).

    A point dominates another when it is at least as good in every aim and better in one; equal points are all
    kept. A point with an unknown (NaN) aim is never on the front and dominates nothing.

    points : (n, d). maximise : (d,) bool, whether more is better; by default for all.
    """
    values = np.atleast_2d(np.asarray(points, dtype=np.float64))
    more = np.ones(values.shape[1], dtype=bool) if maximise is None else np.asarray(maximise, dtype=bool)
    if more.shape != (values.shape[1],):
        raise ValueError(f"{more.size} directions were given for {values.shape[1]} aims")
    oriented = np.where(more, values, -values)
    known: NDArray[np.bool_] = np.asarray(np.isfinite(oriented).all(axis=1))
    a, b = oriented[:, None], oriented[None]
    dominates = (a >= b).all(axis=-1) & (a > b).any(axis=-1) & known[:, None]
    return np.asarray(known & ~dominates.any(axis=0))
