"""Simulated predictions of which the truth is known, for the study of the audit.

Scores are binormal: positives N(d, s), negatives N(0, 1), so that AUC = Phi(d / sqrt(1 + s^2)) exactly;
probabilities for calibration come from the true likelihood ratio. `core.study.audit_truths` has all other true values.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit, ndtr, ndtri

from core.audit.input.predictions import Attribute, Predictions

Floats = NDArray[np.float64]
# Share of the variance of scores that images of one patient have in common.
SHARED = 0.6


def shift(auc: float, spread: float = 1.0) -> float:
    """Distance of the classes' means at which binormal scores have this AUC."""
    return float(ndtri(auc) * np.sqrt(1 + spread**2))


@dataclass(frozen=True)
class CohortSettings:
    """What a simulated cohort is like. Lists for groups give one value to all groups, or one to each.

    sizes : patients in each group of the first attribute. prevalence, auc : of its groups. rows : rows per patient, a number
    or (least, most). label_per_row : rows of one patient have labels of their own. shared : share of the variance of
    scores that rows of a patient have in common. spread : standard deviation of the positives' scores over the negatives'.
    attributes : further attributes and their numbers of groups, without any relation to anything. models : of
    equal AUC. model_correlation : of their noise. weighted : gamma-distributed sampling weights of patients, mean 1, unrelated to
    labels and scores. shift : added to the logit of the calibrated risk, by group; unlike the AUC this changes decisions.
    stretch : the logit of the calibrated risk times this, by group, so that the calibration slope is 1 / stretch. other_auc : of
    all models but the first; the same as the first model's where None.
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
    stretch: float | tuple[float, ...] = 1.0
    other_auc: float | tuple[float, ...] | None = None

    def of_groups(self, values: float | tuple[float, ...]) -> Floats:
        """One value for each group, (G,)."""
        return np.broadcast_to(np.asarray(values, dtype=np.float64), len(self.sizes))

    def unequal_share(self) -> Floats:
        """1 plus the squared coefficient of variation of what a patient counts, (G,): Kish's (1965) loss of effective patients."""
        rows = self.rows if isinstance(self.rows, tuple) and not _is_range(self.rows) else (self.rows,) * len(self.sizes)
        ends = np.array([(r, r) if isinstance(r, int) else r for r in rows], dtype=np.float64)
        mean, variance = ends.mean(axis=1), (np.square(ends[:, 1] - ends[:, 0] + 1) - 1) / 12
        return np.asarray((1 + variance / mean**2) * (1.5 if self.weighted else 1.0))

    def areas(self, model: int = 0) -> Floats:
        """True AUC of every group under a model, (G,)."""
        return self.of_groups(self.auc if model == 0 or self.other_auc is None else self.other_auc)


def simulate_cohort(rng: np.random.Generator, settings: CohortSettings) -> Predictions:
    """One cohort with known truth: every group of "group" has its AUC exactly, other attributes have no effect at all.

    With spread 1 scores are the risk of a positive label given the binormal score in the row's own group, so they are
    calibrated in every group unless `shift` says otherwise. Otherwise that risk would rank rows in another way than the
    binormal score does, and the scores are that score itself, mapped to [0, 1] and calibrated nowhere.
    """
    groups = len(settings.sizes)
    prevalence, shifts, stretches = (settings.of_groups(v) for v in (settings.prevalence, settings.shift, settings.stretch))
    group_of = np.repeat(np.arange(groups), settings.sizes)
    patient = np.repeat(np.arange(group_of.size), _rows_per_patient(rng, settings, group_of))
    group = group_of[patient]
    positive = rng.random(patient.size) < prevalence[group] if settings.label_per_row else (rng.random(group_of.size) < prevalence[group_of])[patient]
    log_odds = np.log(prevalence / (1 - prevalence))[group]
    common = _row_noise(rng, patient, settings)
    scores = {}
    for k in range(settings.models):
        distance = np.array([shift(area, settings.spread) for area in settings.areas(k)])[group]
        # Models share a part of the noise: two models on the same patients err alike.
        r = settings.model_correlation
        noise = common if settings.models == 1 else np.sqrt(r) * common + np.sqrt(1 - r) * _row_noise(rng, patient, settings)
        latent = noise * np.where(positive, settings.spread, 1.0) + distance * positive
        logit = stretches[group] * (distance * (latent - distance / 2) + log_odds) + shifts[group]
        scores[f"model {k + 1}"] = ndtr(latent - distance / 2 + shifts[group]) if settings.spread != 1 else expit(logit)
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
    by_group: list[int | tuple[int, int]] = [rows] * groups if isinstance(rows, int) or _is_range(rows) else list(rows)  # type: ignore[list-item, arg-type]
    bounds = np.array([(r, r) if isinstance(r, int) else r for r in by_group])
    return rng.integers(bounds[group_of, 0], bounds[group_of, 1] + 1)


def _is_range(rows: tuple[int | tuple[int, int], ...]) -> bool:
    """(least, most) for all, not one number for each of two groups: those are written ((1, 1), (2, 2))."""
    return len(rows) == 2 and all(isinstance(r, int) for r in rows)


def _row_noise(rng: np.random.Generator, patient: NDArray[np.int64], settings: CohortSettings) -> Floats:
    own = rng.normal(size=patient.size)
    count = int(patient[-1]) + 1
    if count == patient.size:
        return own
    return np.sqrt(settings.shared) * rng.normal(size=count)[patient] + np.sqrt(1 - settings.shared) * own
