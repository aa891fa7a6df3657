"""Audits of labels of three or more classes: each class against the rest, by the column of its own score."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from core.api.audits import AuditResult, audit_predictions
from core.audit.input.column_roles import Mapping
from core.audit.options import AuditOptions
from core.cohort.classes import parse_classes
from core.errors import UserError
from core.tables import read
from core.tables.column_names import tidy
from core.tables.labels import LabelRule, certain_values, distinct, same_value

CAVEAT = "Verdicts hold for one class at a time: over {n} classes, false findings add up."


def audit_classes(
    file: str | Path,
    classes: str,
    scores: Sequence[str],
    columns: Mapping,
    *,
    metadata: str | Path | None = None,
    on: str | None = None,
    options: AuditOptions | None = None,
) -> dict[str, AuditResult]:
    """One audit for each class of the label, in which that class is positive and every other one negative.

    Parameters
    ----------
    file : table of predictions. classes : `none,mild,severe`, or `all` values of the label.
    scores : one column for each class, matched by name where the names say it, else in the order of the classes; or each as `CLASS=COLUMN`.
    columns : all other roles. A predicted label holds the class in words.
    metadata, on, options : as in `audit_predictions`.

    Raises
    ------
    UserError
        When a value of the label is none of the classes, or scores and classes do not fit together.
    """
    table = read(Path(file), columns=(columns.label,), sheet=columns.sheet, encoding=columns.encoding)
    if columns.label not in table.columns:
        columns.check(table.header, Path(file).name)
    present = distinct(table.encoded(columns.label)[1])
    names = parse_classes(classes, present, columns.label)
    return {
        name: audit_predictions(file, columns=mapping, metadata=metadata, on=on, options=options)
        for name, mapping in class_mappings(columns, names, present, scores_of(names, scores)).items()
    }


def class_mappings(columns: Mapping, classes: Sequence[str], present: Sequence[str], scores: dict[str, str]) -> dict[str, Mapping]:
    """The roles for the audit of each class. `present`: all values of the label. Raises UserError for one that is no class."""
    rule = LabelRule(tuple(classes))
    other = [v for v in certain_values(present) if rule.of(v) == 0]
    if other:
        raise UserError(f"column '{columns.label}' holds '{other[0]}', which is none of the classes {', '.join(classes)}; name it in --classes as well")
    return {name: replace(columns, positive=name, score=(scores[name],), prediction=columns.prediction[:1]) for name in classes}


def scores_of(classes: Sequence[str], given: Sequence[str]) -> dict[str, str]:
    """Class -> the column of its score. Raises UserError."""
    stated = {name: column for text in given for name, sign, column in [text.partition("=")] if sign}
    if stated and all(any(same_value(name, c) for c in classes) for name in stated):
        found = {c: next((column for name, column in stated.items() if same_value(name, c)), None) for c in classes}
        lacking = [c for c, column in found.items() if column is None]
        if lacking:
            raise UserError(f"no score is named for the class '{lacking[0]}': write --score '{lacking[0]}=COLUMN' as well")
        return {c: str(column) for c, column in found.items()}
    if len(given) != len(classes):
        raise UserError(f"{len(classes)} classes ({', '.join(classes)}) but {len(given)} score columns: name one score column for each class with --score")
    matched = matched_scores(classes, given)
    if not matched:
        return dict(zip(classes, given, strict=True))
    if len(matched) < len(classes):
        unclear = next(c for c in classes if c not in matched)
        raise UserError(f"which score column is that of the class '{unclear}' is not clear from their names: write --score CLASS=COLUMN for every class")
    return matched


def matched_scores(classes: Sequence[str], columns: Sequence[str]) -> dict[str, str]:
    """Class -> the one column whose name is the class, or ends or begins with it (`p_mel`, `prob mel`, `p0`)."""
    names = {column: tidy(column) for column in columns}
    found: dict[str, str] = {}
    for name in classes:
        word = tidy(name)
        number = word.isdecimal()
        fitting = [
            c for c, own in names.items() if own == word or own.endswith(f"_{word}") or own.startswith(f"{word}_") or (number and _last_number(own) == word)
        ]
        if len(fitting) == 1 and word:
            found[name] = fitting[0]
    return found if len(set(found.values())) == len(found) else {}


def _last_number(name: str) -> str:
    """`p0` as `0`."""
    return name[len(name.rstrip("0123456789")) :]
