"""A user's own question to the results cache, in SQL: nothing can be changed and no file can be reached by it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import duckdb
import numpy as np
import pandas as pd

from core.errors import UserError
from core.store.store import Store
from core.workspace import Workspace

LOCKED = {
    "access_mode": "READ_ONLY",
    "enable_external_access": "false",
    "autoinstall_known_extensions": "false",
    "autoload_known_extensions": "false",
    "python_enable_replacements": "false",
    "threads": "2",
    "lock_configuration": "true",
}
"""No writing, no file, network, database or extension, no variable of this program taken for a table, and no way to undo this."""
HIDDEN = ("sources", "cache")
"""Tables that only the cache itself can read sense into."""


@dataclass(frozen=True)
class Table:
    """One table of the cache: its rows, and its columns with their types."""

    name: str
    rows: int
    columns: dict[str, str]


def query(workspace: Workspace, sql: str) -> pd.DataFrame:
    """The answer to one SELECT on the results cache, which is brought up to date first. Times are naive UTC.

    Raises UserError for text that is no single SELECT, asks for anything outside the cache, or that DuckDB cannot answer.
    """
    with _locked(workspace) as asked:
        try:
            statements = asked.extract_statements(sql)
            if len(statements) != 1 or statements[0].type not in (duckdb.StatementType.SELECT, duckdb.StatementType.EXPLAIN):
                raise UserError("the query is one SELECT: the cache is read, never changed (it is rebuilt from the run folders)")
            return _plain(asked.execute(statements[0]).df())
        except duckdb.Error as error:
            raise UserError(f"the query cannot be answered: {_first_lines(error)}") from None


def tables(workspace: Workspace) -> list[Table]:
    """What `query` can ask for."""
    with _locked(workspace) as asked:
        columns = asked.execute(
            "SELECT table_name, column_name, data_type FROM information_schema.columns WHERE table_schema = 'main' ORDER BY table_name, ordinal_position"
        ).fetchall()
        found: dict[str, dict[str, str]] = {}
        for table, column, kind in columns:
            if table not in HIDDEN:
                found.setdefault(table, {})[column] = kind
        counts = {name: asked.table(name).aggregate("count(*)").fetchall()[0][0] for name in found}
    return [Table(name, int(counts[name]), own) for name, own in found.items()]


class _locked:
    """A connection to an up-to-date cache that can only read it."""

    def __init__(self, workspace: Workspace) -> None:
        self._store = Store.open(workspace)

    def __enter__(self) -> duckdb.DuckDBPyConnection:
        # One process opens a file in one way at a time: the store keeps its place and lets go of the file.
        self._store.release_file()
        config: dict[str, Any] = dict(LOCKED)
        self._asked = duckdb.connect(str(self._store.database), config=config)
        return self._asked

    def __exit__(self, *_: object) -> None:
        self._asked.close()
        self._store.close()


def _plain(frame: pd.DataFrame) -> pd.DataFrame:
    """Numbers, texts, truth values and times as they are; infinities missing, everything else (lists, dates, intervals) as text."""
    # By place, not by name: a query may give two columns one name.
    columns = []
    for position, name in enumerate(frame.columns):
        column = frame.iloc[:, position]
        if pd.api.types.is_float_dtype(column):
            column = column.where(np.isfinite(column))
        elif pd.api.types.is_timedelta64_dtype(column) or (column.dtype == object and not column.map(lambda v: v is None or isinstance(v, bool | str)).all()):
            column = column.map(lambda value: None if value is None else str(value)).astype(object)
        columns.append(column.rename(name))
    return pd.concat(columns, axis=1) if columns else frame


def _first_lines(error: duckdb.Error) -> str:
    return " ".join(line.strip() for line in str(error).splitlines()[:2] if line.strip())[:300]
