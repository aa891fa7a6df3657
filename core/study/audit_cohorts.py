"""Simulated predictions of which the truth is known, for the study of the audit.

Scores are binormal: positives N(d, s), negatives N(0, 1), so that AUC = Phi(d / sqrt(1 + s^2)) exactly;
probabilities for calibration come from the true likelihood ratio.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit, ndtr, ndtri

from core.audit.estimates.scored import Scored
from core.audit.input.predictions import Attribute, Predictions

Floats = NDArray[np.float64]
NAMES = "abcdefgh"
# Share of the variance of scores that images of one patient have in common.
SHARED = 0.6


def shift(auc: float, spread: float = 1.0) -> float:
    """Distance of the classes' means at which binormal scores have this AUC."""
    return float(ndtri(auc) * np.sqrt(1 + spread**2))


def _noise(rng: np.random.Generator, patient: NDArray[np.int64], images: int) -> Floats:
    if images == 1:
        return rng.normal(size=patient.size)
    own = rng.normal(size=patient.size // images)[patient]
    return np.sqrt(SHARED) * own + np.sqrt(1 - SHARED) * rng.normal(size=patient.size)


def cohorts(rng: np.random.Generator, count: int, n_pos: int, n_neg: int, auc: float, images: int = 1, spread: float = 1.0) -> Scored:
    """`count` independent cohorts in one array, cohort after cohort; `images` rows per patient.

    spread : standard deviation of the positives' scores over that of the negatives'.
    """
    y = np.tile(np.repeat([True, False], [n_pos * images, n_neg * images]), count)
    patient = np.arange(y.size) // images
    d = shift(auc, spread)
    score = ndtr(_noise(rng, patient, images) * np.where(y, spread, 1.0) + d * y - d / 2)
    return Scored("simulated", y, score, (score >= 0.5).astype(np.int8), None, None, 0.5, patient if images > 1 else None)


def study_cohort(rng: np.random.Generator, sizes: tuple[int, ...], auc: float, worse: float = 0.0, prevalence: float = 0.35, images: int = 1) -> Predictions:
    """Groups of so many patients; the last one's AUC is lower by `worse`. Calibrated probabilities."""
    patient = np.arange(sum(sizes) * images) // images
    group = np.repeat(np.arange(len(sizes)), sizes)[patient]
    y = (rng.random(sum(sizes)) < prevalence)[patient].astype(np.int8)
    d = np.where(group == len(sizes) - 1, shift(auc - worse), shift(auc))
    ratio = d * (_noise(rng, patient, images) + d * y - d / 2)
    score = expit(ratio + np.log(prevalence / (1 - prevalence)))
    attributes = {"group": Attribute(tuple(NAMES[: len(sizes)]), group)}
    return Predictions(np.arange(y.size).astype(object), y, {"model": score}, attributes, patient=patient if images > 1 else None)


def decided_cohort(rng: np.random.Generator, sizes: tuple[int, ...], tpr: float, fpr: float, worse: float = 0.0, prevalence: float = 0.35) -> Predictions:
    """Groups of so many patients with predicted labels; the last one's sensitivity is lower by `worse`."""
    group = np.repeat(np.arange(len(sizes)), sizes)
    y = (rng.random(group.size) < prevalence).astype(np.int8)
    chance = np.where(y == 1, tpr - worse * (group == len(sizes) - 1), fpr)
    decision = (rng.random(group.size) < chance).astype(np.int8)
    attributes = {"group": Attribute(tuple(NAMES[: len(sizes)]), group)}
    return Predictions(np.arange(y.size).astype(object), y, {"model": rng.random(y.size)}, attributes, decided={"model": decision})
