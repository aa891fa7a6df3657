"""Differences of a fairness summary between two models on the same patients, or of its mean over several trainings.

A gap, a ratio, ES-AUC is the largest (or smallest) of many smooth `members`: the differences between two groups, their
ratios, AUC over one plus a signed sum. Where groups are nearly alike its error is not normal, and depends on how far they
are apart, which is not known. So two bounds are made, each of which holds, and the nearer one counts on either side.

1. States. The error of the difference is drawn for each model's groups so far apart that one member decides, as observed,
   and all alike unless it is shown (p < .01) that they are not. The limits are d - q of the most extreme quantiles of all
   states: the directional delta method (Fang and Santos 2019) in the least favourable of its states.
2. Members. max_c g_c(a) - max_c g_c(b) lies between the smallest and the largest of g_c(a) - g_c(b). So the lowest lower
   and the highest upper limit of these, one by one, bound the difference (intersection-union, Berger 1982). They see
   that the models rank the same patients, also where another group is the worst in each.

p is the level at which 0 leaves the interval: both are of one pivot. Groups' errors are joined by a Gaussian copula with
the correlation of both models' estimates, patients as units. Each group's own error has the shape of its score-type limits
with Student's quantiles: a group ranked without a fault by both models has an error, and nothing leaves its range.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import product

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr, ndtri

from core.metrics.comparisons import GroupEstimates
from core.metrics.max_statistics import correlated_draws, t_quantile
from core.metrics.seeds_and_patients import cochran_cox_quantile
from core.metrics.variance_function import variance_at, variance_table

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

METHOD = "paired, bounds over how far groups may be apart"
UNDEFINED = "the summary is not estimable for both models"
SMALLEST_VARIANCE = 1e-12
# Groups are taken as perhaps alike unless a test at this level has shown that they are not.
NOT_ALIKE = 0.01
BISECTIONS = 14
LARGEST_TAIL = 0.499
# Draws, and those for the members, of which there may be hundreds.
DRAWS, MEMBER_DRAWS = 2048, 1024
ABSOLUTE_Z = np.linspace(0.0, 6.0, 31)


@dataclass(frozen=True)
class Extremum:
    """A summary of k estimates that is the largest or smallest of smooth members.

    value : (..., k) -> (...,). members : (..., k) -> (..., C), None for a summary that is smooth itself.
    """

    value: Callable[[Floats], Floats]
    members: Callable[[Floats], Floats] | None = None
    smallest: bool = False

    def decided_by(self, centre: Floats) -> Ints:
        """The member that is the summary at centres (S, k), (S,)."""
        assert self.members is not None
        found = np.nan_to_num(self.members(centre), nan=np.inf if self.smallest else -np.inf)
        return found.argmin(axis=-1) if self.smallest else found.argmax(axis=-1)


@dataclass(frozen=True)
class PairedSummary:
    """A summary of models a and b and the difference a - b; None where undefined, `reason` says why.

    low, high : contain the difference and lie between -1 and 1. p : two-sided, of the same pivot as the interval.
    """

    value_a: float | None
    value_b: float | None
    difference: float | None
    low: float | None
    high: float | None
    p: float | None
    reason: str | None
    method: str = METHOD


@dataclass(frozen=True)
class JointErrors:
    """Draws of how k estimates may be off, joined by a Gaussian copula with their correlation; arrays (R, k).

    deviates : Student's, with each estimate's degrees of freedom. of_truth : estimate - truth, given the estimate: where the
        estimate is too high by z, the truth is its lower limit at that quantile. So it has the shape of the estimate's own limits.
    variance : (k, len(GRID)) variance of the estimate by true value. likely : (k,) the middle of the limits at quantile 1, a
        true value that is at no edge.
    """

    deviates: Floats
    of_truth: Floats
    variance: Floats
    likely: Floats

    @classmethod
    def of(cls, estimates: GroupEstimates) -> JointErrors:
        k = estimates.value.size
        z = correlated_draws(estimates.correlation, k)[:DRAWS]
        grid = ABSOLUTE_Z[1:]
        quantile = t_quantile(np.repeat(estimates.df, grid.size), np.tile(ndtr(-grid), k)).reshape(k, -1)
        sides = estimates.limits.distances(quantile.ravel(), np.repeat(np.arange(k), grid.size))
        zero = np.zeros((k, 1))
        quantile, below, above = (np.concatenate([zero, side.reshape(k, -1)], axis=1) for side in (quantile, *sides))
        nodes = np.concatenate([-ABSOLUTE_Z[:0:-1], ABSOLUTE_Z])
        deviates, of_truth = np.empty_like(z), np.empty_like(z)
        for i in range(k):
            deviates[:, i] = np.interp(z[:, i], nodes, np.concatenate([-quantile[i, :0:-1], quantile[i]]))
            of_truth[:, i] = np.interp(z[:, i], nodes, np.concatenate([-above[i, :0:-1], below[i]]))
        one = int(np.searchsorted(ABSOLUTE_Z, 1.0))
        likely = estimates.value + (above[:, one] - below[:, one]) / 2
        return cls(deviates, of_truth, variance_table(estimates), likely)

    def of_estimates(self, chosen: slice) -> JointErrors:
        """The same draws of some of the estimates."""
        return JointErrors(self.deviates[:, chosen], self.of_truth[:, chosen], self.variance[chosen], self.likely[chosen])


@dataclass(frozen=True)
class ModelEstimates:
    """Estimates of one model or several trainings of one.

    value : (S, k) estimates of S trainings. errors : of each training, the same patients in all. alike : p that the
        groups of a training are alike, (S,). blocks : indices of estimates of one metric in several groups;
        estimates in no block (the overall AUC) keep their place in all states.
    """

    value: Floats
    errors: Sequence[JointErrors]
    alike: Floats
    blocks: tuple[Ints, ...]

    def truths(self, draws: slice = slice(None)) -> Floats:
        """True values that the estimates may stand for, (S, R, k)."""
        return np.stack([np.clip(own - e.of_truth[draws], 0.0, 1.0) for own, e in zip(self.value, self.errors, strict=True)])

    def _alike_centre(self, training: int) -> Floats:
        """Likely true values (k,) with the groups of each block at their weighted mean."""
        centre = self.errors[training].likely.copy()
        for block in self.blocks:
            weight = 1 / np.maximum(self.errors[training].of_truth[:, block].var(axis=0), SMALLEST_VARIANCE)
            centre[block] = (weight * centre[block]).sum() / weight.sum()
        return centre

    def errors_of(self, summary: Extremum) -> list[Floats]:
        """Errors (R,) of the mean summary over trainings, one array per state of the groups."""
        trainings = range(len(self.errors))
        states = [[_sampled(summary, self.errors[s], self.errors[s].likely) for s in trainings]]
        if summary.members is not None:
            states.append(self._decided(summary))
            if bool((self.alike >= NOT_ALIKE).any()):
                centres = [self._alike_centre(s) if self.alike[s] >= NOT_ALIKE else self.errors[s].likely for s in trainings]
                states.append([_sampled(summary, self.errors[s], centres[s]) for s in trainings])
        return [np.nan_to_num(np.mean(state, axis=0)) for state in states]

    def _decided(self, summary: Extremum) -> list[Floats]:
        """Errors (R,) of the member that is each training's summary."""
        assert summary.members is not None
        place = summary.decided_by(self.value)
        return [
            np.take(summary.members(own), c, axis=-1) - np.take(summary.members(truth), c, axis=-1)
            for c, own, truth in zip(place, self.value, self.truths(), strict=True)
        ]


def _sampled(summary: Extremum, errors: JointErrors, centre: Floats) -> Floats:
    """Errors (R,) of the summary of estimates that are drawn where the true values are `centre`, (k,)."""
    sd = np.sqrt(np.nan_to_num(variance_at(errors.variance, np.arange(centre.size), centre)))
    drawn = np.clip(centre + sd * errors.deviates, 0.0, 1.0)
    return np.asarray(summary.value(drawn) - summary.value(centre))


def difference_of_summaries(summary: Extremum, a: ModelEstimates, b: ModelEstimates, level: float = 0.95) -> PairedSummary:
    """Summary of a minus summary of b, means over trainings; the errors of a and b are drawn with the same patients."""
    with np.errstate(invalid="ignore", divide="ignore"):
        value_a, value_b = float(summary.value(a.value).mean()), float(summary.value(b.value).mean())
        if not (np.isfinite(value_a) and np.isfinite(value_b)):
            shown = [v if np.isfinite(v) else None for v in (value_a, value_b)]
            return PairedSummary(shown[0], shown[1], None, None, None, None, UNDEFINED)
        difference = value_a - value_b
        states = np.sort([ea - eb for ea, eb in product(a.errors_of(summary), b.errors_of(summary))], axis=1)
        bounds = [_state_limits(difference, states)]
        if summary.members is not None and a.value.shape == b.value.shape:
            bounds.append(_member_limits(summary.members, a, b))
        bounds = [_with_seeds(bound, summary.value(a.value) - summary.value(b.value), states) for bound in bounds]
    tail = (1 - level) / 2
    low, high = max(bound(tail)[0] for bound in bounds), min(bound(tail)[1] for bound in bounds)
    return PairedSummary(
        value_a, value_b, difference, max(min(low, difference), -1.0), min(max(high, difference), 1.0), _p_of(bounds, difference, states), None
    )


Limits = Callable[[float], tuple[float, float]]
"""From the probability of either tail to (low, high)."""


def _with_seeds(bound: Limits, differences: Floats, states: Floats) -> Limits:
    """Limits of patients widened by the spread between trainings, (S,) differences (core.metrics.seeds_and_patients)."""
    seeds = differences.size
    if seeds < 2:
        return bound
    mean, of_seeds = float(differences.mean()), float(differences.var(ddof=1)) / seeds
    of_patients = float(states.var(axis=1).max())

    def limits(tail: float) -> tuple[float, float]:
        normal = float(-ndtri(tail))
        stretch = cochran_cox_quantile(tail, of_patients, of_seeds, seeds) / normal
        low, high = bound(tail)
        more = normal * of_seeds**0.5
        # A bound on the far side of the mean stays there: patients alone put it so.
        below, above = np.copysign(np.hypot(mean - low, more), mean - low), np.copysign(np.hypot(high - mean, more), high - mean)
        return mean - stretch * float(below), mean + stretch * float(above)

    return limits


def _state_limits(difference: float, states: Floats) -> Limits:
    """The difference less the most extreme quantiles of its error, from sorted draws (states, R)."""

    def limits(tail: float) -> tuple[float, float]:
        low, high = _sorted_quantiles(states.T, tail)
        return difference - float(high.max()), difference - float(low.min())

    return limits


def _member_limits(members: Callable[[Floats], Floats], a: ModelEstimates, b: ModelEstimates) -> Limits:
    """Lowest lower and highest upper limit of the members' differences, (C,)."""
    seen = (members(a.value) - members(b.value)).mean(axis=0)
    some = slice(0, MEMBER_DRAWS)
    error = np.sort(seen - (members(a.truths(some)) - members(b.truths(some))).mean(axis=0), axis=0)
    known = np.isfinite(seen) & np.isfinite(error[-1])
    seen, error = seen[known], error[:, known]

    def limits(tail: float) -> tuple[float, float]:
        if not seen.size:
            return -1.0, 1.0
        low, high = _sorted_quantiles(error, tail)
        return float((seen - high).min()), float((seen - low).max())

    return limits


def _sorted_quantiles(draws: Floats, tail: float) -> tuple[Floats, Floats]:
    """Quantiles `tail` and 1 - `tail` of each column of draws (R, C) that ascend."""
    place = tail * (draws.shape[0] - 1)
    left = int(place)
    part = place - left
    right = min(left + 1, draws.shape[0] - 1)
    low = draws[left] * (1 - part) + draws[right] * part
    high = draws[-1 - left] * (1 - part) + draws[-1 - right] * part
    return low, high


def _p_of(bounds: Sequence[Limits], difference: float, states: Floats) -> float:
    """Twice the smallest tail at which an interval leaves 0 out; below what draws resolve, the widest state's normal tail."""
    if difference == 0:
        return 1.0
    smallest = 2.0 / states.shape[1]

    def shown(tail: float) -> bool:
        return any(low > 0 or high < 0 for low, high in (bound(tail) for bound in bounds))

    if shown(smallest):
        return min(2 * smallest, float(2 * ndtr(-abs(difference) / states.std(axis=1).max())))
    low, high = np.log(smallest), np.log(0.5)
    if not shown(LARGEST_TAIL):
        return 1.0
    for _ in range(BISECTIONS):
        middle = (low + high) / 2
        low, high = (low, middle) if shown(float(np.exp(middle))) else (middle, high)
    return float(min(2 * np.exp(high), 1.0))
