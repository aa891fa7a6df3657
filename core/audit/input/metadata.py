"""Attributes that are kept in another file than the predictions, joined by an id."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from core.audit.input.predictions import AuditFinding
from core.errors import UserError
from core.tables import Table


def with_metadata(table: Table, metadata: Table, on: str) -> tuple[Table, AuditFinding | None]:
    """`table` with the columns of `metadata` beside it, row by row, and a finding when rows have no partner.

    Parameters
    ----------
    table : the predictions; has the column `on`.
    metadata : one row per id (or several that agree); has the column `on` as well.
    on : name of the id in both. Ids are compared as text, whole numbers without their ".0".

    Raises
    ------
    UserError
        When an id has several rows in `metadata` that differ, or when no id is found there.
    """
    first = _one_row_each(metadata, on)
    ids = table.text(on).combine_chunks()
    place = pc.index_in(ids, value_set=metadata.text(on).combine_chunks().take(first))
    place = pc.if_else(pc.is_null(ids), None, place)
    lacking = int(place.null_count)
    if lacking == len(table):
        example = next((text for text in ids.to_pylist() if text is not None), "")
        raise UserError(f"{metadata.source}: none of the ids in column '{on}' of {table.source} (for example '{example}') is found; check that both files use the same ids")
    rows = first.take(place)
    joined = {name: column.take(rows) for name, column in metadata.columns.items() if name != on}
    both = replace(table, columns=table.columns | joined, findings=(*table.findings, *metadata.findings), _texts={})
    if not lacking:
        return both, None
    message = f"{lacking} rows have an id in column '{on}' that {metadata.source} does not have; their attributes are missing"
    return both, AuditFinding("no_metadata", "warning", message, lacking, f"add these ids to {metadata.source}")


def _one_row_each(metadata: Table, on: str) -> pa.Array:
    """The first row of every id; rows that repeat an id must agree."""
    codes, ids = metadata.encoded(on)
    known = np.flatnonzero(codes >= 0)
    first = np.full(len(ids), -1, dtype=np.int64)
    first[codes[known][::-1]] = known[::-1]
    partner = pa.array(first[codes[known]])
    for name in metadata.names:
        own = metadata.text(name).combine_chunks()
        differs = pc.not_equal(pc.fill_null(own.take(pa.array(known)), ""), pc.fill_null(own.take(partner), ""))
        if pc.any(differs).as_py():
            row = int(known[int(np.flatnonzero(np.asarray(differs))[0])])
            raise UserError(f"{metadata.source}: the id '{ids[codes[row]]}' has several rows that differ in '{name}'; keep one row for each {on}")
    return pa.array(first)
