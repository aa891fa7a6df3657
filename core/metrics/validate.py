"""Checks of the arrays that every metric takes."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

LABELS_NOT_BINARY = "labels must be 0 or 1"
LENGTHS_DIFFER = "{what} has {got} entries, the labels have {expected}"
SCORES_NOT_FINITE = "scores must be finite numbers"
SCORES_NOT_PROBABILITIES = "calibration needs scores between 0 and 1"
WEIGHTS_INVALID = "weights must be finite and not negative"
GROUPS_OUT_OF_RANGE = "group indices must lie between -1 (missing) and {last}"


def labels(y: ArrayLike) -> NDArray[np.bool_]:
    """Labels as booleans, shape (n,). Raises ValueError unless all are 0 or 1."""
    array = np.asarray(y)
    if array.ndim != 1:
        raise ValueError(LABELS_NOT_BINARY)
    if array.dtype == np.bool_:
        return array
    positive = array == 1
    if not bool(np.all(positive | (array == 0))):
        raise ValueError(LABELS_NOT_BINARY)
    return positive


def scores(score: ArrayLike, n: int, what: str = "score") -> NDArray[np.float64]:
    """Finite scores as float64, shape (n,)."""
    array = np.asarray(score, dtype=np.float64)
    if array.shape != (n,):
        raise ValueError(LENGTHS_DIFFER.format(what=what, got=array.size, expected=n))
    if not bool(np.isfinite(array).all()):
        raise ValueError(SCORES_NOT_FINITE)
    return array


def probabilities(score: ArrayLike, n: int) -> NDArray[np.float64]:
    """Scores in [0, 1] as float64, shape (n,)."""
    p = scores(score, n)
    if bool(((p < 0) | (p > 1)).any()):
        raise ValueError(SCORES_NOT_PROBABILITIES)
    return p


def weights(weight: ArrayLike | None, n: int) -> NDArray[np.float64] | None:
    """Sample weights as float64, shape (n,), or None."""
    if weight is None:
        return None
    array = np.asarray(weight, dtype=np.float64)
    if array.shape != (n,):
        raise ValueError(LENGTHS_DIFFER.format(what="weight", got=array.size, expected=n))
    if not bool(np.isfinite(array).all()) or bool((array < 0).any()):
        raise ValueError(WEIGHTS_INVALID)
    return array


def groups(group: ArrayLike | None, n: int, n_groups: int | None = None) -> tuple[NDArray[np.int64], int]:
    """Group indices, shape (n,), -1 where missing, and how many groups there are; no group given is one group."""
    if group is None:
        return np.zeros(n, dtype=np.int64), 1
    array = np.asarray(group, dtype=np.int64)
    if array.shape != (n,):
        raise ValueError(LENGTHS_DIFFER.format(what="group", got=array.size, expected=n))
    highest = int(array.max()) if n else -1
    count = highest + 1 if n_groups is None else n_groups
    if highest >= count or (n and int(array.min()) < -1):
        raise ValueError(GROUPS_OUT_OF_RANGE.format(last=count - 1))
    return array, count


def clusters(cluster: ArrayLike | None, n: int) -> tuple[NDArray[np.int64], int] | None:
    """Patients as indices 0..count-1, shape (n,), and their count; None when every sample is its own patient."""
    if cluster is None:
        return None
    array = np.asarray(cluster)
    if array.shape != (n,):
        raise ValueError(LENGTHS_DIFFER.format(what="cluster", got=array.size, expected=n))
    if array.dtype == np.int64 and n and int(array.min()) >= 0 and int(array.max()) < n:
        held = np.bincount(array)
        if bool((held > 0).all()):  # indices already: no sort
            return None if held.size == n else (array, held.size)
    unique, index = np.unique(array, return_inverse=True)
    return None if unique.size == n else (index.astype(np.int64), int(unique.size))
