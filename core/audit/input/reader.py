"""From a table of predictions to aligned arrays; what is unusable is refused or set aside and counted."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from core.audit.input.alignment import align_models, places_within
from core.audit.input.class_probabilities import class_probabilities
from core.audit.input.column_roles import Mapping, check_columns
from core.audit.input.origin import SourceFile, table_origin
from core.audit.input.predictions import Attribute, AuditFinding, Predictions
from core.errors import UserError
from core.tables import Finding, Table, read
from core.tables.delimited import FIRST_ROW
from core.tables.finding import listed
from core.tables.group_names import group_order
from core.tables.groups import group_findings, parse_merges
from core.tables.identifiers import same_ids
from core.tables.join import left_join
from core.tables.labels import LabelRule, apply_rule, known_positive, label_findings, rule_for
from core.tables.reader import header, of_frame
from core.tables.splits import split_word


def read_predictions(path: str | Path, mapping: Mapping, metadata: str | Path | None = None, on: str | None = None) -> Predictions:
    """Read a table of predictions in any format that `core.tables` reads.

    Rows without a label or score are set aside and counted in `findings`; anything else that
    cannot be used raises a UserError that names file, row, column and remedy.

    Parameters
    ----------
    path : the file. mapping : which column plays which role.
    metadata, on : another file, and the id that both have: columns of `mapping` that `path` lacks are taken from there.
    """
    path = Path(path)
    if metadata is None:
        if on is not None:
            raise UserError(f"--on {on} names the id that two files share: give the second one with --metadata FILE")
        return _of_files(from_table(_read_columns(path, mapping, mapping.columns), mapping), path)
    if on is None:
        raise UserError(f"--metadata {Path(metadata).name} needs --on ID: the column by which its rows belong to those of {path.name}")
    return _with_metadata(path, mapping, Path(metadata), on)


def from_frame(frame: pd.DataFrame, mapping: Mapping, source: str = "the DataFrame") -> Predictions:
    """`read_predictions` for a pandas DataFrame; an index is no column.

    Raises
    ------
    UserError : as for a file.
    """
    mapping.check([str(name) for name in frame.columns], source)
    return from_table(of_frame(frame, source, mapping.columns), mapping)


def _with_metadata(path: Path, mapping: Mapping, metadata: Path, on: str) -> Predictions:
    available = header(path, sheet=mapping.sheet, encoding=mapping.encoding)
    elsewhere = [name for name in mapping.columns if name not in available and name != on]
    if not elsewhere:
        raise UserError(
            f"{path.name} has every column itself, so {metadata.name} adds nothing; leave --metadata out, or name attributes that {metadata.name} has"
        )
    own = tuple(dict.fromkeys([*(name for name in mapping.columns if name not in elsewhere), on]))
    facts = read(metadata, columns=(on, *elsewhere))
    check_columns((on, *elsewhere), facts.header, metadata.name)
    table, finding = with_metadata(_read_columns(path, mapping, own), facts, on)
    predictions = _of_files(from_table(table, mapping), path, metadata, on=on)
    return predictions if finding is None else predictions.with_findings(finding)


def _read_columns(path: Path, mapping: Mapping, columns: Sequence[str]) -> Table:
    table = read(path, columns=columns, sheet=mapping.sheet, encoding=mapping.encoding)
    check_columns(columns, table.header, path.name)
    return table


def _of_files(predictions: Predictions, *paths: Path, on: str | None = None) -> Predictions:
    """The same predictions, with the files they were read from on record."""
    assert predictions.origin is not None
    return replace(predictions, origin=replace(predictions.origin, files=tuple(SourceFile.of(path) for path in paths), join=on))


def from_table(table: Table, mapping: Mapping) -> Predictions:
    """`read_predictions` for a table that is already in memory."""
    source = table.source
    columns = _Columns(table, mapping)
    y, rule = columns.label(mapping.label)
    scores = {name: columns.number(name) for name in mapping.score}
    usable = ~np.isnan(y) & np.logical_and.reduce([~np.isnan(score) for score in scores.values()])
    decided = {}
    for name in mapping.prediction:
        decided[name] = columns.decision(name, rule)
        usable &= ~np.isnan(decided[name])
    findings = [*columns.findings, *_set_aside(mapping, columns, y, scores)]
    if not usable.any():
        raise UserError(f"{source}: no row has a label and a score")
    model = np.asarray(columns.text(mapping.model).fill_null("unnamed").to_numpy(), dtype=object) if mapping.model else None
    missing = {name: np.isnan(values) for name, values in {mapping.label: y, **scores, **decided}.items()}
    predictions = Predictions(
        sample_id=columns.ids(mapping.id) if mapping.id or model is None else places_within(model, source),
        y=(y == 1).astype(np.int8),
        scores={name: np.where(usable, score, 0.0) for name, score in scores.items()},
        attributes={name: columns.attribute(name) for name in mapping.attributes},
        decided={score: (decided[name] == 1).astype(np.int8) for score, name in zip(mapping.score, mapping.prediction, strict=False)},
        patient=columns.codes(mapping.patient) if mapping.patient else None,
        weights=columns.weights(mapping.weights) if mapping.weights else None,
        split=columns.split(mapping.split) if mapping.split else None,
        findings=(*findings, *columns.group_findings),
        source=source,
        origin=table_origin(mapping, len(table), columns.positives(mapping.label, rule), missing),
    )
    if not usable.all():
        predictions = predictions.take(usable)
        model = None if model is None else model[usable]
    if model is not None:
        predictions = align_models(predictions, model, mapping)
    elif mapping.id:
        _unique(predictions, mapping.id)
    return predictions.with_findings(*class_probabilities(predictions))


def audit_finding(finding: Finding) -> AuditFinding:
    """A finding about a table as one of the audit."""
    return AuditFinding(finding.code.replace("-", "_"), finding.severity, finding.message, finding.rows, finding.remedy)


class _Columns:
    """Columns of one table, each turned into the array its role asks for. Collects what was found on the way."""

    def __init__(self, table: Table, mapping: Mapping) -> None:
        self.table, self.mapping, self.source = table, mapping, table.source
        self.findings = [audit_finding(f) for f in table.findings]
        self.group_findings: list[AuditFinding] = []
        values = {name: self.encoded(name)[1] for name in mapping.attributes} if mapping.merge else {}
        self.merges = parse_merges(mapping.merge, values)

    def text(self, name: str) -> pa.ChunkedArray:
        return self.table.text(name)

    def encoded(self, name: str) -> tuple[NDArray[np.int64], list[str]]:
        """Codes (n,), -1 where missing, into the distinct texts."""
        return self.table.encoded(name)

    def positives(self, name: str, rule: LabelRule) -> list[str]:
        """Every value of the label column that counts as positive."""
        values = self.encoded(name)[1]
        return sorted(v for v, y in zip(values, apply_rule(values, rule), strict=True) if y == 1)

    def label(self, name: str) -> tuple[NDArray[np.float64], LabelRule]:
        """1, 0 and NaN (set aside) as float64 (n,), and the rule that says so."""
        values = self.text(name).to_pandas().astype(object)
        rule = rule_for(values.dropna().unique(), name, self.source, self.mapping.positive, self.mapping.uncertain, self.mapping.blank)
        self.findings += [audit_finding(f) for f in label_findings(values, rule, name)]
        return apply_rule(values, rule), rule

    def decision(self, name: str, rule: LabelRule) -> NDArray[np.float64]:
        """A predicted label as 1, 0 and NaN; its words may be another known pair than the label's, which is said."""
        values = self.text(name).to_pandas().astype(object)
        present = values.dropna().unique()
        if not len(present):
            raise UserError(f"{self.source}: column '{name}' is empty")
        meant = apply_rule(values, rule)
        own = known_positive(present)
        if own is not None and not np.any(meant == 1) and rule.contains is None:
            own_rule = LabelRule((own,))
            labels = ", ".join(sorted(map(str, present))[:4])
            if any(v not in rule.positive for v in own_rule.positive):
                message = (
                    f"column '{name}' uses other words ({labels}) than the label column '{self.mapping.label}' (positive: {rule}); '{own}' is read as positive"
                )
                self.findings.append(AuditFinding("label_words_differ", "warning", message, len(values), "use the same words in both columns"))
            return apply_rule(values, own_rule)
        if own is None and not np.any(meant == 1) and len(present) > 1:
            raise UserError(f"{self.source}: column '{name}' never holds '{rule}', the label's positive value; use the label's words in it")
        return meant

    def number(self, name: str) -> NDArray[np.float64]:
        """float64 (n,), NaN where missing; refuses text and infinities with their row."""
        column = self.table.columns[name]
        if not (pa.types.is_string(column.type) or pa.types.is_integer(column.type) or pa.types.is_floating(column.type)):
            raise UserError(f"{self.source}: column '{name}' is {column.type}, not numbers")
        read_as = self.table.numbers(name)
        if read_as is not None and not np.isinf(read_as.values).any() and not self._infinite(name).any():
            self.findings += [audit_finding(f) for f in read_as.findings]
            return read_as.values
        self._refuse_number(name)
        raise UserError(f"{self.source}: column '{name}' holds no numbers")

    def _infinite(self, name: str) -> NDArray[np.bool_]:
        text = self.table.text(name)
        return np.asarray(pc.fill_null(pc.match_substring_regex(text, r"(?i)^[-+]?inf(inity)?$"), False).to_numpy(zero_copy_only=False), dtype=bool)

    def _refuse_number(self, name: str) -> None:
        infinite = self._infinite(name)
        if infinite.any():
            row = int(np.flatnonzero(infinite)[0])
            raise UserError(f"{self.source}, row {row + FIRST_ROW}: column '{name}' is infinite; give a finite score")
        for row, text in enumerate(self.table.text(name).to_pylist()):
            try:
                float(text if text is not None else "0")
            except ValueError:
                raise UserError(f"{self.source}, row {row + FIRST_ROW}: column '{name}' holds '{text[:40]}', which is not a number") from None

    def ids(self, name: str | None) -> NDArray[np.object_]:
        if name is None:
            return np.arange(1, len(self.table) + 1).astype(str).astype(object)
        text = self.text(name)
        if text.null_count:
            row = int(np.flatnonzero(np.asarray(text.is_null()))[0])
            raise UserError(f"{self.source}, row {row + FIRST_ROW}: the id in column '{name}' is missing")
        return np.asarray(text.to_numpy(), dtype=object)

    def attribute(self, name: str) -> Attribute:
        codes, texts = self.encoded(name)
        changes = self.merges.get(name, {})
        counts = np.bincount(codes[codes >= 0], minlength=len(texts))
        left = {t: int(n) for t, n in zip(texts, counts, strict=True) if t not in changes}
        self.group_findings += [audit_finding(f) for f in group_findings(left, name)]
        new = [changes.get(t, t) for t in texts]
        names = group_order({t for t in new if t is not None})
        place = {t: index for index, t in enumerate(names)}
        table = np.array([*(-1 if t is None else place[t] for t in new), -1], dtype=np.int64)
        return Attribute(names, table[codes])

    def codes(self, name: str) -> NDArray[np.int64]:
        """Patient codes; a row without a patient is a patient of its own, and 0007, 7 and 7.0 are one."""
        codes, texts = self.encoded(name)
        one = same_ids(texts)
        several = [f"{one[t]} = {t}" for t in texts if one[t] != t]
        if several:
            message = f"column '{name}' writes patients in several ways ({listed(several, 3)}); each is taken as one patient"
            self.group_findings.append(
                AuditFinding(
                    "patient_ids_alike",
                    "warning",
                    message,
                    len(several),
                    "if they are different patients, give them ids that differ in more than zeros or case",
                )
            )
            place = {t: i for i, t in enumerate(texts)}
            codes = np.array([*(place[one[t]] for t in texts), -1], dtype=np.int64)[codes]
        return np.where(codes < 0, len(texts) + np.arange(codes.size), codes)

    def weights(self, name: str) -> NDArray[np.float64]:
        values = self.number(name)
        bad = ~(values >= 0)
        if bad.any():
            row = int(np.flatnonzero(bad)[0])
            raise UserError(f"{self.source}, row {row + FIRST_ROW}: the weight in column '{name}' is missing or negative")
        return values

    def split(self, name: str) -> NDArray[np.object_]:
        codes, texts = self.encoded(name)
        known = [split_word(text, name) for text in texts]
        for text, split in zip(texts, known, strict=True):
            if split is None:
                raise UserError(f"{self.source}: column '{name}' holds the split '{text}'; known are train, validation and test")
        if "test" not in known:
            raise UserError(f"{self.source}: column '{name}' has no test rows to audit")
        if (codes < 0).any():
            row = int(np.flatnonzero(codes < 0)[0])
            raise UserError(f"{self.source}, row {row + FIRST_ROW}: the split in column '{name}' is missing")
        return np.array(known, dtype=object)[codes]


def _set_aside(mapping: Mapping, columns: _Columns, y: NDArray[np.float64], scores: dict[str, NDArray[np.float64]]) -> list[AuditFinding]:
    """One finding per column in which missing values cost rows."""
    blank = np.asarray(columns.table.text(mapping.label).is_null())
    missing = {mapping.label: int((np.isnan(y) & blank).sum()), **{name: int(np.isnan(score).sum()) for name, score in scores.items()}}
    remedy = "fill in the values, or check that they are missing at random"
    means = "; where a blank label means that nothing was mentioned, say so with --blank negative"
    return [
        AuditFinding(
            "missing_values",
            "warning",
            f"{rows} rows have no value in column '{name}' and are left out",
            rows,
            remedy + (means if name == mapping.label else ""),
        )
        for name, rows in missing.items()
        if rows
    ]


def _unique(predictions: Predictions, column: str) -> None:
    counts = pd.Series(predictions.sample_id).value_counts()
    repeated = [str(value) for value in counts.index[counts > 1]]
    if not repeated:
        return
    raise UserError(
        f"{predictions.source}: the id '{repeated[0]}' in column '{column}' stands in several rows ({len(repeated)} such ids); "
        "give each sample its own id, use --patient for patients with several samples, or --model if the rows are several models"
    )


def with_metadata(table: Table, metadata: Table, on: str) -> tuple[Table, AuditFinding | None]:
    """`table` with the columns of `metadata` beside it (`left_join`), and a finding when rows have no partner.

    Raises
    ------
    UserError
        When an id has several rows in `metadata` that differ, or when no id is found there.
    """
    both, unmatched = left_join(table, metadata, on)
    if not unmatched:
        return both, None
    message = f"{unmatched} rows have an id in column '{on}' that {metadata.source} does not have; their attributes are missing"
    return both, AuditFinding("no_metadata", "warning", message, unmatched, f"add these ids to {metadata.source}")
