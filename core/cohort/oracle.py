"""The best that any model could reach on a planted cohort.

A model can know at most the hidden scores, so the likelihood ratio of the
scores, with the patient's group known, ranks best (Neyman-Pearson). Single
normal scores have a closed form; the rest is evaluated on a large sample.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.stats import norm

from core.cohort.scenarios import Scenario, Signal
from core.metrics.auc import auc
from core.metrics.equity import es_auc

SAMPLE = 200_000
LEVELS = np.array([-1.5, -0.9, -0.3, 0.3, 0.9, 1.5])
"""Where a note's seven words divide the hidden score."""


def best(design: Scenario, *, seed: int = 0, n: int = SAMPLE) -> dict[str, Any]:
    """Best reachable AUC of each modality, of all, and of all but one: overall and per group.

    `group_blind` is the best without knowing the group, for all modalities.
    Overall values rank patients of all groups together by their posterior.
    """
    generator = np.random.default_rng([seed, 77])
    group, y, scores = draw(design, n, generator)
    prior = np.log(np.array(design.prevalence) / (1 - np.array(design.prevalence)))[group]
    there = present(design, group, generator)
    marked = marks(design, group, y, generator)
    ratio = {s.name: np.where(there[s.name], log_ratio(s, scores[s.name], group, marked.get(s.name)), 0.0) for s in design.signals}
    names = [s.name for s in design.signals]

    def table(chosen: Sequence[str]) -> dict[str, Any]:
        return aucs(design, prior + sum((ratio[m] for m in chosen), np.zeros(n)), y, group)

    modalities = {}
    for signal in design.signals:
        modalities[signal.name] = table([signal.name])
        if signal.style != "words" and not any(signal.absent) and not signal.mark:
            exact = {g: float(norm.cdf(d / math.sqrt(2))) for g, d in zip(design.groups, signal.separation, strict=True)}
            modalities[signal.name]["by_group"] = exact
    blind = np.zeros(n)
    posterior = np.zeros((len(design.groups), 2, n))
    for g in range(len(design.groups)):
        for k in (0, 1):
            rate = design.prevalence[g] if k else 1 - design.prevalence[g]
            like = sum((np.where(there[s.name], log_density(s, scores[s.name], g, k, marked.get(s.name)), 0.0) for s in design.signals), np.zeros(n))
            posterior[g, k] = np.log(design.shares[g] * rate) + like
    blind = np.logaddexp.reduce(posterior[:, 1], axis=0) - np.logaddexp.reduce(posterior[:, 0], axis=0)
    return {
        "modalities": modalities,
        "all": table(names),
        "without": {m: table([k for k in names if k != m]) for m in names},
        "group_blind": aucs(design, blind, y, group),
    }


def draw(design: Scenario, n: int, generator: np.random.Generator) -> tuple[NDArray[np.int64], NDArray[np.int64], dict[str, NDArray[np.float64]]]:
    """Group index, label and hidden score per modality of n patients."""
    group = generator.choice(len(design.groups), size=n, p=np.array(design.shares))
    y = (generator.random(n) < np.array(design.prevalence)[group]).astype(np.int64)
    scores = {s.name: (y - 0.5) * np.array(s.separation)[group] + generator.standard_normal(n) for s in design.signals}
    return group, y, scores


def present(design: Scenario, group: NDArray[np.int64], generator: np.random.Generator) -> dict[str, NDArray[np.bool_]]:
    """Per modality, which patients have it."""
    return {s.name: generator.random(len(group)) >= (np.array(s.absent)[group] if s.absent else 0.0) for s in design.signals}


def marks(design: Scenario, group: NDArray[np.int64], y: NDArray[np.int64], generator: np.random.Generator) -> dict[str, NDArray[np.int64]]:
    """Per modality with marks, whose image bears one. Nothing is drawn without them, so that other cohorts stay what they were."""
    return {s.name: np.where(generator.random(len(y)) < np.array(s.mark)[group], y, 1 - y) for s in design.signals if s.mark}


def log_density(
    signal: Signal, score: NDArray[np.float64], group: int | NDArray[np.int64], y: int, mark: NDArray[np.int64] | None = None
) -> NDArray[np.float64]:
    """Log likelihood of what the modality shows of the score and of its mark, given group and label (up to a constant)."""
    mean = (y - 0.5) * np.asarray(signal.separation)[group]
    told = np.zeros(1)
    if mark is not None:
        agrees = np.asarray(signal.mark)[group]
        told = np.log(np.where(mark == y, agrees, 1 - agrees))
    if signal.style != "words":
        return -0.5 * (score - mean) ** 2 + told
    edges = np.concatenate([[-np.inf], LEVELS, [np.inf]])
    level = np.digitize(score, LEVELS)
    return np.log(norm.cdf(edges[level + 1] - mean) - norm.cdf(edges[level] - mean)) + told


def log_ratio(signal: Signal, score: NDArray[np.float64], group: NDArray[np.int64], mark: NDArray[np.int64] | None = None) -> NDArray[np.float64]:
    """Log of the likelihood ratio of the label given the hidden scores, the group and the mark, (n,): the score with the best AUC (Neyman and Pearson)."""
    return log_density(signal, score, group, 1, mark) - log_density(signal, score, group, 0, mark)


def aucs(design: Scenario, score: NDArray[np.float64], y: NDArray[np.int64], group: NDArray[np.int64]) -> dict[str, Any]:
    """AUC overall and per group, and the equity-scaled AUC of these."""
    by_group = {name: auc(y[group == g], score[group == g]) for g, name in enumerate(design.groups)}
    overall = auc(y, score)
    return {"overall": overall, "by_group": by_group, "es_auc": float(es_auc(overall, list(by_group.values())))}
