"""The binormal model of an AUC's variance: what the spread of one class says about that of the other.

Scores of both classes are normal, with a ratio s of standard deviations. Under the model a class's component of the AUC's
variance (how far its samples' placements vary) is a function of the AUC and s alone. A thousand negatives
so say how far twenty positives spread, of which too few are misranked to show it.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import ndtri, owens_t

Floats = NDArray[np.float64]

# Standard deviation of log s before any data, and how far (on the log scale) a component may be off any binormal model.
LOG_SPREAD, MISFIT = 0.4, 0.3
# A class's placements are only as well known as the other class they are among: so much over its number is added to the variance.
OTHER = 6.0
SPREADS = np.exp(np.linspace(-np.log(4.0), np.log(4.0), 33))
SMALLEST_RATIO, SMALLEST_SCALED_RATIO = 0.02, 1e-4
# Nearer to 0 and 1 the model's components are rounding.
EDGE = 1e-6


def binormal_component(area: ArrayLike, spread: ArrayLike = 1.0) -> Floats:
    """Variance of a positive's placement, elementwise, under the binormal model with this AUC.

    spread : standard deviation of the positives over that of the negatives; its inverse gives a negative's.
    """
    t = np.clip(np.asarray(area, dtype=np.float64), 1e-12, 1 - 1e-12)
    both = t - 2 * owens_t(ndtri(t), 1 / np.sqrt(1.0 + 2.0 * np.square(spread)))
    return np.maximum(both - t * t, 0.0)


def fit_components(area: Floats, seen: Sequence[Floats], informative: Sequence[Floats], scale: Floats, sizes: Sequence[Floats]) -> tuple[Floats, Floats]:
    """Positives' and negatives' components under the best fitting model, over the component at s = 1; (G,) each.

    Least squares on the log scale: a component that rests on k samples among n of the other class has variance 2 / k + OTHER / n
    there, and MISFIT^2 more because no distribution is quite binormal.

    Parameters
    ----------
    area : (G,) AUCs
    seen : observed components of the positives and of the negatives over the component at s = 1, (G,) each
    informative : how many samples (patients) each rests on, (G,) each
    scale : (G,) standard deviation, before any data, of the logarithm of a factor common to both components, which patients
        with several rows bring in; 0 where there is none. For every s the best factor has a closed form
    sizes : effective numbers of positives and of negatives, (G,) each
    """
    t = np.clip(area, EDGE, 1 - EDGE)[:, None]
    model = binormal_component(t)
    at = [np.log(np.maximum(binormal_component(t, s) / model, SMALLEST_RATIO)) for s in (SPREADS, 1 / SPREADS)]
    floor = np.where(scale > 0, SMALLEST_SCALED_RATIO, SMALLEST_RATIO)
    off = [np.log(np.maximum(ratio, floor))[:, None] - of_class for ratio, of_class in zip(seen, at, strict=True)]
    w = [(k / (2 + (MISFIT**2 + OTHER / other) * k))[:, None] for k, other in zip(informative, sizes[::-1], strict=True)]
    free = (scale > 0)[:, None]
    prior = 1 / np.square(np.where(free, scale[:, None], 1.0))
    common = np.where(free, (w[0] * off[0] + w[1] * off[1]) / (w[0] + w[1] + prior), 0.0)
    loss = np.square(np.log(SPREADS)) / LOG_SPREAD**2 + prior * np.square(common)
    loss = loss + w[0] * np.square(off[0] - common) + w[1] * np.square(off[1] - common)
    best = (np.arange(area.size), loss.argmin(axis=1))
    return np.exp((at[0] + common)[best]), np.exp((at[1] + common)[best])
