"""Before any training: what each split of a cohort allows to be found, group by group.

The audit's own functions say it. Every group is given scores of one assumed AUC at the quantiles of two
normal distributions, so that nothing is found and only the numbers of patients count; the smallest gap
that would be called a disparity, and the patients that more would need, are the audit's (core.audit.inference.power).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.special import ndtri

from core.audit.engine import audit
from core.audit.input.predictions import Attribute, Predictions
from core.audit.options import AuditOptions
from core.cohort.cohort import Cohort
from core.errors import UserError
from core.metrics.estimate import finite_or_none
from core.results.run_audits import OPTIONS

ASSUMED_AUC = 0.85
PARTS = {
    "validation": "the epoch is chosen and thresholds are fitted on it",
    "test": "groups are compared on it",
    "all folds": "groups are compared on all folds together",
}
"""Part of the data -> what it is for."""
COLUMNS = ["part", "group", "patients", "n", "n_pos", "n_neg", "judged", "detectable", "gap", "more_patients", "advice"]


def split_plan(cohort: Cohort, attribute: str | None = None, *, assumed_auc: float = ASSUMED_AUC, options: AuditOptions = OPTIONS) -> pd.DataFrame:
    """One row for each part of the cohort and group.

    Columns: part ("validation", "test", and "all folds" where the cohort has folds), group, patients, n, n_pos, n_neg,
    judged (whether there are enough for an estimate), detectable (smallest AUC gap to the other groups that would be
    called a disparity with the options' power; missing where none would), gap (the gap that is planned for), more_patients (of this group, to
    find that gap; missing where no number would do), advice (what to do; empty where nothing need be done).

    Parameters
    ----------
    attribute : of the cohort; its first where None. assumed_auc : of every group, between .5 and 1.

    Raises
    ------
    UserError
        For a cohort without sensitive attributes, or an AUC out of range.
    """
    known = cohort.roles.attributes
    if attribute is None and not known:
        raise UserError(f"cohort {cohort.name!r} has no sensitive attribute: there are no groups to plan for")
    if not 0.5 < assumed_auc < 1:
        raise UserError(f"an AUC to plan with lies between .5 and 1, not at {assumed_auc:g}")
    name = attribute or known[0]
    values = np.array(cohort.group_values(name), dtype=object)
    y, patients = cohort.positive, pd.factorize(cohort.table["patient_id"])[0]
    split = cohort.table["split"].to_numpy(dtype=object)
    parts = {part: np.flatnonzero(split == part) for part in ("validation", "test")}
    if cohort.n_folds:
        parts["all folds"] = np.flatnonzero(cohort.fold >= 0)
    everybody = _counts(values, y, np.arange(len(y)))
    rows = [row for part, places in parts.items() for row in _part(part, values[places], y[places], patients[places], assumed_auc, options)]
    for row in rows:
        row["advice"] = _advice(row, everybody.get(row["group"], (0, 0)), options, folds=bool(cohort.n_folds))
    return pd.DataFrame(rows, columns=pd.Index(COLUMNS))


def plan_sentences(plan: pd.DataFrame, title: str) -> list[str]:
    """The plan in words: what each part allows to be found, then what to do."""
    said = []
    for part, own in plan.groupby("part", sort=False):
        judged = own[own["judged"]]
        lost = own[~own["judged"]]
        where = f"In the {part} split" if part != "all folds" else "Over all folds"
        if len(judged) > 1:
            best = judged["detectable"].min()
            reach = (
                f"an AUC gap from {best:.2f} on can be found for {judged['group'].iloc[int(judged['detectable'].argmin())]}"
                if np.isfinite(best)
                else "no AUC gap between groups can be found"
            )
            said.append(f"{where}, {reach} ({title}, {len(judged)} of {len(own)} groups judged).")
        elif part != "validation":
            said.append(f"{where}, groups of {title} cannot be compared: {len(judged)} of {len(own)} can be judged.")
        if len(lost):
            named = ", ".join(f"{r['group']} ({r['n_pos']} positive, {r['n_neg']} negative)" for r in lost.to_dict("records"))
            said.append(f"{where}, nothing can be said about {named}.")
    return said


def _part(
    part: str, values: NDArray[np.object_], y: NDArray[np.int8], patients: NDArray[np.int64], assumed_auc: float, options: AuditOptions
) -> list[dict[str, Any]]:
    groups = sorted({v for v in values if v is not None})
    if not groups:
        return []
    score = np.zeros(len(y))
    for group in groups:
        own = values == group
        score[own] = _scores(y[own], assumed_auc)
    known = np.array([v is not None for v in values])
    predictions = Predictions(
        sample_id=np.arange(int(known.sum())).astype(str), y=y[known], scores={"plan": score[known]},
        attributes={"group": Attribute.of(values[known])}, patient=patients[known]
    )  # fmt: skip
    found = audit(predictions, options).model().attribute("group")
    table, power = found.tables["auc"], {p.group: p for p in found.power if p.metric == "auc"}
    rows = []
    for place, group in enumerate(found.groups):
        own = power.get(group)
        rows.append(
            {
                "part": part, "group": group, "patients": int(found.counts.patients[place]),
                "n": int(found.counts.n[place]), "n_pos": int(found.counts.n_pos[place]), "n_neg": int(found.counts.n_neg[place]),
                "judged": bool(table.judged[place]), "detectable": finite_or_none(own.detectable) if own and own.detectable is not None else None,
                "gap": None if own is None else own.gap, "more_patients": None if own is None else own.more_patients,
            }
        )  # fmt: skip
    return rows


def _scores(y: NDArray[np.int8], assumed_auc: float) -> NDArray[np.float64]:
    """Scores of exactly the shape that the binormal model of this AUC gives so many positives and negatives, (n,)."""
    score = np.zeros(len(y))
    apart = float(np.sqrt(2) * ndtri(assumed_auc))
    for label in (0, 1):
        own = np.flatnonzero(y == label)
        score[own] = ndtri((np.arange(own.size) + 0.5) / max(own.size, 1)) + apart * label
    return score


def _counts(values: NDArray[np.object_], y: NDArray[np.int8], places: Sequence[int] | NDArray[np.int64]) -> dict[str, tuple[int, int]]:
    frame = pd.DataFrame({"group": values[places], "y": y[places]}).dropna(subset=["group"])
    return {str(group): (int((own == 1).sum()), int((own == 0).sum())) for group, own in frame.groupby("group")["y"]}


def _advice(row: dict[str, Any], everybody: tuple[int, int], options: AuditOptions, *, folds: bool) -> str:
    """What would help this group in this part of the data."""
    enough = everybody[0] >= options.min_positives and everybody[1] >= options.min_negatives
    if not row["judged"]:
        if not enough:
            return f"merge it with another group, or collect more patients: the whole cohort has {everybody[0]} positives and {everybody[1]} negatives of it"
        if row["part"] == "validation":
            return "give validation more patients, or merge it with another group: nothing is measured for it while training"
        return (
            "cross-validation judges every patient once"
            + ("" if folds else " (bring the table again with folds)")
            + "; or give the test set more patients, or merge it with another group"
        )
    if row["part"] == "validation" or (row["detectable"] is not None and row["detectable"] <= row["gap"]):
        return ""
    more = f"; {row['more_patients']} more patients of it would do for a gap of {row['gap']:.2f}" if row["more_patients"] else ""
    reach = "no gap" if row["detectable"] is None else "only a large gap"
    if row["part"] == "test" and everybody[0] > 1.5 * row["n_pos"]:
        return f"{reach} would be found: cross-validation uses all its {everybody[0]} positives instead of {row['n_pos']}{more}"
    return f"{reach} would be found: merge it with another group, or collect more patients{more}"
