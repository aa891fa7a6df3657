"""Limits of score type as functions of the quantile: the one pivot from which a test and its intervals are both read.

An estimate e whose variance at a true value t is V(t) has at the quantile q the limits l < e < u at which
(e - t)^2 = q^2 V(t) (Wilson 1927 for a proportion). They never leave the range of the quantity and never have width 0,
also at an edge, where the variance at e itself is 0. Here every kind of estimate says how far its limits lie from it
for any q, so that differences can be put together from them (core.metrics.comparisons).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

# Offsets from the estimate at which a tabulated variance is known, as shares of the way to the edge.
GRID = np.concatenate([np.geomspace(1e-7, 0.05, 40, endpoint=False), np.linspace(0.05, 1.0, 40)])
LOG_GRID = np.log(GRID)


class ScoreLimits(Protocol):
    """Limits of the estimates of G groups."""

    def distances(self, quantile: Floats, index: Ints) -> tuple[Floats, Floats]:
        """How far the lower and the upper limit of estimates `index` (T,) lie from them at quantiles (T,) above 0."""
        ...


@dataclass(frozen=True)
class LinearLimits:
    """Limits e - q se and e + q se of means, cut at `low` and `high` where the mean has such bounds; arrays (G,)."""

    value: Floats
    se: Floats
    low: float = -np.inf
    high: float = np.inf

    def distances(self, quantile: Floats, index: Ints) -> tuple[Floats, Floats]:
        half, value = quantile * self.se[index], self.value[index]
        return np.minimum(half, value - self.low), np.minimum(half, self.high - value)


@dataclass(frozen=True)
class WilsonLimits:
    """Wilson's limits (1927) of proportions with (effective) sizes, (G,) each."""

    value: Floats
    size: Floats

    def distances(self, quantile: Floats, index: Ints) -> tuple[Floats, Floats]:
        p, n = self.value[index], self.size[index]
        with np.errstate(invalid="ignore", divide="ignore"):
            square = quantile**2 / n
            shift, scale = square * (0.5 - p) / (1 + square), quantile / (1 + square)
            half = scale * np.sqrt(p * (1 - p) / n + square / (4 * n))
        return np.clip(half - shift, 0.0, p), np.clip(half + shift, 0.0, 1 - p)


@dataclass(frozen=True)
class ShareLimits:
    """Limits of means that are sums of shares times coefficients, and of a part with standard error `within`; arrays (G,).

    scale : factor of the shares' part, (G,), where the shares of one patient's rows offset each other; 1 otherwise.

    shares : a coefficient (G,) and the Wilson limits of each share; one or two of them. Their distances are joined as
    independent ones are (MOVER), two shares of one whole with their multinomial correlation.
    """

    value: Floats
    shares: tuple[tuple[Floats, WilsonLimits], ...]
    within: Floats
    scale: Floats
    low: float = -np.inf
    high: float = np.inf

    def share_se(self) -> Floats:
        """Standard error of the part of the shares, (G,), at their estimates."""
        parts = [c * np.sqrt(own.value * (1 - own.value) / own.size) for c, own in self.shares]
        everyone = np.arange(self.value.size)
        squares = np.sum(np.square(parts), axis=0) + 2 * self._shared(everyone) * parts[0] * parts[-1]
        return np.asarray(np.sqrt(np.maximum(squares, 0.0)))

    def _shared(self, index: Ints) -> Floats:
        """Correlation of the two shares, (T,); 0 where there is one."""
        if len(self.shares) < 2:
            return np.zeros(index.size)
        (_, first), (_, second) = self.shares
        odds = [own.value[index] / np.maximum(1 - own.value[index], 1e-12) for own in (first, second)]
        return -np.minimum(np.sqrt(odds[0] * odds[1]), 1.0)

    def distances(self, quantile: Floats, index: Ints) -> tuple[Floats, Floats]:
        found = []
        shared = self._shared(index)
        for downwards in (True, False):
            parts = []
            for coefficient, own in self.shares:
                c = coefficient[index]
                below, above = own.distances(quantile, index)
                # A share's limit pulls the mean down where it is the lower one of a positive coefficient.
                parts.append(c * np.where((c > 0) == downwards, below, above))
            squares = np.sum(np.square(parts), axis=0) + 2 * shared * parts[0] * parts[-1]
            found.append(np.sqrt(np.maximum(squares, 0.0) * np.square(self.scale[index]) + np.square(quantile * self.within[index])))
        value = self.value[index]
        return np.minimum(found[0], value - self.low), np.minimum(found[1], self.high - value)


@dataclass(frozen=True)
class TabulatedLimits:
    """Limits of estimates in [0, 1] with any variance function, from its values on a grid of true values.

    value : (G,); log_below, log_above : (G, K) logarithm of the quantile at which the limit is the share `GRID` of the
    way from the estimate to 0, or to 1. Between grid points both logarithms are interpolated linearly.
    """

    value: Floats
    log_below: Floats
    log_above: Floats

    @classmethod
    def of(cls, value: Floats, variance: Callable[[Floats], Floats]) -> TabulatedLimits:
        """From the estimates (G,) and their variance at true values (G, K); NaN estimates have NaN limits."""

        def logs(way: Floats) -> Floats:
            offset = np.abs(way)[:, None] * GRID
            with np.errstate(invalid="ignore", divide="ignore"):
                quantile = np.log(offset) - 0.5 * np.log(variance(value[:, None] + np.sign(way)[:, None] * offset))
            # At the very edge nothing varies; the quantile of the last step but one is rounding's.
            return np.maximum.accumulate(np.where(np.isnan(quantile), np.inf, quantile), axis=1)

        return cls(value, logs(-value), logs(1 - value))

    def distances(self, quantile: Floats, index: Ints) -> tuple[Floats, Floats]:
        wanted = np.log(quantile)
        way = self.value[index]
        return way * _share(self.log_below[index], wanted), (1 - way) * _share(self.log_above[index], wanted)


def _share(logs: Floats, wanted: Floats) -> Floats:
    """Share of the way to the edge at logarithms of quantiles (T,), from the rows of a table (T, K)."""
    rows = np.arange(wanted.size)
    right = np.clip((logs < wanted[:, None]).sum(axis=1), 1, GRID.size - 1)
    x0, x1 = logs[rows, right - 1], logs[rows, right]
    with np.errstate(invalid="ignore"):
        part = np.where(np.isfinite(x1) & (x1 > x0), (wanted - x0) / (x1 - x0), np.where(np.isfinite(x1), 1.0, 0.5))
    y0, y1 = LOG_GRID[right - 1], LOG_GRID[right]
    return np.exp(np.minimum(y0 + part * (y1 - y0), 0.0))
