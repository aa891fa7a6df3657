"""Facts about the same samples or patients that lie in several tables, brought together by an id."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from core.errors import UserError
from core.tables.finding import Finding, counted, listed
from core.tables.identifiers import one_form
from core.tables.reader import Table, read

FOUND = 0.9
"""Share of a column's values that must be ids of the other table before it is taken to hold them."""
MOST_VARY = 0.5
"""Share of the ids with several rows above which a column that differs between these is left out."""
LOOKED_AT = 1000
PART = "table"
"""Name of the column that says which table a row came from, where tables are put below each other."""


@dataclass(frozen=True)
class Joined:
    """The tables as one, and what a reader must know about it.

    stacked_by : the id by which rows of tables that stand below each other belong together; None where columns were added.
    """

    table: Table
    findings: tuple[Finding, ...] = ()
    stacked_by: str | None = None


def join_files(table: Table, joins: Sequence[str]) -> Joined:
    """Join other files to a table, each given as `FILE:ID`, or as `FILE:HERE=THERE` where the id has two names.

    A file with other columns adds them, row by row. A file with the same columns (one table for each
    eye, site or year) is put below, with a column that names the table of each row. Where the table has no
    column of the other's id, the column (or the folder in a path) whose values are found there is taken, and said.

    Raises
    ------
    UserError
        For what is not `FILE:ID`, an id that one of the two lacks, or ids that do not fit.
    """
    result = Joined(table)
    for text in joins:
        file, sign, ids = text.rpartition(":")
        here, _, there = ids.partition("=")
        if not sign or not file or not here:
            raise UserError(f"--join {text}: write FILE:ID, the other table and the column that both have, or FILE:HERE=THERE where its name differs")
        there = there or here
        other = read(file)
        if there not in other.columns:
            raise UserError(f"--join {text}: {other.source} has no column '{there}'; it has: {', '.join(other.names[:20])}")
        if here not in result.table.columns and here == there:
            result, here = _with_partner(result, other, there)
        if here not in result.table.columns:
            raise UserError(f"--join {text}: {result.table.source} has no column '{here}'; it has: {', '.join(result.table.names[:20])}")
        if here != there:
            if here in other.columns:
                raise UserError(f"--join {text}: {other.source} has a column '{here}' as well; rename it")
            other = replace(other, columns={here if name == there else name: column for name, column in other.columns.items()}, _texts={})
        result = _stacked(result, other, here) if set(other.names) == set(table.names) else _beside(result, other, here)
    return result


def _with_partner(before: Joined, other: Table, on: str) -> tuple[Joined, str]:
    """The column of the table whose values are ids of the other, or a new one of the folder in its paths that is; the table as it was where none is."""
    ids = other.text(on).combine_chunks()
    for name in before.table.names:
        texts = before.table.text(name).combine_chunks()
        if _known_share(texts, ids) >= FOUND:
            return replace(before, findings=(*before.findings, _partner_finding(other, on, f"the column '{name}'", name))), name
    for name in before.table.names:
        texts = before.table.text(name).combine_chunks()
        known = texts.drop_null().slice(0, LOOKED_AT)
        if not len(known) or not pc.all(pc.match_substring(known, "/")).as_py():
            continue
        parts = pc.split_pattern(texts, "/")
        for level in range(int(pc.min(pc.list_value_length(parts)).as_py() or 0)):
            folder = pc.list_element(parts, level)
            if _known_share(folder, ids) >= FOUND:
                table = replace(before.table, columns=before.table.columns | {on: pa.chunked_array([folder])}, _texts={})
                return replace(before, table=table, findings=(*before.findings, _partner_finding(other, on, f"a folder in the paths of '{name}'", on))), on
    return before, on


def _known_share(texts: pa.Array, ids: pa.Array) -> float:
    """The share of the distinct values that are ids of the other table; 0 for a column of few values."""
    values = pc.unique(texts.drop_null())
    return pc.sum(pc.is_in(values, value_set=ids)).as_py() / len(values) if len(values) >= 2 else 0.0


def _partner_finding(other: Table, on: str, what: str, column: str) -> Finding:
    return Finding("joined-by", "info", f"{other.source} is joined by its '{on}', which {what} holds", 0, "Say another with --join FILE:HERE=THERE.", (column,))


def left_join(table: Table, other: Table, on: str) -> tuple[Table, int]:
    """The columns of `other` beside those of `table`, by the id `on`, and how many rows have no partner.

    Parameters
    ----------
    table : has the column `on`. other : facts of each id, in one row or several; has the column `on` as well.
        Ids are compared as text, whole numbers without their ".0". What differs between the rows of one id is no fact of it:
        such a column is left out, or empty for these ids where they are few, with a finding.

    Raises
    ------
    UserError
        When no id is found there, or when all columns of `other` differ between rows of one id.
    """
    other, first = _one_row_each(other, on)
    ids = table.text(on).combine_chunks()
    place = pc.index_in(ids, value_set=other.text(on).combine_chunks().take(first))
    place = pc.if_else(pc.is_null(ids), None, place)
    place, loose = _written_otherwise(ids, place, other.text(on).combine_chunks().take(first))
    unmatched = int(place.null_count)
    if unmatched == len(table):
        example = next((text for text in ids.to_pylist() if text is not None), "")
        raise UserError(
            f"{other.source}: none of the ids in column '{on}' of {table.source} (for example '{example}') is found; check that both files use the same ids"
        )
    if loose:
        table = replace(table, findings=(*table.findings, _loosely(other, on, loose)))
    rows = first.take(place)
    added = {name: column.take(rows) for name, column in other.columns.items() if name != on}
    return replace(table, columns=table.columns | added, findings=(*table.findings, *other.findings), _texts={}), unmatched


def _written_otherwise(ids: pa.Array, place: pa.Array, there: pa.Array) -> tuple[pa.Array, list[str]]:
    """The places with those filled in of ids that are written in another way (7 and 0007, p1 and P1), where one only can be meant; and examples."""
    lost = pc.unique(ids.filter(pc.and_(pc.is_valid(ids), pc.is_null(place)))).to_pylist()
    if not lost:
        return place, []
    known: dict[str, int] = {}
    for at, text in enumerate(there.to_pylist()):
        known[one_form(text)] = -1 if one_form(text) in known else at
    # Two ids here that mean one there would give a patient's facts to another.
    wanted: dict[str, list[str]] = {}
    for text in lost:
        wanted.setdefault(one_form(text), []).append(text)
    taken = set(pc.unique(place.drop_null()).to_pylist())
    found = {texts[0]: at for form, texts in wanted.items() if len(texts) == 1 and (at := known.get(form, -1)) >= 0 and at not in taken}
    if not found:
        return place, []
    more = pc.index_in(ids, value_set=pa.array(list(found), type=ids.type))
    filled = pa.array(list(found.values()), type=place.type).take(more)
    return pc.coalesce(place, filled), [f"{text} = {there[at].as_py()}" for text, at in found.items()]


def _loosely(other: Table, on: str, examples: list[str]) -> Finding:
    message = f"{counted(len(examples), 'id')} of '{on}' are written in another way in {other.source} ({listed(examples, 3)}) and are joined all the same"
    return Finding("joined-loosely", "warning", message, len(examples), "If they are different, give them ids that differ in more than zeros or case.", (on,))


def _beside(before: Joined, other: Table, on: str) -> Joined:
    stem = stem_of(other.source)
    taken = set(before.table.names) - {on}
    renamed = {name: f"{name} ({stem})" if name in taken else name for name in other.names}
    named = replace(other, columns={renamed[name]: column for name, column in other.columns.items()}, _texts={})
    table, unmatched = left_join(before.table, named, on)
    again = [renamed[name] for name in other.names if name in taken and renamed[name] in table.columns and _says_the_same(table, name, renamed[name])]
    table = replace(table, columns={name: column for name, column in table.columns.items() if name not in again}, _texts={})
    findings = before.findings
    both = [renamed[name] for name in other.names if name in taken and renamed[name] in table.columns]
    if both:
        message = f"{other.source} has columns of names that the table has already; they are called {listed(both)}"
        findings = (*findings, Finding("joined-twice", "info", message, len(table), "Drop one of each pair.", tuple(both)))
    if unmatched:
        have = "has" if unmatched == 1 else "have"
        message = f"{counted(unmatched, 'row')} {have} an id in column '{on}' that {other.source} does not have; its columns are empty there"
        findings = (*findings, Finding("no-partner", "warning", message, unmatched, f"Add these ids to {other.source}.", (on,)))
    return Joined(table, findings, before.stacked_by)


def stem_of(source: str) -> str:
    """A table's file name without its endings (`mimic-cxr-2.0.0-split.csv.gz` as `mimic-cxr-2.0.0-split`)."""
    return re.sub(r"(\.[A-Za-z]\w*)+$", "", Path(source).name) or source


def _says_the_same(table: Table, name: str, again: str) -> bool:
    """Whether the second column of a name repeats the first in every row that has a partner."""
    first, second = table.text(name).combine_chunks(), table.text(again).combine_chunks()
    return not pc.any(pc.and_(pc.is_valid(second), pc.not_equal(pc.fill_null(first, ""), pc.fill_null(second, "")))).as_py()


def _stacked(before: Joined, other: Table, on: str) -> Joined:
    top = before.table
    if PART not in top.columns:
        top = replace(top, columns=top.columns | {PART: _constant(stem_of(top.source), len(top))})
    lower = replace(other, columns=other.columns | {PART: _constant(stem_of(other.source), len(other))}, _texts={})
    columns = {name: pa.chunked_array([*top.text(name).chunks, *lower.text(name).chunks]) for name in top.columns}
    table = replace(top, columns=columns, findings=(*top.findings, *other.findings), header=tuple(columns), _texts={})
    message = (
        f"{other.source} has the same columns as {before.table.source}: its {counted(len(other), 'row')} stand below, and rows with the same "
        f"'{on}' belong to one patient"
    )
    return Joined(
        table, (*before.findings, Finding("tables-stacked", "info", message, len(other), f"The column '{PART}' says which table a row is from.", (on,))), on
    )


def _constant(text: str, n: int) -> pa.ChunkedArray:
    return pa.chunked_array([pa.repeat(pa.scalar(text), n)])


def _one_row_each(other: Table, on: str) -> tuple[Table, pa.Array]:
    """The other table as facts of its ids, and the first row of every id.

    A column that differs between the rows of one id is left out where most ids with several rows do so
    (a date of admission), else it is empty for these ids (two races for one patient).
    """
    codes, ids = other.encoded(on)
    known = np.flatnonzero(codes >= 0)
    first = np.full(len(ids), -1, dtype=np.int64)
    first[codes[known][::-1]] = known[::-1]
    if len(known) == len(ids):
        return other, pa.array(first)
    own_codes, partner = codes[known], pa.array(first[codes[known]])
    several = int((np.bincount(own_codes, minlength=len(ids)) > 1).sum())
    columns, left_out, emptied = {}, [], {}
    for name, column in other.columns.items():
        own = other.text(name).combine_chunks()
        differs = np.asarray(pc.not_equal(pc.fill_null(own.take(pa.array(known)), ""), pc.fill_null(own.take(partner), "")))
        torn = np.unique(own_codes[differs])
        if not len(torn):
            columns[name] = column
        elif len(torn) > MOST_VARY * several:
            left_out.append(name)
        else:
            gone = np.isin(codes, torn)
            columns[name], emptied[name] = pa.chunked_array([pc.if_else(pa.array(~gone), own, None)]), len(torn)
    if len(columns) < 2:
        example = ids[int(np.flatnonzero(np.bincount(own_codes, minlength=len(ids)) > 1)[0])]
        raise UserError(f"{other.source}: the id '{example}' has several rows that differ in {listed(left_out)}; keep one row for each {on}")
    return replace(other, columns=columns, findings=(*other.findings, *_of_several(other, on, left_out, emptied)), _texts={}), pa.array(first)


def _of_several(other: Table, on: str, left_out: list[str], emptied: dict[str, int]) -> list[Finding]:
    found = []
    if left_out:
        message = f"{other.source} has several rows for one '{on}'; {listed(left_out)} differ between them and are left out"
        found.append(Finding("joined-varies", "warning", message, 0, f"To use them, keep one row for each {on}.", (on,)))
    for name, n in emptied.items():
        message = f"{other.source}: {name} differs between rows of one '{on}' for {counted(n, 'id')}: it is empty for these"
        found.append(Finding("joined-varies", "warning", message, n, f"To use them, keep one row for each {on}.", (name,)))
    return found
