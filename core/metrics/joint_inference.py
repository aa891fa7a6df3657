"""The joint distribution of a family of comparisons, from which its error rate is held without waste.

Comparisons of one family share groups, patients and models: the more they go together the less a correction
for their number must cost. What they share is read from the influences of samples on all estimates involved.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from core.metrics.comparisons import GroupEstimates, PairComparisons, correlation
from core.metrics.influence_functions import InfluenceFunction, joint_covariance

Floats = NDArray[np.float64]

NO_INFLUENCE = "joint inference needs the influence of every sample on each estimate"


def loadings(comparisons: Sequence[PairComparisons]) -> Floats:
    """Loadings L (T, E) of all comparisons, in order, on independent factors: their correlation is L @ L.T.

    Every estimate varies as much as its score limits say; where that is more than its samples show (a group ranked
    without fault shows nothing), the rest is its own and shared with no other. A comparison that is NaN has zeros.

    Raises
    ------
    ValueError : where an estimate has no influence, or estimates are of different samples.
    """
    estimates = list({id(c.estimates): c.estimates for c in comparisons}.values())
    place = {id(e): offset for e, offset in zip(estimates, np.cumsum([0, *(e.value.size for e in estimates)]), strict=False)}
    factor = _factor(_covariance(estimates))
    rows = np.concatenate([factor[place[id(c.estimates)] + c.first] - factor[place[id(c.estimates)] + c.second] for c in comparisons])
    tested = np.concatenate([np.isfinite(c.p) for c in comparisons])
    norm = np.sqrt(np.square(rows).sum(axis=1, keepdims=True))
    return np.divide(rows, norm, out=np.zeros_like(rows), where=(norm > 0) & tested[:, None])


def _covariance(estimates: Sequence[GroupEstimates]) -> Floats:
    """Covariance of all estimates at their score standard errors; 0 where one is NaN."""
    influences: list[InfluenceFunction] = []
    for own in estimates:
        if own.influence is None:
            raise ValueError(NO_INFLUENCE)
        influences.append(own.influence)
    seen = joint_covariance(influences, [e.value.size for e in estimates])
    se = np.nan_to_num(np.concatenate([e.se for e in estimates]))
    sd = np.sqrt(np.diagonal(seen))
    share = np.minimum(np.divide(sd, se, out=np.zeros_like(sd), where=se > 0), 1.0)
    shared = correlation(seen) * np.outer(share, share)
    np.fill_diagonal(shared, 1.0)
    return shared * np.outer(se, se)


def _factor(covariance: Floats) -> Floats:
    """The symmetric root, whatever the rank: unlike a basis of eigenvectors, rounding and signs cannot turn it."""
    values, vectors = np.linalg.eigh(covariance)
    return np.asarray((vectors * np.sqrt(np.maximum(values, 0.0))) @ vectors.T, dtype=np.float64)
