"""How often is a whole audit of a model without any disparity called one?

Every setting is an audit as a reader gets it; what is counted is the headline (any verdict `disparity` in the primary family), any
corrected p below alpha in it, and the same of the exploratory rest where nothing in it differs truly.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from core.audit.engine import audit
from core.audit.inference.verdicts import DISPARITY
from core.audit.options import AuditOptions
from core.study.audit_cohorts import CohortSettings, simulate_cohort
from core.study.audit_promises import FALSE_CLAIMS, LEVEL, Line, line

HEADLINE = "false disparity: headline"
ANY_TEST = "false claim: any corrected p in the primary family"
EXPLORATORY = "false disparity: anything exploratory"


@dataclass(frozen=True)
class Family:
    """Cohorts in which groups have equal AUCs. explored : nothing else differs either, and all exploratory claims are counted as well."""

    name: str
    cohort: CohortSettings
    intersections: int = 1
    metrics: tuple[str, ...] = ("auc",)
    explored: bool = False

    def run(self, rng: np.random.Generator, repetitions: int) -> list[Line]:
        options = AuditOptions(threshold=0.4, bootstrap=0, intersections=self.intersections, primary_metrics=self.metrics)
        hits: dict[str, list[bool]] = {HEADLINE: [], ANY_TEST: []}
        if self.explored:
            hits[EXPLORATORY] = []
        for _ in range(repetitions):
            found = audit(simulate_cohort(rng, self.cohort), options)
            hits[HEADLINE].append(found.has_disparity)
            claims, attributes = found.claims, [a for m in found.models for a in m.attributes]
            tests = [t for a in attributes for metric in self.metrics if claims.primary(a, metric) for t in claims.of(a, metric)]
            hits[ANY_TEST].append(any(t.p_adjusted is not None and t.p_adjusted < LEVEL for t in tests))
            if self.explored:
                hits[EXPLORATORY].append(any(v.verdict == DISPARITY and not v.primary for a in attributes for v in a.verdicts))
        return [line(part, self.name, held, None, FALSE_CLAIMS) for part, held in hits.items()]


THREE = {"sex": 2, "site": 3}
SIX = {"sex": 2, "site": 3, "race": 5, "scanner": 4, "insurance": 3}
FAMILIES: tuple[Family, ...] = (
    Family("1 attribute, 350/75/50/25 of 500", CohortSettings((350, 75, 50, 25), 0.27, 0.83), explored=True),
    Family("1 attribute, 70/15/10/5 % of 1400", CohortSettings((980, 210, 140, 70), 0.22, 0.87)),
    Family("1 attribute, 70/15/10/5 % of 1400, 3 models", CohortSettings((980, 210, 140, 70), 0.22, 0.87, models=3)),
    Family("2 groups, prevalence .02", CohortSettings((2200, 1100), 0.02, 0.84)),
    Family("2 groups, prevalence .02 and .5", CohortSettings((2200, 130), (0.02, 0.5), 0.84)),
    Family("3 groups, prevalence .05, .2, .45", CohortSettings((600, 240, 110), (0.05, 0.2, 0.45), 0.86)),
    Family("12 groups of 60", CohortSettings((60,) * 12, 0.32, 0.81)),
    Family("12 groups, 300 to 40, prevalence .1 to .5", CohortSettings((300, 200, 150, 120, 100, 90, 80, 70, 60, 50, 45, 40), tuple(np.linspace(0.1, 0.5, 12)),
        0.84)),
    Family("3 attributes of 640", CohortSettings((410, 230), 0.3, 0.88, attributes=THREE)),
    Family("3 attributes of 640, pairs of attributes", CohortSettings((410, 230), 0.3, 0.88, attributes=THREE), 2, explored=True),
    Family("6 attributes of 900", CohortSettings((500, 280, 120), 0.24, 0.85, attributes=SIX)),
    Family("6 attributes of 900, pairs of attributes", CohortSettings((500, 280, 120), 0.24, 0.85, attributes=SIX), 2),
    Family("3 by 4 intersections of 1000, AUC .92", CohortSettings((560, 290, 150), 0.15, 0.92, attributes={"site": 4}), 2, explored=True),
    Family("2 groups, prevalence .5", CohortSettings((340, 110), 0.5, 0.79)),
    Family("6 attributes of 900, 2 models", CohortSettings((500, 280, 120), 0.24, 0.85, attributes=SIX, models=2)),
    Family("3 attributes of 640, AUC, sensitivity and false positive rate declared", CohortSettings((410, 230), 0.3, 0.88, attributes=THREE), 1,
           ("auc", "tpr", "fpr")),
    Family("1 attribute, all of calibration declared", CohortSettings((260, 190, 90), 0.28, 0.82), 1, ("ece",)),
    Family("2 rows a patient", CohortSettings((90, 70, 40), 0.35, 0.86, rows=2), explored=True),
    Family("1 to 5 rows a patient", CohortSettings((110, 60, 45), 0.35, 0.86, rows=(1, 5), label_per_row=True)),
    Family("1, 2 and 5 rows a patient by group", CohortSettings((120, 80, 40), 0.35, 0.86, rows=(1, 2, 5))),
    Family("6 and 25 patients of 18 rows", CohortSettings((6, 25), 0.38, 0.8, rows=18, label_per_row=True)),
    Family("6 and 60 patients of 30 rows", CohortSettings((6, 60), 0.33, 0.79, rows=30, label_per_row=True)),
    Family("10, 20 and 60 patients of 9 rows", CohortSettings((10, 20, 60), 0.42, 0.83, rows=9, label_per_row=True)),
    Family("weights", CohortSettings((280, 160, 90), 0.26, 0.86, weighted=True), explored=True),
    Family("weights, 1 to 3 rows a patient", CohortSettings((180, 90, 60), 0.33, 0.84, rows=(1, 3), weighted=True)),
    Family("scores shifted by group", CohortSettings((420, 200, 130), 0.29, 0.85, shift=(0.0, 0.9, -0.7))),
    Family("AUC .97, 7 positives in the smallest group", CohortSettings((600, 120, 50), 0.14, 0.97)),
    Family("positives spread 1.5 times as far", CohortSettings((500, 160, 60), 0.25, 0.84, spread=1.5)),
)  # fmt: skip
