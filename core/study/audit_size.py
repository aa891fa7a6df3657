"""Do the tests of an audit reject a true null hypothesis in 3 to 7 of 100 cohorts?

Whole audits are run, so that every test is the one that a reader gets: permutation for groups with fewer
than a hundred of a class, DeLong and Welch for larger ones, effective sizes where patients repeat.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from scipy.special import ndtr, ndtri

from core.audit.engine import audit
from core.audit.options import AuditOptions
from core.metrics.delong import delong, difference
from core.study.audit_cohorts import cohorts, shift, study_cohort
from core.study.audit_promises import SIZE, Line, line

AUC, PREVALENCE = 0.85, 0.35
# Patients per group, images per patient.
SETTINGS: tuple[tuple[tuple[int, ...], int], ...] = (
    ((60, 60), 1),
    ((60, 600), 1),
    ((150, 150), 1),
    ((1000, 1000), 1),
    ((400, 300, 200, 100), 1),
    ((150, 150), 3),
)
# p < .05 is reached with 20 of 401, so that the level is not lost to the permutations' resolution.
OPTIONS = AuditOptions(threshold=PREVALENCE, bootstrap=0)
LEVEL = 0.05
# Rates over few rows take few values: no test of them has an exact size.
COARSE, FEW = (0.01, 0.08), 50
DENOMINATORS = {"tpr": PREVALENCE, "equal_opportunity_difference": PREVALENCE, "deodds": PREVALENCE, "fpr": 1 - PREVALENCE, "ppv": 0.3, "npv": 0.6}
NULLS = ("max_gap", "es_auc", "worst_group_auc", "dpd", "deodds", "equal_opportunity_difference")


def size_of_tests(rng: np.random.Generator, repetitions: int, progress: Callable[[str], None] = lambda message: None) -> list[Line]:
    """Share of cohorts without any difference in which a test says p < .05, before any correction."""
    found = []
    for sizes, images in SETTINGS:
        found += _setting(rng, repetitions, sizes, images)
        progress(f"size of tests: groups of {sizes}, {images} image{'s' if images > 1 else ''} per patient")
    return found


def _setting(rng: np.random.Generator, repetitions: int, sizes: tuple[int, ...], images: int) -> list[Line]:
    hits: dict[tuple[str, str], list[bool]] = {}
    last = len(sizes) - 1

    def note(part: str, metric: str, p: float | None) -> None:
        hits.setdefault((part, metric), []).append(p is not None and p < LEVEL)

    for _ in range(repetitions):
        model = audit(study_cohort(rng, sizes, AUC, prevalence=PREVALENCE, images=images), OPTIONS).models[0]
        attribute = model.attributes[0]
        for test in attribute.tests:
            if (test.group_a, test.group_b) == (0, last):
                note(f"pair of groups ({test.method})", test.metric, test.p)
        for rest in model.against_rest:
            if rest.group == attribute.grouping.groups[last]:
                note("group against all others", rest.metric, rest.p)
        for name in NULLS:
            note("permutation null of a summary", name, attribute.summary(name).p_null)
    at = f"groups {sizes}" + (f", {images} images per patient" if images > 1 else "")
    smallest = min(sizes)
    lines = []
    for (part, metric), held in hits.items():
        if len(held) < repetitions / 2:
            continue  # the route that this setting takes now and then: too few to say anything
        coarse = metric in DENOMINATORS and smallest * DENOMINATORS[metric] < FEW
        lines.append(line(f"size: {part}, {metric}", at, held, *(COARSE if coarse else SIZE)))
    return lines


def size_of_paired(rng: np.random.Generator, repetitions: int) -> list[Line]:
    """Two equally good models on the same patients, by paired DeLong."""
    found = []
    for n_pos, n_neg in ((20, 60), (200, 400)):
        held = []
        for _ in range(repetitions):
            data = cohorts(rng, 1, n_pos, n_neg, AUC)
            # Noise of variance 1 again, correlated .8; the means' distance is made up for what the mixing loses.
            other = ndtr(ndtri(data.score) * 0.8 + 0.6 * rng.normal(size=data.score.size) + 0.2 * shift(AUC) * (data.y - 0.5))
            test = difference(delong(data.y, np.stack([data.score, other])))
            held.append(test.p is not None and test.p < LEVEL)
        found.append(line("size: two models (paired DeLong), auc", f"n_pos={n_pos}, n_neg={n_neg}", held, *SIZE))
    return found
