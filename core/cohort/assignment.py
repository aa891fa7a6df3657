"""Which column has which part, assigned one after the other with the reason for each."""

from __future__ import annotations

import re
from collections.abc import Callable

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from core.cohort import volumes
from core.cohort.checks.leakage import column_leak, divides_into_sets, leak_groups
from core.cohort.column_facts import LOOKED_UP, ColumnFacts
from core.cohort.composed_names import FILE_OF
from core.cohort.label_tables import sibling_findings
from core.cohort.layouts import Layout, named_like
from core.cohort.matching import share_found
from core.cohort.patients import PATH_PATIENT
from core.cohort.schema import Modality
from core.cohort.sides import SIDE_IN, VIEW_IN
from core.cohort.sources import ImageSource
from core.tables import column_names as usual
from core.tables.column_names import names_sensitive, tidy
from core.tables.crossing import CROSS
from core.tables.join import PART
from core.tables.labels import known_positive
from core.tables.numbers import to_number, why_no_numbers
from core.tables.splits import are_splits

MAX_GROUPS = 12
MOST_LEVELS = 40
MOST_CLASSES = 20
"""Values up to which a column that is named like a label is taken for one of several classes."""


class Assignment:
    """The columns assigned so far, and why.

    parts : column -> its part (label, attribute, ..., or the name of a modality). reasons : column -> why.
    """

    def __init__(self, table: pd.DataFrame, source: ImageSource | None) -> None:
        self.table, self.source = table, source
        self.parts: dict[str, str] = {}
        self.reasons: dict[str, str] = {}
        self._facts: dict[str, ColumnFacts] = {}
        self._texts: list[Modality] = []
        self._values: list[str] = []

    def take(self, column: str, part: str, reason: str, *, keep: bool = False) -> None:
        """Give the column a part; `keep` leaves an earlier one."""
        if keep and column in self.parts:
            return
        self.parts[column], self.reasons[column] = part, reason

    def facts(self, column: str) -> ColumnFacts:
        """What the column holds, looked at once."""
        if column not in self._facts:
            self._facts[column] = ColumnFacts(self.table[column])
        return self._facts[column]

    def column(self, part: str) -> str | None:
        """The column that has the part, None where none has."""
        return next((c for c, p in self.parts.items() if p == part), None)

    def free(self) -> list[str]:
        """Columns without a part so far."""
        return [c for c in self.table.columns if c not in self.parts]

    def special(self, *, no_split: bool) -> None:
        """The columns that a table has one of: patient, sample, label, weights, split."""
        table = self.table
        if self.column("patient id") is None:
            self._by_name("patient id", usual.PATIENT, lambda c: True, "its name says patient")
        if self.column("patient id") is None:
            person = next((c for c in self.free() if usual.names_patient(c) and table[c].nunique() > 1), None)
            person = person or next((c for c in self.free() if tidy(c) in usual.SHORT_PATIENT and table[c].nunique() >= max(5, 0.02 * len(table))), None)
            if person is not None:
                self.take(person, "patient id", "its name says patient")
        if self.column("patient id") is None:
            self._by_path_patient()
        if self.column("patient id") is None:
            lesions = [c for c in self.free() if tidy(c) == "lesion_id" and self.table[c].nunique() < len(self.table)]
            if lesions:
                self.take(lesions[0], "patient id", "no column names patients; rows of one lesion stay together at least")
        if self.column("patient id") is None:
            again = next((c for name in usual.REPEATED for c in self.free() if tidy(c) == name and self._repeats(c)), None)
            if again is not None:
                self.take(again, "patient id", f"no column names patients; rows of one {again} stay together at least")
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
        if self.column("label") is None:
            # Which of its values is positive, or whether they are told apart, is asked.
            self._by_name("label", usual.LABEL, self._few_classes, "its name says label and it has few values")
        if self.column("sampling weight") is None:
            self._by_name("sampling weight", usual.WEIGHTS, lambda c: to_number(table[c]) is not None, "its name says sampling weight and it holds numbers")
        if self.column("split") is None and not no_split:
            words = [c for c in self.free() if self._is_split(c)]
            named = [c for c in words if tidy(c) in usual.SPLIT] or words
            if named:
                self.take(named[0], "split", "its values say which rows are for training and test")

    def _few_classes(self, column: str) -> bool:
        return 3 <= self.table[column].nunique() <= min(MOST_CLASSES, 0.5 * len(self.table))

    def _repeats(self, column: str) -> bool:
        """Whether an id stands in two rows or a few, as patients' ids do: not in each row another, and not in great groups."""
        n = self.table[column].nunique()
        return 5 <= n <= 0.8 * len(self.table) and n >= 0.05 * len(self.table)

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
        columns = [c for c in self.table.columns if self.parts.get(c) in (None, "sample id", "patient id")]
        kinds = {c: kind for c in columns if (kind := self.facts(c).file_kind) is not None and kind not in skip}
        looked = [] if skip else [seen for c in columns if c not in kinds and (seen := self._by_looking(c)) is not None]
        absent = {c for c in kinds if self._names_no_file(c)}
        if kinds and (len(absent) < len(kinds) or not looked):
            left_out = absent if len(absent) < len(kinds) else set()
            found = [self._modality(c, kind, f"its values are paths of {kind} files") for c, kind in kinds.items() if c not in left_out]
        elif looked:
            share, _, column, example = max(looked, key=lambda seen: seen[:2])
            kind = "volume" if example.lower().endswith(volumes.VOLUME_SUFFIXES) else "image"
            fits = "each value fits" if share == 1 else f"{share:.0%} of the values fit"
            left_out, found = absent, [self._modality(column, kind, f"{fits} one {kind} file, such as {example}")]
        else:
            return []
        for column in left_out - set(self.parts):
            self.take(column, "dropped", "its values are names of files, none of which is there")
        return found

    def _names_no_file(self, column: str) -> bool:
        """Whether the source holds none of the files that a column names."""
        return self.source is not None and share_found(self.source, self._chosen(column))[0] == 0

    def _chosen(self, column: str) -> list[str]:
        values = self.facts(column).distinct
        return [values[i] for i in np.linspace(0, len(values) - 1, min(len(values), LOOKED_UP)).astype(int)] if values else []

    def _by_looking(self, column: str) -> tuple[float, float, str, str] | None:
        """The share of the column's values that name a file without its ending, how different they are, and one such file."""
        facts = self.facts(column)
        different = len(facts.distinct) / max(len(self.table), 1)
        # A number such as an age may happen to be a file's name: whole numbers must be as different as files are.
        if len(facts.distinct) < 2 or different < 0.5 or facts.decimal_fractions or self.source is None or (different < 0.9 and facts.whole_numbers):
            return None
        share, example = share_found(self.source, self._chosen(column))
        return None if share < 0.5 or example is None else (share, different, column, example)

    def _modality(self, column: str, kind: str, reason: str) -> Modality:
        column_name = "" if column.startswith(FILE_OF) else column
        name = re.sub(r"[_ -]*\(?(path|paths|file|files|filename|file_name|name|id|index)\)?$", "", column_name, flags=re.IGNORECASE).strip("_ -([")
        name = _as_name(name)
        name = name if len(name) > 2 or (name and name == column_name) else kind
        if self.parts.get(column) in ("sample id", "patient id"):
            self.reasons[column] += f"; {reason}"
        else:
            self.take(column, name, reason)
        return Modality(name, kind, (column,))  # type: ignore[arg-type]

    def attributes(self) -> None:
        """Columns that are named like a sensitive attribute."""
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

    def repeated(self, known: Layout | None) -> None:
        """Columns of a well-known table that say its usual label in other words, where that is the label."""
        label = self.column("label")
        if known is None or label is None or not known.is_usual(label):
            return
        for column in [c for r in known.repeats if (c := named_like(r, self.free())) is not None]:
            self.take(column, "dropped", f"it says the label in other words, or was known only after it ({known.title}); to use it, name it in a modality")

    def remaining(self, y: NDArray[np.float64], *, tabular: bool, text: bool) -> None:
        """Every column left over: a text, a value of the table, or not used."""
        groups = leak_groups(self.table, self.column("patient id"), y, self.column("label"))
        siblings = sibling_findings(self.table, self.column("label"))
        for column in self.free():
            facts = self.facts(column)
            reason = self._why_not(facts, siblings)
            if reason is None and len(facts.values) == len(y) and divides_into_sets(facts.values, y):
                reason = "each of its values has the same number of cases, as matched sets have; these stay in one split"
            if reason is not None:
                self.take(column, "dropped", reason)
            elif facts.is_prose:
                if text:
                    self._texts.append(Modality(_as_name(column) or "text", "text", (column,)))
                self.take(column, self._texts[-1].name if text else "dropped", "its values are sentences")
            else:
                self._value(facts, y, groups, tabular=tabular)

    def _why_not(self, facts: ColumnFacts, siblings: frozenset[str]) -> str | None:
        if facts.name in siblings:
            return f"it is another finding of the same label table as '{self.column('label')}'"
        if f"{PATH_PATIENT}{facts.name}" == self.column("patient id") or facts.name.startswith(PATH_PATIENT):
            return "it names the patient, or a part of what is the patient's"
        if facts.name == PART:
            return "it says which table a row is from"
        if facts.name.startswith((SIDE_IN, VIEW_IN)):
            return "read from the files or their names; it can be an attribute, or an input of a modality that names it"
        return facts.why_no_feature()

    def _value(self, facts: ColumnFacts, y: NDArray[np.float64], groups: NDArray[np.object_], *, tabular: bool) -> None:
        n = len(facts.distinct)
        if facts.numbers is None and n > MOST_LEVELS:
            self.take(facts.name, "dropped", why_no_numbers(facts.values) or f"{n} different words are too many for a category")
        elif not tabular:
            self.take(facts.name, "dropped", "not among the tabular columns given")
        else:
            self._values.append(facts.name)
            reason = facts.in_words if facts.numbers is not None else f"it has {n} categories"
            leak = column_leak(facts.column, y, groups, numbers=facts.numbers)
            if leak is not None:
                reason += f"; it may reveal the label: {leak.reason}"
            self.take(facts.name, "tabular", reason)

    def text_modalities(self) -> list[Modality]:
        """Modalities of the columns whose values are sentences."""
        return self._texts

    def tabular_modality(self) -> list[Modality]:
        """The modality of all values of the table, where there are any."""
        return [Modality("clinical", "tabular", tuple(self._values))] if self._values else []


def _as_name(text: str) -> str:
    """A text as a modality may be called."""
    return re.sub(r"_{2,}", "_", re.sub(r"[^\w. -]+", "_", text)).strip("_").lstrip(".")
