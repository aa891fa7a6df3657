"""Corrections of p-values for the number of tests. Not estimable tests (NaN) stay NaN and do not count."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.float64]
METHODS = ("holm", "bh")


def _checked(p: ArrayLike) -> tuple[Floats, NDArray[np.bool_]]:
    values = np.asarray(p, dtype=np.float64)
    known = ~np.isnan(values)
    if bool(((values[known] < 0) | (values[known] > 1)).any()):
        raise ValueError("p-values must lie between 0 and 1")
    return values, known


def holm(p: ArrayLike) -> Floats:
    """Holm's (1979) step-down adjusted p-values, same shape: controls the chance of any false rejection.

    >>> holm([0.01, 0.04]).tolist()
    [0.02, 0.04]
    """
    values, known = _checked(p)
    tested = values[known]
    order = np.argsort(tested, kind="stable")
    stepped = np.maximum.accumulate(tested[order] * np.arange(tested.size, 0, -1))
    adjusted = np.empty_like(tested)
    adjusted[order] = np.minimum(stepped, 1.0)
    result = np.full(values.shape, np.nan)
    result[known] = adjusted
    return result


def benjamini_hochberg(p: ArrayLike) -> Floats:
    """Benjamini and Hochberg's (1995) step-up adjusted p-values, same shape: controls the false discovery rate."""
    values, known = _checked(p)
    tested = values[known]
    order = np.argsort(tested, kind="stable")
    scaled = tested[order] * tested.size / np.arange(1, tested.size + 1)
    adjusted = np.empty_like(tested)
    adjusted[order] = np.minimum(np.minimum.accumulate(scaled[::-1])[::-1], 1.0)
    result = np.full(values.shape, np.nan)
    result[known] = adjusted
    return result


def adjust(p: ArrayLike, method: str = "holm") -> Floats:
    """Adjusted p-values by name: "holm" or "bh"."""
    if method == "holm":
        return holm(p)
    if method == "bh":
        return benjamini_hochberg(p)
    raise ValueError(f"unknown correction {method!r}; known: {', '.join(METHODS)}")
