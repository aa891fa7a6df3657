"""Score columns that are no models: the probabilities of one model's classes."""

from __future__ import annotations

import itertools

import numpy as np

from core.audit.input.predictions import AuditFinding, Predictions

MOST_COMPARED = 8
"""Columns up to which every pair is looked at as well."""


def class_probabilities(predictions: Predictions) -> list[AuditFinding]:
    """Columns that add up to one in every row are the classes of one model, not several models."""
    names = list(predictions.scores)
    if len(names) < 2:
        return []
    scores = np.stack([predictions.scores[n] for n in names])
    groups = [tuple(range(len(names))), *itertools.combinations(range(len(names)), 2)] if len(names) <= MOST_COMPARED else [tuple(range(len(names)))]
    for group in groups:
        part = scores[list(group)]
        if part.min() >= -1e-6 and np.allclose(part.sum(axis=0), 1, atol=2e-3) and np.ptp(part, axis=1).max() > 0:
            listed = ", ".join(names[i] for i in group)
            return [
                AuditFinding(
                    "class_probabilities",
                    "warning",
                    f"the scores {listed} add up to 1 in every row: they look like one model's probabilities of its classes, not like {len(group)} models",
                    scores.shape[1],
                    "name only the column of the positive class as the score",
                )
            ]
    return []
