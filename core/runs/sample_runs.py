"""Finished runs that ship with the sample cohort, so that the first page anyone opens has results."""

from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path

from core.cohort.sample import sample_folder
from core.json_reading import read_json
from core.runs.folder import RunFolder
from core.workspace import Workspace, copy_private, write_json

KEPT = ("spec.json", "status.json", "journal.jsonl", "predictions.parquet")


def shipped_folder() -> Path:
    """Where the finished runs of the sample lie in this checkout."""
    return sample_folder().parent / "runs"


def shipped_runs() -> list[RunFolder]:
    """The shipped runs, in order of their name; empty where the checkout has none."""
    folder = shipped_folder()
    return [RunFolder(p) for p in sorted(folder.iterdir()) if (p / "spec.json").is_file()] if folder.is_dir() else []


def add_shipped_runs(workspace: Workspace) -> list[str]:
    """Copy the shipped runs that the workspace does not have; returns their ids.

    A run of the same key that the user has is never touched. Each folder appears whole.
    """
    added = []
    for run in shipped_runs():
        target = workspace.runs / run.run_id
        if target.exists():
            continue
        making = Path(tempfile.mkdtemp(dir=workspace.runs, prefix="."))
        try:
            copy_private(run.path, making)
            os.rename(making, target)
        except FileExistsError:
            shutil.rmtree(making)  # Another program was faster; its copy is as good.
            continue
        except OSError:
            shutil.rmtree(making, ignore_errors=True)
            if target.exists():
                continue
            raise
        added.append(run.run_id)
    return added


def ship(run: RunFolder, folder: Path) -> Path:
    """Write a finished run as it is shipped: without its checkpoint, log and anything about the machine.

    Raises ValueError when the run is not done.
    """
    if run.read_status()["status"] != "done":
        raise ValueError(f"{run.run_id} is not done")
    target = folder / run.run_id
    target.mkdir(parents=True, exist_ok=True)
    for name in KEPT:
        shutil.copyfile(run.path / name, target / name)
    environment = read_json(run.environment)
    write_json(target / "environment.json", {k: environment.get(k) for k in ("python", "packages", "device", "threads")})
    return target
