"""Are the promises of power kept? A gap said to be detectable, and patients said to suffice, for each of the two answers."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from scipy.optimize import brentq

from core.audit.engine import audit
from core.audit.inference.power import Power
from core.audit.inference.verdicts import DISPARITY, NONE_FOUND, Word
from core.audit.options import AuditOptions
from core.metrics.catalogue import lower_is_better
from core.study.audit_cohorts import CohortSettings, simulate_cohort
from core.study.audit_promises import POWER, Line, line
from core.study.audit_truths import group_rates

# Cohorts without a gap from which a promise is read, as a reader would before collecting data.
ASKED = 60
AT = 0.4


def with_gap(cohort: CohortSettings, metric: str, gap: float) -> CohortSettings:
    """The last group worse by `gap`: a lower AUC, or scores moved until the rate is lower, a false positive rate higher, by it.

    Promises hold for the way in which the group varies more, which for a rate below one half is upwards.
    """
    if metric == "auc":
        areas = cohort.areas()
        return replace(cohort, auc=(*areas[:-1].tolist(), float(areas[-1] - gap)))

    def moved(by: float) -> CohortSettings:
        return replace(cohort, shift=(*cohort.of_groups(cohort.shift)[:-1].tolist(), by))

    target = float(group_rates(cohort, AT)[metric][-1]) + (gap if lower_is_better(metric) else -gap)
    return moved(float(brentq(lambda by: float(group_rates(moved(by), AT)[metric][-1]) - target, -30, 5)))


@dataclass(frozen=True)
class Promise:
    """One metric in one kind of cohort without a gap. checked : which of the promises, of the last group."""

    metric: str
    name: str
    cohort: CohortSettings
    checked: tuple[str, ...] = ("detectable",)

    def run(self, rng: np.random.Generator, repetitions: int) -> list[Line]:
        asked = [self._row(rng) for _ in range(ASKED)]
        return [check for kind in self.checked for check in self._check(kind, asked, rng, repetitions)]

    @property
    def options(self) -> AuditOptions:
        return AuditOptions(threshold=AT, bootstrap=0, primary_metrics=(self.metric,))

    def _row(self, rng: np.random.Generator) -> Power:
        attribute = audit(simulate_cohort(rng, self.cohort), self.options).models[0].attributes[0]
        return next(row for row in attribute.power if row.metric == self.metric and row.group == attribute.groups[-1])

    def _check(self, kind: str, asked: list[Power], rng: np.random.Generator, repetitions: int) -> list[Line]:
        known = [value for row in asked if (value := getattr(row, kind)) is not None]
        if len(known) < len(asked) / 2:
            return []
        middle, gap = float(np.median(known)), asked[0].gap
        sizes, word = self.cohort.sizes, DISPARITY
        if kind == "detectable":
            cohort, said = with_gap(self.cohort, self.metric, middle), f"gap {middle:.3f}"
        elif kind == "more_patients":
            cohort = with_gap(replace(self.cohort, sizes=(*sizes[:-1], sizes[-1] + round(middle))), self.metric, gap)
            said = f"gap {gap:g}, {middle:.0f} more patients"
        else:
            cohort, said = replace(self.cohort, sizes=tuple(max(n, round(middle)) for n in sizes)), f"{middle:.0f} patients in every group"
            if kind == "to_show_disparity":
                cohort = with_gap(cohort, self.metric, gap)
            else:
                word = NONE_FOUND
        hits = [self._said(cohort, rng, word) for _ in range(repetitions)]
        # Where the patients that there are suffice already, no more is promised than that.
        enough = kind.startswith("to_show") and round(middle) <= min(sizes)
        return [line(f"power promised by {kind}", f"{self.metric}: {self.name}, {said}", hits, POWER[0], None if enough else POWER[1])]

    def _said(self, cohort: CohortSettings, rng: np.random.Generator, word: Word) -> bool:
        found = audit(simulate_cohort(rng, cohort), self.options)
        return found.claims.verdict(found.models[0].attributes[0], self.metric).verdict == word


EVERY = ("detectable", "to_show_disparity", "to_show_none")
PROMISES: tuple[Promise, ...] = (
    Promise("auc", "900 and 900", CohortSettings((900, 900), 0.33, 0.84), EVERY),
    Promise("auc", "110 and 110", CohortSettings((110, 110), 0.36, 0.82), EVERY),
    Promise("auc", "1700, 700, 450", CohortSettings((1700, 700, 450), 0.28, 0.86), EVERY),
    Promise("auc", "2500 and 160", CohortSettings((2500, 160), 0.3, 0.85), ("detectable", "more_patients")),
    Promise("auc", "1600 and 1200, prevalence .05", CohortSettings((1600, 1200), 0.05, 0.83), EVERY),
    Promise("auc", "700 and 700, prevalence .1", CohortSettings((700, 700), 0.1, 0.85)),
    Promise("auc", "90 and 70 patients of 1 to 5 rows", CohortSettings((90, 70), 0.35, 0.83, rows=(1, 5), label_per_row=True)),
    Promise("auc", "600 and 300, weights", CohortSettings((600, 300), 0.3, 0.85, weighted=True)),
    Promise("auc", "6 groups of 240", CohortSettings((240,) * 6, 0.34, 0.84)),
    Promise("tpr", "900 and 900", CohortSettings((900, 900), 0.33, 0.84), EVERY),
    Promise("tpr", "2200 and 170", CohortSettings((2200, 170), 0.33, 0.86), ("detectable", "more_patients")),
    Promise("tpr", "130 and 130", CohortSettings((130, 130), 0.4, 0.85)),
    Promise("fpr", "500 and 400", CohortSettings((500, 400), 0.33, 0.8), EVERY),
    Promise("selection_rate", "420 and 320", CohortSettings((420, 320), 0.36, 0.83), EVERY),
    Promise("selection_rate", "120 and 90 patients of 1 to 4 rows", CohortSettings((120, 90), 0.36, 0.83, rows=(1, 4))),
)
