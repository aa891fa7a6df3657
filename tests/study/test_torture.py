from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

import numpy as np
import pytest

from core.runs.folder import RunFolder
from core.runs.spec import RunSpec
from core.study import torture as torture_module
from core.study.torture import SHARES, Outcome, _judge, _move_clock, _tear, temporary_torture
from core.training.spec import TrainSpec
from core.workspace import Workspace
from tests.factories import fake_workspace


def said(_: str) -> None:
    pass


def test_a_sweep_survives_a_few_kills(monkeypatch: pytest.MonkeyPatch) -> None:
    # Every start of a process costs seconds; with fewer of them the order of events is the same.
    monkeypatch.setattr(torture_module, "first_choice", lambda: ("multifair",))
    outcome = temporary_torture(3, 1, said, seeds=1)
    assert outcome.problems == [] and outcome.runs == 1
    # Whom three kills meet depends on the machine's load: only ten are sure to meet a job, in the slow test.
    assert sum(outcome.kills.values()) == 3


@pytest.mark.slow
def test_a_sweep_survives_ten_kills() -> None:
    outcome = temporary_torture(10, 1, said, seeds=1)
    assert outcome.problems == [] and outcome.runs == 2
    assert sum(outcome.kills.values()) == 10 and outcome.kills["job"] > 0


@pytest.mark.slow
def test_a_sweep_survives_two_hundred_kills() -> None:
    outcome = temporary_torture(200, 2, said, seeds=10)
    assert outcome.problems == [] and outcome.runs == 20
    assert sum(outcome.kills.values()) == 200 and min(outcome.kills.values()) > 0


def test_the_judge_sees_what_went_wrong(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    calm = fake_workspace(tmp_path / "calm", runs=6, patients=60, epochs=2, unsettled=False)
    shutil.copytree(calm.workspace.root, tmp_path / "disturbed")
    disturbed = Workspace.open(tmp_path / "disturbed")
    specs = [RunSpec("a", TrainSpec("erm", seed=i)) for i in range(6)]
    monkeypatch.setattr(RunSpec, "run_id", property(lambda self: calm.run_ids[self.train.seed]))
    clean = Outcome()
    _judge(calm.workspace, disturbed, specs, clean)
    assert clean.problems == []
    lost, failed, differs, twice, torn, whole = (RunFolder(disturbed.runs / run_id) for run_id in calm.run_ids)
    shutil.rmtree(lost.path)
    failed.update_status(status="failed", reason="x")
    shutil.copyfile(whole.predictions, differs.predictions)
    with twice.journal.open("a", encoding="utf-8") as file:
        file.write(json.dumps({"event": "end", "status": "done"}) + "\n")
    (torn.path / ".predictions.abc").touch()
    found = Outcome()
    _judge(calm.workspace, disturbed, specs, found)
    said = "\n".join(found.problems)
    assert len(found.problems) == 5 and f"{lost.run_id} is missing" in said and f"{failed.run_id} is failed" in said
    assert f"{differs.run_id}: its predictions differ" in said and f"{twice.run_id} was trained to its end 2 times" in said and ".predictions.abc" in said


def test_disturbances_do_something(tmp_path: Path) -> None:
    import numpy as np

    fake = fake_workspace(tmp_path, runs=1, patients=60, epochs=2)
    rng = np.random.default_rng(3)
    sizes = {path: path.stat().st_size for path in fake.workspace.runs.rglob("*") if path.is_file()}
    assert sum(_tear(fake.workspace, rng) for _ in range(12)) > 0
    assert any(path.stat().st_size < size for path, size in sizes.items())
    done = fake.workspace.runs / fake.run_ids[0]
    assert all((done / name).stat().st_size == sizes[done / name] for name in os.listdir(done) if done / name in sizes)
    before = (done / "status.json").stat().st_mtime
    for _ in range(8):
        _move_clock(fake.workspace, rng)
    assert abs((done / "status.json").stat().st_mtime - before) > 80_000


@pytest.mark.parametrize("kills", [0, 1, 2, 3, 10, 200])
def test_jobs_are_among_what_is_killed(kills: int) -> None:
    planned = torture_module.planned_kills(kills, np.random.default_rng(0))
    assert len(planned) == kills and (not kills or planned[0] == "job")
    assert planned.count("job") >= max(planned.count(name) for name in SHARES)
