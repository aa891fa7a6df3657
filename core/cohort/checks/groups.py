"""Sensitive attributes: are the groups large enough, and do they stay out of the features?"""

from __future__ import annotations

import numpy as np
import pandas as pd

from core.cohort.checks.base import Check, CheckInput, counted, listed
from core.cohort.schema import Finding
from core.errors import option
from core.tables import column_names as usual
from core.tables.group_names import group_label, group_order
from core.tables.groups import group_findings
from core.tables.numbers import parse_numbers, to_number, why_no_numbers

MIN_PER_CLASS = 10
MAX_GROUPS = 20


class _NeedsAttribute(Check):
    def applies(self, data: CheckInput) -> str | None:
        return None if data.roles.attributes else "no sensitive attribute"


class TinyGroups(_NeedsAttribute):
    code = "tiny-group"
    title = "Groups too small to say anything about"
    severity = "warning"
    remedy = "Merge them into a meaningful larger group, or collect more patients; results for them will read 'not enough data'."

    def find(self, data: CheckInput) -> list[Finding]:
        found = []
        for attribute in data.roles.attributes:
            tiny, rows = [], 0
            values = data.table[attribute]
            for group in group_order(values.dropna().unique()):
                mine = (values == group).to_numpy()
                positive, negative = int((data.y[mine] == 1).sum()), int((data.y[mine] == 0).sum())
                if min(positive, negative) < MIN_PER_CLASS:
                    tiny.append(f"{group_label(attribute, str(group))} ({positive} positive, {negative} negative)")
                    rows += int(mine.sum())
            if tiny:
                together = [g.rsplit(" (", 1)[0] for g in tiny]
                found.append(
                    self.finding(
                        f"{attribute}: fewer than {MIN_PER_CLASS} patients of a class in {listed(tiny)}",
                        rows,
                        [attribute],
                        remedy=self._merge(attribute, together),
                    )
                )
        return found

    def _merge(self, attribute: str, groups: list[str]) -> str:
        """The remedy, with the merge of several small groups as it is written."""
        if len(groups) < 2 or any(set(g) & set(",:") for g in groups):
            return self.remedy
        joined = ",".join(groups)
        return f"{self.remedy} For example {option('--merge', f'{attribute}=other:{joined}')}."


class ManyGroups(_NeedsAttribute):
    code = "many-groups"
    title = "An attribute with very many values"
    severity = "warning"
    remedy = "Choose an attribute with few groups: nothing can be said about groups of a few patients."

    def find(self, data: CheckInput) -> list[Finding]:
        counts = {a: int(data.table[a].nunique()) for a in data.roles.attributes}
        return [self.finding(f"{a} has {n} different values", len(data.table), [a], remedy=self._bands(data, a)) for a, n in counts.items() if n > MAX_GROUPS]

    def _bands(self, data: CheckInput, attribute: str) -> str:
        """The bands that a number would have, as they are asked for; the general remedy for words."""
        # Late: every training loads the checks, and none the audit.
        from core.audit.input.banding import quantile_edges

        read = to_number(data.table[attribute])
        if read is None or usual.names_identifier(attribute):
            return self.remedy
        edges = quantile_edges(read.dropna().to_numpy(dtype=float))
        text = f"{attribute}={','.join(f'{edge:g}' for edge in edges)}"
        return f"It is a number: cut it into bands with {option('--bins', text)}, or at other edges."


class SimilarGroups(_NeedsAttribute):
    code = "similar-groups"
    title = "Groups that look like one"
    severity = "warning"
    remedy = "Say which are one group (--merge COLUMN=new:old,old)."

    def find(self, data: CheckInput) -> list[Finding]:
        return [f for a in data.roles.attributes for f in group_findings(data.table[a], a) if f.code == self.code]


class UnknownAsGroup(SimilarGroups):
    code = "unknown-as-group"
    title = "Values that say that the group is not known"
    remedy = "Count them as missing (--merge COLUMN=:old,old)."


class SpreadsheetDate(SimilarGroups):
    code = "spreadsheet-date"
    title = "Groups that a spreadsheet turned into dates"
    remedy = "Give the group its name back (--merge COLUMN=new:old)."


class CodesBesideWords(SimilarGroups):
    code = "codes-beside-words"
    title = "Groups of which some are numbers and some are words"
    remedy = "Say which word each number means (--merge COLUMN=word:number)."


class ReadAsNumber(Check):
    code = "read-as-number"
    title = "Features with values that are not plain numbers"
    severity = "info"
    remedy = "Check that they are read as they are meant."

    def find(self, data: CheckInput) -> list[Finding]:
        columns = [c for m in data.roles.modalities if m.kind == "tabular" for c in m.columns]
        read = [parse_numbers(data.table[c], c) for c in columns]
        return [finding for column in read if column is not None for finding in column.findings]


class NotNumbers(Check):
    code = "not-numbers"
    title = "Columns of numbers that are not used"
    severity = "warning"
    remedy = "Correct these cells, or convert them to one unit, to use the column."

    def find(self, data: CheckInput) -> list[Finding]:
        roles = data.roles
        used = {roles.label, roles.sample_id, roles.patient_id, roles.split, *roles.attributes, *roles.feature_columns}
        found = []
        for column in data.table.columns:
            why = None if column in used or parse_numbers(data.table[column]) is not None else why_no_numbers(data.table[column])
            if why is not None and not usual.names_identifier(column):
                found.append(self.finding(f"{column} is not used: {why}", int(data.table[column].notna().sum()), [column]))
        return found


class ConstantAttribute(_NeedsAttribute):
    code = "constant-attribute"
    title = "An attribute with a single group"
    severity = "warning"
    remedy = "Nothing can be compared by it; choose another attribute."

    def find(self, data: CheckInput) -> list[Finding]:
        return [
            self.finding(f"{a} has {counted(int(data.table[a].nunique()), 'value')}", len(data.table), [a])
            for a in data.roles.attributes
            if data.table[a].nunique() < 2
        ]


class AttributeVaries(_NeedsAttribute):
    code = "attribute-varies"
    title = "An attribute differs between rows of one patient"
    severity = "info"
    remedy = "Fine for age; for others, check the entries. Each row counts in the group that it names."

    def applies(self, data: CheckInput) -> str | None:
        return super().applies(data) or (None if data.roles.patient_id else "no patient column")

    def find(self, data: CheckInput) -> list[Finding]:
        found = []
        who, names = pd.factorize(data.patients)
        for attribute in data.roles.attributes:
            value, values = pd.factorize(data.table[attribute])
            # Each pair of a patient and a value once: a patient of two pairs varies.
            pairs = np.unique(who[value >= 0].astype(np.int64) * max(len(values), 1) + value[value >= 0])
            varies = np.bincount(pairs // max(len(values), 1), minlength=len(names)) > 1
            patients = sorted(str(p) for p in names[varies])
            if patients:
                rows = int(varies[who].sum())
                found.append(self.finding(f"{attribute} differs between rows of {counted(len(patients), 'patient')}: {listed(patients)}", rows, [attribute]))
        return found


class AttributeAsFeature(Check):
    code = "attribute-as-feature"
    title = "A sensitive attribute or an id is a feature"
    severity = "warning"
    remedy = "Take it out of the modality unless the model is meant to know it."

    def find(self, data: CheckInput) -> list[Finding]:
        special = {*data.roles.attributes, data.roles.sample_id, data.roles.patient_id, data.roles.split} - {None}
        found = []
        for modality in data.roles.modalities:
            used = [c for c in modality.columns if c in special]
            if used and modality.kind in ("tabular", "text"):
                found.append(self.finding(f"modality {modality.name!r} is given {listed(used)}", len(data.table), used))
        return found


class AttributesKeptOut(_NeedsAttribute):
    code = "attribute-kept-out"
    title = "Sensitive attributes are not features"
    severity = "info"
    remedy = "Name them in a modality if the model should know them."

    def find(self, data: CheckInput) -> list[Finding]:
        kept = [a for a in data.roles.attributes if a not in data.roles.feature_columns]
        tabular = any(m.kind == "tabular" for m in data.roles.modalities)
        return [self.finding(f"no model is given {listed(kept)}", len(data.table), kept)] if kept and tabular else []


class ConstantColumns(Check):
    code = "constant-column"
    title = "Feature columns with a single value"
    severity = "info"
    remedy = "They cannot help; drop them (--drop)."

    def find(self, data: CheckInput) -> list[Finding]:
        constant = [c for m in data.roles.modalities if m.kind == "tabular" for c in m.columns if data.table[c].nunique() < 2]
        return [self.finding(f"the same value in every row that has one: {listed(constant)}", len(data.table), constant)] if constant else []


class IdAsFeature(Check):
    code = "id-as-feature"
    title = "A feature that names rows instead of describing them"
    severity = "warning"
    remedy = "Drop it (--drop): a network can memorise it and learns nothing that carries over."

    def find(self, data: CheckInput) -> list[Finding]:
        named = []
        for modality in data.roles.modalities:
            if modality.kind != "tabular":
                continue
            for column in modality.columns:
                values = data.table[column].dropna()
                texts = parse_numbers(values) is None
                tokens = column.lower().replace("-", "_").split("_")
                if len(values) >= MIN_PER_CLASS and values.nunique() > 0.5 * len(values) and (texts or "id" in tokens):
                    named.append(column)
        return [self.finding(f"nearly every row has a value of its own in {listed(named)}", len(data.table), named)] if named else []
