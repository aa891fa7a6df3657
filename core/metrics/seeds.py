"""Means over training seeds with the spread between seeds, and differences of two methods seed by seed."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import stdtr, stdtrit

ONE_SEED = "{n} seed, the spread between seeds needs 2"
NO_SEED = "no seed gave an estimate"
IDENTICAL = "all seeds differ by exactly the same amount"


@dataclass(frozen=True)
class SeedMean:
    """Mean over seeds. sd : between seeds (n - 1); low, high : Student interval of the mean over seeds.

    None where fewer than two seeds are estimable; `left_out` counts the seeds that gave no estimate.
    """

    mean: float | None
    sd: float | None
    low: float | None
    high: float | None
    minimum: float | None
    maximum: float | None
    n: int
    left_out: int
    reason: str | None


@dataclass(frozen=True)
class SeedDifference:
    """Paired differences a - b over common seeds, with a paired t test."""

    mean: float | None
    sd: float | None
    low: float | None
    high: float | None
    p: float | None
    n: int
    wins: int
    reason: str | None


def mean_over_seeds(values: ArrayLike, level: float = 0.95) -> SeedMean:
    """Mean of (s,) values, one per seed, NaN where a seed gave none."""
    given = np.asarray(values, dtype=np.float64)
    known = given[np.isfinite(given)]
    n, left_out = int(known.size), int(given.size - known.size)
    if n == 0:
        return SeedMean(None, None, None, None, None, None, 0, left_out, NO_SEED)
    mean, least, most = float(known.mean()), float(known.min()), float(known.max())
    if n == 1:
        return SeedMean(mean, None, None, None, least, most, 1, left_out, ONE_SEED.format(n=1))
    sd = float(known.std(ddof=1))
    half = float(stdtrit(n - 1, 0.5 + level / 2)) * sd / n**0.5
    return SeedMean(mean, sd, mean - half, mean + half, least, most, n, left_out, None)


def paired_over_seeds(a: ArrayLike, b: ArrayLike, level: float = 0.95) -> SeedDifference:
    """Differences of (s,) values of two methods trained with the same seeds, in the same order."""
    first, second = np.asarray(a, dtype=np.float64), np.asarray(b, dtype=np.float64)
    if first.shape != second.shape:
        raise ValueError("both methods need one value per common seed")
    gap = first - second
    gap = gap[np.isfinite(gap)]
    n, wins = int(gap.size), int((gap > 0).sum())
    if n == 0:
        return SeedDifference(None, None, None, None, None, 0, 0, NO_SEED)
    mean = float(gap.mean())
    if n == 1:
        return SeedDifference(mean, None, None, None, None, 1, wins, ONE_SEED.format(n=1))
    sd = float(gap.std(ddof=1))
    if sd <= 1e-15:
        return SeedDifference(mean, sd, None, None, None, n, wins, IDENTICAL)
    se = sd / n**0.5
    half = float(stdtrit(n - 1, 0.5 + level / 2)) * se
    p = float(2 * stdtr(n - 1, -abs(mean / se)))
    return SeedDifference(mean, sd, mean - half, mean + half, p, n, wins, None)
