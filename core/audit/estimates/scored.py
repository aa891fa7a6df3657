"""One model's scores and decisions on the audited rows, ready for estimation."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from core.audit.estimates.operating_point import OperatingPoint, is_probability
from core.audit.input.predictions import Attribute, Predictions


@dataclass(frozen=True)
class Scored:
    """Arrays of one model, aligned.

    y : bool (n,); score : float64 (n,); decision : int8 (n,) or None without an operating point.
    cluster : int64 (n,) where patients repeat, else None; weight : float64 (n,) or None.
    no_decision, no_probability : why rates, or calibration and net benefit, are not estimable.
    threshold : the operating point's threshold, None for given labels or thresholds per group.
    """

    model: str
    y: NDArray[np.bool_]
    score: NDArray[np.float64]
    decision: NDArray[np.int8] | None
    no_decision: str | None
    no_probability: str | None
    threshold: float | None
    cluster: NDArray[np.int64] | None = None
    weight: NDArray[np.float64] | None = None

    @property
    def independent_unweighted(self) -> bool:
        """Rows are independent and count the same."""
        return self.cluster is None and self.weight is None


def scored(predictions: Predictions, model: str, point: OperatingPoint, attribute: Attribute | None = None) -> Scored:
    """One model at its operating point; `attribute` where thresholds differ between its groups."""
    score = predictions.scores[model]
    given = predictions.decided.get(model) if point.source == "given labels" else None
    decision = given if given is not None else point.decide(score, attribute) if point.exists else None
    outside = None if is_probability(score) else f"scores reach from {score.min():.4g} to {score.max():.4g}; this needs probabilities in [0, 1]"
    return Scored(
        model=model,
        y=predictions.y == 1,
        score=score,
        decision=decision,
        no_decision=point.reason,
        no_probability=outside,
        threshold=point.threshold if point.by_group is None else None,
        cluster=predictions.clusters,
        weight=predictions.weights,
    )
