"""Do intervals hold the truth, and do tests of two groups that are alike reject in 3 to 7 of 100? Every table of an audit, setting by setting."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import combinations

import numpy as np

from core.audit.comparison.compare_models import ALL, compare
from core.audit.engine import audit
from core.audit.input.predictions import Predictions
from core.audit.options import AuditOptions
from core.audit.result import AttributeAudit
from core.metrics.catalogue import AUC_SUMMARIES, RATE_METRICS, RATE_SUMMARIES
from core.study.audit_cohorts import CohortSettings, simulate_cohort
from core.study.audit_exceptions import stated_exception
from core.study.audit_promises import COVERAGE, FALSE_CLAIMS, LEVEL, SIZE, Line, line
from core.study.audit_truths import Truths, truths

SAME = 1e-9
RANKING = ("auc", *RATE_METRICS)
SUMMARIES = (*AUC_SUMMARIES, *RATE_SUMMARIES)
Key = tuple[str, str]  # part, what it is of
Seen = tuple[Key, bool]


@dataclass(frozen=True)
class Study:
    """One setting. bootstrap : replicates for average precision, 0 leaves it out. compared : two models are compared as well."""

    name: str
    cohort: CohortSettings
    threshold: float = 0.35
    bootstrap: int = 0
    compared: bool = False

    def run(self, rng: np.random.Generator, repetitions: int) -> list[Line]:
        options = AuditOptions(threshold=self.threshold, bootstrap=self.bootstrap)
        known = [truths(self.cohort, self.threshold, model) for model in range(self.cohort.models)]
        hits: dict[Key, list[bool]] = defaultdict(list)
        discoveries = []
        for _ in range(repetitions):
            made = simulate_cohort(rng, self.cohort)
            found = audit(made, options)
            attribute = found.models[0].attributes[0]
            for key, hit in (*_tables(attribute, known[0]), *_pairs(attribute, known[0]), *_summaries(attribute, known[0]), *_cross(attribute, known[0])):
                hits[key].append(hit)
            hits["simultaneous intervals all hold", "auc"].append(_all_hold(attribute, known[0]))
            discoveries.append(_missed_among_found(attribute, known[0]))
            if self.compared:
                for key, hit in _models(made, options, known):
                    hits[key].append(hit)
        lines = [self._line(part, of, held) for (part, of), held in hits.items()]
        rate = np.array([d for d in discoveries if d is not None])
        if rate.size:
            lines.append(
                Line(
                    "exploratory intervals of found differences that miss",
                    self.name,
                    float(rate.mean()),
                    float(rate.std() / rate.size**0.5),
                    rate.size,
                    None,
                    FALSE_CLAIMS,
                )
            )
        return lines

    def _line(self, part: str, of: str, held: list[bool]) -> Line:
        careful = stated_exception(self.cohort, self.threshold, of.split(" ")[0], part.startswith("coverage of a paired difference"))
        low: float | None
        high: float | None
        if part.startswith("size"):
            low, high = SIZE
        elif part.startswith(("consistent", "contains")):
            low, high = 1.0, None
        elif part.startswith(("coverage of a summary", "simultaneous", "coverage of a paired summary")):
            low, high = COVERAGE[0], None
        else:
            low, high = COVERAGE
        return line(f"{part}: {of}", self.name, held, low, high, careful)


def _tables(attribute: AttributeAudit, known: Truths) -> Iterator[Seen]:
    metrics = [m for m in attribute.tables if m in known.groups and (m not in ("average_precision", "auprg") or attribute.options.bootstrap)]
    for metric in metrics:
        table = attribute.tables[metric]
        for g in np.flatnonzero(table.judged & np.isfinite(table.low) & np.isfinite(table.high)):
            name = f"{metric} of group {g + 1}"
            yield ("coverage of a group's interval", name), bool(table.low[g] - SAME <= known.groups[metric][g] <= table.high[g] + SAME)
            yield ("contains its estimate", "groups"), bool(table.low[g] - SAME <= table.value[g] <= table.high[g] + SAME)


def _scaled(metric: str, values: np.ndarray) -> np.ndarray:
    """O:E is compared on its logarithm."""
    return np.log(values) if metric == "oe_ratio" else values


def _pairs(attribute: AttributeAudit, known: Truths) -> Iterator[Seen]:
    """The first group against the last one, which is the smallest."""
    last = len(attribute.groups) - 1
    for test in attribute.tests:
        if test.metric not in known.groups or test.p is None or test.low is None or test.high is None:
            continue
        yield ("contains its estimate", "differences"), test.low - SAME <= test.difference <= test.high + SAME
        yield ("consistent: interval and p agree", "pointwise"), (test.low > 0 or test.high < 0) == (test.p < LEVEL)
        low, high = test.simultaneous
        if test.p_adjusted is not None and low is not None and high is not None:
            found = test.p_adjusted < LEVEL
            yield ("consistent: interval and p agree", "corrected"), found in ((low >= -SAME or high <= SAME), (low > SAME or high < -SAME))
        if (test.group_a, test.group_b) != (0, last):
            continue
        values = _scaled(test.metric, known.groups[test.metric])
        truth = float(values[0] - values[last])
        if abs(truth) < SAME:
            yield ("size of a pair's test", test.metric), test.p < LEVEL
        else:
            yield ("coverage of a difference", test.metric), test.low <= truth <= test.high


def _all_hold(attribute: AttributeAudit, known: Truths) -> bool:
    """Whether every simultaneous interval of the primary family holds the truth."""
    values = known.groups["auc"]
    ends = [(t.simultaneous, float(values[t.group_a] - values[t.group_b])) for t in attribute.claims.of(attribute, "auc")]
    return all(low is None or high is None or low - SAME <= truth <= high + SAME for (low, high), truth in ends)


def _missed_among_found(attribute: AttributeAudit, known: Truths) -> float | None:
    """Share of the exploratory differences found whose interval misses the truth, 0 where none is found."""
    missed = []
    for test in attribute.tests:
        if test.metric == "auc" or test.metric not in known.groups or test.p_adjusted is None or test.p_adjusted >= LEVEL:
            continue
        values, (low, high) = _scaled(test.metric, known.groups[test.metric]), test.simultaneous
        truth = float(values[test.group_a] - values[test.group_b])
        missed.append(low is not None and high is not None and not low - SAME <= truth <= high + SAME)
    return float(np.mean(missed)) if missed else 0.0


def _summaries(attribute: AttributeAudit, known: Truths) -> Iterator[Seen]:
    for summary in attribute.summaries:
        if summary.metric not in known.summaries or summary.value is None or summary.low is None or summary.high is None or summary.excluded:
            continue
        truth = known.summaries[summary.metric]
        yield ("coverage of a summary", summary.metric), summary.low - SAME <= truth <= summary.high + SAME
        yield ("contains its estimate", "summaries"), summary.low - SAME <= summary.value <= summary.high + SAME
        alike = abs(known.summaries["max_gap"]) < SAME if summary.metric in AUC_SUMMARIES else abs(known.summaries[_gap_of(summary.metric)]) < SAME
        if alike and summary.p_null is not None:
            yield ("size of a summary's test", summary.metric), summary.p_null < LEVEL


def _gap_of(metric: str) -> str:
    return {"dp_ratio": "dpd", "eodds_ratio": "deodds", "equal_opportunity_ratio": "equal_opportunity_difference"}.get(metric, metric)


def _cross(attribute: AttributeAudit, known: Truths) -> Iterator[Seen]:
    table = attribute.cross_group
    if table is None or known.cross is None:
        return
    for i, j in combinations(range(len(attribute.groups)), 2):
        for a, b in ((i, j), (j, i)):
            if np.isfinite(table.low[a, b]):
                yield ("coverage of a cross-group AUC", "auc"), bool(table.low[a, b] <= known.cross[a, b] <= table.high[a, b])
                yield ("contains its estimate", "cross-group AUCs"), bool(table.low[a, b] - SAME <= table.value[a, b] <= table.high[a, b] + SAME)


def _models(made: Predictions, options: AuditOptions, known: list[Truths]) -> Iterator[Seen]:
    """Two models on the same patients: rows of everybody, of every group, and of summaries."""
    first, second = made.models[:2]
    for row in compare(made, first, second, options).rows:
        if row.low is None or row.high is None or row.p is None or row.difference is None:
            continue
        yield ("contains its estimate", "paired differences"), row.low - SAME <= row.difference <= row.high + SAME
        if row.metric in SUMMARIES:
            truth, part = known[0].summaries[row.metric] - known[1].summaries[row.metric], "paired summary"
        elif row.attribute == ALL:
            if row.metric not in known[0].overall:
                continue
            truth, part = known[0].overall[row.metric] - known[1].overall[row.metric], "paired difference"
        else:
            if row.metric not in known[0].groups:
                continue
            g = int(row.group[1:])
            truth, part = float(known[0].groups[row.metric][g] - known[1].groups[row.metric][g]), "paired difference in a group"
        yield (f"coverage of a {part}", row.metric), row.low - SAME <= truth <= row.high + SAME


STUDIES: tuple[Study, ...] = (
    Study("180 and 120", CohortSettings((180, 120), 0.3, 0.8), bootstrap=200),
    Study("640 and 90, prevalence .12 and .4", CohortSettings((640, 90), (0.12, 0.4), 0.86)),
    Study("420, 260, 95, AUC .88, .84, .75", CohortSettings((420, 260, 95), 0.33, (0.88, 0.84, 0.75)), bootstrap=200),
    Study("1300 and 280, prevalence .03 and .2", CohortSettings((1300, 280), (0.03, 0.2), 0.83), threshold=0.15),
    Study("4 groups of 280", CohortSettings((280,) * 4, 0.36, 0.82)),
    Study("85 and 55, AUC .94", CohortSettings((85, 55), 0.3, 0.94)),
    Study("1 to 5 rows a patient", CohortSettings((110, 65), 0.37, 0.83, rows=(1, 5), label_per_row=True)),
    Study("1 and 4 rows a patient", CohortSettings((130, 60), 0.37, (0.86, 0.78), rows=((1, 1), (4, 4)))),
    Study("7 and 40 patients of 15 rows", CohortSettings((7, 40), 0.4, 0.81, rows=15, label_per_row=True)),
    Study("25 and 35 patients of 8 rows", CohortSettings((25, 35), 0.38, 0.84, rows=8, label_per_row=True)),
    Study("weights", CohortSettings((330, 150), 0.28, (0.86, 0.8), weighted=True), bootstrap=200),
    Study("weights, 1 to 3 rows a patient", CohortSettings((160, 110), 0.34, 0.85, rows=(1, 3), weighted=True)),
    Study("scores shifted and stretched", CohortSettings((500, 220), (0.25, 0.35), 0.84, shift=(0.2, 0.7), stretch=(1.0, 1.4))),
    Study("positives spread 1.7 times as far", CohortSettings((260, 130), 0.32, 0.85, spread=1.7), threshold=0.6),
    Study("2 models alike, 270 and 140", CohortSettings((270, 140), 0.34, 0.84, models=2), compared=True),
    Study("2 models, AUC .86 and .82 against .83 and .82", CohortSettings((350, 170), 0.31, (0.86, 0.82), models=2, other_auc=(0.83, 0.82)), compared=True),
    Study("2 models, weights", CohortSettings((260, 150), 0.33, (0.85, 0.82), models=2, other_auc=(0.81, 0.8), weighted=True), bootstrap=200, compared=True),
    Study(
        "2 models, weights, 1 to 3 rows a patient",
        CohortSettings((120, 90), 0.36, 0.84, rows=(1, 3), models=2, other_auc=(0.8, 0.84), weighted=True),
        bootstrap=200,
        compared=True,
    ),
    Study("2 models, 2 rows a patient", CohortSettings((80, 60, 50), 0.36, 0.83, rows=2, models=2, other_auc=(0.83, 0.8, 0.76)), compared=True),
)
