"""The sample cohort that ships with the project."""

from __future__ import annotations

from pathlib import Path

from core.cohort.cohort import Cohort
from core.cohort.decode import Progress, silent
from core.cohort.ingest import ingest
from core.errors import UserError
from core.workspace import Workspace

SAMPLE = "pad_ufes_20"


def sample_folder() -> Path:
    """Where the sample lies in this checkout. Raises UserError when it is not there."""
    folder = Path(__file__).resolve().parents[2] / "sample_data" / SAMPLE
    if not (folder / "cohort.csv").is_file():
        raise UserError(f"{folder}: the sample cohort is not there; install the project from its checkout (pip install --editable .)")
    return folder


def ingest_sample(workspace: Workspace, progress: Progress = silent) -> Cohort:
    """The sample as a saved cohort; at once when it is saved already."""
    return ingest(workspace, sample_folder() / "cohort.csv", progress=progress)
