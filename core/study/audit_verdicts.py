"""Are verdicts right: no disparity called without one, and a gap found when the power calculation promised it?"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import numpy as np

from core.audit.engine import audit
from core.audit.inference.verdicts import DISPARITY, NONE_FOUND
from core.audit.input.predictions import Predictions
from core.audit.options import AuditOptions
from core.study.audit_cohorts import NAMES, decided_cohort, study_cohort
from core.study.audit_promises import FALSE_VERDICTS, POWER, Line, line

Progress = Callable[[str], None]
# Cohorts without a gap from which the promise is read, as a reader would before collecting data.
ASKED = 100
# Pairs, several groups, unequal sizes; below about 290 patients a class has fewer than a hundred and permutation tests.
AUC_SIZES: tuple[tuple[int, ...], ...] = ((1000, 1000), (2000, 800, 600, 400), (3000, 200), (150, 150), (60, 60), (400, 300, 200, 150))
RATE_SIZES: tuple[tuple[int, ...], ...] = ((1000, 1000), (3000, 200), (150, 150))

# Cohorts whose last group is too small for the stated gap.
SHORT_SIZES: tuple[tuple[int, int], ...] = ((3000, 100), (1500, 150))
STATED_GAP = 0.1


def verdicts_under_null(rng: np.random.Generator, repetitions: int, progress: Progress) -> list[Line]:
    """Share of cohorts without any gap that are called a disparity, per metric; and small ones that pass."""
    options = AuditOptions(threshold=0.35, bootstrap=200, tolerance=0.02)
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
    at = "4 groups, n=1000, tolerance .02"
    lines = [line(f"verdict 'disparity' without a gap, {metric}", at, hits, None, FALSE_VERDICTS) for metric, hits in called.items()]
    return [*lines, line("verdict 'no disparity found' with too little data", at, passed, None, 0.01)]


def verdicts_at_promised_gap(rng: np.random.Generator, repetitions: int, progress: Progress) -> list[Line]:
    """Share of cohorts called a disparity when one group is worse by what the power calculation promised."""
    found = []
    for sizes in AUC_SIZES:
        found.append(_promised(rng, repetitions, "auc", sizes, partial(study_cohort, sizes=sizes, auc=0.85)))
        progress(f"planted gap: {found[-1].setting}")
    for sizes in RATE_SIZES:
        found.append(_promised(rng, repetitions, "tpr", sizes, partial(decided_cohort, sizes=sizes, tpr=0.8, fpr=0.2)))
        progress(f"planted gap: {found[-1].setting}")
    return found


def _promised(rng: np.random.Generator, repetitions: int, metric: str, sizes: tuple[int, ...], make: Callable[..., Predictions]) -> Line:
    promises = []
    for _ in range(ASKED):
        rows = audit(make(rng), AuditOptions(bootstrap=0)).models[0].attributes[0].power
        promises += [row.detectable for row in rows if row.metric == metric and row.group == NAMES[len(sizes) - 1] and row.detectable]
    gap = float(np.median(promises))
    hits = []
    options = AuditOptions(bootstrap=0)
    for _ in range(repetitions):
        verdicts = audit(make(rng, worse=gap), options).models[0].attributes[0].verdicts
        hits.append(next(v for v in verdicts if v.metric == metric).verdict == DISPARITY)
    return line(f"verdict 'disparity' at the promised gap, {metric}", f"groups {sizes}, gap {gap:.3f}", hits, POWER, None)


def verdicts_after_more_patients(rng: np.random.Generator, repetitions: int, progress: Progress) -> list[Line]:
    """Share of cohorts called a disparity at a stated gap, once the group has the further patients that were said to be needed."""
    found = []
    for large, small in SHORT_SIZES:
        asked = []
        for _ in range(ASKED):
            rows = audit(study_cohort(rng, (large, small), 0.85), AuditOptions(bootstrap=0, gap=STATED_GAP)).models[0].attributes[0].power
            asked += [row.more_patients for row in rows if row.metric == "auc" and row.group == NAMES[1] and row.more_patients is not None]
        more = int(np.median(asked))
        hits = []
        for _ in range(repetitions):
            verdicts = audit(study_cohort(rng, (large, small + more), 0.85, STATED_GAP), AuditOptions(bootstrap=0)).models[0].attributes[0].verdicts
            hits.append(next(v for v in verdicts if v.metric == "auc").verdict == DISPARITY)
        found.append(
            line("verdict 'disparity' at a stated gap after more patients, auc", f"groups {(large, small)}, gap {STATED_GAP:g}, {more} more", hits, POWER, None)
        )
        progress(found[-1].setting)
    return found
