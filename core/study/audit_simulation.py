"""Does the audit keep its promises? Coverage, size, verdicts on null cohorts, power at the promised gap.

Scores are binormal: positives N(d, 1), negatives N(0, 1), so that AUC = Phi(d / sqrt 2) is known
exactly; probabilities for calibration come from the true likelihood ratio.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit, ndtr, ndtri

from core.audit.engine import audit
from core.audit.estimates import MetricTable, estimate_groups
from core.audit.options import AuditOptions
from core.audit.pairwise import compare_pairs
from core.audit.predictions import Attribute, Predictions
from core.audit.scored import Scored
from core.audit.verdicts import DISPARITY, NONE_FOUND
from core.metrics.delong import delong, difference
from core.metrics.permutation import permute_aucs

Floats = NDArray[np.float64]
Progress = Callable[[str], None]

COVERAGE = (0.93, 0.97)
SIZE = (0.03, 0.07)
FALSE_VERDICTS = 0.05
POWER = 0.80
# Cohorts simulated at once, as groups of one table.
BLOCK = 100


@dataclass(frozen=True)
class Line:
    """One simulated promise: the share found, its Monte Carlo error, and whether it lies where it must.

    kept is None for figures that are reported without a promise.
    """

    part: str
    setting: str
    share: float
    error: float
    repetitions: int
    low: float | None
    high: float | None

    @property
    def kept(self) -> bool | None:
        """Inside the bounds, give or take two Monte Carlo errors."""
        if self.low is None and self.high is None:
            return None
        return (self.low is None or self.share >= self.low - self._stray(self.low)) and (self.high is None or self.share <= self.high + self._stray(self.high))

    def _stray(self, bound: float) -> float:
        """Two Monte Carlo errors of a share that lies on the bound."""
        return 2 * float(np.sqrt(bound * (1 - bound) / self.repetitions))

    def to_dict(self) -> dict[str, Any]:
        return {**asdict(self), "kept": self.kept}


def line(part: str, setting: str, hits: Floats | NDArray[np.bool_], low: float | None = None, high: float | None = None) -> Line:
    share = float(np.mean(hits))
    return Line(part, setting, share, float(np.sqrt(share * (1 - share) / len(hits))), len(hits), low, high)


def shift(auc: float) -> float:
    """Distance of the classes' means at which binormal scores have this AUC."""
    return float(ndtri(auc) * np.sqrt(2))


def cohorts(rng: np.random.Generator, count: int, n_pos: int, n_neg: int, auc: float, images: int = 1) -> Scored:
    """`count` independent cohorts in one array, cohort after cohort; `images` rows per patient, correlated .6."""
    y = np.tile(np.repeat([True, False], [n_pos * images, n_neg * images]), count)
    patient = np.arange(y.size) // images
    noise = rng.normal(size=y.size) if images == 1 else np.sqrt(0.6) * rng.normal(size=y.size // images)[patient] + np.sqrt(0.4) * rng.normal(size=y.size)
    score = ndtr(noise + shift(auc) * y - shift(auc) / 2)
    return Scored("simulated", y, score, (score >= 0.5).astype(np.int8), None, None, 0.5, patient if images > 1 else None)


def coverage(rng: np.random.Generator, repetitions: int) -> list[Line]:
    """Share of 95 % intervals that hold the truth."""
    found = []
    for n_pos, auc, images in ((20, 0.75, 1), (20, 0.85, 1), (20, 0.95, 1), (50, 0.85, 1), (500, 0.85, 1), (50, 0.85, 3)):
        n_neg = 2 * n_pos
        truth = {"auc": auc, "tpr": float(ndtr(shift(auc) / 2))}
        hits: dict[str, list[bool]] = {name: [] for name in truth}
        for block in _blocks(repetitions):
            data = cohorts(rng, block, n_pos, n_neg, auc, images)
            codes = np.repeat(np.arange(block), (n_pos + n_neg) * images)
            tables = _tables(data, codes, block)
            for name, value in truth.items():
                hits[name] += ((tables[name].low <= value) & (value <= tables[name].high)).tolist()
        at = f"n_pos={n_pos}, n_neg={n_neg}" + (f", {images} images per patient" if images > 1 else "")
        found.append(line("coverage of the AUC interval", f"AUC {auc}, {at}", np.array(hits["auc"]), *COVERAGE))
        # Wilson's coverage oscillates around 95 % for few positives: the counts are discrete.
        found.append(line("coverage of the TPR interval", f"TPR {truth['tpr']:.3f}, {at}", np.array(hits["tpr"]), *(COVERAGE if n_pos >= 50 else (0.90, 0.99))))
    return found


def size_of_tests(rng: np.random.Generator, repetitions: int) -> list[Line]:
    """Share of true null hypotheses rejected at 5 %: two groups with the same AUC and TPR, uncorrected."""
    found = []
    for n_pos, other, auc, images in ((20, 20, 0.85, 1), (20, 200, 0.85, 1), (50, 50, 0.85, 1), (500, 500, 0.85, 1), (50, 50, 0.85, 3)):
        hits: dict[str, list[bool]] = {name: [] for name in ("auc", "tpr", "fpr")}
        for block in _blocks(repetitions):
            data = _joined(cohorts(rng, block, n_pos, 2 * n_pos, auc, images), cohorts(rng, block, other, 2 * other, auc, images))
            codes = np.concatenate([np.repeat(np.arange(block), 3 * n_pos * images), block + np.repeat(np.arange(block), 3 * other * images)])
            tables = _tables(data, codes, 2 * block)
            for metric, held in hits.items():
                p_values = [test.p for test in compare_pairs(tables[metric], [(i, block + i) for i in range(block)])]
                held += [p is not None and p < 0.05 for p in p_values]
        at = f"n_pos={n_pos} and {other}" + (f", {images} images per patient" if images > 1 else "")
        for metric, held in hits.items():
            # Counts of 20 positives are too coarse for an exact size of a rate's test.
            bounds = SIZE if metric == "auc" or n_pos >= 50 else (0.01, 0.08)
            found.append(line(f"size of the pairwise test, {metric}", at, np.array(held), *bounds))
    return found


def _blocks(repetitions: int) -> list[int]:
    full, rest = divmod(repetitions, BLOCK)
    return [BLOCK] * full + ([rest] if rest else [])


def _tables(data: Scored, codes: NDArray[np.int64], count: int) -> dict[str, MetricTable]:
    _, tables = estimate_groups(data, codes, count, AuditOptions(bootstrap=0, permutations=0))
    return tables


def size_of_permutation(rng: np.random.Generator, repetitions: int) -> list[Line]:
    """One against the rest (unequal sizes), the max-min gap, and two equally good models, at 5 %."""
    rest, gaps, paired = [], [], []
    group = np.repeat([0, 1, 2, 3], [60, 60, 120, 360])
    for repetition in range(repetitions):
        data = cohorts(rng, 1, 200, 400, 0.85)
        codes = rng.permutation(group)
        null = permute_aucs(data.y, data.score, codes, 4, permutations=199, seed=repetition, max_levels=64)
        rest.append(null.one_vs_rest.p[0] <= 0.05)
        gaps.append((null.max_gap.p or 1.0) <= 0.05)
        other = ndtr(ndtri(data.score) * 0.8 + 0.6 * rng.normal(size=data.score.size) + (1 - 0.8) * shift(0.85) * (data.y - 0.5))
        test = difference(delong(data.y, np.stack([data.score, other])))
        paired.append((test.p if test.p is not None else 1.0) < 0.05)
    return [
        line("size of the permutation test, group against rest", "n=60 of 600", np.array(rest), *SIZE),
        line("size of the permutation null, max-min gap", "4 groups, n=600", np.array(gaps), *SIZE),
        line("size of paired DeLong, two models", "n=600", np.array(paired), *SIZE),
    ]


def study_cohort(rng: np.random.Generator, sizes: tuple[int, ...], auc: float, worse: float = 0.0, prevalence: float = 0.35) -> Predictions:
    """Groups of these sizes; the last one's AUC is lower by `worse`. Calibrated probabilities."""
    group = np.repeat(np.arange(len(sizes)), sizes)
    y = (rng.random(group.size) < prevalence).astype(np.int8)
    d = np.where(group == len(sizes) - 1, shift(auc - worse), shift(auc))
    ratio = d * (rng.normal(size=y.size) + d * y - d / 2)
    score = expit(ratio + np.log(prevalence / (1 - prevalence)))
    return Predictions(np.arange(y.size).astype(object), y, {"model": score}, {"group": Attribute(tuple("abcdefgh"[: len(sizes)]), group)})


def verdicts_under_null(rng: np.random.Generator, repetitions: int, progress: Progress) -> list[Line]:
    """Share of cohorts without any gap that are called a disparity, per metric; and small ones that pass."""
    options = AuditOptions(threshold=0.35, bootstrap=200, permutations=200, tolerance=0.02)
    called: dict[str, list[bool]] = {}
    passed: list[bool] = []
    for repetition in range(repetitions):
        cohort = study_cohort(rng, (400, 300, 200, 100), 0.85)
        attribute = audit(cohort, options).models[0].attributes[0]
        for verdict in attribute.verdicts:
            called.setdefault(verdict.metric, []).append(verdict.verdict == DISPARITY)
        passed.append(any(v.verdict == NONE_FOUND for v in attribute.verdicts if v.metric in ("auc", "tpr", "fpr")))
        if repetition % 50 == 49:
            progress(f"null cohorts: {repetition + 1} of {repetitions}")
    lines = [line(f"verdict 'disparity' without a gap, {metric}", "4 groups, n=1000, tolerance .02", np.array(hits), None, FALSE_VERDICTS) for metric, hits in called.items()]
    return [*lines, line("verdict 'no disparity found' with too little data", "4 groups, n=1000, tolerance .02", np.array(passed), None, 0.01)]


def verdicts_at_promised_gap(rng: np.random.Generator, repetitions: int, progress: Progress) -> list[Line]:
    """Share of cohorts called a disparity when one group is worse by what the power calculation promised."""
    found = []
    options = AuditOptions(threshold=0.35, bootstrap=0, permutations=0)
    for sizes in ((1000, 1000), (2000, 800, 600, 400)):
        # The promise is made by a cohort without a gap, as a reader would ask before collecting data.
        promises = []
        for _ in range(20):
            rows = audit(study_cohort(rng, sizes, 0.85), options).models[0].attributes[0].power
            promises += [row.detectable for row in rows if row.metric == "auc" and row.group == "abcdefgh"[len(sizes) - 1] and row.detectable]
        gap = float(np.median(promises))
        hits = []
        for _ in range(repetitions):
            verdicts = audit(study_cohort(rng, sizes, 0.85, gap), options).models[0].attributes[0].verdicts
            hits.append(next(v for v in verdicts if v.metric == "auc").verdict == DISPARITY)
        found.append(line("verdict 'disparity' at the promised gap, auc", f"groups {sizes}, gap {gap:.3f}", np.array(hits), POWER, None))
        progress(found[-1].setting)
    return found


def simulate(seed: int = 0, repetitions: int = 2000, cohorts_audited: int = 400, progress: Progress = lambda message: None) -> tuple[Line, ...]:
    """Everything. `repetitions` for estimates and tests, `cohorts_audited` for whole audits."""
    parts: list[tuple[str, Callable[[np.random.Generator], list[Line]]]] = [
        ("coverage", lambda rng: coverage(rng, repetitions)),
        ("size", lambda rng: size_of_tests(rng, repetitions)),
        ("permutation", lambda rng: size_of_permutation(rng, cohorts_audited)),
        ("null cohorts", lambda rng: verdicts_under_null(rng, cohorts_audited, progress)),
        ("planted gaps", lambda rng: verdicts_at_promised_gap(rng, cohorts_audited, progress)),
    ]
    streams = np.random.SeedSequence(seed).spawn(len(parts))
    found: list[Line] = []
    for (name, part), stream in zip(parts, streams, strict=True):
        progress(name)
        found += part(np.random.default_rng(stream))
    return tuple(found)


def _joined(a: Scored, b: Scored) -> Scored:
    assert a.decision is not None and b.decision is not None
    cluster = None if a.cluster is None or b.cluster is None else np.concatenate([a.cluster, a.cluster.max() + 1 + b.cluster])
    return Scored(
        a.model, np.concatenate([a.y, b.y]), np.concatenate([a.score, b.score]), np.concatenate([a.decision, b.decision]), None, None, a.threshold, cluster
    )
