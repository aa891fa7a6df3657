"""What commands cost that only print a table, in a workspace with many runs."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from statistics import median

import numpy as np
import pandas as pd
import psutil

from core import cohort as cohorts
from core.cohort.planted import simulate
from core.methods import reference
from core.runs import RunSpec, plan
from core.runs.folder import RunFolder, new_status
from core.store import Store
from core.study.audit_speed import Measured
from core.workspace import Workspace, write_json

RUNS = 2000
PATIENTS = 200
REPETITIONS = 3
EPOCHS = 3
CODE = "import sys; from core.cli import main; sys.exit(main(sys.argv[1:]))"
COMMANDS = {"--help": 0.5, "methods": 0.5, "cohorts": 0.5, "queue": 1.0, "runs": 1.0, "train": 2.0}
"""Command -> the most processor seconds that it may take."""
FIRST_FILL_SECONDS, LATER_FILL_SECONDS = 5.0, 1.0


def measure(runs: int = RUNS) -> Iterator[Measured]:
    """Processor seconds of each command, and of filling the results cache the first time and later."""
    with tempfile.TemporaryDirectory(prefix="multifair-bench-") as folder:
        workspace = Workspace.open(Path(folder) / "workspace")
        cohort_id = fill(workspace, Path(folder) / "files", runs)
        yield _store(workspace, f"results cache of {runs} runs, filled the first time", FIRST_FILL_SECONDS)
        yield _store(workspace, f"results cache of {runs} runs, opened again", LATER_FILL_SECONDS)
        for command, limit in COMMANDS.items():
            words = [command] if command != "train" else ["train", "--cohort", cohort_id, "--method", reference(), "--seeds", "3"]
            words += [] if command == "--help" else ["--workspace", str(workspace.root)]
            if command == "train":
                processor_seconds(words)  # The first answer makes the plan that the later ones read.
            value = median(processor_seconds(words) for _ in range(REPETITIONS))
            yield Measured(f"multifair {command}{' (cached answer)' if command == 'train' else ''}, {runs} runs", value, "s of processor", limit)


def fill(workspace: Workspace, files: Path, runs: int) -> str:
    """A small cohort and `runs` done runs on it, none of which was trained; returns the cohort's id."""
    simulate(files, patients=PATIENTS, seed=1)
    cohort = cohorts.ingest(workspace, files / "cohort.csv", images=files, name="Bench")
    specs = plan(cohort, [reference()], seeds=range(1, runs + 1), cache=workspace.cache)
    pattern = files / "predictions.parquet"
    _predictions(cohort).to_parquet(pattern, index=False)
    for number, spec in enumerate(specs):
        _done(workspace, spec, pattern, created=1_700_000_000.0 + number)
    return cohort.cohort_id


def processor_seconds(words: list[str]) -> float:
    """User and system time of one command in a process of its own."""
    with subprocess.Popen([sys.executable, "-c", CODE, *words], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        watched, spent = psutil.Process(process.pid), 0.0
        while process.poll() is None:
            try:
                times = watched.cpu_times()
                spent = times.user + times.system
            except psutil.NoSuchProcess:
                break
            time.sleep(0.01)
    return spent


def _store(workspace: Workspace, claim: str, limit: float) -> Measured:
    begun = time.process_time()
    with Store.open(workspace):
        return Measured(claim, time.process_time() - begun, "s of processor", limit)


def _predictions(cohort: cohorts.Cohort) -> pd.DataFrame:
    rng = np.random.default_rng(1)
    table = cohort.table[["sample_id", "patient_id", "split", "y"]]
    return table.assign(score=np.clip(0.3 + 0.3 * table["y"] + rng.normal(0, 0.2, cohort.n), 0, 1), prediction=pd.array([None] * cohort.n, dtype="Int8"))


def _done(workspace: Workspace, spec: RunSpec, predictions: Path, created: float) -> None:
    folder = RunFolder(workspace.runs / spec.run_id)
    folder.path.mkdir()
    write_json(folder.spec_file, spec.describe())
    rows = [
        {"name": name, "modality": None, "group": group, "stat": "mean", "value": 0.5, "low": 0.4, "high": 0.6, "n": 40}
        for name in ("contribution.phi", "unimodal.auc", "conflict.fused")
        for group in ("a", "b", "c")
    ]
    events = [
        {"event": kind, "time": created, "epoch": epoch, "train_loss": 0.6, "validation_loss": 0.6, "validation_auc": 0.7, "seconds": 1.0, "rows": rows}
        for epoch in range(EPOCHS)
        for kind in ("epoch", "telemetry")
    ]
    folder.journal.write_text("".join(json.dumps(event) + "\n" for event in events), encoding="utf-8")
    shutil.copyfile(predictions, folder.predictions)
    folder.write_status(new_status(created) | {"status": "done", "started": created, "finished": created + 5, "device": "cpu"})
