"""Tests of rates: two groups, or a group against all others together.

The rate of a group is permuted by moving its successes between the two groups with both sizes held, which is a
hypergeometric distribution and is summed exactly. The statistic is studentized (Chung and Romano 2013), so the
test stays valid in large samples when the variances differ, and the p-value is the mid-p, which undoes the
conservatism of whole counts. Weighted or clustered rates have no such distribution: they get a
normal test with their effective sizes.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import erfc, gammaln

from core.metrics.intervals import difference_interval, wilson

Floats = NDArray[np.float64]

# Longer supports use the normal distribution: with thousands of successes both agree.
MAX_SUPPORT = 4000
TIE = 1e-9


@dataclass(frozen=True)
class RateTests:
    """Differences of rates a - b, arrays (T,): interval from Wilson's limits (Newcombe 1998) and p; NaN if undefined."""

    difference: Floats
    low: Floats
    high: Floats
    p: Floats


def rate_tests(
    successes_a: ArrayLike,
    trials_a: ArrayLike,
    successes_b: ArrayLike,
    trials_b: ArrayLike,
    *,
    effective_a: ArrayLike | None = None,
    effective_b: ArrayLike | None = None,
    level: float = 0.95,
) -> RateTests:
    """Tests of rate a = rate b, elementwise over (T,) counts.

    effective_a, effective_b : sizes from `rates.effective_sizes` where samples are weighted or clustered.
    """
    ka, na, kb, nb = np.broadcast_arrays(
        *(np.atleast_1d(np.asarray(v, dtype=np.float64)) for v in (successes_a, trials_a, successes_b, trials_b))
    )
    known = (na > 0) & (nb > 0)
    with np.errstate(invalid="ignore", divide="ignore"):
        pa, pb = ka / na, kb / nb
    sa = na if effective_a is None else np.broadcast_to(np.asarray(effective_a, dtype=np.float64), na.shape)
    sb = nb if effective_b is None else np.broadcast_to(np.asarray(effective_b, dtype=np.float64), nb.shape)
    la, ua = wilson(pa * sa, sa, level)
    lb, ub = wilson(pb * sb, sb, level)
    low, high = difference_interval(pa, la, ua, pb, lb, ub)
    statistic = _studentized(pa * sa, sa, pb * sb, sb)
    p = erfc(np.abs(statistic) / np.sqrt(2.0))
    exact = known & (np.minimum(ka + kb, np.minimum(na, nb)) <= MAX_SUPPORT)
    if effective_a is None and effective_b is None and bool(exact.any()):
        p = p.copy()
        p[exact] = _permuted(ka[exact], na[exact], kb[exact], nb[exact])
    return RateTests(*(np.where(known, v, np.nan) for v in (pa - pb, low, high, p)))


def _studentized(ka: Floats, na: Floats, kb: Floats, nb: Floats) -> Floats:
    """Difference over its standard error, each rate's variance taken with one success and one failure added."""
    with np.errstate(invalid="ignore", divide="ignore"):
        pa, pb = (ka + 1) / (na + 2), (kb + 1) / (nb + 2)
        se = np.sqrt(pa * (1 - pa) / (na + 2) + pb * (1 - pb) / (nb + 2))
        return (ka / na - kb / nb) / se


def _permuted(ka: Floats, na: Floats, kb: Floats, nb: Floats) -> Floats:
    """Mid-p over all tables with the same margins, (T,)."""
    total = ka + kb
    first = np.maximum(0, total - nb)
    support = int((np.minimum(total, na) - first).max()) + 1
    x = first[:, None] + np.arange(support, dtype=np.float64)
    a, b, t = na[:, None], nb[:, None], total[:, None]
    inside = x <= np.minimum(t, a)
    x = np.where(inside, x, first[:, None])
    log_p = (
        gammaln(a + 1) - gammaln(x + 1) - gammaln(a - x + 1)
        + gammaln(b + 1) - gammaln(t - x + 1) - gammaln(b - t + x + 1)
    )  # fmt: skip
    log_p = np.where(inside, log_p, -np.inf)
    mass = np.exp(log_p - log_p.max(axis=1, keepdims=True))
    mass /= mass.sum(axis=1, keepdims=True)
    seen = np.abs(_studentized(ka, na, kb, nb))[:, None]
    other = np.abs(_studentized(x, a, t - x, b))
    beyond = np.where(other > seen + TIE, 1.0, np.where(other >= seen - TIE, 0.5, 0.0))
    return np.minimum((mass * beyond).sum(axis=1), 1.0)


def one_vs_rest_rates(
    successes: ArrayLike, trials: ArrayLike, *, effective: ArrayLike | None = None, level: float = 0.95
) -> RateTests:
    """Each group's rate against that of all other groups together, (G,)."""
    k, n = np.asarray(successes, dtype=np.float64), np.asarray(trials, dtype=np.float64)
    size = None if effective is None else np.asarray(effective, dtype=np.float64)
    rest = None if size is None else size.sum() - size
    return rate_tests(k, n, k.sum() - k, n.sum() - n, effective_a=size, effective_b=rest, level=level)


def pairwise_rates(
    successes: ArrayLike,
    trials: ArrayLike,
    pairs: ArrayLike,
    *,
    effective: ArrayLike | None = None,
    level: float = 0.95,
) -> RateTests:
    """Rates of pairs of groups, (T, 2) indices, tested against each other."""
    k, n = np.asarray(successes, dtype=np.float64), np.asarray(trials, dtype=np.float64)
    a, b = np.asarray(pairs, dtype=np.int64).reshape(-1, 2).T
    size = None if effective is None else np.asarray(effective, dtype=np.float64)
    own = (None, None) if size is None else (size[a], size[b])
    return rate_tests(k[a], n[a], k[b], n[b], effective_a=own[0], effective_b=own[1], level=level)
