"""Cohort folders into the cache. Cohorts never change, so each is read once."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path

import duckdb
import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from core.cohort.schema import stored_name
from core.cohort_folders import MANIFEST, TABLE, damage_of, damaged_file, in_short, read_manifest
from core.errors import DamagedFile
from core.workspace import Workspace


def refresh_cohorts(cursor: duckdb.DuckDBPyConnection, workspace: Workspace) -> tuple[bool, dict[str, DamagedFile]]:
    """Add new cohorts and drop those whose folder is gone: whether there were any, and what is wrong with each that cannot be read."""
    known = {row[0] for row in cursor.execute("SELECT cohort_id FROM cohorts").fetchall()}
    folders = [path for path in workspace.entries(workspace.cohorts) if not path.name.startswith(".") and (path / MANIFEST).exists()]
    # One that was damaged since is dropped, and comes back when it is whole again.
    damage = {path.name: damage_of(path) for path in folders}
    there = {path.name: path for path in folders if damage[path.name] is None}
    gone = sorted(known - set(there))
    if gone:
        cursor.execute("BEGIN")
        cursor.execute("DELETE FROM cohorts WHERE cohort_id IN (SELECT unnest(?))", [gone])
        cursor.execute("DELETE FROM attributes WHERE cohort_id IN (SELECT unnest(?))", [gone])
        cursor.execute("COMMIT")
    new = sorted(set(there) - known)
    damage |= {cohort_id: _added(cursor, there[cohort_id]) for cohort_id in new}
    added = [cohort_id for cohort_id in new if damage[cohort_id] is None]
    return bool(gone or added), {cohort_id: error for cohort_id, error in damage.items() if error is not None}


def sampling_weights(folder: Path) -> pd.Series | None:
    """Sampling weights by sample id of one cohort folder; None where its roles name no column of them, or the folder is gone."""
    if not (folder / MANIFEST).is_file():
        return None
    column = read_manifest(folder)["roles"].get("weights")
    if column is None:
        return None
    try:
        table = pd.read_parquet(folder / TABLE, columns=["sample_id", stored_name(column)])
    except (OSError, ValueError, pa.ArrowException) as error:
        raise damaged_file(folder, TABLE, f"cannot be read ({in_short(error)})") from None
    return pd.Series(table[stored_name(column)].to_numpy(dtype=np.float64), index=table["sample_id"].astype(str), name=column)


def _added(cursor: duckdb.DuckDBPyConnection, folder: Path) -> DamagedFile | None:
    """What is wrong with a cohort that cannot be read: that must not hide the others."""
    try:
        _add(cursor, folder.name, folder)
    except DamagedFile as error:
        return error
    except (OSError, ValueError, KeyError, pa.ArrowException) as error:
        return damaged_file(folder, TABLE, f"cannot be read ({in_short(error)})")
    return None


def _created(value: str) -> datetime:
    """The manifest's ISO 8601 text as naive UTC."""
    return datetime.fromisoformat(value).astimezone(UTC).replace(tzinfo=None)


def _add(cursor: duckdb.DuckDBPyConnection, cohort_id: str, folder: Path) -> None:
    manifest = read_manifest(folder)
    roles = manifest["roles"]
    attributes = list(roles["attributes"])
    table = pq.ParquetFile(folder / TABLE).read(columns=["sample_id", *attributes])
    sample_id = table["sample_id"].cast(pa.string())
    cursor.execute("BEGIN")
    try:
        for name in attributes:
            n = table.num_rows
            rows = pa.table(
                [pa.repeat(pa.scalar(cohort_id), n), pa.array(range(n), pa.int32()), sample_id, pa.repeat(pa.scalar(name), n), table[name].cast(pa.string())],
                names=["cohort_id", "position", "sample_id", "attribute", "value"],
            )
            cursor.register("new_attributes", rows)
            cursor.execute("INSERT INTO attributes SELECT * FROM new_attributes")
            cursor.unregister("new_attributes")
        modalities = [item["name"] for item in roles["modalities"]]
        cursor.execute(
            "INSERT INTO cohorts VALUES (?, ?, ?, ?, ?, ?, ?)",
            [cohort_id, manifest["name"], manifest["n"], manifest["n_patients"], _created(manifest["created"]), json.dumps(modalities), json.dumps(attributes)],
        )
        cursor.execute("COMMIT")
    except BaseException:
        cursor.execute("ROLLBACK")
        raise
