"""Runs of cross-validation: one for each fold, and one that holds what all of them say of the part that each did not see."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from core.errors import DamagedFile
from core.locks import holding
from core.runs.folder import RunFolder, new_status
from core.runs.spec import ALL_FOLDS, RunSpec
from core.workspace import Workspace, write_json


def of_every_fold(specs: Sequence[RunSpec], folds: int) -> list[RunSpec]:
    """Each run as one run for each fold."""
    return [replace(spec, fold=str(fold)) for spec in specs for fold in range(folds)]


def pooled_spec(spec: RunSpec) -> RunSpec:
    """The run that holds the predictions of all folds of this one."""
    return replace(spec, fold=ALL_FOLDS)


def pool_when_whole(workspace: Workspace, folder: RunFolder) -> RunFolder | None:
    """Write the pooled run when this run was the last of its folds; None while others are open, or for a run without folds.

    Its predictions are the test rows of every fold in the cohort's order, with the number of the fold
    beside each. Made anew whenever a fold was trained again.
    """
    spec = RunSpec.from_dict(folder.read_spec()["spec"])
    if spec.fold in (None, ALL_FOLDS):
        return None
    from core.cohort.cohort import load

    cohort = load(workspace, spec.cohort_id)
    members = [RunFolder(workspace.runs / replace(spec, fold=str(k)).run_id) for k in range(cohort.n_folds)]
    if not all(_is_done(member) for member in members):
        return None
    pooled = pooled_spec(spec)
    target = RunFolder(workspace.runs / pooled.run_id)
    with holding(workspace.runs / f".{pooled.run_id}.lock", wait=True):
        aside = RunFolder(Path(tempfile.mkdtemp(prefix=".new-", dir=workspace.runs)))
        try:
            _write(aside, pooled, members, cohort.table["sample_id"].tolist())
            if target.path.exists():
                os.replace(aside.predictions, target.predictions)
                os.replace(aside.status_file, target.status_file)
            else:
                os.rename(aside.path, target.path)
        finally:
            shutil.rmtree(aside.path, ignore_errors=True)
    return target


def _is_done(folder: RunFolder) -> bool:
    try:
        return folder.status_file.exists() and folder.read_status()["status"] == "done" and folder.has_predictions()
    except DamagedFile:
        return False


def _write(folder: RunFolder, spec: RunSpec, members: Sequence[RunFolder], order: Sequence[str]) -> None:
    import pandas as pd

    parts = []
    for fold, member in enumerate(members):
        frame = pd.read_parquet(member.predictions)
        parts.append(frame[frame["split"] == "test"].assign(fold=fold))
    place = {sample: row for row, sample in enumerate(order)}
    pd.concat(parts, ignore_index=True).sort_values("sample_id", key=lambda ids: ids.map(place), kind="stable").to_parquet(folder.predictions, index=False)
    statuses = [member.read_status() for member in members]
    last = max(statuses, key=lambda status: status["finished"] or 0.0)
    seconds = sum((s["finished"] or 0.0) - (s["started"] or s["finished"] or 0.0) for s in statuses)
    finished = last["finished"]
    write_json(folder.spec_file, spec.describe())
    folder.journal.touch()
    folder.log.write_text(
        "Predictions of these runs, of each the fold that it was not trained on:\n" + "".join(f"  {m.run_id}\n" for m in members), encoding="utf-8"
    )
    if members[-1].environment.is_file():
        shutil.copyfile(members[-1].environment, folder.environment)
    folder.write_status(
        new_status(last["created"])
        | {
            "status": "done",
            "started": finished - seconds if finished else None,
            "finished": finished,
            "device": last["device"],
            "progress": last["progress"],
            "requested_device": last.get("requested_device"),
        }
    )
