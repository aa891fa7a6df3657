"""Intervals for areas and proportions that stay inside [0, 1] and never have width zero."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import expit, ndtri, stdtrit

Floats = NDArray[np.float64]


def normal_quantile(level: float) -> float:
    """Two-sided standard normal quantile of a confidence level, 1.96 for 0.95."""
    if not 0 < level < 1:
        raise ValueError(f"confidence level must lie between 0 and 1, not {level}")
    return float(ndtri(0.5 + level / 2))


def wilson(successes: ArrayLike, trials: ArrayLike, level: float = 0.95) -> tuple[Floats, Floats]:
    """Wilson's score interval (1927) of proportions, elementwise; NaN where there are no trials.

    Non-integer counts are allowed: an effective sample size under weights or clustering.
    """
    z = normal_quantile(level)
    n = np.asarray(trials, dtype=np.float64)
    with np.errstate(invalid="ignore", divide="ignore"):
        p = np.asarray(successes, dtype=np.float64) / n
        centre = (p + z**2 / (2 * n)) / (1 + z**2 / n)
        half = z / (1 + z**2 / n) * np.sqrt(p * (1 - p) / n + z**2 / (4 * n**2))
        low = np.where(p <= 0, 0.0, centre - half)
        high = np.where(p >= 1, 1.0, centre + half)
    return np.where(n > 0, low, np.nan), np.where(n > 0, high, np.nan)


def logit_interval(value: ArrayLike, se: ArrayLike, level: float = 0.95, df: ArrayLike = np.inf) -> tuple[Floats, Floats]:
    """Interval made on the logit scale (Pepe 2003, 5.2.4), elementwise; NaN where value is 0 or 1 or se is 0.

    df : degrees of freedom of `se`; Student's quantile replaces the normal one where finite.
    """
    v, s = np.asarray(value, dtype=np.float64), np.asarray(se, dtype=np.float64)
    quantile = stdtrit(np.asarray(df, dtype=np.float64), 0.5 + level / 2)
    quantile = np.where(np.isinf(df), normal_quantile(level), quantile)
    inside = (v > 0) & (v < 1) & (s > 0)
    v = np.where(inside, v, 0.5)
    centre = np.log(v / (1 - v))
    half = quantile * s / (v * (1 - v))
    low, high = expit(centre - half), expit(centre + half)
    return np.where(inside, low, np.nan), np.where(inside, high, np.nan)


def difference_interval(a: ArrayLike, a_low: ArrayLike, a_high: ArrayLike, b: ArrayLike, b_low: ArrayLike, b_high: ArrayLike) -> tuple[Floats, Floats]:
    """Interval of a - b from the intervals of two independent estimates (MOVER; Newcombe 1998, Zou and Donner 2008)."""
    va, la, ua, vb, lb, ub = (np.asarray(v, dtype=np.float64) for v in (a, a_low, a_high, b, b_low, b_high))
    difference = va - vb
    low = difference - np.hypot(va - la, ub - vb)
    high = difference + np.hypot(ua - va, vb - lb)
    return low, high
