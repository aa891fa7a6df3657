"""Run folders into the cache: only what is new, and the same result however often it is done."""

from __future__ import annotations

import logging
import math
import os
from collections.abc import Collection, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from core.errors import DamagedFile
from core.runs.folder import RunFolder
from core.runs.listing import run_row
from core.store.journal import EPOCH_COLUMNS, TELEMETRY_KEY, JournalPart, head_fingerprint, read_part
from core.store.schema import RUN_TABLES
from core.store.scores import PREFIXES

log = logging.getLogger(__name__)

ROWS_PER_TRANSACTION = 400_000

_EPOCHS = pa.schema([("run_id", pa.string()), ("epoch", pa.int64()), *((name, pa.float64()) for name in EPOCH_COLUMNS[1:])])
_TELEMETRY = pa.schema(
    [("run_id", pa.string()), ("epoch", pa.int64()), *((name, pa.string()) for name in TELEMETRY_KEY[1:]),
     ("value", pa.float64()), ("low", pa.float64()), ("high", pa.float64()), ("n", pa.int64())]
)  # fmt: skip
_ALERTS = pa.schema(
    [("run_id", pa.string()), ("epoch", pa.int64()), ("code", pa.string()), ("modality", pa.string()), ("group_name", pa.string()),
     ("value", pa.float64()), ("n", pa.int64()), ("message", pa.string())]
)  # fmt: skip
_PREDICTIONS = pa.schema(
    [("sample_id", pa.string()), ("patient_id", pa.string()), ("split", pa.string()), ("y", pa.int8()), ("score", pa.float64()), ("prediction", pa.int8())]
)


Fingerprints = tuple[str | None, str | None, str | None]
"""Of a run's status and specification, journal and predictions; unchanged fingerprints mean that nothing has changed, to the next process too."""


@dataclass(frozen=True)
class Source:
    """How far a run folder has been read."""

    status_fingerprint: str | None
    journal_fingerprint: str | None
    predictions_fingerprint: str | None
    journal_head: str | None
    journal_offset: int
    journal_skipped: int
    predictions_read: bool
    """False when the file with this fingerprint could not be read."""

    @property
    def fingerprints(self) -> Fingerprints:
        return self.status_fingerprint, self.journal_fingerprint, self.predictions_fingerprint


def file_fingerprint(path: Path | str) -> str | None:
    """Changes when the file is replaced or written; None where there is no file."""
    try:
        stat = os.stat(path)
    except FileNotFoundError:
        return None
    return f"{stat.st_mtime_ns}-{stat.st_size}-{stat.st_ino}"


def fingerprints_of(folder: RunFolder) -> Fingerprints:
    """Of the folder's status (with its specification), journal and predictions; None for what is not there."""
    # A specification is written once; that it has changed says that somebody has damaged or mended it.
    told = f"{file_fingerprint(folder.status_file)} {file_fingerprint(folder.spec_file)}"
    return told, file_fingerprint(folder.journal), file_fingerprint(folder.predictions)


@dataclass
class Batch:
    """Rows of several runs, written in one transaction."""

    afresh: list[str] = field(default_factory=list)
    """Runs whose journal began anew: their rows go first."""
    runs: list[dict[str, Any]] = field(default_factory=list)
    sources: dict[str, Source] = field(default_factory=dict)
    journals: list[tuple[str, JournalPart, bool]] = field(default_factory=list)
    """(run_id, part, whether rows of this run may be there already)"""
    predictions: list[tuple[str, pa.Table | None]] = field(default_factory=list)
    """None: the run has none (any more)"""
    rows: int = 0

    def add(self, folder: RunFolder, known: Source | None, fingerprints: Fingerprints) -> bool:
        """Read what is new in `folder`; nothing is written yet.

        False when the folder cannot be read: being deleted at this moment, or damaged.
        One such folder must not hide the other runs.
        """
        try:
            self._read(folder, known, fingerprints)
        except DamagedFile:
            # `core.runs.folder.damaged` lists it for whoever asks.
            return False
        except (OSError, ValueError, KeyError) as error:
            log.warning("The run folder %s cannot be read and is passed over: %s: %s", folder.path, type(error).__name__, error)
            return False
        return True

    def _read(self, folder: RunFolder, known: Source | None, fingerprints: Fingerprints) -> None:
        # Fingerprints are taken before the files are read, so that a change in between is a change next
        # time; the status before the journal, so that a run shown as done has its whole journal.
        predictions_fingerprint = fingerprints[2]
        row = run_row(folder.read_spec(), folder.read_status())
        head = head_fingerprint(folder.journal)
        continues = known is not None and known.journal_head == head and _size(folder.journal) >= known.journal_offset
        start = known.journal_offset if known is not None and continues else 0
        part = read_part(folder.journal, start)
        changed = known is None or known.predictions_fingerprint != predictions_fingerprint or not known.predictions_read
        predictions, readable = None, True
        try:
            if changed and predictions_fingerprint:
                predictions = _read_predictions(folder.run_id, folder.predictions)
        except (OSError, ValueError, KeyError, pa.ArrowException) as error:
            readable = False
            row |= {"status": "failed", "reason": f"damaged: predictions.parquet {_why(error)}; {folder.remedy()}"}
        # From here on nothing can fail: the batch gets all of the run or nothing.
        self.runs.append(row)
        if known is not None and not continues:
            self.afresh.append(folder.run_id)
        self.journals.append((folder.run_id, part, start > 0))
        self.rows += len(part.telemetry) + len(part.epochs)
        if changed:
            self.predictions.append((folder.run_id, predictions))
            self.rows += 0 if predictions is None else predictions.num_rows
        skipped = part.skipped + (known.journal_skipped if known is not None and continues else 0)
        self.sources[folder.run_id] = Source(*fingerprints, head, part.offset, skipped, readable)

    def write(self, cursor: duckdb.DuckDBPyConnection) -> None:
        """All of it or nothing."""
        cursor.execute("BEGIN")
        try:
            if self.afresh:
                cursor.execute("DELETE FROM epochs WHERE run_id IN (SELECT unnest(?))", [self.afresh])
                cursor.execute("DELETE FROM telemetry WHERE run_id IN (SELECT unnest(?))", [self.afresh])
                cursor.execute("DELETE FROM alerts WHERE run_id IN (SELECT unnest(?))", [self.afresh])
            self._write_runs(cursor)
            self._write_journals(cursor)
            self._write_predictions(cursor)
            cursor.execute("COMMIT")
        except BaseException:
            cursor.execute("ROLLBACK")
            raise

    def _write_runs(self, cursor: duckdb.DuckDBPyConnection) -> None:
        new_runs = pa.Table.from_pylist(self.runs, schema=_RUNS)
        fingerprints = [{"run_id": run_id, **vars(source)} for run_id, source in self.sources.items()]
        new_sources = pa.Table.from_pylist(fingerprints, schema=_SOURCES)
        cursor.register("new_runs", new_runs)
        cursor.register("new_sources", new_sources)
        cursor.execute("INSERT OR REPLACE INTO runs BY NAME SELECT * FROM new_runs")
        cursor.execute("INSERT OR REPLACE INTO sources BY NAME SELECT * FROM new_sources")
        cursor.unregister("new_runs")
        cursor.unregister("new_sources")

    def _write_journals(self, cursor: duckdb.DuckDBPyConnection) -> None:
        epochs = _table(_EPOCHS, [(run_id, [(epoch,) for epoch in part.epochs], part.epochs.values()) for run_id, part, _ in self.journals])
        telemetry = _table(_TELEMETRY, [(run_id, part.telemetry, part.telemetry.values()) for run_id, part, _ in self.journals])
        older = [run_id for run_id, _, may_repeat in self.journals if may_repeat]
        cursor.register("new_epochs", epochs)
        cursor.register("new_telemetry", telemetry)
        if older:
            cursor.execute(
                "DELETE FROM epochs USING new_epochs AS new"
                " WHERE epochs.run_id IN (SELECT unnest(?)) AND epochs.run_id = new.run_id AND epochs.epoch = new.epoch",
                [older],
            )
            cursor.execute(
                "DELETE FROM telemetry USING new_telemetry AS new"
                " WHERE telemetry.run_id IN (SELECT unnest(?)) AND telemetry.run_id = new.run_id AND telemetry.epoch = new.epoch"
                " AND telemetry.name = new.name AND telemetry.stat = new.stat"
                " AND telemetry.modality IS NOT DISTINCT FROM new.modality AND telemetry.modality_b IS NOT DISTINCT FROM new.modality_b"
                ' AND telemetry.group_name IS NOT DISTINCT FROM new."group" AND telemetry.group_b IS NOT DISTINCT FROM new.group_b',
                [older],
            )
        cursor.execute("INSERT INTO epochs SELECT * FROM new_epochs")
        cursor.execute("INSERT INTO telemetry SELECT * FROM new_telemetry")
        cursor.unregister("new_epochs")
        cursor.unregister("new_telemetry")
        self._write_alerts(cursor)

    def _write_alerts(self, cursor: duckdb.DuckDBPyConnection) -> None:
        if not any(part.alerts for _, part, _ in self.journals):
            return
        alerts = _table(_ALERTS, [(run_id, part.alerts, part.alerts.values()) for run_id, part, _ in self.journals])
        cursor.register("new_alerts", alerts)
        cursor.execute(
            "DELETE FROM alerts USING new_alerts AS new WHERE alerts.run_id = new.run_id AND alerts.epoch = new.epoch AND alerts.code = new.code"
            " AND alerts.modality IS NOT DISTINCT FROM new.modality AND alerts.group_name IS NOT DISTINCT FROM new.group_name"
        )
        cursor.execute("INSERT INTO alerts SELECT * FROM new_alerts")
        cursor.unregister("new_alerts")

    def _write_predictions(self, cursor: duckdb.DuckDBPyConnection) -> None:
        if not self.predictions:
            return
        cursor.execute("DELETE FROM predictions WHERE run_id IN (SELECT unnest(?))", [[run_id for run_id, _ in self.predictions]])
        tables = [table for _, table in self.predictions if table is not None]
        if tables:
            cursor.register("new_predictions", pa.concat_tables(tables))
            cursor.execute("INSERT INTO predictions SELECT * FROM new_predictions")
            cursor.unregister("new_predictions")


_RUNS = pa.schema(
    [("run_id", pa.string()), ("key", pa.string()), ("cohort_id", pa.string()), ("method", pa.string()), ("label", pa.string()),
     ("family", pa.string()), ("attribute", pa.string()), ("seed", pa.int64()), ("preset", pa.string()), ("status", pa.string()),
     ("reason", pa.string()), ("created", pa.timestamp("us")), ("started", pa.timestamp("us")), ("finished", pa.timestamp("us")),
     ("seconds", pa.float64()), ("device", pa.string()), ("settings", pa.string()), ("network", pa.string()), ("budget", pa.string()),
     ("epoch", pa.int64()), ("epochs", pa.int64()), ("seconds_left", pa.float64()), ("attempt", pa.int64()), ("order", pa.float64()), ("fold", pa.string()),
     ("alerts", pa.string())]
)  # fmt: skip
_SOURCES = pa.schema(
    [("run_id", pa.string()), ("status_fingerprint", pa.string()), ("journal_fingerprint", pa.string()), ("predictions_fingerprint", pa.string()),
     ("journal_head", pa.string()), ("journal_offset", pa.int64()), ("journal_skipped", pa.int64()), ("predictions_read", pa.bool_())]
)  # fmt: skip


def _table(schema: pa.Schema, parts: Iterable[tuple[str, Collection[tuple[Any, ...]], Collection[tuple[Any, ...]]]]) -> pa.Table:
    """Rows of several runs, each given as (run_id, keys, values), as columns of `schema`."""
    columns: list[list[Any]] = [[] for _ in schema]
    for run_id, keys, values in parts:
        if keys:
            columns[0] += [run_id] * len(keys)
            for column, items in zip(columns[1:], (*zip(*keys, strict=True), *zip(*values, strict=True)), strict=True):
                column.extend(items)
    return pa.table([pa.array(column, type=item.type) for column, item in zip(columns, schema, strict=True)], schema=schema)


def _read_predictions(run_id: str, path: Path) -> pa.Table:
    if not path.is_file():
        raise ValueError("no regular file")
    # Files of a few hundred rows: threads and read-ahead would cost more than they save.
    with pq.ParquetFile(path, pre_buffer=False) as file:
        missing = [name for name in ("sample_id", "patient_id", "split", "y", "score") if name not in file.schema_arrow.names]
        if missing:
            raise ValueError(f"no column {missing[0]}")
        scores = [f for f in file.schema_arrow if f.name.startswith(tuple(PREFIXES))]
        text = [f.name for f in scores if not (pa.types.is_floating(f.type) or pa.types.is_null(f.type))]
        if text:
            raise ValueError(f"no numbers as {text[0]}")
        table = file.read(columns=[name for name in _PREDICTIONS.names if name in file.schema_arrow.names], use_threads=False)
    n = table.num_rows
    arrays = [table[f.name].cast(f.type) if f.name in table.column_names else pa.nulls(n, f.type) for f in _PREDICTIONS]
    _check_predictions(*(arrays[_PREDICTIONS.names.index(name)] for name in ("sample_id", "patient_id", "split", "y", "score", "prediction")))
    return pa.table([pa.repeat(pa.scalar(run_id), n), pa.array(range(n), pa.int32()), *arrays], names=["run_id", "position", *_PREDICTIONS.names])


def _check_predictions(sample: Any, patient: Any, split: Any, y: Any, score: Any, prediction: Any) -> None:
    """ValueError for what no training writes: it would be taken for a result, or stop what looks at all results."""
    if sample.null_count or pc.count_distinct(sample).as_py() < len(sample):
        raise ValueError("names a sample twice or not at all")
    if patient.null_count:
        # All without one would count as a single patient.
        raise ValueError("does not name the patient of every sample")
    for column, highest, what in (
        (score, 1, "scores below 0 or above 1"),
        (y, math.inf, "labels below 0"),
        (prediction, 1, "decisions other than 0 and 1"),
    ):
        low, high = pc.min_max(column).as_py().values()
        if low is not None and not (low >= 0 and high <= highest):
            raise ValueError(f"holds {what}")
    known = pc.and_(pc.is_valid(pc.if_else(pc.is_nan(score), None, score)), pc.is_valid(y))
    if not pc.any(pc.and_(pc.equal(split, "test"), known)).as_py():
        raise ValueError("holds no prediction of a test sample")


def _why(error: Exception) -> str:
    """In a few words of one line, whatever the library said."""
    return f"cannot be read ({' '.join(str(error).split())[:120] or type(error).__name__})"


def _size(path: Path) -> int:
    return path.stat().st_size if path.is_file() else 0


def forget(cursor: duckdb.DuckDBPyConnection, run_ids: list[str]) -> None:
    """Remove every row of runs whose folders are gone."""
    cursor.execute("BEGIN")
    for table in RUN_TABLES:
        cursor.execute(f"DELETE FROM {table} WHERE run_id IN (SELECT unnest(?))", [run_ids])  # noqa: S608 -- names from our own schema
    cursor.execute("COMMIT")
