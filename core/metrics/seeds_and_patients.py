"""Mean over training seeds of an estimate on test patients, with both sources of uncertainty.

Another training gives another model, other patients another estimate. The mean over S seeds has the
variance of the patients, from bootstrap replicates that draw the same patients for all seeds, plus
that between trainings, sd^2 / S; the two are joined with Satterthwaite's (1946) degrees of freedom. The
spread between seeds is seen on the same patients, so it adds to theirs; where seeds react differently
to a patient the sum counts that twice, on the cautious side. One seed knows the patients only. In
simulations 95 % intervals cover at least that often, but 91 % with two and 93 % with three seeds
where trainings differ far more than samples of patients do.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import ndtri, stdtr, stdtrit

NO_SEED = "no seed gave an estimate"
UNSTABLE = "the estimate is undefined in more than a tenth of the bootstrap replicates"
NO_SPREAD = "neither patients nor seeds make a difference"
FEWEST_DEFINED = 0.9


@dataclass(frozen=True)
class TwoSources:
    """mean over `n` seeds; low, high : symmetric t interval; p : two-sided test of 0; se_patients, se_seeds :
    the two standard errors of the mean (se_seeds None with one seed); sd between seeds."""

    mean: float | None
    low: float | None
    high: float | None
    p: float | None
    n: int
    sd: float | None
    se_patients: float | None
    se_seeds: float | None
    freedom: float | None
    reason: str | None


def seeds_and_patients(values: ArrayLike, draws: ArrayLike, level: float = 0.95) -> TwoSources:
    """Mean of (s,) values with bootstrap replicates (s, R) of each; seeds without a value are left out."""
    given, replicates = np.asarray(values, dtype=np.float64), np.atleast_2d(np.asarray(draws, dtype=np.float64))
    known = np.isfinite(given)
    n = int(known.sum())
    if n == 0:
        return TwoSources(None, None, None, None, 0, None, None, None, None, NO_SEED)
    mean = float(given[known].mean())
    sd = float(given[known].std(ddof=1)) if n > 1 else None
    joint = replicates[known].mean(axis=0)
    joint = joint[np.isfinite(joint)]
    if joint.size < max(2, FEWEST_DEFINED * replicates.shape[1]):
        return TwoSources(mean, None, None, None, n, sd, None, None, None, UNSTABLE)
    of_patients = float(joint.var(ddof=1))
    of_seeds = 0.0 if sd is None else sd**2 / n
    total = of_patients + of_seeds
    if total <= 1e-24:
        return TwoSources(mean, None, None, None, n, sd, of_patients**0.5, None if sd is None else of_seeds**0.5, None, NO_SPREAD)
    freedom = total**2 * (n - 1) / of_seeds**2 if of_seeds > 0 else np.inf
    freedom = float(min(freedom, 1e9))
    se = total**0.5
    half = float(stdtrit(freedom, 0.5 + level / 2)) * se
    p = float(2 * stdtr(freedom, -abs(mean) / se))
    return TwoSources(mean, mean - half, mean + half, p, n, sd, of_patients**0.5, None if sd is None else of_seeds**0.5, freedom, None)


def bounded(found: TwoSources, low: float, high: float, level: float = 0.95) -> tuple[float, float]:
    """An interval for estimates near a bound: the patients' own limits `low` and `high` of the mean (of any
    bootstrap kind, so they stay inside what is possible), widened by the seeds' part."""
    if found.mean is None or found.freedom is None:
        return low, high
    stretch = float(stdtrit(found.freedom, 0.5 + level / 2) / ndtri(0.5 + level / 2))
    seeds = float(ndtri(0.5 + level / 2)) * (found.se_seeds or 0.0)
    return found.mean - stretch * float(np.hypot(found.mean - low, seeds)), found.mean + stretch * float(np.hypot(high - found.mean, seeds))
