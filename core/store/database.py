"""Opening a cache file, and starting it afresh when it cannot be used."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import duckdb

from core.json_reading import read_json
from core.store.schema import SCHEMA_VERSION, TABLES
from core.workspace import write_json

log = logging.getLogger(__name__)

_CONFIG = {"autoinstall_known_extensions": "false", "autoload_known_extensions": "false", "threads": "2"}


def open_database(path: Path) -> duckdb.DuckDBPyConnection:
    """A connection to the cache at `path`, whose slot the caller owns.

    A file written by another DuckDB or another schema, or one that cannot be read, is
    deleted: everything in it comes from the run folders and is read from there again.
    """
    about = path.with_suffix(".json")
    wanted = {"schema": SCHEMA_VERSION, "duckdb": duckdb.__version__}
    if path.exists() and _note(about) == wanted:
        try:
            return duckdb.connect(str(path), config=dict(_CONFIG))
        except duckdb.Error as error:
            log.warning("The results cache %s could not be read (%s) and is built again from the run folders.", path, error)
    elif path.exists():
        log.warning("The results cache %s is of another version and is built again from the run folders.", path)
    delete_database(path)
    connection = duckdb.connect(str(path), config=dict(_CONFIG))
    connection.execute("BEGIN")
    connection.execute(TABLES)
    connection.execute("COMMIT")
    write_json(about, wanted)
    return connection


def _note(about: Path) -> Any:
    """What was written beside the cache; None when that is missing or damaged."""
    try:
        return read_json(about)
    except (FileNotFoundError, ValueError):
        return None


def delete_database(path: Path) -> None:
    """Remove a cache file with its write-ahead log and its version note."""
    for name in (path, path.with_name(path.name + ".wal"), path.with_suffix(".json")):
        name.unlink(missing_ok=True)
