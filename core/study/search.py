"""Hyperparameter search on validation with the same number of trainings for every method.

A seeded sample of a small grid: with budgets of 2 to 5 trainings a sampler that learns, as optuna's, never gets past its random start.
"""

from __future__ import annotations

import itertools
import math
import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from core.methods import get
from core.metrics.bootstrap import bootstrap_models
from core.study.runner import Entry, Outcome, Runner

CRITERION = "es_auc"
"""On validation. It falls with the AUC as well as with differences between groups."""
LEARNING_RATES = (1.0, 0.5, 2.0)
"""Multiples of the study's rate: searched for every method, so that those without settings of their own are tuned too."""


@dataclass(frozen=True)
class Tuned:
    """The best candidate and all that were tried, each with its validation score."""

    entry: Entry
    chosen: Mapping[str, Any]
    score: float
    tried: tuple[tuple[Mapping[str, Any], float], ...]


def candidates(
    method: str, rate: float, budget: int, seed: int = 0, optimizer: str = "adamw", entry: Entry | None = None, ratio: float = 2.0
) -> list[dict[str, Any]]:
    """At most `budget` different choices: the defaults first, then a random sample of the grid.

    The grid is the method's search space, without what changes nothing under this optimizer and without what
    makes the row of `entry`, times the learning rates. Methods share the learning rates of the sample, so that
    none is luckier there than another. `ratio` is the modality classifiers' rate over the network's.
    """
    space = dict(get(method).searched(optimizer) if entry is None or entry.space is None else entry.space)
    for key in entry.fixed if entry is not None else ():
        space.pop(key, None)
    grid = [dict(zip(space, values, strict=True)) for values in itertools.product(*space.values())]
    defaults = get(method).parse_settings({})
    first = {key: getattr(defaults, key, values[0]) for key, values in space.items()}
    rest = [point for point in grid if point != first]
    random.Random(f"{seed} {method}").shuffle(rest)
    chosen = [{**first, **_rate(rate, 0, ratio)}]
    for i in range(1, min(budget, len(grid) * len(LEARNING_RATES))):
        point = rest[(i - 1) % len(rest)] if rest else first
        one = {**point, **_rate(rate, i % len(LEARNING_RATES), ratio)}
        if one not in chosen:
            chosen.append(one)
    return chosen


def tune(runner: Runner, entry: Entry, rate: float, budget: int, seed: int, told: Callable[[str], None], optimizer: str = "adamw", ratio: float = 2.0) -> Tuned:
    """Train every candidate with one seed and keep the best by the criterion on validation."""
    tried = []
    for choice in candidates(entry.method, rate, budget, 0, optimizer, entry, ratio):
        outcome: Outcome = runner.outcome(entry, seed, choice)
        value = runner.metrics(outcome, "validation")[CRITERION]
        tried.append((choice, value))
        told(f"tune {entry.label} {choice}: validation {CRITERION} {value:.3f} ({outcome.seconds:.1f} s)")
    best = max(tried, key=lambda one: -math.inf if math.isnan(one[1]) else one[1])
    return Tuned(entry, best[0], best[1], tuple(tried))


def _rate(rate: float, index: int, ratio: float) -> dict[str, float]:
    chosen = rate * LEARNING_RATES[index]
    return {"lr": chosen, "classifier_lr": ratio * chosen}


def tuning_noise(runner: Runner, tuned: Tuned, seed: int, replicates: int = 200) -> float | None:
    """Standard deviation of the criterion on test over what would have been chosen had other validation patients been drawn.

    Validation patients are resampled, the same for every candidate; each resample chooses its best one, which brings its
    result on test with it. None where there was one candidate.
    """
    if len(tuned.tried) < 2:
        return None
    outcomes = [runner.outcome(tuned.entry, seed, choice) for choice, _ in tuned.tried]
    rows, cohort = runner.cohort.rows("validation"), runner.cohort
    group, patients = cohort.group_index(runner.attribute)[rows], cohort.table["patient_id"].to_numpy()[rows]
    cluster = patients if len(set(patients)) < len(patients) else None
    scores = np.stack([one.score[rows] for one in outcomes])
    drawn = bootstrap_models(cohort.y[rows], scores, group, len(cohort.groups(runner.attribute)), replicates=replicates, seed=seed, cluster=cluster, workers=1)
    found = np.nan_to_num(np.stack([one.summaries()[CRITERION] for one in drawn]), nan=-np.inf)
    on_test = np.array([runner.metrics(one, "test")[CRITERION] for one in outcomes])
    return float(on_test[found.argmax(0)].std())
