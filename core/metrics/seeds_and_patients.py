"""Mean over training seeds of an estimate on test patients, with both sources of uncertainty.

Another training gives another model, other patients another estimate. The mean over S seeds has the
variance of the patients, from draws that take the same patients for all seeds, plus that between
trainings, sd^2 / S. Their quantile is Cochran and Cox's (1957): the normal one of the patients and Student's
with S - 1 degrees of freedom of the trainings, weighted by the two variances. The spread between seeds is seen on the
same patients, so it adds to theirs; where seeds react differently to a patient the sum counts that
twice, on the cautious side. One seed knows the patients only.

Measured in 400,000 simulated means each (2 to 10 seeds; standard error of the trainings 0 to 10 times that of the
patients), 95 % intervals cover 94.1 to 97.9 % with two seeds, 95.0 to 97.0 % with three, 94.9 to 96.6 % with
more. (Satterthwaite's degrees of freedom cover as little as 87 % with two and 92 % with three.)
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import ndtri, stdtrit

NO_SEED = "no seed gave an estimate"
UNSTABLE = "the estimate is undefined in more than a tenth of the bootstrap replicates"
NO_SPREAD = "neither patients nor seeds make a difference"
FEWEST_DEFINED = 0.9
SMALLEST_VARIANCE = 1e-24
BISECTIONS = 60


@dataclass(frozen=True)
class TwoSources:
    """A mean over seeds, uncertain in its patients and in its trainings.

    mean over `n` seeds; low, high : symmetric interval; p : two-sided test of 0, of the same pivot; se_patients,
    se_seeds : the two standard errors of the mean (se_seeds None with one seed); sd between seeds.
    """

    mean: float | None
    low: float | None
    high: float | None
    p: float | None
    n: int
    sd: float | None
    se_patients: float | None
    se_seeds: float | None
    reason: str | None

    def quantile(self, tail: float) -> float:
        """How many standard errors of the mean the limits with this chance beyond each lie from it."""
        return cochran_cox_quantile(tail, (self.se_patients or 0.0) ** 2, (self.se_seeds or 0.0) ** 2, self.n)


def cochran_cox_quantile(tail: float, of_patients: float, of_seeds: float, seeds: int) -> float:
    """Upper quantile of a mean with a variance of patients, taken as known, and one estimated from `seeds` trainings."""
    normal = float(-ndtri(tail))
    if of_seeds <= 0 or seeds < 2:
        return normal
    return float(normal * of_patients - stdtrit(seeds - 1, tail) * of_seeds) / (of_patients + of_seeds)


def seeds_and_patients(values: ArrayLike, draws: ArrayLike, level: float = 0.95) -> TwoSources:
    """Mean of (s,) values with draws (s, R) of each (bootstrap replicates, or draws of its error); seeds without a value are left out."""
    given, replicates = np.asarray(values, dtype=np.float64), np.atleast_2d(np.asarray(draws, dtype=np.float64))
    known = np.isfinite(given)
    n = int(known.sum())
    if n == 0:
        return TwoSources(None, None, None, None, 0, None, None, None, NO_SEED)
    mean = float(given[known].mean())
    sd = float(given[known].std(ddof=1)) if n > 1 else None
    joint = replicates[known].mean(axis=0)
    joint = joint[np.isfinite(joint)]
    if joint.size < max(2, FEWEST_DEFINED * replicates.shape[1]):
        return TwoSources(mean, None, None, None, n, sd, None, None, UNSTABLE)
    of_patients = float(joint.var(ddof=1))
    of_seeds = 0.0 if sd is None else sd**2 / n
    se_seeds = None if sd is None else of_seeds**0.5
    total = of_patients + of_seeds
    if total <= SMALLEST_VARIANCE:
        return TwoSources(mean, None, None, None, n, sd, of_patients**0.5, se_seeds, NO_SPREAD)

    def quantile(tail: float) -> float:
        return cochran_cox_quantile(tail, of_patients, of_seeds, n)

    half = quantile((1 - level) / 2) * total**0.5
    p = _two_sided(quantile, abs(mean) / total**0.5)
    return TwoSources(mean, mean - half, mean + half, p, n, sd, of_patients**0.5, se_seeds, None)


def _two_sided(quantile: Callable[[float], float], statistic: float) -> float:
    """The p whose quantile at p / 2 is the statistic: the interval at 1 - p just reaches 0."""
    low, high = np.log(1e-300), np.log(0.5)
    for _ in range(BISECTIONS):
        middle = (low + high) / 2
        low, high = (middle, high) if quantile(float(np.exp(middle))) > statistic else (low, middle)
    return float(min(2 * np.exp(high), 1.0))


def mean_over_trainings(values: ArrayLike, low: ArrayLike, high: ArrayLike, level: float = 0.95) -> tuple[float, float, float]:
    """Mean of one estimate over S trainings, (S,) values with their limits for patients, and its limits for both sources.

    The patients' limits of the mean are the means of the trainings' own, which is what they come to where all trainings
    err alike on a patient and too wide otherwise. One training has its own limits.
    """
    v, lower, upper = (np.asarray(part, dtype=np.float64) for part in (values, low, high))
    mean = float(v.mean())
    if v.size == 1:
        return mean, float(lower[0]), float(upper[0])
    tail = (1 - level) / 2
    normal, of_seeds = float(-ndtri(tail)), float(v.var(ddof=1)) / v.size
    limits = []
    for reach in (mean - float(lower.mean()), float(upper.mean()) - mean):
        of_patients = (reach / normal) ** 2
        half = cochran_cox_quantile(tail, of_patients, of_seeds, v.size) * float(np.sqrt(of_patients + of_seeds)) if of_patients + of_seeds > 0 else 0.0
        limits.append(half)
    return mean, mean - limits[0], mean + limits[1]
