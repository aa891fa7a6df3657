"""Cohorts of predictions with known properties."""

from __future__ import annotations

import numpy as np
from scipy.special import expit, ndtri

from core.audit import Predictions


def simulated(
    sizes: dict[str, int], auc: dict[str, float] | float = 0.8, prevalence: float = 0.35, seed: int = 0, images: int = 1, **more: object
) -> Predictions:
    """Calibrated binormal scores; `auc` for all groups or by name; `images` rows per patient with one score each."""
    rng = np.random.default_rng(seed)
    group = np.repeat(list(sizes), list(sizes.values()))
    areas = np.array([auc if isinstance(auc, float) else auc[g] for g in group])
    y = (rng.random(group.size) < prevalence).astype(int)
    d = ndtri(areas) * np.sqrt(2)
    score = expit(d * (rng.normal(size=y.size) + d * y - d / 2) + np.log(prevalence / (1 - prevalence)))
    patient = None
    if images > 1:
        group, y, score = (np.repeat(column, images) for column in (group, y, score))
        patient = np.repeat(np.arange(areas.size), images)
    return Predictions.build(y, score, {"group": group}, patient=patient, **more)  # type: ignore[arg-type]
