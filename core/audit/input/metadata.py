"""Attributes that are kept in another file than the predictions, joined by an id."""

from __future__ import annotations

from core.audit.input.predictions import AuditFinding
from core.tables import Table
from core.tables.join import left_join


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
