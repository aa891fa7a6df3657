"""What each column probably is, with the reason, for a person to confirm."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from core.cohort import images, volumes
from core.cohort.checks.leakage import column_leak, divides_into_sets, leak_groups
from core.cohort.composed_names import FILE_OF
from core.cohort.label_tables import sibling_findings
from core.cohort.layouts import layout_named, named_like, recognised
from core.cohort.matching import is_web_address, share_found, unread_format
from core.cohort.patients import PATH_PATIENT
from core.cohort.schema import Modality, Roles
from core.cohort.sources import ImageSource
from core.errors import UserError
from core.tables import column_names as usual
from core.tables.column_names import names_sensitive, tidy
from core.tables.crossing import CROSS
from core.tables.identifiers import numbers_rows
from core.tables.labels import apply_rule, known_positive, rule_for
from core.tables.numbers import WORDS, parse_numbers, to_number, why_no_numbers
from core.tables.splits import are_splits, folds

MAX_GROUPS = 12
LOOKED_UP = 200
"""Values of a column that are looked up among the files."""
MOST_LEVELS = 40
PROSE_READ = 2000
"""Distinct values that are looked at to tell sentences from words."""


@dataclass(frozen=True)
class RoleGuess:
    """Guessed roles, and per column of the table its role in words and the reason for it.

    question : what has to be answered before the roles are complete (the label, its positive value); None when nothing has.
        `roles` then has an empty label or positive value, and all other roles are guessed all the same.
    """

    roles: Roles
    reasons: dict[str, str]
    parts: dict[str, str]
    """Column -> one of sample id, patient id, label, split, attribute, the modality's name, dropped."""
    question: str | None = None


def guess_roles(
    table: pd.DataFrame,
    files: ImageSource | None = None,
    *,
    fixed: Roles | None = None,
    label: str | None = None,
    positive: str | None = None,
    uncertain: str = "exclude",
    blank: str = "exclude",
    sample_id: str | None = None,
    patient_id: str | None = None,
    split: str | None = None,
    attributes: Iterable[str] = (),
    modalities: Iterable[Modality] = (),
    dropped: Iterable[str] = (),
    layout: str | None = None,
    fold: str | None = None,
    site: str | None = None,
    weights: str | None = None,
) -> RoleGuess:
    """`propose_roles`, refusing where something has to be answered.

    Raises
    ------
    UserError
        When no label, no positive value or no modality can be made out.
    """
    guess = propose_roles(
        table, files, fixed=fixed, label=label, positive=positive, uncertain=uncertain, blank=blank, sample_id=sample_id, patient_id=patient_id, split=split,
        attributes=attributes, modalities=modalities, dropped=dropped, layout=layout, fold=fold, site=site, weights=weights,
    )  # fmt: skip
    if guess.question is not None:
        raise UserError(guess.question)
    if not guess.roles.modalities:
        raise UserError("no modality was recognised: name at least one with --image, --volume, --text or --tabular")
    return guess


def _take_given(work: _Guess, given: Mapping[str, str | None], attributes: Sequence[str], named: Sequence[Modality], dropped: Iterable[str]) -> None:
    for part, column in given.items():
        if column is not None:
            work.take(column, part, "as given")
    for column in attributes:
        work.take(column, "attribute", "as given")
    for modality in named:
        for column in modality.columns:
            work.take(column, modality.name, "as given", keep=True)
    for column in dropped:
        work.take(column, "dropped", "as given")


def propose_roles(
    table: pd.DataFrame,
    files: ImageSource | None = None,
    *,
    fixed: Roles | None = None,
    label: str | None = None,
    positive: str | None = None,
    uncertain: str = "exclude",
    blank: str = "exclude",
    sample_id: str | None = None,
    patient_id: str | None = None,
    split: str | None = None,
    attributes: Iterable[str] = (),
    modalities: Iterable[Modality] = (),
    dropped: Iterable[str] = (),
    layout: str | None = None,
    fold: str | None = None,
    site: str | None = None,
    weights: str | None = None,
) -> RoleGuess:
    """Guess the roles of all columns that are not given.

    A given attribute or modality keeps its columns; further ones are guessed
    from the columns left over, kind by kind: naming an image modality still
    lets the tabular one be guessed. `split=""` means: make splits. `layout`: a well-known
    cohort (`core.cohort.layouts`), whose columns that repeat the label are dropped. What cannot
    be guessed is a question, not an obstacle to the rest. Raises UserError for
    columns that the table does not have.
    """
    if fixed is not None:
        return RoleGuess(fixed, {c: "as given" for c in table.columns}, _parts(fixed, table.columns))
    known = recognised(table.columns) if layout is None else layout_named(layout, table.columns)
    if label is None and known is not None and known.label is not None:
        label = named_like(known.label, table.columns)
    if layout is not None and known is not None:
        repeats = (named_like(c, table.columns) for c in known.repeats)
        dropped = [*dropped, *(c for c in repeats if c is not None and c != label)]
    given = {"label": label, "sample id": sample_id, "patient id": patient_id, "split": split or None}
    attributes, named = list(attributes), tuple(modalities)
    _require(table, [*given.values(), fold, site, weights, *attributes, *dropped, *(c for m in named for c in m.columns)])
    work = _Guess(table, files)
    _take_given(work, given | {"fold": fold, "sampling weight": weights}, attributes, named, dropped)
    if site is not None and site not in work.parts:
        work.take(site, "site", "as given; its rows stay in one split")
    work.special(no_split=split == "")
    rule_text, y, question = _label(table, work.column("label"), positive, uncertain, blank)
    kinds = {m.kind for m in named}
    guessed = work.files(skip={k for k in ("image", "volume") if k in kinds})
    if not attributes:
        work.attributes()
    else:
        work.crossed()
    work.remaining(y, tabular="tabular" not in kinds, text="text" not in kinds)
    roles = Roles(
        sample_id=work.column("sample id"),
        patient_id=work.column("patient id"),
        label=work.column("label") or "",
        positive=rule_text,
        split=work.column("split"),
        attributes=tuple(c for c in table.columns if work.parts.get(c) == "attribute" or c in set(attributes)),
        modalities=_named_apart((*named, *guessed, *work.text_modalities(), *work.tabular_modality())),
        dropped=tuple(c for c in table.columns if work.parts.get(c) == "dropped"),
        uncertain=uncertain,
        blank=blank,
        fold=fold,
        site=site,
        weights=work.column("sampling weight"),
    )
    return RoleGuess(roles, work.reasons, _parts(roles, table.columns), question)


def _label(table: pd.DataFrame, label: str | None, positive: str | None, uncertain: str, blank: str) -> tuple[str, NDArray[np.float64], str | None]:
    """The rule for positive as text, the label per row (NaN while it is not known), and what must be asked."""
    nothing = np.full(len(table), np.nan)
    if label is None:
        return "", nothing, f"which column is the label? Say so with --label COL; the table has: {', '.join(table.columns)}"
    try:
        rule = rule_for(table[label].unique(), label, "the table", positive, uncertain, blank)
    except UserError as error:
        if positive is not None:
            raise
        return "", nothing, str(error).removeprefix("the table: ")
    text = str(rule) if positive is None or rule.contains is not None or rule.at_least is not None else positive
    return text, apply_rule(table[label], rule), None


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
            self._by_name("patient id", usual.PATIENT, lambda c: True, "its name says patient")
        if self.column("patient id") is None:
            self._by_path_patient()
        if self.column("patient id") is None:
            repeated = [c for c in self.free() if tidy(c) == "lesion_id" and self.table[c].nunique() < len(self.table)]
            if repeated:
                self.take(repeated[0], "patient id", "no column names patients; rows of one lesion stay together at least")
        if self.column("sample id") is None:
            self._by_name(
                "sample id", usual.SAMPLE, lambda c: bool(table[c].nunique() >= 0.9 * len(table)), "its name says id and nearly every value is different"
            )
        if self.column("label") is None:
            self._by_name(
                "label",
                usual.LABEL,
                lambda c: bool(table[c].nunique() == 2 or known_positive(table[c].unique()) is not None),
                "its name says label and its values are a known pair, or two",
            )
        if self.column("sampling weight") is None:
            self._by_name("sampling weight", usual.WEIGHTS, lambda c: to_number(table[c]) is not None, "its name says sampling weight and it holds numbers")
        if self.column("split") is None and not no_split:
            words = [c for c in self.free() if self._is_split(c)]
            named = [c for c in words if tidy(c) in usual.SPLIT] or words
            if named:
                self.take(named[0], "split", "its values say which rows are for training and test")

    def _by_path_patient(self) -> None:
        column = next((c for c in self.free() if c.startswith(PATH_PATIENT)), None)
        if column is not None:
            self.take(column, "patient id", f"the names of its files tell patients apart ({self.table[column].dropna().iloc[0]}, ...)")

    def _is_split(self, column: str) -> bool:
        values = self.table[column]
        return bool(values.notna().all()) and values.nunique() <= 6 and are_splits(values.unique(), column)

    def _by_name(self, part: str, names: tuple[str, ...], fits: Callable[[str], bool], reason: str) -> None:
        named = {tidy(c): c for c in self.free()}
        for name in names:
            if name in named and fits(named[name]):
                self.take(named[name], part, reason)
                return

    def files(self, skip: set[str]) -> list[Modality]:
        """Columns of file names: by their endings, else by the files that the source holds."""
        found: list[Modality] = []
        columns = [c for c in self.table.columns if self.parts.get(c) in (None, "sample id", "patient id")]
        for column in columns:
            values = self.table[column].dropna().astype(str)
            kind = None if values.empty or is_web_address(values.iloc[0]) else _file_kind(values)
            if kind is not None and kind not in skip:
                found.append(self._modality(column, kind, f"its values are paths of {kind} files"))
        if found or skip or self.source is None:
            return found
        looked = [seen for column in columns if (seen := self._by_looking(column)) is not None]
        if looked:
            share, _, column, example = max(looked, key=lambda seen: seen[:2])
            kind = "volume" if example.lower().endswith(volumes.VOLUME_SUFFIXES) else "image"
            fits = "each value fits" if share == 1 else f"{share:.0%} of the values fit"
            return [self._modality(column, kind, f"{fits} one {kind} file, such as {example}")]
        return found

    def _by_looking(self, column: str) -> tuple[float, float, str, str] | None:
        """The share of the column's values that name a file without its ending, how different they are, and one such file."""
        values = self.table[column].dropna().astype(str).drop_duplicates()
        different = len(values) / max(len(self.table), 1)
        # A number such as an age may happen to be a file's name: whole numbers must be as different as files are.
        needed = 0.9 if values.str.fullmatch(r"[-+]?\d+").mean() > 0.5 else 0.5
        if len(values) < 2 or different < needed or to_decimal_fractions(values) or self.source is None:
            return None
        chosen = values.iloc[np.linspace(0, len(values) - 1, min(len(values), LOOKED_UP)).astype(int)].tolist()
        share, example = share_found(self.source, chosen)
        return None if share < 0.5 or example is None else (share, different, column, example)

    def _modality(self, column: str, kind: str, reason: str) -> Modality:
        column_name = "" if column.startswith(FILE_OF) else column
        name = re.sub(r"[_ -]*\(?(path|paths|file|files|filename|file_name|name|id|index)\)?$", "", column_name, flags=re.IGNORECASE).strip("_ -([")
        name = re.sub(r"_{2,}", "_", re.sub(r"[^\w. -]+", "_", name)).strip("_").lstrip(".") or kind
        if self.parts.get(column) in ("sample id", "patient id"):
            self.reasons[column] += f"; {reason}"
        else:
            self.take(column, name, reason)
        return Modality(name, kind, (column,))  # type: ignore[arg-type]

    def attributes(self) -> None:
        for column in self.free():
            n = self.table[column].nunique()
            if CROSS in column and n >= 2:
                self.take(column, "attribute", f"its groups are the intersections of {column.replace(CROSS, ' and ')}")
            elif names_sensitive(column) and 2 <= n <= MAX_GROUPS:
                self.take(column, "attribute", f"its name is that of a sensitive attribute and it has {n} values")

    def crossed(self) -> None:
        """Intersections that were asked for are attributes, whatever others are named."""
        for column in [c for c in self.free() if CROSS in c]:
            self.take(column, "attribute", f"its groups are the intersections of {column.replace(CROSS, ' and ')}")

    def remaining(self, y: NDArray[np.float64], *, tabular: bool, text: bool) -> None:
        groups = leak_groups(self.table, self.column("patient id"), y, self.column("label"))
        siblings = sibling_findings(self.table, self.column("label"))
        for column in self.free():
            values = self.table[column].dropna()
            reason = f"it is another finding of the same label table as '{self.column('label')}'" if column in siblings else _why_not(column, values)
            if reason is None and len(values) == len(y) and divides_into_sets(values, y):
                reason = "each of its values has the same number of cases, as matched sets have; these stay in one split"
            if reason is not None:
                self.take(column, "dropped", reason)
            elif _is_prose(values):
                if text:
                    self._texts.append(Modality(re.sub(r"_{2,}", "_", re.sub(r"[^\w. -]+", "_", column)).strip("_").lstrip(".") or "text", "text", (column,)))
                self.take(column, self._texts[-1].name if text else "dropped", "its values are sentences")
            else:
                self._value(column, values, y, groups, tabular=tabular)

    def _value(self, column: str, values: pd.Series, y: NDArray[np.float64], groups: NDArray[np.object_], *, tabular: bool) -> None:
        numbers = to_number(values)
        if numbers is None and values.nunique() > MOST_LEVELS:
            self.take(column, "dropped", why_no_numbers(values) or f"{values.nunique()} different words are too many for a category")
        elif not tabular:
            self.take(column, "dropped", "not among the tabular columns given")
        else:
            self._values.append(column)
            reason = _number_reason(column, values) if numbers is not None else f"it has {values.nunique()} categories"
            leak = column_leak(self.table[column], y, groups)
            if leak is not None:
                reason += f"; it may reveal the label: {leak.reason}"
            self.take(column, "tabular", reason)

    def text_modalities(self) -> list[Modality]:
        return self._texts

    def tabular_modality(self) -> list[Modality]:
        return [Modality("clinical", "tabular", tuple(self._values))] if self._values else []


def _number_reason(column: str, values: pd.Series) -> str:
    read = parse_numbers(values, column)
    if set(values.astype(str).str.lower().unique()) <= set(WORDS):
        return "its values are yes and no"
    if read is None or not read.findings:
        return "its values are numbers"
    return "its values are numbers; " + "; ".join(f.message.removeprefix(f"{column}: ") for f in read.findings)


def _why_not(column: str, values: pd.Series) -> str | None:
    """Why a column cannot be a feature; None when it can."""
    tokens = set(re.split(r"[^a-z0-9]+", re.sub(r"([a-z])([A-Z])", r"\1_\2", column).lower()))
    if values.nunique() < 2:
        return "it has a single value"
    if "missing" in tokens and values.nunique() == 2:
        return "it marks absence, which must not reach a model unasked"
    some = values.drop_duplicates().head(LOOKED_UP).astype(str)
    if some.map(is_web_address).mean() > 0.5:
        return "its values are web addresses"
    unread = unread_format(some)
    if unread is not None:
        return f"its values are names of {unread} files, which are not read"
    if tokens & usual.FILE_FACTS and not (tokens & {"height", "width"} and _of_a_body(column, values)):
        return "it describes the file, not the patient"
    numbered = folds(values.unique())
    if tokens & {"fold", "split", "partition"}:
        return "it divides the data" + (
            f" into folds {numbered[0]} to {numbered[-1]}; name it with --fold {column} for cross-validation, or with --split {column} to use the last "
            f"one as test set"
            if numbered and len(numbered) > 2
            else ""
        )
    if numbers_rows(column, values):
        return "it numbers the rows"
    if usual.names_matched(column, values):
        return "it says which rows were matched to each other; these stay in one split"
    if tokens & {"id", "uid", "identifier", "mrn", "accession"} or (column.lower().endswith("id") and values.nunique() > 0.5 * len(values)):
        return "its name says that it identifies something"
    if len(values) >= 10 and values.nunique() > 0.9 * len(values) and to_number(values) is None and not _is_prose(values):
        return why_no_numbers(values) or "every row has a word of its own"
    return None


def _of_a_body(column: str, values: pd.Series) -> bool:
    """Whether a height is a person's, by its unit or its size in centimetres or metres; those of pictures are pixels."""
    if "height" not in column.lower():
        return False
    if values.astype(str).str.contains(r"\d\s*(?:cm|m|in|ft)\b", regex=True).mean() > 0.5 or re.search(r"(?:^|[_ (])(?:cm|m|in)\)?$", column.lower()):
        return True
    numbers = to_number(values)
    return numbers is not None and bool((numbers.dropna() % 1 != 0).mean() > 0.1 or (numbers.between(40, 230).mean() > 0.99 and numbers.nunique() > 10))


def to_decimal_fractions(values: pd.Series) -> bool:
    """Whether the values are measured numbers (with decimals), which name no file."""
    return bool(values.str.fullmatch(r"[-+]?\d*[.,]\d+([eE][-+]?\d+)?").mean() > 0.5)


def _is_prose(values: pd.Series) -> bool:
    distinct = values.drop_duplicates()
    lengths = distinct.head(PROSE_READ).astype(str).str.count(r"\S+")
    return len(distinct) > 20 and float(lengths.mean()) >= 4


def _file_kind(values: pd.Series) -> str | None:
    # A list in one cell (['a.png', 'b.png']) is about files as well; that it names several is said when they are looked for.
    lowered = values.str.lower().str.rstrip(" ]})'\"")
    if lowered.str.endswith(volumes.VOLUME_SUFFIXES).mean() > 0.9:
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


def column_roles(table: pd.DataFrame, roles: Roles, reasons: Mapping[str, str]) -> list[dict[str, str]]:
    """Per column of the table its name, its role and why, as it is printed and kept."""
    parts = _parts(roles, table.columns)
    kinds = {m.name: m.kind for m in roles.modalities}
    rows = []
    for column in table.columns:
        part = parts[column]
        inputs = [m.name for m in roles.modalities if column in m.columns]
        role = f"input of {part} ({kinds[part]})" if part in kinds and part in inputs else "not used" if part == "dropped" else part
        if inputs and part not in inputs:
            role += f"; input of {', '.join(inputs)}"
        rows.append({"column": column, "role": role, "why": reasons.get(column, "as given")})
    return rows


def _require(table: pd.DataFrame, columns: Iterable[str | None]) -> None:
    for column in columns:
        if column is not None and column not in table.columns:
            raise UserError(f"column {column!r} is not in the table; it has: {', '.join(table.columns)}")


def _parts(roles: Roles, columns: Iterable[str]) -> dict[str, str]:
    parts = {c: "dropped" for c in columns}
    for modality in roles.modalities:
        parts |= dict.fromkeys(modality.columns, modality.name)
    parts |= dict.fromkeys(roles.attributes, "attribute")
    for column, part in (
        (roles.site, "site"),
        (roles.weights, "sampling weight"),
        (roles.fold, "fold"),
        (roles.sample_id, "sample id"),
        (roles.patient_id, "patient id"),
        (roles.label, "label"),
        (roles.split, "split"),
    ):
        if column is not None and column in parts and (part != "site" or parts[column] == "dropped"):
            parts[column] = part
    return parts
