"""A tiny real cohort and a tiny real training, so that jobs under test are the real thing."""

from __future__ import annotations

import shutil
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
import pytest

from core import cohort as cohorts
from core.cohort.planted import simulate
from core.runs import RunSpec, folders, plan
from core.runs.processes import end_group
from core.runs.worker import JOB_MODULE
from core.workspace import Workspace

TINY: dict[str, Any] = {"width": 8, "heads": 2, "image_size": 16, "bootstrap": 5}
PATIENTS = 160


@dataclass(frozen=True)
class Tiny:
    """A workspace with one small simulated cohort."""

    workspace: Workspace
    cohort: cohorts.Cohort

    def plan(self, *methods: str, seeds: tuple[int, ...] = (1,), **settings: Any) -> list[RunSpec]:
        return plan(self.cohort, methods or ("erm",), seeds=seeds, settings={**TINY, "epochs": 1, **settings})

    def status(self, run_id: str) -> dict[str, Any]:
        return next(f for f in folders(self.workspace) if f.run_id == run_id).read_status()

    def processes(self, module: str) -> list[psutil.Process]:
        """Living processes that run `module` on this workspace."""
        found = []
        for process in psutil.process_iter(["cmdline", "status"]):
            words = process.info["cmdline"] or []
            if module in words and any(w.startswith(str(self.workspace.root)) for w in words) and process.info["status"] != psutil.STATUS_ZOMBIE:
                found.append(process)
        return found


@pytest.fixture(scope="session")
def tiny_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("tiny")
    simulate(root / "files", patients=PATIENTS, seed=1)
    cohorts.ingest(Workspace.open(root / "workspace"), root / "files" / "cohort.csv", images=root / "files", name="Tiny")
    return root / "workspace"


@pytest.fixture
def tiny(tiny_template: Path, tmp_path: Path) -> Iterator[Tiny]:
    root = tmp_path / "workspace"
    shutil.copytree(tiny_template, root)
    workspace = Workspace.open(root)
    made = Tiny(workspace, cohorts.load(workspace, "Tiny"))
    yield made
    # The worker first, so that it starts nothing while its jobs are ended.
    for process in made.processes("core.runs.worker"):
        process.kill()
    for folder in folders(workspace):
        status = folder.read_status()
        if status["pid"] is not None:
            end_group(status["pid"], status["pid_created"], JOB_MODULE)
    for process in made.processes(JOB_MODULE):
        process.kill()


def eventually(condition: Callable[[], Any], seconds: float = 150.0) -> Any:
    """The first true value of `condition`, asked again and again: other processes give no notice."""
    end = time.monotonic() + seconds
    pause = threading.Event()
    while not (value := condition()):
        assert time.monotonic() < end, "it did not happen in time"
        pause.wait(0.05)
    return value
