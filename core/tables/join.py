"""Facts about the same samples or patients that lie in several tables, brought together by an id."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from core.errors import UserError
from core.tables.finding import Finding, counted, listed
from core.tables.reader import Table, read

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
    """Join other files to a table, each given as `FILE:ID`.

    A file with other columns adds them, row by row. A file with the same columns (one table for each
    eye, site or year) is put below, with a column that names the table of each row.

    Raises
    ------
    UserError
        For what is not `FILE:ID`, an id that one of the two lacks, or ids that do not fit.
    """
    result = Joined(table)
    for text in joins:
        file, sign, on = text.rpartition(":")
        if not sign or not file or not on:
            raise UserError(f"--join {text}: write FILE:ID, the other table and the column that both have")
        other = read(file)
        for one in (result.table, other):
            if on not in one.columns:
                raise UserError(f"--join {text}: {one.source} has no column '{on}'; it has: {', '.join(one.names[:20])}")
        result = _stacked(result, other, on) if set(other.names) == set(table.names) else _beside(result, other, on)
    return result


def left_join(table: Table, other: Table, on: str) -> tuple[Table, int]:
    """The columns of `other` beside those of `table`, by the id `on`, and how many rows have no partner.

    Parameters
    ----------
    table : has the column `on`. other : one row per id (or several that agree); has the column `on` as well.
        Ids are compared as text, whole numbers without their ".0".

    Raises
    ------
    UserError
        When an id has several rows in `other` that differ, or when no id is found there.
    """
    first = _one_row_each(other, on)
    ids = table.text(on).combine_chunks()
    place = pc.index_in(ids, value_set=other.text(on).combine_chunks().take(first))
    place = pc.if_else(pc.is_null(ids), None, place)
    unmatched = int(place.null_count)
    if unmatched == len(table):
        example = next((text for text in ids.to_pylist() if text is not None), "")
        raise UserError(
            f"{other.source}: none of the ids in column '{on}' of {table.source} (for example '{example}') is found; check that both files use the same ids"
        )
    rows = first.take(place)
    added = {name: column.take(rows) for name, column in other.columns.items() if name != on}
    return replace(table, columns=table.columns | added, findings=(*table.findings, *other.findings), _texts={}), unmatched


def _beside(before: Joined, other: Table, on: str) -> Joined:
    stem = Path(other.source).name.split(".")[0]
    taken = set(before.table.names) - {on}
    renamed = {name: f"{name} ({stem})" if name in taken else name for name in other.names}
    named = replace(other, columns={renamed[name]: column for name, column in other.columns.items()}, _texts={})
    table, unmatched = left_join(before.table, named, on)
    findings = before.findings
    both = [renamed[name] for name in other.names if name in taken]
    if both:
        findings = (
            *findings,
            Finding(
                "joined-twice",
                "info",
                f"{other.source} has columns of names that the table has already; they are called {listed(both)}",
                len(table),
                "Drop one of each pair.",
                tuple(both),
            ),
        )
    if unmatched:
        message = f"{counted(unmatched, 'row')} have an id in column '{on}' that {other.source} does not have; its columns are empty there"
        findings = (*findings, Finding("no-partner", "warning", message, unmatched, f"Add these ids to {other.source}.", (on,)))
    return Joined(table, findings, before.stacked_by)


def _stacked(before: Joined, other: Table, on: str) -> Joined:
    top = before.table
    if PART not in top.columns:
        top = replace(top, columns=top.columns | {PART: _constant(Path(top.source).name.split(".")[0], len(top))})
    lower = replace(other, columns=other.columns | {PART: _constant(Path(other.source).name.split(".")[0], len(other))}, _texts={})
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


def _one_row_each(other: Table, on: str) -> pa.Array:
    """The first row of every id; rows that repeat an id must agree."""
    codes, ids = other.encoded(on)
    known = np.flatnonzero(codes >= 0)
    first = np.full(len(ids), -1, dtype=np.int64)
    first[codes[known][::-1]] = known[::-1]
    partner = pa.array(first[codes[known]])
    for name in other.names:
        own = other.text(name).combine_chunks()
        differs = pc.not_equal(pc.fill_null(own.take(pa.array(known)), ""), pc.fill_null(own.take(partner), ""))
        if pc.any(differs).as_py():
            row = int(known[int(np.flatnonzero(np.asarray(differs))[0])])
            raise UserError(f"{other.source}: the id '{ids[codes[row]]}' has several rows that differ in '{name}'; keep one row for each {on}")
    return pa.array(first)
