"""Bounded quantities of G groups whose errors are made on a scale without a bound in reach, and their differences.

A group's limits are Student's on the scale (logarithm, logit) and are carried back. The limits of a difference join those of
the two groups (MOVER; Zou and Donner 2008), taken at the quantile of Welch's degrees of freedom, so they stay inside
what is possible. The p-value is the level at which the interval first reaches 0: test and interval cannot disagree.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import expit, stdtr, stdtrit

from core.metrics.linear_estimates import LinearEstimates, PairDifferences, limits

Floats = NDArray[np.float64]
Scale = Literal["identity", "log", "logit"]

# A p-value is looked for by halving the logarithm of the critical value, between exp(-20) and exp(25).
HALVINGS = 50
SMALLEST, LARGEST = -20.0, 25.0
# Squares of what this gives are still finite.
LARGEST_EXPONENT = 300.0
# Critical values between which the distance of a limit from the estimate is kept from shrinking.
CRITICAL_GRID = np.geomspace(1e-3, 1e5, 513)


def from_scale(values: Floats, scale: Scale) -> Floats:
    """Values carried back from a scale, elementwise."""
    if scale == "log":
        return np.exp(np.minimum(values, LARGEST_EXPONENT))
    return np.asarray(expit(values), dtype=np.float64) if scale == "logit" else values


@dataclass(frozen=True)
class ScaledEstimates:
    """value : (G,) estimates as shown; on_scale : the same with errors, on `scale`."""

    value: Floats
    on_scale: LinearEstimates
    scale: Scale

    @property
    def reason(self) -> tuple[str | None, ...]:
        return self.on_scale.reason

    def interval(self, level: ArrayLike = 0.95) -> tuple[Floats, Floats]:
        """Limits (G,), which always contain the value; at one confidence level or one for each group."""
        low, high = (from_scale(edge, self.scale) for edge in self.on_scale.interval(level))
        return np.minimum(low, self.value), np.maximum(high, self.value)

    def differences(self, pairs: ArrayLike | None = None) -> ScaledDifferences:
        """Differences of pairs of groups, (T, 2) indices; None: of every two groups."""
        on_scale = self.on_scale.differences(pairs)
        a, b = on_scale.pairs.T
        own, shared = self.on_scale, np.zeros(a.size)
        if own.covariance is not None:
            with np.errstate(invalid="ignore", divide="ignore"):
                shared = np.nan_to_num(own.covariance[a, b] / np.sqrt(own.variance[a] * own.variance[b]))
        return ScaledDifferences(self, on_scale, np.clip(shared, -1.0, 1.0))


@dataclass(frozen=True)
class ScaledDifferences:
    """Differences a - b of T pairs of groups; `on_scale` holds pairs, degrees of freedom and reasons, correlation (T,)."""

    groups: ScaledEstimates
    on_scale: PairDifferences
    correlation: Floats

    @property
    def reason(self) -> tuple[str | None, ...]:
        return self.on_scale.reason

    @property
    def difference(self) -> Floats:
        a, b = self.on_scale.pairs.T
        return np.where(np.isfinite(self.on_scale.difference), self.groups.value[a] - self.groups.value[b], np.nan)

    def interval(self, level: ArrayLike = 0.95) -> tuple[Floats, Floats]:
        """Limits (T,) at one confidence level, or at a level for each pair."""
        # Checks the level.
        limits(self.difference, self.on_scale.se, self.on_scale.df, level)
        return self._limits(stdtrit(self.on_scale.df, 0.5 + np.asarray(level, dtype=np.float64) / 2))

    @property
    def p(self) -> Floats:
        """Two-sided p-value of no difference, (T,)."""
        d = self.difference
        critical = self._first(lambda c: _reaches(self._limits(c), 0.0, d))
        return np.where(np.isfinite(d), np.minimum(2 * stdtr(self.on_scale.df, -critical), 1.0), np.nan)

    def p_within(self, bound: ArrayLike) -> Floats:
        """P-value of equivalence, (T,): below alpha exactly when `interval(1 - 2 * alpha)` lies within -bound to bound."""
        b = np.broadcast_to(np.asarray(bound, dtype=np.float64), self.difference.shape)

        def outside(critical: Floats) -> NDArray[np.bool_]:
            low, high = self._limits(critical)
            return (low <= -b) | (high >= b)

        critical = self._first(outside)
        p = np.where(np.abs(self.difference) >= b, 1.0, stdtr(self.on_scale.df, -critical))
        return np.where(np.isfinite(self.difference) & np.isfinite(b), p, np.nan)

    def _limits(self, critical: Floats) -> tuple[Floats, Floats]:
        """At critical values (T,); never nearer to the difference than at a smaller critical value."""
        down, up = self._arms(critical)
        if self.groups.scale != "identity" and bool((self.correlation > 0).any()):
            before = np.searchsorted(CRITICAL_GRID, critical, side="right")
            pairs = np.arange(critical.size)
            down, up = (np.maximum(arm, longest[before, pairs]) for arm, longest in zip((down, up), self._longest, strict=True))
        d = self.difference
        return d - down, d + up

    @cached_property
    def _longest(self) -> tuple[Floats, Floats]:
        """The longest arms (K + 1, T) up to each of the grid's critical values, 0 before the first.

        Where estimates are correlated and one of them nears its bound, the joined arm can shrink as the critical value grows:
        a wider confidence level would then have the narrower interval.
        """
        arms = [self._arms(np.full(self.on_scale.df.size, critical)) for critical in CRITICAL_GRID]
        start = np.zeros((1, self.on_scale.df.size))
        down, up = (np.maximum.accumulate(np.concatenate([start, np.stack(side)])) for side in zip(*arms, strict=True))
        return down, up

    def _arms(self, critical: Floats) -> tuple[Floats, Floats]:
        """How far the limits lie below and above the difference by MOVER, (T,) each."""
        a, b = self.on_scale.pairs.T
        sides = []
        for g in (a, b):
            centre, se, value = self.groups.on_scale.value[g], self.groups.on_scale.se[g], self.groups.value[g]
            low, high = (from_scale(centre + sign * critical * se, self.groups.scale) for sign in (-1, 1))
            sides.append((np.maximum(value - low, 0.0), np.maximum(high - value, 0.0)))
        (down_a, up_a), (down_b, up_b) = sides
        return _joined(down_a, up_b, self.correlation), _joined(up_a, down_b, self.correlation)

    def _first(self, reached: Callable[[Floats], NDArray[np.bool_]]) -> Floats:
        """Smallest critical value (T,) at which something is reached, by halving; the largest where it never is."""
        low, high = (np.full(self.on_scale.df.size, end) for end in (SMALLEST, LARGEST))
        for _ in range(HALVINGS):
            middle = (low + high) / 2
            there = reached(np.exp(middle))
            low, high = np.where(there, low, middle), np.where(there, middle, high)
        return np.exp(high)


def _joined(first: Floats, second: Floats, correlation: Floats) -> Floats:
    return np.sqrt(np.maximum(first**2 + second**2 - 2 * correlation * first * second, 0.0))


def _reaches(interval: tuple[Floats, Floats], point: float, difference: Floats) -> NDArray[np.bool_]:
    low, high = interval
    return np.where(difference > point, low <= point, high >= point)
