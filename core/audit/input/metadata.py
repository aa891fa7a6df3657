"""Attributes that are kept in another file than the predictions, joined by an id."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from core.audit.input.predictions import AuditFinding
from core.audit.input.table import as_text
from core.errors import UserError


def with_metadata(table: pa.Table, metadata: pa.Table, on: str, source: str, metadata_source: str) -> tuple[pa.Table, AuditFinding | None]:
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
    facts = _one_row_each(metadata, on, metadata_source)
    ids = as_text(table[on]).combine_chunks()
    place = pc.index_in(ids, value_set=as_text(facts[on]).combine_chunks())
    place = pc.if_else(pc.is_null(ids), None, place)
    lacking = int(place.null_count)
    if lacking == table.num_rows:
        example = next((text for text in ids.to_pylist() if text is not None), "")
        raise UserError(f"{metadata_source}: none of the ids in column '{on}' of {source} (for example '{example}') is found; check that both files use the same ids")
    for name in facts.column_names:
        if name != on:
            table = table.append_column(name, facts[name].take(place))
    if not lacking:
        return table, None
    message = f"{lacking} rows have an id in column '{on}' that {metadata_source} does not have; their attributes are missing"
    return table, AuditFinding("no_metadata", "warning", message, lacking, f"add these ids to {metadata_source}")


def _one_row_each(metadata: pa.Table, on: str, source: str) -> pa.Table:
    """The first row of every id; rows that repeat an id must agree."""
    ids = as_text(metadata[on]).combine_chunks().dictionary_encode()
    codes = np.asarray(ids.indices.fill_null(-1).to_numpy(zero_copy_only=False), dtype=np.int64)
    known = np.flatnonzero(codes >= 0)
    first = np.full(len(ids.dictionary), -1, dtype=np.int64)
    first[codes[known][::-1]] = known[::-1]
    partner = pa.array(first[codes[known]])
    for name in metadata.column_names:
        own = as_text(metadata[name]).combine_chunks()
        differs = pc.not_equal(pc.fill_null(own.take(pa.array(known)), ""), pc.fill_null(own.take(partner), ""))
        if pc.any(differs).as_py():
            row = int(known[int(np.flatnonzero(np.asarray(differs))[0])])
            raise UserError(f"{source}: the id '{as_text(metadata[on])[row].as_py()}' has several rows that differ in '{name}'; keep one row for each {on}")
    return metadata.take(pa.array(first[first >= 0]))
