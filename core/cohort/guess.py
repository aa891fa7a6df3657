"""What each column probably is, with the reason, for a person to confirm."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypedDict, Unpack

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from core.cohort.assignment import Assignment
from core.cohort.layouts import layout_named, named_like, recognised
from core.cohort.schema import Modality, Roles
from core.cohort.sources import ImageSource
from core.errors import UserError
from core.tables.labels import apply_rule, rule_for


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


class Said(TypedDict, total=False):
    """What is said about a table; all else is guessed.

    fixed : all roles; nothing is guessed then. label, sample_id, patient_id, fold, site, weights : columns.
    positive, uncertain, blank : what the label's values mean (`core.tables.labels.rule_for`).
    split : the column, or "" to have splits made. attributes, dropped : columns. modalities : with their columns; further kinds are guessed.
    layout : a well-known cohort (`core.cohort.layouts`), whose columns that repeat the label are dropped whatever the label is.
    """

    fixed: Roles | None
    label: str | None
    positive: str | None
    uncertain: str
    blank: str
    sample_id: str | None
    patient_id: str | None
    split: str | None
    attributes: Iterable[str]
    modalities: Iterable[Modality]
    dropped: Iterable[str]
    layout: str | None
    fold: str | None
    site: str | None
    weights: str | None


def guess_roles(table: pd.DataFrame, files: ImageSource | None = None, **said: Unpack[Said]) -> RoleGuess:
    """`propose_roles`, refusing where something has to be answered.

    Raises
    ------
    UserError
        When no label, no positive value or no modality can be made out.
    """
    guess = propose_roles(table, files, **said)
    if guess.question is not None:
        raise UserError(guess.question)
    if not guess.roles.modalities:
        raise UserError("no modality was recognised: name at least one with --image, --volume, --text or --tabular")
    return guess


def propose_roles(table: pd.DataFrame, files: ImageSource | None = None, **said: Unpack[Said]) -> RoleGuess:
    """Guess the roles of all columns that are not given.

    A given attribute or modality keeps its columns; further ones are guessed
    from the columns left over, kind by kind: naming an image modality still
    lets the tabular one be guessed. What cannot be guessed is a question, not
    an obstacle to the rest. Raises UserError for columns that the table does not have.
    """
    fixed = said.get("fixed")
    if fixed is not None:
        return RoleGuess(fixed, {c: "as given" for c in table.columns}, _parts(fixed, table.columns))
    layout = said.get("layout")
    known = recognised(table.columns) if layout is None else layout_named(layout, table.columns)
    work = Assignment(table, files)
    attributes, named = list(said.get("attributes", ())), tuple(said.get("modalities", ()))
    _take_said(work, said, attributes, named)
    if work.column("label") is None and known is not None and known.label is not None:
        work.take(named_like(known.label, table.columns) or "", "label", f"it is the label of {known.title}")
    if layout is not None and known is not None:
        for column in [c for r in known.repeats if (c := named_like(r, work.free())) is not None]:
            work.take(column, "dropped", "as given")
    work.special(no_split=said.get("split") == "")
    work.repeated(known)
    uncertain, blank = said.get("uncertain", "exclude"), said.get("blank", "exclude")
    rule_text, y, question = _label(table, work.column("label"), said.get("positive"), uncertain, blank)
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
        fold=said.get("fold"),
        site=said.get("site"),
        weights=work.column("sampling weight"),
    )
    return RoleGuess(roles, work.reasons, _parts(roles, table.columns), question)


def _take_said(work: Assignment, said: Said, attributes: Sequence[str], named: Sequence[Modality]) -> None:
    """Give the columns that were named their parts. Raises UserError for one that the table lacks."""
    single = {
        "label": said.get("label"),
        "sample id": said.get("sample_id"),
        "patient id": said.get("patient_id"),
        "split": said.get("split") or None,
        "fold": said.get("fold"),
        "sampling weight": said.get("weights"),
    }
    site, dropped = said.get("site"), list(said.get("dropped", ()))
    _require(work.table, [*single.values(), site, *attributes, *dropped, *(c for m in named for c in m.columns)])
    for part, column in single.items():
        if column is not None:
            work.take(column, part, "as given")
    for column in attributes:
        work.take(column, "attribute", "as given")
    for modality in named:
        for column in modality.columns:
            work.take(column, modality.name, "as given", keep=True)
    for column in dropped:
        work.take(column, "dropped", "as given")
    if site is not None and site not in work.parts:
        work.take(site, "site", "as given; its rows stay in one split")


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
