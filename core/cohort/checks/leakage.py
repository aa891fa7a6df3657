"""Does a single column give the label away?"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from core.cohort.checks.base import Check, CheckInput, counted
from core.cohort.schema import Finding
from core.metrics.auc import auc
from core.tables.labels import label_findings
from core.tables.numbers import to_number

AUC_LIMIT = 0.95
Z_LIMIT = 3.5
PURE_P = 1e-6
"""A value with one label only is suspicious when chance would do that less often than this."""
PURE_SHARE = 0.05
MAX_LEVELS = 50


@dataclass(frozen=True)
class Leak:
    """How a column gives the label away."""

    reason: str
    rows: int


def column_leak(values: pd.Series, y: NDArray[np.float64], patients: NDArray[np.object_]) -> Leak | None:
    """Whether this column alone predicts the label better than an honest feature would.

    Two signs: an AUC of at least .95 by itself (levels of a category scored on
    the other half of the patients), or a value shared by many rows of which
    every one has the same label. Missing values are left to the missingness
    checks. Columns that name rows rather than describe them never qualify.
    """
    known = values.notna().to_numpy() & ~np.isnan(y)
    values, y, patients = values[known], y[known], patients[known]
    n_pos, n_neg = int((y == 1).sum()), int((y == 0).sum())
    if min(n_pos, n_neg) < 5 or values.nunique() < 2:
        return None
    numbers = to_number(values)
    n_levels = values.nunique()
    if numbers is not None:
        score: NDArray[np.float64] | None = numbers.to_numpy(dtype=float)
    else:
        score = _crossfit(values, y, patients) if n_levels <= max(MAX_LEVELS, len(values) // 10) else None
    if score is not None:
        ranking = auc(y, score)
        strength = max(ranking, 1 - ranking)
        z = (strength - 0.5) / math.sqrt((n_pos + n_neg + 1) / (12 * n_pos * n_neg))
        if strength >= AUC_LIMIT and z >= Z_LIMIT:
            return Leak(f"alone it predicts the label with AUC {f'{strength:.3f}'.removeprefix('0')}", len(values))
    return _pure_value(values, y) if n_levels <= MAX_LEVELS else None


def _pure_value(values: pd.Series, y: NDArray[np.float64]) -> Leak | None:
    prevalence = float(y.mean())
    best: Leak | None = None
    for level, rows in pd.Series(y).groupby(values.to_numpy(dtype=object)):
        n, positives = len(rows), int(rows.sum())
        if positives not in (0, n) or n < PURE_SHARE * len(y):
            continue
        chance = (prevalence if positives else 1 - prevalence) ** n
        if chance < PURE_P and (best is None or n > best.rows):
            best = Leak(f"all {n} rows with {level!r} are {'positive' if positives else 'negative'}", n)
    return best


def _crossfit(values: pd.Series, y: NDArray[np.float64], patients: NDArray[np.object_]) -> NDArray[np.float64]:
    """Each row's level scored by that level's share of positives among the other half of the patients."""
    order = {p: i % 2 for i, p in enumerate(dict.fromkeys(patients))}
    half = np.array([order[p] for p in patients])
    levels = values.to_numpy(dtype=object)
    score = np.empty(len(y))
    for side in (0, 1):
        other, own = half != side, half == side
        base = float(y[other].mean()) if other.any() else 0.5
        grouped = pd.Series(y[other]).groupby(levels[other])
        rate = (grouped.sum() + base) / (grouped.count() + 1)
        score[own] = pd.Series(levels[own]).map(rate).fillna(base).to_numpy(dtype=float)
    return score


class LabelLeakage(Check):
    code = "label-leakage"
    title = "A column gives the label away"
    severity = "warning"
    remedy = "Leave it out, as is done unless you name it as a feature: it records what was done or known after the diagnosis."

    def find(self, data: CheckInput) -> list[Finding]:
        found = []
        skip = {data.roles.label, data.roles.sample_id, data.roles.patient_id, *(m.columns[0] for m in data.roles.modalities if m.kind in ("image", "volume"))}
        for column in data.table.columns:
            if column in skip:
                continue
            leak = column_leak(data.table[column], data.y, data.patients)
            if leak is None:
                continue
            used = [m.name for m in data.roles.modalities if column in m.columns]
            if used:
                found.append(self.finding(f"{column}: {leak.reason}, and modality {used[0]!r} uses it", leak.rows, [column], severity="error", remedy=f"Drop it (--drop {column}) unless it is truly known before the diagnosis."))
            else:
                found.append(self.finding(f"{column}: {leak.reason}; it is kept away from all models", leak.rows, [column]))
        return found


class ConstantLabel(Check):
    code = "label-constant"
    title = "The label has one value only"
    severity = "error"
    remedy = "Choose another label column, or another positive value (--positive)."

    def find(self, data: CheckInput) -> list[Finding]:
        known = data.y[~np.isnan(data.y)]
        if len(known) and 0 < known.sum() < len(known):
            return []
        which = "no row has a label" if not len(known) else f"every row counts as {'positive' if known[0] else 'negative'} (positive value: {data.roles.positive!r})"
        return [self.finding(f"{data.roles.label}: {which}", len(known), [data.roles.label])]


class LabelNotBinary(Check):
    code = "label-not-binary"
    title = "The label has more than two values"
    severity = "warning"
    remedy = "Check that all other values mean negative; drop rows that mean neither."

    def find(self, data: CheckInput) -> list[Finding]:
        return [f for f in label_findings(data.all_labels, data.label_rule, data.roles.label) if f.code == self.code]


class LabelUncertain(LabelNotBinary):
    code = "label-uncertain"
    title = "Some labels are uncertain"
    remedy = "Say what uncertain means with --uncertain exclude, negative or positive."


class LabelLists(LabelNotBinary):
    code = "label-lists"
    title = "Cells of the label list several findings"
    remedy = "If every row with the finding should count, say --positive 'contains FINDING'."


class LabelMissing(Check):
    code = "label-missing"
    title = "Rows without a label"
    severity = "warning"
    remedy = "They are set aside. Fill in the label; where a blank means that nothing was mentioned, say so with --blank negative."

    def find(self, data: CheckInput) -> list[Finding]:
        rule = data.label_rule
        if rule.blank != "exclude":
            n = int(data.all_labels.isna().sum())
            return [self.finding(f"{counted(n, 'row')} without a label: counted as {rule.blank}", n, [data.roles.label], remedy="Check that a blank means that.")] if n else []
        aside = sum(s.code == self.code for s in data.set_aside)
        n = aside if data.labels is not None else int(data.table[data.roles.label].isna().sum()) + aside
        return [self.finding(f"{counted(n, 'row')} without a label: set aside", n, [data.roles.label])] if n else []
