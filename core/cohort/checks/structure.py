"""Rows, patients, splits and files: is the table what it claims to be?"""

from __future__ import annotations

from collections import Counter, defaultdict

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from core.cohort.checks.base import Check, CheckInput, counted, listed
from core.cohort.matching import unread_format
from core.cohort.patients import PATH_PATIENT, looks_like_patients, persons_of_sides, shared_beginnings, shared_folders
from core.cohort.schema import Finding
from core.cohort.splits import parse_split
from core.errors import UserError, option
from core.tables.column_names import tidy, words_of
from core.tables.identifiers import loosely_alike
from core.tables.splits import MOST_FOLDS, folds, split_word

MIN_PATIENTS = 30
SPLIT_DIFFERENCE = 0.15


class DuplicateIds(Check):
    code = "duplicate-id"
    title = "A sample id occurs twice"
    severity = "error"
    remedy = "Only the first row of each id is used. Name the column that identifies a row (--id), and the patient with --patient."

    def applies(self, data: CheckInput) -> str | None:
        return None if data.roles.sample_id else "rows are numbered, there is no id column"

    def find(self, data: CheckInput) -> list[Finding]:
        ids = data.table[data.roles.sample_id].dropna()
        repeats = int(ids.duplicated().sum())
        named = list(dict.fromkeys(ids[ids.duplicated()]))
        aside = [s for s in data.set_aside if s.code == self.code]
        repeats += len(aside)
        named += [s.sample_id for s in aside if s.sample_id not in named]
        return (
            [self.finding(f"{counted(repeats, 'row')} repeat the id of an earlier row: {listed(named)}", repeats, [str(data.roles.sample_id)])]
            if repeats
            else []
        )


class PatientInTwoSplits(Check):
    code = "patient-in-two-splits"
    title = "A patient is in two splits"
    severity = "error"
    remedy = (
        "A test set is never changed: rows of its patients elsewhere are set aside, and a patient in training and validation is kept in "
        "training. Correct the split column so that patients stay whole."
    )

    def applies(self, data: CheckInput) -> str | None:
        if data.split is None:
            return "no split column"
        return None if data.roles.patient_id else "no patient column: every row counts as a patient"

    def find(self, data: CheckInput) -> list[Finding]:
        splits: dict[str, set[str]] = defaultdict(set)
        for patient, split in zip(data.patients, data.split or (), strict=True):
            if split is not None:
                splits[patient].add(split)
        both = [p for p, s in splits.items() if len(s) > 1]
        aside = [s for s in data.set_aside if s.code == self.code]
        found = []
        columns = [str(data.roles.split or data.roles.patient_id)]
        if both:
            rows = int(np.isin(data.patients.astype(str), both).sum())
            found.append(self.finding(f"{counted(len(both), 'patient')} in more than one split: {listed(both)}", rows, columns))
        if aside:
            found.append(
                self.finding(
                    f"{counted(len(aside), 'row')} of training or validation belong to patients of the test set: set aside "
                    f"({listed([s.sample_id for s in aside])})",
                    len(aside),
                    columns,
                )
            )
        return found


class SplitImbalance(Check):
    code = "split-imbalance"
    title = "Splits differ in their share of positives"
    severity = "warning"
    remedy = "Thresholds and calibration carry over badly between such splits; make splits that are stratified by label (leave the split column out)."

    def applies(self, data: CheckInput) -> str | None:
        return None if data.split is not None else "no split column"

    def find(self, data: CheckInput) -> list[Finding]:
        split = np.array(data.split, dtype=object)
        y = data.y
        shares: dict[str, tuple[float, int]] = {}
        for name in ("train", "validation", "test"):
            known = (split == name) & ~np.isnan(y)
            if known.sum() >= MIN_PATIENTS:
                shares[name] = float(y[known].mean()), int(known.sum())
        if len(shares) < 2:
            return []
        low, high = min(shares, key=lambda k: shares[k][0]), max(shares, key=lambda k: shares[k][0])
        (a, n), (b, m) = shares[low], shares[high]
        pooled = (a * n + b * m) / (n + m)
        noise = np.sqrt(max(pooled * (1 - pooled), 1e-9) * (1 / n + 1 / m))
        if b - a < SPLIT_DIFFERENCE or b - a < 4 * noise:
            return []
        return [self.finding(f"{b:.0%} positive in {high}, {a:.0%} in {low}", n + m, [data.roles.label])]


class DuplicateImages(Check):
    code = "duplicate-image"
    title = "The same picture belongs to two patients"
    severity = "warning"
    remedy = "Find out whose it is. While it stays, the same picture may be in training and test."

    def applies(self, data: CheckInput) -> str | None:
        return None if data.digests else "no image or volume modality, or its files were not read"

    def find(self, data: CheckInput) -> list[Finding]:
        found = []
        for modality, digests in data.digests.items():
            owners: dict[str, set[str]] = defaultdict(set)
            blank = data.blank.get(modality, np.zeros(len(digests), bool))
            for digest, patient, empty in zip(digests, data.patients, blank, strict=True):
                if digest is not None and not empty:
                    owners[digest].add(patient)
            shared = {d for d, p in owners.items() if len(p) > 1}
            if shared:
                rows = sum(d in shared for d in digests)
                patients = sorted({p for d in shared for p in owners[d]})
                found.append(
                    self.finding(
                        f"modality {modality!r}: {counted(len(shared), 'picture')} shared by different patients ({listed(patients)})", rows, [modality]
                    )
                )
        return found


class BlankImages(Check):
    code = "blank-image"
    title = "Pictures of one colour only"
    severity = "warning"
    remedy = "Look at them: the file may have been exported wrongly."

    def applies(self, data: CheckInput) -> str | None:
        return None if data.blank else "no image or volume modality, or its files were not read"

    def find(self, data: CheckInput) -> list[Finding]:
        return [
            self.finding(f"modality {name!r}: {counted(int(blank.sum()), 'picture')} without any content", int(blank.sum()), [name])
            for name, blank in data.blank.items()
            if blank.any()
        ]


class DarkImages(Check):
    code = "dark-image"
    title = "Pictures that are nearly black"
    severity = "warning"
    remedy = "Look at them: a few bright pixels (burnt-in text, a hot pixel) may stretch the range of values; export them with a window."

    def applies(self, data: CheckInput) -> str | None:
        return None if data.dark else "no image or volume modality, or its files were not read"

    def find(self, data: CheckInput) -> list[Finding]:
        return [
            self.finding(f"modality {name!r}: {counted(int(dark.sum()), 'picture')} with hardly anything above black", int(dark.sum()), [name])
            for name, dark in data.dark.items()
            if dark.any()
        ]


LOOKED_UP = 200
"""Distinct values of a column whose endings are looked at."""


class UnreadFiles(Check):
    code = "unread-files"
    title = "Files of a format that is not read"
    severity = "warning"
    remedy = "Convert them (volumes to NIfTI or .npy, pictures to PNG), and name the column again."

    def find(self, data: CheckInput) -> list[Finding]:
        found = []
        for column in data.table.columns:
            ending = unread_format([v for v in data.table[column].unique()[:LOOKED_UP] if isinstance(v, str)])
            if ending is not None:
                found.append(self.finding(f"{column} names {ending} files; they are not used", int(data.table[column].notna().sum()), [column]))
        return found


class UnusableFiles(Check):
    code = "unusable-file"
    title = "Files that cannot be read safely"
    severity = "warning"
    remedy = "Their rows are set aside. Repair or remove the files; with --strict such a cohort is refused."

    def find(self, data: CheckInput) -> list[Finding]:
        aside = [s for s in data.set_aside if s.code == self.code]
        if not aside:
            return []
        reasons = [f"{reason} ({n})" for reason, n in Counter(s.reason for s in aside).most_common()]
        return [self.finding(f"{counted(len(aside), 'row')} set aside: {listed(reasons, 4)}", len(aside), sorted({s.column for s in aside if s.column}))]


class UnusableWeights(Check):
    code = "weight-unusable"
    title = "A sampling weight is missing or negative"
    severity = "error"
    remedy = "Their rows are set aside. Correct the weights, or leave the column out (--weights '')."

    def applies(self, data: CheckInput) -> str | None:
        return None if data.roles.weights else "no column of sampling weights"

    def find(self, data: CheckInput) -> list[Finding]:
        rows = len(unusable_weights(data.table[str(data.roles.weights)])) + sum(s.code == self.code for s in data.set_aside)
        return [self.finding(f"{counted(rows, 'row')} without a usable sampling weight", rows, [str(data.roles.weights)])] if rows else []


def unusable_weights(values: pd.Series) -> NDArray[np.int64]:
    """Places of the sampling weights that are missing, negative or no finite number."""
    numbers = pd.to_numeric(values, errors="coerce").to_numpy(dtype=np.float64)
    return np.flatnonzero(~np.isfinite(numbers) | (numbers < 0))


class NoPatientId(Check):
    code = "no-patient-id"
    title = "Patients are not identified"
    severity = "info"
    remedy = "If a patient can have several rows, name the patient column (--patient); else intervals are too narrow and splits leak."

    def find(self, data: CheckInput) -> list[Finding]:
        if data.roles.patient_id is None:
            return self._no_column(data)
        gap = int(data.table[data.roles.patient_id].isna().sum())
        return [self.finding(f"{counted(gap, 'row')} without a patient: each counts as a patient of its own", gap, [data.roles.patient_id])] if gap else []

    def _no_column(self, data: CheckInput) -> list[Finding]:
        message = "no patient column: every row counts as a patient of its own"
        for column in dict.fromkeys([*(m.columns[0] for m in data.roles.modalities if m.kind in ("image", "volume")), data.roles.sample_id]):
            values = data.table[column].dropna().astype(str) if column is not None else data.table.iloc[:0, 0]
            what, shared = "name", shared_beginnings(values) if len(values) else None
            if shared is None and len(values):
                shared, what = shared_folders(values), "folder"
            if shared is not None:
                example = listed(list(dict.fromkeys(shared)), 2)
                how = " with a common beginning" if what == "name" else " shared by several paths"
                message += f"; {column} has {counted(shared.nunique(), what)}{how} ({example}, ...) that may be patients"
                return [self.finding(message, len(data.table), [str(column)], severity="warning")]
        for column in data.table.columns:
            values = data.table[column].dropna()
            if column not in data.roles.attributes and column != data.roles.label and looks_like_patients(values.astype(str), len(data.table)):
                message += f"; {column} has {counted(values.nunique(), 'value')} on several rows each ({listed(list(values.unique()), 2)}) that may be patients"
                return [self.finding(message, len(data.table), [column], severity="warning")]
        return [self.finding(message, len(data.table))]


class SplitNotUsed(Check):
    code = "split-not-used"
    title = "A column that divides the data is not used"
    severity = "warning"
    remedy = "New splits are made. To keep the table's own, correct the column and name it (--split COL)."

    def applies(self, data: CheckInput) -> str | None:
        return None if data.roles.split is None else "a split column is used"

    def find(self, data: CheckInput) -> list[Finding]:
        roles = data.roles
        spoken_for = {roles.label, roles.sample_id, roles.patient_id, roles.fold, roles.site, *roles.attributes}
        found = []
        for column in data.table.columns:
            values = data.table[column]
            if column in spoken_for or not divides(column, values):
                continue
            try:
                parsed = parse_split(values, column)
                why = f"it can be used as it is: {int((parsed == 'test').sum())} rows would be the test set"
                found.append(
                    self.finding(
                        f"{column} divides the data, and is not used; {why}",
                        len(values),
                        [column],
                        remedy=f"Name it ({option('--split', column)}) to keep it{_for_folds(column, values)}; else new splits are made.",
                    )
                )
            except UserError as error:
                found.append(self.finding(f"{column} seems to divide the data, and is not used: {error}", len(values), [column]))
        return found


def _for_folds(column: str, values: pd.Series) -> str:
    return f", or {option('--fold', column)} for cross-validation" if folds(values.dropna().unique()) is not None else ""


def divides(column: str, values: pd.Series) -> bool:
    """Whether a column divides the data into splits or folds, well or badly written: by its values, or by its name."""
    present = values.dropna().unique()
    if not 2 <= len(present) <= MOST_FOLDS:
        return False
    words = {split_word(value, column) for value in present}
    return ("train" in words and len(words - {None}) >= 2) or (
        bool(words_of(column) & {"fold", "folds", "split", "splits", "partition", "subset"} or tidy(column) in ("set", "phase"))
        and values.nunique() < len(values)
    )


class PatientSides(Check):
    code = "patient-sides"
    title = "Patient ids that end in a side or visit"
    severity = "warning"
    remedy = "If both are one person, name the person in the patient column (--patient); else one may be in training and the other in the test set."

    def applies(self, data: CheckInput) -> str | None:
        return None if data.roles.patient_id else "no patient column"

    def find(self, data: CheckInput) -> list[Finding]:
        written = data.table[data.roles.patient_id].dropna().astype(str)
        persons = persons_of_sides(written.drop_duplicates())
        if persons is None:
            return []
        pairs = int((persons.value_counts() > 1).sum())
        shown = listed(list(written.drop_duplicates()[persons.duplicated(keep=False)]), 4)
        return [
            self.finding(
                f"{counted(pairs, 'patient')} whose ids differ only in the side or visit at their end ({shown}): each counts as a patient of its own",
                len(written),
                [str(data.roles.patient_id)],
            )
        ]


class PatientIdsAlike(Check):
    code = "patient-ids-alike"
    title = "One patient's id is written in several ways"
    severity = "warning"
    remedy = (
        "They are taken as one patient, whose rows stay in one split. If they are different patients, give them ids that differ in more than zeros or case."
    )

    def applies(self, data: CheckInput) -> str | None:
        return None if data.roles.patient_id else "no patient column"

    def find(self, data: CheckInput) -> list[Finding]:
        written = data.table[data.roles.patient_id]
        pairs = pd.DataFrame({"patient": data.patients, "way": written.to_numpy(dtype=object)}).dropna().drop_duplicates()
        repeated = pairs[pairs.duplicated("patient", keep=False)]
        several = [list(group["way"]) for _, group in repeated.groupby("patient", sort=False)]
        if not several:
            return []
        rows = int(written.isin([w for v in several for w in v]).sum())
        return [
            self.finding(
                f"{counted(len(several), 'patient')} written in several ways: {listed([' = '.join(v) for v in several], 3)}; each is taken as one",
                rows,
                [str(data.roles.patient_id)],
            )
        ]


class PatientIdsSimilar(PatientIdsAlike):
    code = "patient-ids-similar"
    title = "Patients' ids that differ in signs only"
    remedy = "If they are one patient, write them in one way: else one of their rows may be in training and another in the test set."

    def find(self, data: CheckInput) -> list[Finding]:
        written = data.table[data.roles.patient_id].dropna().astype(str)
        several = loosely_alike(list(written.unique()))
        if not several or len(several) < 0.02 * written.nunique():
            return []
        rows = int(written.isin([w for v in several for w in v]).sum())
        shown = listed([" and ".join(v) for v in several], 3)
        return [
            self.finding(
                f"{counted(len(several), 'pair')} of patients whose ids differ in signs or zeros only: {shown}; they count as different patients",
                rows,
                [str(data.roles.patient_id)],
            )
        ]


class PatientFromPath(Check):
    code = "patient-from-path"
    title = "Patients are read from paths"
    severity = "info"
    remedy = "If the folders are not patients, name the patient column (--patient)."

    def applies(self, data: CheckInput) -> str | None:
        return None if (data.roles.patient_id or "").startswith(PATH_PATIENT) else "patients have a column of their own, or none"

    def find(self, data: CheckInput) -> list[Finding]:
        patients = data.table[data.roles.patient_id].dropna()
        return [
            self.finding(
                f"{str(data.roles.patient_id).removeprefix(PATH_PATIENT)} names {counted(patients.nunique(), 'patient')} "
                f"({listed(list(dict.fromkeys(patients)), 3)}); each keeps its rows in one split",
                len(patients),
                [str(data.roles.patient_id)],
            )
        ]


class FewPatients(Check):
    code = "few-patients"
    title = "Very few patients"
    severity = "warning"
    remedy = "Expect wide intervals: most comparisons will end as not enough data."

    def find(self, data: CheckInput) -> list[Finding]:
        n = len(pd.unique(data.patients))
        return [self.finding(f"{counted(n, 'patient')} in all", len(data.table))] if n < MIN_PATIENTS else []
