"""Small runs share a process: which ones, and what becomes of each."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from core import cohort as cohorts
from core.runs import RunSpec, cancel, find, job, plan, set_parallel, submit
from core.runs.folder import RunFolder
from core.runs.queue import pause, set_priority, waiting
from core.runs.sets import for_one_process, is_small, sets_of_seeds
from core.runs.wait import wait
from core.workspace import Workspace

SMALL: dict[str, Any] = {"width": 8, "heads": 2, "bootstrap": 5, "epochs": 2}
TABLES = {"labs": "tabular"}


@pytest.fixture
def cohort(tmp_path: Path) -> Iterator[cohorts.Cohort]:
    rng = np.random.default_rng(1)
    y = np.arange(160) % 2
    frame = pd.DataFrame({"id": np.arange(160), "label": y, "sex": np.where(np.arange(160) % 3, "f", "m"), "age": 50 + 5 * y + rng.normal(0, 5, 160)})
    frame["lab"] = rng.normal(size=160)
    frame.to_csv(tmp_path / "c.csv", index=False)
    yield cohorts.ingest(Workspace.open(tmp_path / "workspace"), tmp_path / "c.csv", name="Tables")


def asked(cohort: cohorts.Cohort, methods: tuple[str, ...] = ("erm",), seeds: int = 3, **settings: Any) -> tuple[Workspace, list[RunSpec]]:
    workspace = Workspace.open(cohort.folder.parent.parent)
    specs = plan(cohort, methods, seeds=range(1, seeds + 1), settings={**SMALL, **settings})
    submit(workspace, specs, start=False)
    return workspace, specs


def names(members: list[RunFolder]) -> list[str]:
    return [folder.run_id for folder in members]


def test_only_networks_on_tables_and_frozen_features_are_small() -> None:
    spec = {"network": {"encoders": {"image": "minilm+frozen"}}}
    assert is_small(spec, {"photo": "image", "labs": "tabular"}) and not is_small(spec, {"note": "text"})
    assert not is_small({"network": {}}, {"photo": "image"}) and is_small({"network": {"encoders": {"photo": "hf:x+frozen"}}}, {"photo": "image"})


def test_a_process_gets_its_share_of_small_runs_and_seeds_stay_together(cohort: cohorts.Cohort) -> None:
    workspace, _ = asked(cohort, ("erm", "joint"))
    queue = waiting(workspace, "local")
    assert [len(members) for members in sets_of_seeds(queue)] == [3, 3]
    assert names(for_one_process(queue, 1, lambda _: TABLES)) == names(queue)
    assert names(for_one_process(queue, 2, lambda _: TABLES)) == names(queue[:3])
    assert names(for_one_process(queue, 3, lambda _: TABLES)) == names(queue[:2]), "no place stays empty"
    assert names(for_one_process(queue, 6, lambda _: TABLES)) == names(queue[:1])
    assert names(for_one_process(queue, 1, lambda _: {"photo": "image"})) == names(queue[:1])
    set_priority(workspace, queue[4].run_id, "high")
    assert names(for_one_process(waiting(workspace, "local"), 1, lambda _: TABLES)) == [queue[4].run_id]


def test_a_worker_makes_many_small_runs_in_one_process(cohort: cohorts.Cohort) -> None:
    workspace, specs = asked(cohort, ("erm", "mmpareto"), seeds=2)
    set_parallel(workspace, 1)
    submit(workspace, specs)
    wait(workspace, [spec.run_id for spec in specs], lambda _: None)
    folders = [find(workspace, spec.run_id) for spec in specs]
    assert [folder.read_status()["status"] for folder in folders] == ["done"] * 4
    logs = [folder.log.read_text(encoding="utf-8") if folder.log.is_file() else "" for folder in folders]
    assert sum("Trained together with" in text for text in logs) == 1, "mmpareto makes backward passes of its own and trains alone"
    assert all(len(pd.read_parquet(folder.predictions)) == cohort.n for folder in folders)
    assert not any(path.name.startswith(".") and path.name != ".lock" for path in workspace.runs.rglob("*"))


def test_what_a_job_has_not_begun_waits_when_the_queue_is_paused(cohort: cohorts.Cohort) -> None:
    workspace, specs = asked(cohort, ("erm", "joint"), seeds=1)
    pause(workspace)
    assert job.main(*(str(workspace.runs / spec.run_id) for spec in specs)) == 0
    assert [find(workspace, spec.run_id).read_status()["status"] for spec in specs] == ["done", "queued"]


def test_each_of_a_set_ends_by_itself(cohort: cohorts.Cohort) -> None:
    workspace, specs = asked(cohort, seeds=3)
    cancel(workspace, specs[1].run_id)
    (find(workspace, specs[2].run_id)).checkpoint.write_text("torn", encoding="utf-8")
    assert job.main(*(str(workspace.runs / spec.run_id) for spec in specs)) == 1
    found = [find(workspace, spec.run_id).read_status() for spec in specs]
    assert [status["status"] for status in found] == ["done", "cancelled", "failed"] and "not a readable checkpoint" in found[2]["reason"]
    assert all(status["pid"] is None for status in found) and os.getpid() > 0


def test_a_killed_process_fails_what_it_had_begun_and_the_rest_is_made(cohort: cohorts.Cohort) -> None:
    import signal

    from tests.runs.conftest import eventually

    workspace, specs = asked(cohort, ("erm", "joint"), seeds=2, epochs=3000)
    set_parallel(workspace, 1)
    submit(workspace, specs)
    first, second = (find(workspace, specs[i].run_id) for i in (0, 1))
    eventually(lambda: second.checkpoint.exists() and first.checkpoint.exists())
    assert first.read_status()["pid"] == second.read_status()["pid"]
    for spec in specs[2:]:
        assert find(workspace, spec.run_id).read_status()["status"] == "queued"
    os.kill(first.read_status()["pid"], signal.SIGKILL)
    eventually(lambda: all(folder.read_status()["status"] == "failed" for folder in (first, second)))
    rest = [find(workspace, spec.run_id) for spec in specs[2:]]
    eventually(lambda: any(folder.read_status()["status"] == "running" for folder in rest))
    for folder in rest:
        cancel(workspace, folder.run_id)
    eventually(lambda: all(folder.read_status()["status"] == "cancelled" for folder in rest))
