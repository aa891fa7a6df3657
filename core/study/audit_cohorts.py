"""Simulated predictions of which the truth is known, for the study of the audit.

Scores are binormal: positives N(d, s), negatives N(0, 1), so that AUC = Phi(d / sqrt(1 + s^2)) exactly;
probabilities for calibration come from the true likelihood ratio.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

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


@dataclass(frozen=True)
class CohortSettings:
    """What a simulated cohort is like. Lists for groups give one value to all groups, or one to each.

    sizes : patients in each group of the first attribute. prevalence, auc : of its groups. rows : rows per patient, a number
    or (least, most). label_per_row : rows of one patient have labels of their own. shared : share of the variance of
    scores that rows of a patient have in common. spread : standard deviation of the positives' scores over the negatives'.
    attributes : further attributes and their numbers of groups, without any relation to anything. models : of
    equal AUC. model_correlation : of their noise. weighted : gamma-distributed sampling weights of patients, mean 1, unrelated to
    labels and scores. shift : added to the logit of the calibrated risk, by group; unlike the AUC this changes decisions.
    """

    sizes: tuple[int, ...] = (400, 300, 200, 100)
    prevalence: float | tuple[float, ...] = 0.35
    auc: float | tuple[float, ...] = 0.85
    rows: int | tuple[int, int] | tuple[int | tuple[int, int], ...] = 1
    label_per_row: bool = False
    shared: float = SHARED
    spread: float = 1.0
    attributes: Mapping[str, int] = field(default_factory=dict)
    models: int = 1
    model_correlation: float = 0.8
    weighted: bool = False
    shift: float | tuple[float, ...] = 0.0


def simulate_cohort(rng: np.random.Generator, settings: CohortSettings) -> Predictions:
    """One cohort with known truth: every group of "group" has its AUC exactly, other attributes have no effect at all.

    With spread 1 scores are the risk of a positive label given the binormal score in the row's own group, so they are
    calibrated in every group unless `shift` says otherwise. Otherwise that risk would rank rows in another way than the
    binormal score does, and the scores are that score itself, mapped to [0, 1] and calibrated nowhere.
    """
    groups = len(settings.sizes)
    prevalence, areas, shifts = (np.broadcast_to(np.asarray(v, dtype=np.float64), groups) for v in (settings.prevalence, settings.auc, settings.shift))
    group_of = np.repeat(np.arange(groups), settings.sizes)
    patient = np.repeat(np.arange(group_of.size), _rows_per_patient(rng, settings, group_of))
    group = group_of[patient]
    positive = rng.random(patient.size) < prevalence[group] if settings.label_per_row else (rng.random(group_of.size) < prevalence[group_of])[patient]
    distance = np.array([shift(area, settings.spread) for area in areas])[group]
    log_odds = np.log(prevalence / (1 - prevalence))[group] + shifts[group]
    common = _row_noise(rng, patient, settings)
    scores = {}
    for k in range(settings.models):
        # Models share a part of the noise: two models on the same patients err alike.
        r = settings.model_correlation
        noise = common if settings.models == 1 else np.sqrt(r) * common + np.sqrt(1 - r) * _row_noise(rng, patient, settings)
        latent = noise * np.where(positive, settings.spread, 1.0) + distance * positive
        scores[f"model {k + 1}"] = ndtr(latent - distance / 2 + shifts[group]) if settings.spread != 1 else expit(distance * (latent - distance / 2) + log_odds)
    attributes = {"group": Attribute(tuple(f"g{i:02d}" for i in range(groups)), group)}
    for name, count in settings.attributes.items():
        codes = np.r_[np.arange(count), rng.integers(0, count, max(group_of.size - count, 0))][: group_of.size]
        attributes[name] = Attribute(tuple(f"{name}{i:02d}" for i in range(count)), rng.permutation(codes)[patient])
    weights = rng.gamma(2.0, 0.5, group_of.size)[patient] if settings.weighted else None
    repeats = patient.size > group_of.size
    return Predictions(
        np.arange(patient.size).astype(object), positive.astype(np.int8), scores, attributes, patient=patient if repeats else None, weights=weights
    )


def _rows_per_patient(rng: np.random.Generator, settings: CohortSettings, group_of: NDArray[np.int64]) -> NDArray[np.int64]:
    """Rows of every patient: one number, (least, most) for all, or one of these for each group."""
    rows = settings.rows
    groups = len(settings.sizes)
    by_group: list[int | tuple[int, int]] = [rows] * groups if isinstance(rows, int) or _is_range(rows, groups) else list(rows)  # type: ignore[list-item, arg-type]
    bounds = np.array([(r, r) if isinstance(r, int) else r for r in by_group])
    return rng.integers(bounds[group_of, 0], bounds[group_of, 1] + 1)


def _is_range(rows: tuple[int | tuple[int, int], ...], groups: int) -> bool:
    """(least, most) for all, not one number for each of two groups: those are written ((1, 1), (2, 2))."""
    return len(rows) == 2 and all(isinstance(r, int) for r in rows)


def _row_noise(rng: np.random.Generator, patient: NDArray[np.int64], settings: CohortSettings) -> Floats:
    own = rng.normal(size=patient.size)
    count = int(patient[-1]) + 1
    if count == patient.size:
        return own
    return np.sqrt(settings.shared) * rng.normal(size=count)[patient] + np.sqrt(1 - settings.shared) * own
