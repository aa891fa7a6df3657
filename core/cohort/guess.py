"""What each column probably is, with the reason, for a person to confirm."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from core.cohort import images, volumes
from core.cohort.checks.leakage import column_leak
from core.cohort.schema import Modality, Roles
from core.cohort.sources import ImageSource
from core.errors import UserError
from core.tables.labels import apply_rule, known_positive, rule_for
from core.tables.numbers import to_number
from core.tables.splits import are_splits

MAX_GROUPS = 12
_PATIENT = ("patient_id", "patient", "patientid", "subject_id", "subject", "subjectid", "participant_id", "participant", "mrn", "pid", "case_id", "empi")
_SAMPLE = ("sample_id", "id", "image_id", "img_id", "study_id", "exam_id", "scan_id", "record_id", "uid", "filename", "file")
_LABEL = ("label", "y", "target", "outcome", "class", "ground_truth", "gt", "disease", "malignant", "glaucoma", "event", "death", "diagnosis")
_SPLIT = ("split", "set", "use", "partition", "subset", "fold", "dataset")
_SENSITIVE = frozenset(
    {
        *("sex", "gender", "race", "ethnicity", "ethnic", "hispanic", "fitzpatrick", "fitspatrick", "nationality"),
        *("language", "religion", "insurance", "marital", "maritalstatus", "disability", "income", "education", "deprivation"),
        *("skin", "skintype", "skintone", "skincolor", "ageband", "agegroup", "agebin", "agecat"),
    }
)
_FILE_FACTS = frozenset(["width", "height", "filename", "filesize", "license", "licence", "url", "source", "camera", "device", "md5", "sha256", "checksum"])


@dataclass(frozen=True)
class RoleGuess:
    """Guessed roles, and per column of the table its role in words and the reason for it."""

    roles: Roles
    reasons: dict[str, str]
    parts: dict[str, str]
    """Column -> one of sample id, patient id, label, split, attribute, the modality's name, dropped."""


def guess_roles(
    table: pd.DataFrame,
    files: ImageSource | None = None,
    *,
    fixed: Roles | None = None,
    label: str | None = None,
    positive: str | None = None,
    sample_id: str | None = None,
    patient_id: str | None = None,
    split: str | None = None,
    attributes: Iterable[str] = (),
    modalities: Iterable[Modality] = (),
    dropped: Iterable[str] = (),
) -> RoleGuess:
    """Guess the roles of all columns that are not given.

    A given attribute or modality keeps its columns; further ones are guessed
    from the columns left over, kind by kind: naming an image modality still
    lets the tabular one be guessed. `split=""` means: make splits. Raises
    UserError when no label or no modality can be made out.
    """
    if fixed is not None:
        return RoleGuess(fixed, {c: "as given" for c in table.columns}, _parts(fixed, table.columns))
    given = {"label": label, "sample id": sample_id, "patient id": patient_id, "split": split or None}
    _require(table, [*given.values(), *attributes, *dropped, *(c for m in modalities for c in m.columns)])
    work = _Guess(table, files)
    for part, column in given.items():
        if column is not None:
            work.take(column, part, "as given")
    for column in attributes:
        work.take(column, "attribute", "as given")
    for modality in modalities:
        for column in modality.columns:
            work.take(column, modality.name, "as given", keep=True)
    for column in dropped:
        work.take(column, "dropped", "as given")
    named = tuple(modalities)
    work.special(no_split=split == "")
    chosen_label = work.column("label")
    if chosen_label is None:
        raise UserError(f"which column is the label? Say so with --label COL; the table has: {', '.join(table.columns)}")
    rule = rule_for(table[chosen_label].unique(), chosen_label, "the table", positive)
    chosen_positive = str(rule) if positive is None or rule.contains is not None or rule.at_least is not None else positive
    kinds = {m.kind for m in named}
    guessed = work.files(skip={k for k in ("image", "volume") if k in kinds})
    if not list(attributes):
        work.attributes()
    y = apply_rule(table[chosen_label], rule)
    work.remaining(y, tabular="tabular" not in kinds, text="text" not in kinds)
    all_modalities = _named_apart((*named, *guessed, *work.text_modalities(), *work.tabular_modality()))
    if not all_modalities:
        raise UserError("no modality can be made out: name at least one with --image, --volume, --text or --tabular")
    roles = Roles(
        sample_id=work.column("sample id"),
        patient_id=work.column("patient id"),
        label=chosen_label,
        positive=chosen_positive,
        split=work.column("split"),
        attributes=tuple(c for c in table.columns if work.parts.get(c) == "attribute" or c in set(attributes)),
        modalities=all_modalities,
        dropped=tuple(c for c in table.columns if work.parts.get(c) == "dropped"),
    )
    return RoleGuess(roles, work.reasons, _parts(roles, table.columns))


class _Guess:
    """The columns assigned so far, and why."""

    def __init__(self, table: pd.DataFrame, source: ImageSource | None) -> None:
        self.table, self.source = table, source
        self.parts: dict[str, str] = {}
        self.reasons: dict[str, str] = {}
        self._texts: list[Modality] = []
        self._values: list[str] = []

    def take(self, column: str, part: str, reason: str, *, keep: bool = False) -> None:
        if keep and column in self.parts:
            return
        self.parts[column], self.reasons[column] = part, reason

    def column(self, part: str) -> str | None:
        return next((c for c, p in self.parts.items() if p == part), None)

    def free(self) -> list[str]:
        return [c for c in self.table.columns if c not in self.parts]

    def special(self, *, no_split: bool) -> None:
        table = self.table
        if self.column("patient id") is None:
            self._by_name("patient id", _PATIENT, lambda c: True, "its name says patient")
        if self.column("sample id") is None:
            self._by_name("sample id", _SAMPLE, lambda c: table[c].nunique() >= 0.9 * len(table), "its name says id and nearly every value is different")
        if self.column("label") is None:
            self._by_name("label", _LABEL, lambda c: table[c].nunique() == 2 or known_positive(table[c].unique()) is not None, "its name says label and its values are a known pair, or two")
        if self.column("split") is None and not no_split:
            self._by_name("split", _SPLIT, self._is_split, "its values are train, validation and test")

    def _is_split(self, column: str) -> bool:
        values = self.table[column]
        return bool(values.notna().all()) and are_splits(values.unique())

    def _by_name(self, part: str, names: tuple[str, ...], fits: Callable[[str], bool], reason: str) -> None:
        lowered = {re.sub(r"[^a-z0-9]+", "_", c.lower()).strip("_"): c for c in self.free()}
        for name in names:
            if name in lowered and fits(lowered[name]):
                self.take(lowered[name], part, reason)
                return

    def files(self, skip: set[str]) -> list[Modality]:
        found = []
        for column in self.free():
            values = self.table[column].dropna().astype(str)
            if values.empty:
                continue
            kind = _file_kind(values)
            if kind is None or kind in skip:
                continue
            name = re.sub(r"[_ -]?(path|paths|file|filename|name)$", "", column, flags=re.IGNORECASE).strip("_ -") or kind
            name = re.sub(r"[^\w. -]+|_{2,}", "_", name).lstrip(".") or kind
            self.take(column, name, f"its values are paths of {kind} files")
            found.append(Modality(name, kind, (column,)))  # type: ignore[arg-type]
        return found

    def attributes(self) -> None:
        for column in self.free():
            tokens = set(re.sub(r"([a-z])([A-Z])", r"\1_\2", column).lower().replace("-", "_").replace(" ", "_").split("_"))
            joined = re.sub(r"[^a-z]", "", column.lower())
            n = self.table[column].nunique()
            # "skin" alone is an attribute, as a part of a longer name (skin cancer) it is not.
            if (tokens & (_SENSITIVE - {"skin"}) or joined in _SENSITIVE) and 2 <= n <= MAX_GROUPS:
                self.take(column, "attribute", f"its name is that of a sensitive attribute and it has {n} values")

    def remaining(self, y: NDArray[np.float64], *, tabular: bool, text: bool) -> None:
        patient = self.column("patient id")
        patients = self.table[patient].fillna("").to_numpy(dtype=object) if patient else np.arange(len(self.table)).astype(object)
        for column in self.free():
            values = self.table[column].dropna()
            leak = column_leak(self.table[column], y, patients)
            reason = _why_not(column, values)
            if reason is not None:
                self.take(column, "dropped", reason)
            elif leak is not None:
                self.take(column, "dropped", f"it gives the label away: {leak.reason}")
            elif _is_prose(values):
                if text:
                    self._texts.append(Modality(re.sub(r"[^\w. -]+|_{2,}", "_", column).lstrip(".") or "text", "text", (column,)))
                self.take(column, self._texts[-1].name if text else "dropped", "its values are sentences")
            elif to_number(values) is None and values.nunique() > max(50, 0.2 * len(values)):
                self.take(column, "dropped", f"{values.nunique()} different words are too many for a category")
            elif tabular:
                self._values.append(column)
                self.take(column, "tabular", "its values are numbers" if to_number(values) is not None else f"it has {values.nunique()} categories")
            else:
                self.take(column, "dropped", "not among the tabular columns given")

    def text_modalities(self) -> list[Modality]:
        return self._texts

    def tabular_modality(self) -> list[Modality]:
        return [Modality("clinical", "tabular", tuple(self._values))] if self._values else []


def _why_not(column: str, values: pd.Series) -> str | None:
    """Why a column cannot be a feature; None when it can."""
    tokens = set(re.split(r"[^a-z0-9]+", re.sub(r"([a-z])([A-Z])", r"\1_\2", column).lower()))
    if values.nunique() < 2:
        return "it has a single value"
    if "missing" in tokens and values.nunique() == 2:
        return "it marks absence, which must not reach a model unasked"
    if tokens & _FILE_FACTS:
        return "it describes the file, not the patient"
    if tokens & {"fold", "split", "partition"}:
        return "it divides the data"
    if tokens & {"id", "uid", "identifier", "mrn", "accession"} or (column.lower().endswith("id") and values.nunique() > 0.5 * len(values)):
        return "its name says that it identifies something"
    if len(values) >= 10 and values.nunique() > 0.9 * len(values) and to_number(values) is None and not _is_prose(values):
        return "every row has a word of its own"
    return None


def _is_prose(values: pd.Series) -> bool:
    lengths = values.astype(str).str.count(r"\S+")
    return len(lengths) > 0 and float(lengths.mean()) >= 4 and values.nunique() > 20


def _file_kind(values: pd.Series) -> str | None:
    lowered = values.str.lower()
    if lowered.str.endswith(volumes.SUFFIXES).mean() > 0.9:
        return "volume"
    if lowered.str.endswith(images.SUFFIXES).mean() > 0.9:
        return "image"
    return None


def _named_apart(modalities: tuple[Modality, ...]) -> tuple[Modality, ...]:
    seen: set[str] = set()
    apart = []
    for modality in modalities:
        name = modality.name
        number = 2
        while name in seen:
            name, number = f"{modality.name} {number}", number + 1
        seen.add(name)
        apart.append(Modality(name, modality.kind, modality.columns))
    return tuple(apart)


def _require(table: pd.DataFrame, columns: Iterable[str | None]) -> None:
    for column in columns:
        if column is not None and column not in table.columns:
            raise UserError(f"column {column!r} is not in the table; it has: {', '.join(table.columns)}")


def _parts(roles: Roles, columns: Iterable[str]) -> dict[str, str]:
    parts = {c: "dropped" for c in columns}
    for modality in roles.modalities:
        parts |= dict.fromkeys(modality.columns, modality.name)
    parts |= dict.fromkeys(roles.attributes, "attribute")
    for column, part in ((roles.sample_id, "sample id"), (roles.patient_id, "patient id"), (roles.label, "label"), (roles.split, "split")):
        if column is not None:
            parts[column] = part
    return parts
