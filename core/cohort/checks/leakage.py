"""Does a single column give the label away?"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from core.cohort.checks.base import Check, CheckInput, counted
from core.cohort.schema import Finding
from core.errors import option
from core.metrics.auc import auc
from core.tables.column_names import names_age, names_matched, names_sensitive, words_of
from core.tables.identifiers import numbers_rows
from core.tables.labels import label_findings
from core.tables.numbers import NumberColumn, parse_numbers

AUC_LIMIT = 0.95
Z_LIMIT = 3.5
PURE_P = 1e-6
"""A value with one label only is suspicious when chance would do that less often than this."""
PURE_SHARE = 0.05
FOLDS = 5
MAX_LEVELS = 50


@dataclass(frozen=True)
class Leak:
    """How a column gives the label away."""

    reason: str
    rows: int


LARGEST_SET = 11
LEAST_SETS = 10
"""A column divides a table into matched sets when it has so many, none larger, and the same number of cases in each."""


def matched_column(table: pd.DataFrame, y: NDArray[np.float64] | None = None, skip: Iterable[str | None] = ()) -> str | None:
    """The column that says which rows were matched to each other, by its name or, with the label `y`, by what it holds; None where there is none."""
    named = next((c for c in table.columns if names_matched(c, table[c]) and 1 < table[c].nunique() < len(table)), None)
    if named is not None or y is None:
        return named
    passed = set(skip)
    return next((c for c in table.columns if c not in passed and divides_into_sets(table[c], y)), None)


def divides_into_sets(values: pd.Series, y: NDArray[np.float64]) -> bool:
    """Whether each value is on a few rows with the same number of cases among them, which no column of facts does by chance.

    A fact by which rows were matched (their age) does so as well, and is none.
    """
    if names_age(str(values.name)) or names_sensitive(str(values.name)) or words_of(str(values.name)) & {"year", "bmi", "weight", "height", "date"}:
        return False
    if values.isna().any() or np.isnan(y).any():
        return False
    n = values.nunique()
    if n < LEAST_SETS or not len(values) / LARGEST_SET <= n <= len(values) / 2:
        return False
    codes, _ = pd.factorize(values)
    size, cases = np.bincount(codes), np.bincount(codes, weights=y)
    return bool(size.min() > 1 and size.max() <= LARGEST_SET and cases.min() == cases.max() and 0 < cases[0] < size.min())


def leak_groups(table: pd.DataFrame, patient: str | None, y: NDArray[np.float64] | None = None, label: str | None = None) -> NDArray[np.object_]:
    """Per row what must stay on one side of a fold: the matched set where the table names one, else the patient, else the row."""
    column = matched_column(table, y, (patient, label)) or patient
    own = np.array([f"row {i + 1}" for i in range(len(table))], dtype=object)
    if column is None:
        return own
    values = table[column].to_numpy(dtype=object)
    return np.where(pd.isna(values), own, values)


def column_leak(values: pd.Series, y: NDArray[np.float64], groups: NDArray[np.object_], seed: int = 0, *, numbers: NumberColumn | None = None) -> Leak | None:
    """Whether this column alone predicts the label better than an honest feature would.

    Two signs: an AUC of at least .95 by itself (levels of a category scored on
    the other folds, `FOLDS` random ones that keep `groups` whole), or a value shared by
    many rows of which every one has the same label. Missing values are left to the
    missingness checks. Columns that name rows rather than describe them never qualify. `numbers`: the column
    read as numbers, where that was done already.
    """
    known = values.notna().to_numpy() & ~np.isnan(y)
    numbers = numbers or parse_numbers(values, str(values.name))
    read = None if numbers is None else numbers.values[known]
    values, y, groups = values[known], y[known], groups[known]
    n_pos, n_neg = int((y == 1).sum()), int((y == 0).sum())
    n_levels = values.nunique()
    if min(n_pos, n_neg) < 5 or n_levels < 2:
        return None
    strength = 0.0
    if read is not None:
        # A number has no direction of its own: small may mean ill.
        there = ~np.isnan(read)
        if 0 < y[there].sum() < there.sum():
            ranking = auc(y[there], read[there])
            strength = max(ranking, 1 - ranking)
    elif n_levels <= max(MAX_LEVELS, len(values) // 10):
        # A cross-fitted score has one: below one half it only repeats that folds differ from each other.
        strength = auc(y, _crossfit(values, y, groups, seed))
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


def _crossfit(values: pd.Series, y: NDArray[np.float64], groups: NDArray[np.object_], seed: int) -> NDArray[np.float64]:
    """Each row's level scored by that level's share of positives in the other folds, less the share of those folds as a whole.

    The difference counts, not the share: where the folds' shares differ by chance (in matched pairs they
    differ exactly opposite to the left-out fold), the share itself would rank the folds, not the levels.
    """
    codes, uniques = pd.factorize(groups)
    fold = np.random.default_rng(seed).permutation(len(uniques))[codes] % FOLDS
    levels, names = pd.factorize(values)
    score = np.zeros(len(y))
    for number in range(FOLDS):
        other, own = fold != number, fold == number
        if not other.any() or not own.any():
            continue
        base = float(y[other].mean())
        n = np.bincount(levels[other], minlength=len(names))
        positive = np.bincount(levels[other], weights=y[other], minlength=len(names))
        score[own] = ((positive + base) / (n + 1) - base)[levels[own]]
    return score


class LabelLeakage(Check):
    code = "label-leakage"
    title = "A column reveals the label"
    severity = "warning"
    remedy = "Leave it out if it records what was done or known after the diagnosis; nothing is taken away unless you say so."

    def find(self, data: CheckInput) -> list[Finding]:
        found = []
        groups = (
            leak_groups(data.table, None, data.y, data.roles.label)
            if data.roles.patient_id is None
            else leak_groups(data.table.assign(**{data.roles.patient_id: data.patients}), data.roles.patient_id, data.y, data.roles.label)
        )
        skip = {data.roles.label, data.roles.sample_id, data.roles.patient_id, *(m.columns[0] for m in data.roles.modalities if m.kind in ("image", "volume"))}
        for column in data.table.columns:
            if column in skip or numbers_rows(column, data.table[column].dropna()):
                # In a table sorted by label the number of the row tells the label; it is no feature.
                continue
            leak = column_leak(data.table[column], data.y, groups)
            if leak is None:
                continue
            used = [m.name for m in data.roles.modalities if column in m.columns]
            if used:
                found.append(
                    self.finding(
                        f"{column}: {leak.reason}, and modality {used[0]!r} uses it",
                        leak.rows,
                        [column],
                        severity="error",
                        remedy=f"Drop it ({option('--drop', column)}) unless it is truly known before the diagnosis.",
                    )
                )
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
        which = (
            "no row has a label"
            if not len(known)
            else f"every row counts as {'positive' if known[0] else 'negative'} (positive value: {data.roles.positive!r})"
        )
        return [self.finding(f"{data.roles.label}: {which}", len(known), [data.roles.label])]


class LabelNotBinary(Check):
    code = "label-not-binary"
    title = "The label has more than two values"
    severity = "warning"
    remedy = "Check that all other values mean negative; drop rows that mean neither."

    def find(self, data: CheckInput) -> list[Finding]:
        if self.code == "label-not-binary" and data.roles.classes:
            return []  # Every value is a class of its own.
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
            return (
                [self.finding(f"{counted(n, 'row')} without a label: counted as {rule.blank}", n, [data.roles.label], remedy="Check that a blank means that.")]
                if n
                else []
            )
        aside = sum(s.code == self.code for s in data.set_aside)
        n = aside if data.labels is not None else int(data.table[data.roles.label].isna().sum()) + aside
        return [self.finding(f"{counted(n, 'row')} without a label: set aside", n, [data.roles.label])] if n else []
