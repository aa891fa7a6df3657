"""The results cache: what pages, audits and reports query."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import duckdb
import pandas as pd

from core.errors import DamagedFile
from core.runs.dead_runs import settle_dead_runs
from core.runs.folder import RunFolder, folders
from core.runs.spec import ALL_FOLDS
from core.store import ingest
from core.store.cohorts import refresh_cohorts, sampling_weights
from core.store.database import delete_database, open_database
from core.store.scores import modality_scores
from core.store.slots import Slot, acquire
from core.workspace import Workspace


class Store:
    """One process's cache of a workspace's run folders and cohorts.

    Safe to use from several threads: each query has a cursor of its own, and a lock
    keeps writes in a row. Frames hold missing text as NaN and times as naive UTC.
    """

    def __init__(self, workspace: Workspace, slot: Slot, connection: duckdb.DuckDBPyConnection) -> None:
        self.workspace = workspace
        self._slot = slot
        self._connection = connection
        self._writing = threading.RLock()
        self._sources: dict[str, ingest.Source] = {}
        self._revision = 0
        self._damaged: dict[str, DamagedFile] = {}
        self._load_sources()

    @classmethod
    def open(cls, workspace: Workspace | str | Path) -> Store:
        """Own a cache file of `workspace` and bring it up to date.

        Raises UserError when too many programs use the workspace at once.
        """
        place = workspace if isinstance(workspace, Workspace) else Workspace.open(workspace)
        slot = acquire(place)
        try:
            store = cls(place, slot, open_database(slot.database))
        except BaseException:
            slot.release()
            raise
        store.refresh()
        return store

    @property
    def database(self) -> Path:
        """The file that this process owns."""
        return self._slot.database

    @property
    def revision(self) -> int:
        """Grows whenever `refresh` found something new: what was read before then may be kept until it does."""
        return self._revision

    def release_file(self) -> None:
        """Let go of the database file and keep the place: another connection of this process may then open it."""
        with self._writing:
            self._connection.close()

    def close(self) -> None:
        with self._writing:
            self._connection.close()
            self._slot.release()

    def __enter__(self) -> Store:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def refresh(self) -> int:
        """Take in what is new in the run and cohort folders; returns how many runs had changed.

        Runs whose process has died are settled first, so none is shown as running for ever.
        Doing it again, at any moment and from any number of processes, changes nothing.
        """
        settle_dead_runs(self.workspace)
        with self._writing:
            cursor = self._connection.cursor()
            cohorts, self._damaged = refresh_cohorts(cursor, self.workspace)
            batch, there, changed, unusable = ingest.Batch(), set(), 0, set()
            for folder in folders(self.workspace):
                there.add(folder.run_id)
                fingerprints = ingest.fingerprints_of(folder)
                known = self._sources.get(folder.run_id)
                if known is not None and known.fingerprints == fingerprints:
                    continue
                if not batch.add(folder, known, fingerprints):
                    # What was read before goes with it, or every page would stumble over a run that cannot be opened.
                    unusable.add(folder.run_id)
                    continue
                changed += 1
                if batch.rows > ingest.ROWS_PER_TRANSACTION:
                    self._write(batch, cursor)
                    batch = ingest.Batch()
            self._write(batch, cursor)
            gone = sorted(set(self._sources) - (there - unusable))
            if gone:
                ingest.forget(cursor, gone)
                for run_id in gone:
                    self._sources.pop(run_id)
            if cohorts or changed or gone:
                self._revision += 1
            return changed + len(gone)

    def rebuild(self) -> int:
        """Throw the cache away and read every folder again; returns the number of runs."""
        with self._writing:
            self._connection.close()
            delete_database(self.database)
            self._connection = open_database(self.database)
            self._sources = {}
            return self.refresh()

    def runs(self, cohort_id: str | None = None, status: str | Sequence[str] | None = None, *, whole: bool = False) -> pd.DataFrame:
        """One row per run, in the order in which they were asked for.

        Columns: run_id, key, cohort_id, method, label, family, attribute, seed, preset,
        status, reason, created, started, finished, seconds, device, settings, network,
        budget (JSON texts), epoch, epochs, seconds_left, attempt, order, fold, alerts (a sentence a line).
        `whole`: without runs of a single fold of a cross-validation, whose pooled run speaks for them.
        """
        statuses = [status] if isinstance(status, str) else None if status is None else list(status)
        frame = self._runs(cohort_id, None if self._damaged else statuses, whole)
        # Nothing can be said about groups of a cohort that cannot be read; its runs must not stop what looks at all runs.
        unusable = frame["cohort_id"].isin(list(self._damaged)) & (frame["status"] == "done")
        if unusable.any():
            frame.loc[unusable, "reason"] = [str(self._damaged[name]) for name in frame.loc[unusable, "cohort_id"]]
            frame.loc[unusable, "status"] = "failed"
        return frame[frame["status"].isin(statuses)].reset_index(drop=True) if self._damaged and statuses is not None else frame

    def _runs(self, cohort_id: str | None, statuses: list[str] | None, whole: bool) -> pd.DataFrame:
        return self._frame(
            "SELECT * FROM runs WHERE (?::VARCHAR IS NULL OR cohort_id = ?) AND (? OR status IN (SELECT unnest(?::VARCHAR[])))"
            " AND (NOT ? OR fold IS NULL OR fold = ?) ORDER BY created, run_id",
            [cohort_id, cohort_id, statuses is None, statuses or [], whole, ALL_FOLDS],
            epoch="Int64",
            epochs="Int64",
        )

    def epochs(self, run_ids: Iterable[str]) -> pd.DataFrame:
        """Columns: run_id, epoch (0-based; -1 before training), train_loss, validation_loss, validation_auc, seconds."""
        return self._frame("SELECT * FROM epochs WHERE run_id IN (SELECT unnest(?::VARCHAR[])) ORDER BY run_id, epoch", [_many(run_ids)])

    def telemetry(self, run_ids: Iterable[str], names: Iterable[str] | None = None) -> pd.DataFrame:
        """Columns: run_id, epoch, name, modality, modality_b, group, group_b, stat, value, low, high, n.

        `names`: exact names, or a prefix that ends in a dot (`method.`); None for all.
        """
        chosen = None if names is None else _many(names)
        return self._frame(
            'SELECT run_id, epoch, name, modality, modality_b, group_name AS "group", group_b, stat, value, low, high, n FROM telemetry'
            " WHERE run_id IN (SELECT unnest(?::VARCHAR[]))"
            " AND (? OR name IN (SELECT unnest(?::VARCHAR[])) OR len(list_filter(?::VARCHAR[], lambda p: p.ends_with('.') AND name.starts_with(p))) > 0)"
            " ORDER BY run_id, epoch, name, stat, modality NULLS FIRST, modality_b NULLS FIRST, group_name NULLS FIRST, group_b NULLS FIRST",
            [_many(run_ids), chosen is None, chosen or [], chosen or []],
            n="Int64",
        )

    def predictions(self, run_id: str | Iterable[str], split: str | None = None) -> pd.DataFrame:
        """Columns: run_id, sample_id, patient_id, split, y, score, prediction (missing where a threshold decides).

        Rows of one run keep the order of its file, which is the cohort's row order.
        """
        return self._frame(
            "SELECT * EXCLUDE (position) FROM predictions"
            " WHERE run_id IN (SELECT unnest(?::VARCHAR[])) AND (?::VARCHAR IS NULL OR split = ?) ORDER BY run_id, position",
            [_many(run_id), split, split],
            prediction="Int8",
        )

    def score_vectors(self, run_ids: Iterable[str], split: str) -> pd.DataFrame:
        """One row per run that has scores: run_id, samples (a fingerprint of sample ids and labels in their order), score (n,).

        Rows without a score or label are left out. Runs with the same fingerprint judged the same samples.
        """
        return self._frame(
            "SELECT run_id, md5(string_agg(sample_id || chr(31) || y, chr(30) ORDER BY position)) AS samples, list(score ORDER BY position) AS score"
            " FROM predictions WHERE run_id IN (SELECT unnest(?::VARCHAR[])) AND split = ? AND score IS NOT NULL AND NOT isnan(score) AND "
            "y IS NOT NULL GROUP BY run_id ORDER BY run_id",
            [_many(run_ids), split],
        )

    def modality_scores(self, run_id: str, split: str | None = None) -> pd.DataFrame:
        """Columns: run_id, sample_id, split, kind ('unimodal' | 'without'), modality, score."""
        return modality_scores(self.folder(run_id), split)

    def attributes(self, cohort_id: str, attribute: str | None = None) -> pd.DataFrame:
        """Columns: cohort_id, sample_id, attribute, value (missing where unknown), in cohort row order."""
        return self._frame(
            "SELECT * EXCLUDE (position) FROM attributes WHERE cohort_id = ? AND (?::VARCHAR IS NULL OR attribute = ?) ORDER BY attribute, position",
            [cohort_id, attribute, attribute],
        )

    def sampling_weights(self, cohort_id: str) -> pd.Series | None:
        """Sampling weight (float) by sample_id, from the cohort's own table; None where the cohort has none."""
        return sampling_weights(self.workspace.cohorts / cohort_id)

    def cohorts(self) -> pd.DataFrame:
        """Columns: cohort_id, name, n, n_patients, created, modalities, attributes (tuples of names)."""
        frame = self._frame("SELECT * FROM cohorts ORDER BY created, cohort_id", [])
        for name in ("modalities", "attributes"):
            frame[name] = pd.Series([tuple(json.loads(text)) for text in frame[name]], dtype=object, index=frame.index)
        return frame

    def folder(self, run_id: str) -> RunFolder:
        """The run's folder; raises KeyError for a run that the cache does not know."""
        if run_id not in self._sources:
            raise KeyError(f"no run {run_id} in this workspace")
        return RunFolder(self.workspace.runs / run_id)

    def predictions_fingerprint(self, run_id: str) -> str:
        """Changes when the run's predictions change: put it into keys given to `cached`."""
        return self._sources[run_id].predictions_fingerprint or ""

    def cached(self, kind: str, key: str, compute: Callable[[], Any]) -> Any:
        """The JSON value stored under (kind, key), computed and stored when it is not there.

        `compute` runs outside the lock, so that one slow audit does not hold up the pages;
        two threads may then both compute, and one of the equal results is kept.
        """
        row = self._cursor().execute("SELECT payload FROM cache WHERE kind = ? AND key = ?", [kind, key]).fetchone()
        if row is not None:
            return json.loads(row[0])
        payload = json.dumps(compute(), allow_nan=False, ensure_ascii=False)
        with self._writing:
            now = datetime.now(UTC).replace(tzinfo=None)
            self._cursor().execute("INSERT OR REPLACE INTO cache VALUES (?, ?, ?, ?)", [kind, key, payload, now])
        return json.loads(payload)

    def cached_among(self, kind: str, keys: Iterable[str]) -> dict[str, Any]:
        """The values that are stored already under (kind, any of keys), in one query."""
        rows = self._cursor().execute("SELECT key, payload FROM cache WHERE kind = ? AND key IN (SELECT unnest(?::VARCHAR[]))", [kind, _many(keys)]).fetchall()
        return {key: json.loads(payload) for key, payload in rows}

    def cache(self, kind: str, values: Mapping[str, Any]) -> None:
        """Store JSON values under (kind, their keys), all in one transaction."""
        payloads = [json.dumps(value, allow_nan=False, ensure_ascii=False) for value in values.values()]
        with self._writing:
            now = datetime.now(UTC).replace(tzinfo=None)
            self._cursor().execute("INSERT OR REPLACE INTO cache SELECT ?, unnest(?::VARCHAR[]), unnest(?::VARCHAR[]), ?", [kind, list(values), payloads, now])

    def _cursor(self) -> duckdb.DuckDBPyConnection:
        return self._connection.cursor()

    def _frame(self, query: str, parameters: list[Any], **nullable: str) -> pd.DataFrame:
        # Whether a whole number may be missing must not depend on the rows asked for.
        return self._cursor().execute(query, parameters).df().astype(nullable)

    def _write(self, batch: ingest.Batch, cursor: duckdb.DuckDBPyConnection) -> None:
        if batch.sources:
            batch.write(cursor)
            self._sources.update(batch.sources)

    def _load_sources(self) -> None:
        rows = self._cursor().execute("SELECT * FROM sources").fetchall()
        self._sources = {row[0]: ingest.Source(*row[1:]) for row in rows}


def _many(values: str | Iterable[str]) -> list[str]:
    return [values] if isinstance(values, str) else list(values)
