"""Checks of the data and results that a reader must hear of before believing the numbers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from core.audit.estimates.group_estimates import MetricTable
from core.audit.estimates.grouping import Grouping
from core.audit.estimates.scored import Scored
from core.audit.inference.pairwise import MAX_PAIRED_GROUPS
from core.audit.input.predictions import AuditFinding, Predictions
from core.audit.options import AuditOptions
from core.audit.wording import decimal

if TYPE_CHECKING:
    from core.audit.result import ModelAudit

LEAK_AUC = 0.999
LEAK_ROWS = 20
WRONG_WAY_Z = 4.0
"""Standard errors below an AUC of one half from which chance no longer explains it."""
# Share of the class that an operating point should select (or leave out) at the least for the rates at it to mean something.
LEAST_SHARE = 0.1
REMEDY = "--target sensitivity=.9 or --target selection_rate=.1, or --threshold X nearer to the scores"


def of_model(model: ModelAudit) -> tuple[AuditFinding, ...]:
    """Everything that must be said of one model's scores and groups."""
    n_pos, n_neg = int(model.counts.n_pos[0]), int(model.counts.n_neg[0])
    found = [*one_class(model.model, n_pos, n_neg), *leakage(model.data, float(model.tables["auc"].value[0]), n_pos, n_neg)]
    found += extreme_selection(model.data)
    for attribute in model.attributes:
        if attribute.groups:
            found += group_findings(model.model, attribute.grouping, attribute.tables, model.options)
    return tuple(found)


def leakage(data: Scored, auc: float, n_pos: int, n_neg: int) -> tuple[AuditFinding, ...]:
    """Scores that are the label itself, or that separate the classes better than medicine allows."""
    if min(n_pos, n_neg) == 0:
        return ()
    values = np.unique(data.score)
    if values.size == 2 and (np.array_equal(data.score == values[1], data.y) or np.array_equal(data.score == values[0], data.y)):
        message = f"{data.model}: the scores are the labels themselves"
        return (AuditFinding("score_is_label", "error", message, data.y.size, "check that the score column is the model's output"),)
    if auc >= LEAK_AUC and min(n_pos, n_neg) >= LEAK_ROWS:
        message = f"{data.model}: an AUC of {decimal(auc, 4)} suggests that the label leaked into the model's inputs"
        return (
            AuditFinding(
                "perfect_auc", "warning", message, data.y.size, "look for inputs recorded after the diagnosis, or patients in both training and test data"
            ),
        )
    # Variance of the AUC of an unrelated score (Mann-Whitney, without ties: the largest).
    below_chance = (0.5 - auc) / np.sqrt((n_pos + n_neg + 1) / (12 * n_pos * n_neg))
    if below_chance >= WRONG_WAY_Z:
        message = f"{data.model}: an AUC of {decimal(auc, 3)} is below .5 far beyond chance: the scores point the wrong way"
        remedy = "use the probability of the positive class, or check which value of the label is positive"
        return (AuditFinding("inverted_score", "error", message, data.y.size, remedy),)
    if values.size == 2:
        message = (
            f"{data.model}: the score has only two values ({values[0]:g} and {values[1]:g}), as a predicted label has: its AUC, Brier score "
            "and calibration say little"
        )
        remedy = "give the model's probability as the score, and the predicted label as the prediction"
        return (AuditFinding("score_is_binary", "warning", message, data.y.size, remedy),)
    return ()


def one_class(model: str, n_pos: int, n_neg: int) -> tuple[AuditFinding, ...]:
    """All labels are the same: there is nothing to rank."""
    if min(n_pos, n_neg) > 0:
        return ()
    message = f"{model}: there are {n_pos} positives and {n_neg} negatives, so no AUC and not all rates are defined"
    return (AuditFinding("one_class", "error", message, n_pos + n_neg, "check the label column and which value is positive"),)


def _wide_intervals(model: str, grouping: Grouping, auc: MetricTable, size: NDArray[np.int64], tolerance: float) -> list[AuditFinding]:
    """One line for all judged groups of an attribute whose AUC is known less exactly than the tolerance asks for."""
    width = np.where(auc.judged, auc.high - auc.low, 0.0)
    wide = np.flatnonzero(width > tolerance)
    if not wide.size:
        return []
    widest, judged = int(np.argmax(width)), int(auc.judged.sum())
    many = f"{wide.size} of {judged} judged groups" if wide.size < judged else "its one judged group" if judged == 1 else f"all {judged} judged groups"
    message = (
        f"{model}: by {grouping.name}, the interval of the AUC is wider than the tolerance of {decimal(tolerance)} in {many} "
        f"(widest: {grouping.groups[widest]}, {decimal(width[widest])})"
    )
    return [AuditFinding("wide_interval", "warning", message, int(size[wide].sum()), "collect more patients of these groups")]


def group_findings(model: str, grouping: Grouping, tables: Mapping[str, MetricTable], options: AuditOptions) -> tuple[AuditFinding, ...]:
    """Groups that cannot be judged, and groups whose interval is wider than the tolerance."""
    found = []
    auc = tables["auc"]
    size = np.bincount(grouping.codes[grouping.codes >= 0], minlength=len(grouping.groups))
    for g, name in enumerate(grouping.groups):
        why = auc.reason[g]
        if why is not None:
            note = "; it is left out of ES-AUC, worst group and gap, which look better without it"
            found.append(
                AuditFinding(
                    "not_estimable", "warning", f"{grouping.name} = {name} cannot be judged: {why}{note}", int(size[g]), "collect more patients of this group"
                )
            )
    found += _wide_intervals(model, grouping, auc, size, options.tolerance_of("auc"))
    if int(auc.judged.sum()) > MAX_PAIRED_GROUPS:
        against = f"'{options.reference[grouping.name]}'" if grouping.name in options.reference else "the best one"
        message = f"{grouping.name} has {len(grouping.groups)} groups: each is compared with all others together and with {against}, not every two of them"
        found.append(AuditFinding("many_groups", "info", message, int(size.sum()), "merge groups to see all pairs"))
    if grouping.depth == 1 and len(grouping.groups) < 2:
        found.append(
            AuditFinding(
                "one_group", "warning", f"{grouping.name} has only one group, so there is nothing to compare", int(size.sum()), "choose another attribute"
            )
        )
    return tuple(found)


def unused_weights(predictions: Predictions) -> tuple[AuditFinding, ...]:
    """What weights do not reach."""
    if predictions.weights is None:
        return ()
    message = "weights are taken as sampling weights: rows of larger weight stand for more people, and errors grow with how unequal they are"
    return (AuditFinding("weights", "info", message, len(predictions)),)


def extreme_selection(data: Scored) -> tuple[AuditFinding, ...]:
    """A warning where fewer rows are selected than a tenth of the positives, or fewer left out than a tenth of the negatives.

    A threshold of .5 on a disease of 1 % selects 8 of 40,000: whatever is said of rates there is said of these 8. Empty
    without an operating point or where a class is absent.
    """
    if data.decision is None:
        return ()
    n, selected, positives = data.y.size, int(np.count_nonzero(data.decision)), int(np.count_nonzero(data.y))
    if not 0 < positives < n:
        return ()
    where = "the operating point" if data.threshold is None else f"the threshold of {data.threshold:.4g}"
    if selected < LEAST_SHARE * positives:
        chosen = f"{selected:,} of {n:,} rows" if selected else f"none of {n:,} rows"
        message = f"{data.model}: {where} selects {chosen}, though {positives:,} are positive: rates at it say next to nothing about the model"
        return (AuditFinding("nearly_nobody_selected", "warning", message, selected, REMEDY),)
    left, negatives = n - selected, n - positives
    if left < LEAST_SHARE * negatives:
        rest = f"all but {left:,} of {n:,} rows" if left else f"all {n:,} rows"
        message = f"{data.model}: {where} selects {rest}, though {negatives:,} are negative: rates at it say next to nothing about the model"
        return (AuditFinding("nearly_everybody_selected", "warning", message, left, REMEDY),)
    return ()
