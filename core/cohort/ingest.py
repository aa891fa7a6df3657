"""From a table and its files to a saved cohort."""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from core.cohort import cohort as saved
from core.cohort.checks import CheckInput, CheckResult, SetAside, findings_of, run_checks
from core.cohort.checks.leakage import matched_column
from core.cohort.checks.structure import unusable_weights
from core.cohort.decode import Progress, silent
from core.cohort.files import FileModality, collect, decode_modality
from core.cohort.folds import given_folds, made_folds
from core.cohort.guess import column_roles, guess_roles
from core.cohort.layouts import layout_finding
from core.cohort.manifest import read_manifest
from core.cohort.matching import unused_files
from core.cohort.preparation import prepared, prepared_for
from core.cohort.schema import Finding, Roles, stored_name, validate
from core.cohort.sources import ImageSource, open_source
from core.cohort.splits import connected, cut_validation, make_split, parse_split, rows_of_test_patients
from core.cohort.table_sets import choose_table, files_beside
from core.errors import UserError
from core.locks import holding
from core.tables.finding import counted
from core.tables.join import join_files
from core.tables.numbers import to_number
from core.tables.reader import read
from core.tables.splits import SPLITS
from core.workspace import Workspace, write_json

FORMAT = 1
"""Raised when what a cohort folder holds changes its meaning, so that old and new never share an id."""

SCALING = "robust range"
"""How values beyond 8 bits become pixels; named in the id of cohorts that have such files."""
LARGE = 20 << 20
"""Bytes of a table whose reading is worth a word."""
WORTH_A_WORD = 2000
"""Tables with fewer rows are done before anyone has read that they are being worked on."""


_PLAIN_NUMBER = re.compile(r"[-+]?(\d+\.?\d*|\.\d+)([eE][-+]?\d+)?")


def ingest(
    workspace: Workspace,
    table_path: str | Path,
    images: str | Path | Mapping[str, Path] | ImageSource | None = None,
    roles: Roles | None = None,
    name: str | None = None,
    strict: bool = False,
    progress: Progress = silent,
    *,
    size: int | None = None,
    seed: int = 0,
    sheet: str | None = None,
    encoding: str | None = None,
    reasons: Mapping[str, str] | None = None,
    join: Sequence[str] = (),
) -> saved.Cohort:
    """Save a cohort and return it; the same content and roles answer at once.

    `table_path`: a table in any format that `core.tables` reads, or a folder that holds `cohort.csv`.
    `join`: further tables as `FILE:ID` (`core.tables.join`). `reasons`: column -> why it has its role, kept with the cohort.
    `sheet`, `encoding`: of that file, where it has several or where it is not recognised.
    `images`: folder, zip, or uploaded files; the table's own folder when None.
    `roles`: else those of a manifest beside the table, else guessed. `size`:
    edge in pixels kept of images and slices (else from the files, at most 128).
    `strict`: refuse the cohort when any row has to be set aside. `seed`: of the
    splits, when they have to be made. Raises UserError.
    """
    chosen = choose_table(table_path)
    path, join = chosen.table, join or chosen.join
    if path.is_file() and path.stat().st_size > LARGE:
        progress(f"reading {path.name}")
    joined = join_files(read(path, sheet=sheet, encoding=encoding), join)
    table = joined.table.frame
    source = open_source(images if images is not None else files_beside(table_path))
    manifest_name = None
    if roles is None:
        roles, manifest_name, reasons = _own_roles(path, table, source, joined.stacked_by)
    wanted = name or manifest_name or (path.stem if path.stem != "cohort" else path.parent.name) or "cohort"
    return ingest_table(
        workspace,
        table,
        source,
        roles,
        wanted,
        strict,
        progress,
        alias=name,
        size=size,
        seed=seed,
        origin=str(path),
        found=(*chosen.findings, *joined.table.findings, *joined.findings),
        reasons=reasons,
        named=images is not None,
    )


def ingest_table(
    workspace: Workspace,
    table: pd.DataFrame,
    source: ImageSource,
    roles: Roles,
    name: str,
    strict: bool = False,
    progress: Progress = silent,
    *,
    alias: str | None = None,
    size: int | None = None,
    seed: int = 0,
    origin: str = "table",
    found: Sequence[Finding] = (),
    reasons: Mapping[str, str] | None = None,
    named: bool = False,
) -> saved.Cohort:
    """As `ingest`, for a table in memory (text or None).

    `alias`: further name to find it by; `origin`: what messages call the table; `found`: findings
    of the file itself, kept with those of the checks; `reasons`: column -> why it has its role;
    `named`: the user pointed at `source`, so that files of it that no row uses are worth a word.
    """
    table = prepared_for(table, roles, source)
    validate(roles, list(table.columns))
    if len(table) > WORTH_A_WORD:
        progress(f"reading the files of {len(table)} rows")
    collected = collect(table, roles, source)
    used = [name for modality in collected.values() for name in modality.names]
    found = (
        *found,
        *layout_finding(table.columns),
        *(f for modality in collected.values() for f in modality.findings),
        *unused_files(source, used, named=named),
    )
    cohort_id = _content_id(table, roles, collected, size=size, seed=seed)
    with holding(workspace.cohorts / f".{cohort_id}.lock"):
        final = workspace.cohorts / cohort_id
        if not (final / "manifest.json").is_file():
            building = workspace.cohorts / f".building-{cohort_id}"
            try:
                free = saved.free_name(workspace, name)
                options: dict[str, Any] = {"strict": strict, "size": size, "seed": seed, "progress": progress, "origin": origin}
                _build(building, cohort_id, free, table, roles, source, collected, found=found, reasons=reasons or {}, **options)
            except UserError:
                # What was refused leaves nothing; what was interrupted stays, to go on from.
                shutil.rmtree(building)
                raise
            shutil.rmtree(final, ignore_errors=True)
            os.replace(building, final)
        cohort = saved.Cohort(final)
    if strict and cohort.set_aside:
        raise UserError(_refusal(origin, [SetAside(s["row"] - 1, s["sample_id"], s["code"], s["reason"]) for s in cohort.set_aside]))
    if alias is not None and alias != cohort.name and saved.free_name(workspace, alias) == alias:
        saved.add_alias(workspace, alias, cohort_id)
    return cohort


def _own_roles(path: Path, table: pd.DataFrame, source: ImageSource, patient: str | None = None) -> tuple[Roles, str | None, Mapping[str, str]]:
    for manifest in (path.parent / "manifest.toml", path.parent / "manifest.json"):
        if manifest.is_file():
            roles, name = read_manifest(manifest)
            return roles, name, dict.fromkeys(table.columns, f"from {manifest.name}")
    guess = guess_roles(prepared(table, source=source), source, patient_id=patient)
    return guess.roles, None, guess.reasons


def _content_id(table: pd.DataFrame, roles: Roles, collected: dict[str, FileModality], *, size: int | None, seed: int) -> str:
    digest = hashlib.sha256(json.dumps([FORMAT, roles.to_dict(), size, seed, list(table.columns)], sort_keys=True).encode())
    digest.update(json.dumps(table.to_numpy(dtype=object).tolist(), ensure_ascii=False).encode("utf-8", "surrogatepass"))
    for name in sorted(collected):
        item = collected[name]
        digest.update(json.dumps([name, item.digests, sorted(item.problems.items()), *([SCALING] if item.scaled else [])]).encode())
    return digest.hexdigest()[:12]


def _refusal(origin: str, aside: list[SetAside]) -> str:
    first = aside[0]
    return (
        f"{origin}: {len(aside)} rows cannot be used, the first is row {first.row + 2} ({first.sample_id}): {first.reason}; correct them, or "
        "ingest without --strict to set them aside"
    )


def _row_ids(table: pd.DataFrame, roles: Roles) -> list[str]:
    """Names of the rows for messages: the sample's id where it has one, else its number."""
    known = table[roles.sample_id] if roles.sample_id else [None] * len(table)
    return [str(v) if v is not None else f"row {i + 1}" for i, v in enumerate(known)]


def _set_aside(
    folder: Path,
    table: pd.DataFrame,
    roles: Roles,
    source: ImageSource,
    collected: dict[str, FileModality],
    full: CheckInput,
    given: Any,
    ids: list[str],
    size: int | None,
    progress: Progress,
) -> list[SetAside]:
    """Decode every modality into `folder`; the rows that cannot be used, each once, with the first reason."""
    aside = _unusable_rows(table, roles, full, ids)
    taken = {s.row for s in aside}
    if given is not None:
        aside += [
            SetAside(int(i), ids[i], "patient-in-two-splits", "its patient is in the test set", roles.split)
            for i in rows_of_test_patients(given, full.patients)
            if int(i) not in taken
        ]
    for modality in collected.values():
        taken = {s.row for s in aside}
        aside += [SetAside(row, ids[row], "unusable-file", reason, modality.column) for row, reason in sorted(modality.problems.items()) if row not in taken]
    for modality in collected.values():
        failed = decode_modality(folder, modality, source, size, progress)
        taken = {s.row for s in aside}
        aside += [SetAside(row, ids[row], "unusable-file", reason, modality.column) for row, reason in sorted(failed.items()) if row not in taken]
    return aside


def _checked(
    kept: pd.DataFrame, roles: Roles, given: Any, present: Any, collected: dict[str, FileModality], aside: list[SetAside], labels: pd.Series
) -> list[CheckResult]:
    """The checks of the rows that are `kept`."""
    return run_checks(
        CheckInput(
            kept,
            roles,
            split=None if given is None else given.tolist(),
            present={n: present[:, i] for i, n in enumerate(m.name for m in roles.modalities) if n in collected},
            digests={n: m.pixel_digests for n, m in collected.items()},
            blank={n: m.blank for n, m in collected.items()},
            dark={n: m.dark for n, m in collected.items()},
            set_aside=aside,
            labels=labels,
        )
    )


def _build(
    folder: Path,
    cohort_id: str,
    name: str,
    table: pd.DataFrame,
    roles: Roles,
    source: ImageSource,
    collected: dict[str, FileModality],
    *,
    strict: bool,
    size: int | None,
    seed: int,
    progress: Progress,
    origin: str,
    found: Sequence[Finding] = (),
    reasons: Mapping[str, str] | None = None,
) -> None:
    (folder / "arrays").mkdir(parents=True, exist_ok=True)
    ids = _row_ids(table, roles)
    full = CheckInput(table, roles)
    given = _given_split(table, roles, full)
    aside = _set_aside(folder, table, roles, source, collected, full, given, ids, size, progress)
    if strict and aside:
        raise UserError(_refusal(origin, sorted(aside, key=lambda s: s.row)))
    gone = {s.row for s in aside}
    rows = np.array([i for i in range(len(table)) if i not in gone], dtype=np.int64)
    if not len(rows):
        raise UserError(f"no row can be used; the first: row {aside[0].row + 2} ({aside[0].sample_id}): {aside[0].reason}")
    kept = table.iloc[rows].reset_index(drop=True)
    for modality in collected.values():
        modality.keep(folder, rows)
    present = _present(kept, roles, collected)
    y, patients = full.codes[rows].astype(np.int8), [str(p) for p in full.patients[rows]]
    groups = [kept[a].tolist() for a in roles.attributes]
    given = None if given is None else given[rows]
    together = _together(kept, patients, roles, y)
    fold, moved = _folds(kept, roles, together, y, groups, given, seed)
    split = _splits(given, patients, together, y, groups, fold, seed)
    if len(table) > WORTH_A_WORD:
        progress("checking")
    results = _checked(kept, roles, given, present, collected, aside, table[roles.label])
    _save_table(folder / "table.parquet", kept, roles, [ids[i] for i in rows], patients, y, split)
    _save_arrays(folder, present, fold)
    write_json(folder / "files.json", {n: m.names for n, m in collected.items()})
    _save_findings(folder, (*found, *moved), results, aside)
    files = {n: m.record(source) for n, m in collected.items()}
    save_manifest(
        folder,
        cohort_id=cohort_id,
        name=name,
        created=saved.now(),
        n=len(rows),
        n_patients=len(set(patients)),
        splits_made=given is None,
        seed=seed,
        roles=roles,
        files=files,
        columns=column_roles(table, roles, reasons or {}),
        folds=0 if fold is None else int(fold.max()) + 1,
    )


def _save_arrays(folder: Path, present: np.ndarray, fold: np.ndarray | None) -> None:
    np.save(folder / "arrays" / "present.npy", present, allow_pickle=False)
    if fold is not None:
        np.save(folder / "arrays" / "fold.npy", fold, allow_pickle=False)


def _save_findings(folder: Path, found: Sequence[Finding], results: Sequence[CheckResult], aside: Sequence[SetAside]) -> None:
    checks = [{"code": r.code, "title": r.title, "outcome": r.outcome, "reason": r.reason} for r in results]
    rows = [{"row": s.row + 1, "sample_id": s.sample_id, "code": s.code, "reason": s.reason} for s in sorted(aside, key=lambda s: s.row)]
    write_json(folder / "findings.json", {"findings": [f.to_dict() for f in (*found, *findings_of(results))], "checks": checks, "set_aside": rows})


def save_manifest(
    folder: Path,
    *,
    cohort_id: str,
    name: str,
    created: str,
    n: int,
    n_patients: int,
    splits_made: bool,
    seed: int,
    roles: Roles,
    files: Mapping[str, Any],
    columns: Sequence[Mapping[str, str]] = (),
    folds: int = 0,
) -> None:
    """Write the manifest that makes `folder` a cohort. `files`: modality -> `FileModality.record`."""
    facts = {"cohort_id": cohort_id, "name": name, "created": created, "n": n, "n_patients": n_patients, "splits_made": splits_made, "seed": seed}
    write_json(
        folder / "manifest.json",
        {
            "format": FORMAT,
            **facts,
            "roles": roles.to_dict(),
            "files": dict(files),
            **({"columns": list(columns)} if columns else {}),
            **({"folds": folds} if folds else {}),
        },
    )


def _together(table: pd.DataFrame, patients: Sequence[str], roles: Roles, y: np.ndarray) -> list[str]:
    """Per row what stays in one split: its patient, with all patients that were matched to them."""
    column = matched_column(table, (y > 0).astype(float), (roles.patient_id, roles.label))
    units = list(patients) if column is None else connected(patients, table[column].tolist())
    if roles.site is None:
        return units
    if table[roles.site].nunique() < len(SPLITS):
        raise UserError(f"--site {roles.site}: it has {table[roles.site].nunique()} values; training, validation and test need one each at least")
    return connected(units, table[roles.site].tolist())


def _splits(
    given: Any, patients: list[str], together: list[str], y: np.ndarray, groups: list[list[str | None]], fold: np.ndarray | None, seed: int
) -> np.ndarray:
    """The split of each row: the table's own, else by the last folds, else made."""
    if given is not None:
        return cut_validation(_whole_patients(given, patients), together, y, groups, seed=seed)
    # Runs without cross-validation are judged on the last fold and selected on the one before it.
    return make_split(together, y, groups, seed=seed) if fold is None else _last_folds(fold)


def _last_folds(fold: np.ndarray) -> np.ndarray:
    last = int(fold.max())
    return np.where(fold == last, "test", np.where(fold == last - 1, "validation", "train")).astype(object)


def _folds(
    table: pd.DataFrame, roles: Roles, together: list[str], y: np.ndarray, groups: list[list[str | None]], given: Any, seed: int
) -> tuple[np.ndarray | None, list[Finding]]:
    """The fold of each row where there are folds, and a finding where the table's own were changed; a test set that was given stays locked."""
    locked = np.zeros(len(table), bool) if given is None else np.asarray(given == "test")
    if roles.fold is None:
        return (made_folds(together, y, groups, roles.folds, locked, seed=seed) if roles.folds else None), []
    fold, moved = given_folds(table[roles.fold], roles.fold, together, locked)
    if not moved:
        return fold, []
    message = f"{counted(moved, 'row')} lie in another fold than most rows of the same patient: moved to that fold, so that nobody is in two folds"
    return fold, [Finding("patient-in-two-folds", "warning", message, moved, f"Correct the column {roles.fold} so that patients stay whole.", (roles.fold,))]


def _given_split(table: pd.DataFrame, roles: Roles, data: CheckInput) -> np.ndarray | None:
    """The table's own split of all its rows; rows without a label need not be in any."""
    if roles.split is None:
        return None
    known = ~np.isnan(data.y)
    split = np.full(len(table), "", dtype=object)
    if known.any():
        split[known] = parse_split(table.loc[known, roles.split], roles.split)
    return split


def _unusable_rows(table: pd.DataFrame, roles: Roles, data: CheckInput, ids: list[str]) -> list[SetAside]:
    blank = table[roles.label].isna().to_numpy()
    aside = [
        SetAside(int(i), ids[i], "label-missing", "no label", roles.label)
        if blank[i]
        else SetAside(int(i), ids[i], "label-uncertain", f"the label is uncertain: {table[roles.label].iloc[i]}", roles.label)
        for i in np.flatnonzero(np.isnan(data.y))
    ]
    taken = {s.row for s in aside}
    if roles.sample_id:
        repeated = table[roles.sample_id].duplicated() & table[roles.sample_id].notna()
        aside += [
            SetAside(int(i), ids[i], "duplicate-id", "repeats the id of an earlier row", roles.sample_id)
            for i in np.flatnonzero(repeated)
            if int(i) not in taken
        ]
    if roles.weights is not None:
        taken = {s.row for s in aside}
        unusable = [int(i) for i in unusable_weights(table[roles.weights]) if int(i) not in taken]
        aside += [SetAside(i, ids[i], "weight-unusable", "its sampling weight is missing, negative or no number", roles.weights) for i in unusable]
    return aside


def _present(table: pd.DataFrame, roles: Roles, collected: Mapping[str, FileModality]) -> np.ndarray:
    columns = []
    for modality in roles.modalities:
        if modality.name in collected:
            columns.append(np.array([n is not None for n in collected[modality.name].names], bool))
        elif modality.kind == "text":
            columns.append(table[list(modality.columns)].notna().any(axis=1).to_numpy(dtype=bool))
        else:
            # An empty tabular row still gets donated or learned values: its absence must not be a signal of its own.
            columns.append(np.ones(len(table), bool))
    return np.stack(columns, axis=1)


def _whole_patients(split: np.ndarray, patients: list[str]) -> np.ndarray:
    """Each patient's rows all in the earliest split that any of them is in."""
    rank = {s: i for i, s in enumerate(SPLITS)}
    first: dict[str, int] = {}
    for patient, name in zip(patients, split, strict=True):
        first[patient] = min(first.get(patient, len(SPLITS)), rank[name])
    return np.array([SPLITS[first[p]] for p in patients], dtype=object)


def _save_table(path: Path, kept: pd.DataFrame, roles: Roles, ids: list[str], patients: list[str], y: np.ndarray, split: np.ndarray) -> None:
    columns: dict[str, Any] = {"sample_id": ids, "patient_id": patients, "y": y, "split": split}
    for attribute in roles.attributes:
        columns[attribute] = kept[attribute].to_numpy(dtype=object)
    spent = {roles.sample_id, roles.patient_id, roles.label, roles.split, roles.fold} - set(roles.feature_columns)
    for column in kept.columns:
        if column in spent or column in roles.attributes:
            continue
        numbers = to_number(kept[column]) if all(v is None or _PLAIN_NUMBER.fullmatch(str(v)) for v in kept[column].unique()) else None
        if numbers is not None and numbers.notna().all() and (numbers % 1 == 0).all() and numbers.abs().max() < 2**53:
            numbers = numbers.astype("int64")
        columns[stored_name(column)] = kept[column].to_numpy(dtype=object) if numbers is None else numbers.to_numpy()
    pd.DataFrame(columns).to_parquet(path, index=False)
