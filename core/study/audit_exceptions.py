"""Where an interval or a test may be more careful than its nominal level, and why: the only exceptions that the study of the audit knows.

Each is read from the setting itself (true values and sizes), never from what was found. No exception lets a test reject too often, or an
interval miss too often.
"""

from __future__ import annotations

import numpy as np

from core.metrics.catalogue import CATALOGUE, RATE_METRICS
from core.study.audit_cohorts import CohortSettings
from core.study.audit_truths import truths

# Expected rows below which a rate takes too few values for an exact level: of its denominator, and of the rarer outcome in it.
FEW_ROWS, FEW_OUTCOMES = 30.0, 10.0
# Expected rows of the smaller class below which an AUC from NEAR_ONE on is decided by a handful of misranked rows.
FEW_OF_CLASS, NEAR_ONE = 30.0, 0.9
FEW_PATIENTS = 20

DISCRETE = "few rows or outcomes in the denominator: the rate takes few values"
EDGE = "AUC near 1 with few positives: limits of score type at the edge"
CLUSTERS = f"fewer than {FEW_PATIENTS} patients in a group: the variance of few patients is taken with caution"
CLASS_CLUSTERS = f"fewer than {FEW_PATIENTS} patients of a class in a group: the variance of few patients is taken with caution"
JOINED = (
    "two models on the same patients, who count unequally (weights, unequal rows): their correlation is taken with caution, so that "
    "the joined limits of both are wider than their difference needs"
)
ONE_SIDED = "a calibrated model's error has no lower side: its interval starts at 0"
TRAININGS = "a mean over trainings has the limits of single ones for its patients' part, too wide where trainings err differently"
TWICE = "trainings that react differently to a patient: the spread between them counts that a second time"
REASONS = (DISCRETE, EDGE, CLUSTERS, CLASS_CLUSTERS, JOINED, ONE_SIDED, TRAININGS, TWICE)


def stated_exception(cohort: CohortSettings, threshold: float, metric: str, paired: bool = False) -> str | None:
    """Why this metric may be on the careful side in this setting, None where it may not; `paired`: its difference between two models.

    A summary over groups may be as careful as the group metrics it is made of.
    """
    for part in (metric, *(CATALOGUE[metric].of if metric in CATALOGUE else ())):
        why = _of_one_model(cohort, threshold, part)
        if why is not None:
            return why
    unequal = cohort.weighted or bool((cohort.unequal_share() > 1).any())
    return JOINED if paired and unequal and metric in ("auc", *RATE_METRICS) else None


def _of_one_model(cohort: CohortSettings, threshold: float, metric: str) -> str | None:
    sizes = np.asarray(cohort.sizes, dtype=np.float64)
    if float(sizes.min()) < FEW_PATIENTS:
        return CLUSTERS
    if metric in ("ece", "ece_debiased"):
        return ONE_SIDED
    known = truths(cohort, threshold)
    p, rates = cohort.of_groups(cohort.prevalence), known.groups
    if metric == "auc" and cohort.rows != 1 and not cohort.label_per_row and float((sizes * np.minimum(p, 1 - p)).min()) < FEW_PATIENTS:
        return CLASS_CLUSTERS
    if metric in ("auc", "average_precision", "auprg"):
        return EDGE if float((sizes * np.minimum(p, 1 - p)).min()) < FEW_OF_CLASS and float(cohort.areas().max()) >= NEAR_ONE else None
    selected = rates["selection_rate"]
    share = {"tpr": p, "fpr": 1 - p, "ppv": selected, "npv": 1 - selected, "net_benefit": selected}.get(metric)
    if share is None and metric not in ("selection_rate", "accuracy"):
        return None
    rows = sizes * (1.0 if share is None else share)
    value = rates["ppv" if metric == "net_benefit" else metric]
    few = float(rows.min()) < FEW_ROWS or float((rows * np.minimum(value, 1 - value)).min()) < FEW_OUTCOMES
    return DISCRETE if few else None
