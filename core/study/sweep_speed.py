"""What a sweep costs beside one process for each of its runs: the same runs, made by the queue and made one by one."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from core import cohort as cohorts
from core.errors import UserError
from core.models.spec import EncoderChoice
from core.runs import RunSpec, plan, set_parallel, submit
from core.runs.environment import ROOT
from core.runs.folder import RunFolder
from core.runs.job import THREADS_VARIABLE
from core.runs.worker import JOB_MODULE
from core.study.audit_speed import Measured
from core.training.inputs import features_file
from core.workspace import Workspace

METHODS = ("erm", "multifair", "group-dro", "reweighing", "joint", "ogm-ge", "opm", "pmr", "g-blending", "swa")
SEEDS = 5
PATIENTS = 2000
COLUMNS, FEATURES = 12, 384
ENCODER = "minilm+frozen"
PLACES = 2
ONE_BY_ONE_AT_LEAST = 5.0
SECONDS_AT_MOST = 180.0
SCORES_DIFFER_AT_MOST = 2e-3


def measure(patients: int = PATIENTS, methods: Sequence[str] = METHODS, seeds: int = SEEDS, settings: Mapping[str, Any] | None = None) -> Iterator[Measured]:
    """Processor seconds of one process for each run over those of the queue, the queue's wall clock, and whether both say the same.

    The cohort is a table and notes, whose features lie in the cache as a frozen encoder of
    this size would have left them; the budget is that of the quick preset.
    """
    with tempfile.TemporaryDirectory(prefix="multifair-bench-") as name:
        folder = Path(name)
        write_cohort(folder / "cohort.csv", patients)
        asked = {"encoder.text": ENCODER, **(settings or {})}
        single, queue = Workspace.open(folder / "single"), Workspace.open(folder / "queue")
        specs = _asked(single, folder / "cohort.csv", methods, seeds, asked)
        _asked(queue, folder / "cohort.csv", methods, seeds, asked)
        own = sum(_processor(JOB_MODULE, str(single.runs / spec.run_id)) for spec in specs)
        begun = time.monotonic()
        shared = _processor("core.runs.worker", str(queue.root))
        wall = time.monotonic() - begun
        what = f"{len(specs)} runs on {patients} patients"
        claim = f"{what}: one process each over the queue, processor time"
        yield Measured(claim, own / shared, "times", ONE_BY_ONE_AT_LEAST, at_least=True, processor_seconds=shared)
        yield Measured(f"{what}: by the queue, {PLACES} processes at a time", wall, "s", SECONDS_AT_MOST)
        yield Measured(f"{what}: largest difference of a score between the two", _difference(single, queue, specs), "", SCORES_DIFFER_AT_MOST)


def write_cohort(path: Path, patients: int) -> None:
    """A table of patients with labels, a sensitive attribute, a note each and columns that tell a little of the label."""
    rng = np.random.default_rng(1)
    y = np.arange(patients) % 2
    columns = {f"lab_{i}": (rng.normal(size=patients) + 0.1 * y).round(4) for i in range(COLUMNS)}
    notes = [f"Patient {i} was seen on day {i % 365} of the year and went home." for i in range(patients)]
    sex = rng.choice(["f", "m"], patients)
    pd.DataFrame({"patient_id": np.arange(patients), "label": y, "sex": sex, "note": notes, **columns}).to_csv(path, index=False)


def _asked(workspace: Workspace, file: Path, methods: Sequence[str], seeds: int, settings: Mapping[str, Any]) -> list[RunSpec]:
    """A workspace with the cohort, its features and the runs in the queue."""
    cohort = cohorts.ingest(workspace, file, name="Bench")
    (notes,) = [name for name, kind in cohort.modality_kinds.items() if kind == "text"]
    rng = np.random.default_rng(2)
    y = np.asarray(cohort.table["y"], dtype=np.float32)
    features = rng.normal(size=(cohort.n, FEATURES)).astype(np.float32) + 0.1 * y[:, None]
    specs = plan(cohort, methods, attribute="sex", seeds=range(1, seeds + 1), settings=settings)
    path = features_file(workspace.cache, cohort.cohort_id, notes, EncoderChoice.parse(ENCODER), specs[0].train.network.image_size)
    path.parent.mkdir(parents=True, exist_ok=True)
    np.save(path, features.astype(np.float32))
    set_parallel(workspace, PLACES)
    submit(workspace, specs, start=False)
    return specs


def _processor(module: str, argument: str) -> float:
    """Processor seconds of a program and of all that it has started and waited for. Raises UserError when it fails."""
    path = os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH")]))
    environment = {**os.environ, "PYTHONPATH": path, THREADS_VARIABLE: "1", "OMP_NUM_THREADS": "1"}
    before = os.times()
    done = subprocess.run([sys.executable, "-P", "-m", module, argument], env=environment, capture_output=True, text=True, check=False)
    after = os.times()
    if done.returncode:
        raise UserError(f"{module} ended with {done.returncode}: {(done.stdout + done.stderr)[-300:]}")
    return after.children_user + after.children_system - before.children_user - before.children_system


def _difference(one: Workspace, other: Workspace, specs: Sequence[RunSpec]) -> float:
    found = 0.0
    for spec in specs:
        pair = [RunFolder(workspace.runs / spec.run_id) for workspace in (one, other)]
        lost = next((folder for folder in pair if folder.read_status()["status"] != "done"), None)
        if lost is not None:
            raise UserError(f"{lost.run_id} is {lost.read_status()['status']}: {lost.read_status()['reason']}")
        left, right = (pd.read_parquet(folder.predictions)["score"] for folder in pair)
        found = max(found, float((left - right).abs().max()))
    return found
