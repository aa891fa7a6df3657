"""Do intervals over several trainings hold the truth? Means over seeds, of these patients and of all, and differences of two methods.

A training gives a patient the score that all trainings of its method share, plus how far this training leans on a second measurement
(`wander`, one number a training) and noise of its own (`noise`). So every true AUC is known as an integral over the lean, and that of these very
patients from many more trainings of them.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr

from core.audit.comparison.seeds import OVERALL, over_seeds
from core.audit.engine import audit
from core.audit.input.predictions import Attribute, Predictions
from core.audit.options import AuditOptions
from core.audit.result import Audit
from core.metrics.auc import group_aucs
from core.metrics.equity import es_auc, max_gap, worst
from core.metrics.paired import Pair, compare_aucs
from core.metrics.seeds_and_patients import mean_over_trainings
from core.study.audit_cohorts import shift
from core.study.audit_exceptions import TRAININGS, TWICE
from core.study.audit_promises import COVERAGE, LEVEL, SIZE, Line, line

Floats = NDArray[np.float64]

SHARED = 0.6
"""Share of the variance of the methods' scores that they have in common."""
GAIN = 1.0
"""Distance of the classes in the second measurement."""
MORE_TRAININGS = 300
NODES = 40
SUMMARIES = {"es_auc": "es_auc", "worst_group": "worst_group_auc", "max_gap": "max_gap"}
Seen = tuple[tuple[str, str], bool]


@dataclass(frozen=True)
class TrainingSetting:
    """Patients of each group, AUC of both methods where a training leans nowhere, and how trainings differ."""

    name: str
    sizes: tuple[int, ...]
    prevalence: float
    auc: tuple[float, ...]
    other_auc: tuple[float, ...]
    seeds: int
    wander: float = 0.15
    noise: float = 0.3

    def run(self, rng: np.random.Generator, repetitions: int) -> list[Line]:
        hits: dict[tuple[str, str], list[bool]] = defaultdict(list)
        known = [self._truth(areas) for areas in (self.auc, self.other_auc)]
        for _ in range(repetitions):
            made = _Patients.draw(rng, self)
            scores = [made.scores(rng, self, method, self.seeds) for method in (0, 1)]
            for key, hit in (*self._means(made, scores[0], known[0], self._here(made, rng)), *self._differences(made, scores, known)):
                hits[key].append(hit)
        return [self._line(part, of, held) for (part, of), held in hits.items()]

    def _line(self, part: str, of: str, held: list[bool]) -> Line:
        if part.startswith("contains"):
            return line(f"{part}: {of}", self.name, held, 1.0)
        low, high = SIZE if part.startswith("size") else COVERAGE
        why = None if "these patients" in part else TWICE if "difference" in part else TRAININGS
        return line(f"{part}: {of}", self.name, held, low, None if of != "auc" and not part.startswith("size") else high, why)

    def _truth(self, areas: tuple[float, ...]) -> Mapping[str, float]:
        """Expected values over patients and trainings: the lean is normal (Gauss and Hermite)."""
        nodes, weights = np.polynomial.hermite_e.hermegauss(NODES)
        lean = nodes[:, None] * self.wander
        distance = np.array([shift(area) for area in areas]) + GAIN * lean
        within = ndtr(distance / np.sqrt(2 * (1 + lean**2 + self.noise**2)))
        share = np.asarray(self.sizes, dtype=np.float64) / sum(self.sizes)
        whole = within @ share
        values = _summaries(whole, within)
        return {name: float(value @ weights / weights.sum()) for name, value in values.items()}

    def _here(self, made: _Patients, rng: np.random.Generator) -> Mapping[str, float]:
        """Expected values over trainings on these very patients, from many trainings."""
        within, whole = made.areas(made.scores(rng, self, 0, MORE_TRAININGS))
        return {name: float(value.mean()) for name, value in _summaries(whole, within).items()}

    def _means(self, made: _Patients, scores: Floats, known: Mapping[str, float], here: Mapping[str, float]) -> Iterator[Seen]:
        found = audit(made.predictions(scores), AuditOptions(bootstrap=0, curves=False))
        table = over_seeds(found)
        overall = table[table["group"] == OVERALL]
        limits = {(row["attribute"], row["metric"]): (row["low"], row["high"]) for row in overall.to_dict("records")}
        for metric, (value, low, high) in _of_trainings(found).items():
            mean, lowest, highest = mean_over_trainings(value, low, high)
            yield ("coverage of a mean over trainings", metric), lowest <= known[metric] <= highest
            yield ("contains its estimate", "means over trainings"), lowest <= mean <= highest
            low_here, high_here = limits[OVERALL if metric == "auc" else "group", metric]
            if np.isfinite(low_here):
                yield ("coverage of a mean over trainings on these patients", metric), low_here <= here[metric] <= high_here

    def _differences(self, made: _Patients, scores: list[Floats], known: list[Mapping[str, float]]) -> Iterator[Seen]:
        pair = Pair(made.positive, scores[0], scores[1], made.group, len(self.sizes))
        for name, found in compare_aucs(pair).items():
            metric = SUMMARIES.get(name, name)
            if found.low is None or found.high is None or found.p is None:
                continue
            truth = known[0][metric] - known[1][metric]
            yield ("coverage of a paired difference over trainings", metric), found.low <= truth <= found.high
            if self.auc == self.other_auc and metric == "auc":
                yield ("size of a paired difference over trainings", metric), found.p < LEVEL


@dataclass(frozen=True)
class _Patients:
    """positive, group : (n,); noise : (2, n) of the methods, in part the same; second : (n,) measurement on which a training leans."""

    positive: NDArray[np.int8]
    group: NDArray[np.int64]
    noise: Floats
    second: Floats

    @classmethod
    def draw(cls, rng: np.random.Generator, setting: TrainingSetting) -> _Patients:
        group = np.repeat(np.arange(len(setting.sizes)), setting.sizes)
        positive = (rng.random(group.size) < setting.prevalence).astype(np.int8)
        noise = np.sqrt(SHARED) * rng.normal(size=group.size) + np.sqrt(1 - SHARED) * rng.normal(size=(2, group.size))
        return cls(positive, group, noise, rng.normal(size=group.size) + GAIN * positive)

    def scores(self, rng: np.random.Generator, setting: TrainingSetting, method: int, trainings: int) -> Floats:
        """(S, n) of one method."""
        distance = np.array([shift(area) for area in (setting.auc, setting.other_auc)[method]])[self.group]
        lean = rng.normal(size=(trainings, 1)) * setting.wander
        own = setting.noise * rng.normal(size=(trainings, self.group.size))
        return distance * self.positive + self.noise[method] + lean * self.second + own

    def areas(self, scores: Floats) -> tuple[Floats, Floats]:
        """AUCs of every training in every group (S, G) and for everybody (S,)."""
        trainings, groups = scores.shape[0], int(self.group.max()) + 1
        y, flat = np.tile(self.positive, trainings), scores.ravel()
        run = np.repeat(np.arange(trainings), self.group.size)
        within = group_aucs(y, flat, run * groups + np.tile(self.group, trainings), trainings * groups)
        return within.reshape(trainings, groups), group_aucs(y, flat, run, trainings)

    def predictions(self, scores: Floats) -> Predictions:
        attribute = Attribute(tuple(f"g{g}" for g in range(int(self.group.max()) + 1)), self.group)
        return Predictions(
            np.arange(self.group.size).astype(object), self.positive, {f"m-s{s}": ndtr(own) for s, own in enumerate(scores)}, {"group": attribute}
        )


def _summaries(whole: Floats, within: Floats) -> dict[str, Floats]:
    """AUC, ES-AUC, worst group and gap from (S,) and (S, G) AUCs."""
    return {"auc": whole, "es_auc": es_auc(whole, within), "worst_group_auc": worst(within), "max_gap": max_gap(within)}


def _of_trainings(found: Audit) -> dict[str, tuple[Floats, Floats, Floats]]:
    """Measure -> its value and limits in every training, where all have them."""
    tables = [model.tables["auc"] for model in found.models]
    rows: dict[str, list[tuple[float | None, ...]]] = {"auc": [(float(t.value[0]), float(t.low[0]), float(t.high[0])) for t in tables]}
    for model in found.models:
        for summary in model.attributes[0].summaries:
            if summary.metric in SUMMARIES.values():
                rows.setdefault(summary.metric, []).append((summary.value, summary.low, summary.high))
    arrays = {metric: np.array(given, dtype=np.float64).T for metric, given in rows.items()}
    return {metric: (given[0], given[1], given[2]) for metric, given in arrays.items() if np.isfinite(given).all()}


TRAINED: tuple[TrainingSetting, ...] = (
    TrainingSetting("3 trainings, 240 and 130", (240, 130), 0.34, (0.84, 0.8), (0.81, 0.8), 3),
    TrainingSetting("5 trainings alike, 300, 150 and 80", (300, 150, 80), 0.36, (0.85, 0.83, 0.8), (0.85, 0.83, 0.8), 5),
    TrainingSetting("2 trainings, 180 and 180", (180, 180), 0.3, (0.86, 0.86), (0.82, 0.84), 2),
    TrainingSetting("10 trainings that hardly differ, 260 and 90", (260, 90), 0.32, (0.83, 0.79), (0.83, 0.79), 10, wander=0.02, noise=0.05),
)
