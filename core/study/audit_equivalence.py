"""Is `no disparity found` wrong in at most 5 of 100 audits where the difference is exactly the tolerance? Every metric that can say it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from scipy.optimize import brentq

from core.audit.engine import audit
from core.audit.inference.claims import VERDICT_METRICS
from core.audit.inference.tolerances import DEFAULT_TOLERANCES, bound
from core.audit.inference.verdicts import NONE_FOUND
from core.audit.options import AuditOptions
from core.study.audit_cohorts import CohortSettings, simulate_cohort
from core.study.audit_promises import FALSE_CLAIMS, Line, line
from core.study.audit_truths import truths

PART = "wrong 'no disparity found' at the tolerance"
AT = 0.35
Moved = Callable[[CohortSettings, float], CohortSettings]


def _second(name: str) -> Moved:
    """The cohort whose second group has another value of one property."""

    def moved(cohort: CohortSettings, value: float) -> CohortSettings:
        return replace(cohort, **{name: (float(cohort.of_groups(getattr(cohort, name))[0]), value)})  # type: ignore[arg-type]

    return moved


# By what the second group is moved until the metric differs by its tolerance, and between which ends.
MOVES: dict[str, tuple[Moved, float, float]] = {
    "auc": (_second("auc"), 0.55, 0.85),
    "tpr": (_second("shift"), -2.5, 0.0),
    "fpr": (_second("shift"), 0.0, 2.5),
    "ppv": (_second("auc"), 0.55, 0.85),
    "npv": (_second("auc"), 0.55, 0.85),
    "selection_rate": (_second("shift"), 0.0, 2.5),
    "accuracy": (_second("auc"), 0.55, 0.85),
    "brier": (_second("auc"), 0.55, 0.85),
    "net_benefit": (_second("auc"), 0.55, 0.85),
    "oe_ratio": (_second("shift"), -2.5, 0.0),
    "calibration_slope": (_second("stretch"), 1.0, 2.0),
}


def boundary(cohort: CohortSettings, metric: str, threshold: float = AT) -> CohortSettings:
    """The cohort with its second group moved so far that the true difference is the tolerance.

    Raises
    ------
    ValueError : where no value between the ends of `MOVES` does that.
    """
    move, low, high = MOVES[metric]

    def beyond(value: float) -> float:
        known = truths(move(cohort, value), threshold)
        first, second = known.groups[metric]
        difference = abs(np.log(first / second)) if metric == "oe_ratio" else abs(first - second)
        limit = bound(metric, known.overall.get(metric), known.prevalence, DEFAULT_TOLERANCES[metric]).value
        if limit is None:
            raise ValueError(f"{metric} has no tolerance here")
        return float(difference - limit)

    return move(cohort, float(brentq(beyond, low, high, xtol=1e-5)))


@dataclass(frozen=True)
class Boundary:
    """One metric at its tolerance; the cohorts must be so large that the verdict could be said."""

    metric: str
    name: str
    cohort: CohortSettings

    def run(self, rng: np.random.Generator, repetitions: int) -> list[Line]:
        options = AuditOptions(threshold=AT, bootstrap=0)
        there = boundary(self.cohort, self.metric)
        said: dict[str, list[bool]] = {PART: []}
        alike = []
        for _ in range(repetitions):
            said[PART].append(self._said(there, rng, options))
        for _ in range(max(repetitions // 5, 1)):
            alike.append(self._said(self.cohort, rng, options))
        name = f"{self.metric}: {self.name}"
        return [line(PART, name, said[PART], None, FALSE_CLAIMS), line("right 'no disparity found' of groups alike", name, alike)]

    def _said(self, cohort: CohortSettings, rng: np.random.Generator, options: AuditOptions) -> bool:
        found = audit(simulate_cohort(rng, cohort), options)
        return found.claims.verdict(found.models[0].attributes[0], self.metric).verdict == NONE_FOUND


PLAIN = CohortSettings((2600, 1900), 0.33, 0.85)
ROWS = CohortSettings((1500, 1300), 0.33, 0.85, rows=(1, 3))
BOUNDARIES: tuple[Boundary, ...] = (
    *(Boundary(metric, "2600 and 1900 patients", PLAIN) for metric in MOVES),
    *(Boundary(metric, "1500 and 1300 patients of 1 to 3 rows", ROWS) for metric in ("auc", "tpr", "brier", "oe_ratio")),
    *(Boundary(metric, "2400 and 2000 patients with weights", replace(PLAIN, sizes=(2400, 2000), weighted=True)) for metric in ("auc", "ppv", "net_benefit")),
    *(
        Boundary(metric, "5200 and 4400 patients, prevalence .08", replace(PLAIN, sizes=(5200, 4400), prevalence=0.08))
        for metric in ("auc", "fpr", "selection_rate")
    ),
)
UNSTUDIED = tuple(metric for metric in VERDICT_METRICS if metric not in MOVES and metric != "ece")
"""Metrics with a verdict of their own that are not studied here: none, which a test checks (`ece` is said of O:E and slope together)."""
