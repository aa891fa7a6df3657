"""Real trainings in real processes, killed and cancelled as users and machines do."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time

import pandas as pd
import pytest

from core.runs import cancel, find, job, queue_state, retry, set_parallel, submit
from core.runs.processes import end_group
from core.runs.wait import wait
from core.runs.worker import CANCEL_GRACE_SECONDS
from core.store import Store
from core.store.journal import read_part
from tests.runs.conftest import Tiny, eventually

LONG = 5000
"""Epochs of a run that is still going whenever a test looks."""


def said(_: str) -> None:
    pass


def running(tiny: Tiny, run_id: str, epochs: int = 1) -> int:
    """Wait until the run has told of `epochs` epochs; its process id."""
    folder = find(tiny.workspace, run_id)
    eventually(lambda: len([e for e in read_part(folder.journal).epochs if e >= 0]) >= epochs)
    return int(folder.read_status()["pid"])


def test_a_run_is_trained_recorded_and_then_answered_from_the_cache(tiny: Tiny) -> None:
    specs = tiny.plan("erm", epochs=2)
    (handle,) = submit(tiny.workspace, specs)
    told: list[str] = []
    wait(tiny.workspace, [handle.run_id], told.append)
    folder = find(tiny.workspace, handle.run_id)
    status = folder.read_status()
    assert (status["status"], status["reason"]) == ("done", None), folder.log.read_text(encoding="utf-8")
    assert told[-1] == f"{handle.run_id}: done"
    environment = json.loads(folder.environment.read_text(encoding="utf-8"))
    assert environment["packages"]["torch"] and environment["device"] == "cpu" and environment["threads"] >= 1
    assert sorted(read_part(folder.journal).epochs) == [-1, 0, 1]
    frame = pd.read_parquet(folder.predictions)
    assert len(frame) == tiny.cohort.n and frame["score"].between(0, 1).all()
    before = folder.predictions.stat().st_mtime_ns
    (again,) = submit(tiny.workspace, specs)
    assert again.cached and again.status == "done" and folder.predictions.stat().st_mtime_ns == before
    (changed,) = submit(tiny.workspace, tiny.plan("erm", epochs=2, lr=0.003), start=False)
    assert not changed.cached and changed.run_id != handle.run_id
    with Store.open(tiny.workspace) as store:
        assert store.telemetry([handle.run_id])["name"].nunique() > 5
        assert store.predictions(handle.run_id)["score"].tolist() == frame["score"].tolist()


def test_kill_9_of_a_training_is_a_failure_with_a_reason_and_it_goes_on_from_its_checkpoint(tiny: Tiny) -> None:
    (spec,) = tiny.plan("erm", epochs=LONG)
    submit(tiny.workspace, [spec])
    pid = running(tiny, spec.run_id, epochs=2)
    os.kill(pid, signal.SIGKILL)
    folder = find(tiny.workspace, spec.run_id)
    eventually(lambda: folder.read_status()["status"] == "failed")
    assert "signal 9 (SIGKILL)" in folder.read_status()["reason"]
    last = max(read_part(folder.journal).epochs)
    assert folder.checkpoint.exists()
    retry(tiny.workspace, spec.run_id)
    eventually(lambda: max(read_part(folder.journal).epochs) > last)
    starts = [json.loads(line) for line in folder.journal.read_text(encoding="utf-8").splitlines() if '"start"' in line]
    assert len(starts) == 2 and folder.read_status()["attempt"] == 2
    assert min(e for e in read_part(folder.journal).epochs) == -1, "what was measured before the kill is kept"


def test_kill_9_of_whoever_asked_leaves_the_training_going(tiny: Tiny) -> None:
    (spec,) = tiny.plan("erm", epochs=LONG)
    code = (
        "import sys, json; from core.runs import submit, RunSpec; from core.workspace import Workspace\n"
        "submit(Workspace.open(sys.argv[1]), [RunSpec.from_dict(json.loads(sys.argv[2]))]); print('asked', flush=True); sys.stdin.read()"
    )
    command = [sys.executable, "-c", code, str(tiny.workspace.root), json.dumps(spec.to_dict())]
    server = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, start_new_session=True)
    assert server.stdout is not None and server.stdout.readline() == "asked\n"
    os.killpg(server.pid, signal.SIGKILL)
    server.communicate()
    running(tiny, spec.run_id)
    with Store.open(tiny.workspace) as store:
        assert store.runs().set_index("run_id")["status"][spec.run_id] == "running"


def test_kill_9_of_the_worker_leaves_its_job_going_and_a_new_worker_takes_over(tiny: Tiny) -> None:
    (long,), (short,) = tiny.plan("erm", epochs=LONG), tiny.plan("erm", seeds=(2,))
    set_parallel(tiny.workspace, 2)
    submit(tiny.workspace, [long])
    pid = running(tiny, long.run_id)
    (worker,) = tiny.processes("core.runs.worker")
    worker.kill()
    worker.wait(10)
    before = max(read_part(find(tiny.workspace, long.run_id).journal).epochs)
    eventually(lambda: max(read_part(find(tiny.workspace, long.run_id).journal).epochs) > before)
    submit(tiny.workspace, [short])
    wait(tiny.workspace, [short.run_id], said)
    assert tiny.status(short.run_id)["status"] == "done"
    assert tiny.status(long.run_id)["pid"] == pid, "the job of the dead worker was not started again"
    os.kill(pid, signal.SIGKILL)
    eventually(lambda: tiny.status(long.run_id)["status"] == "failed")


def test_a_running_run_is_cancelled_and_can_go_on(tiny: Tiny) -> None:
    (spec,) = tiny.plan("erm", epochs=LONG)
    submit(tiny.workspace, [spec])
    running(tiny, spec.run_id)
    cancel(tiny.workspace, spec.run_id)
    eventually(lambda: tiny.status(spec.run_id)["status"] == "cancelled")
    assert tiny.status(spec.run_id)["reason"] == "cancelled by the user"
    eventually(lambda: not tiny.processes("core.runs.worker"))
    assert queue_state(tiny.workspace) == []
    (again,) = submit(tiny.workspace, [spec], start=False)
    assert again.status == "queued"


def test_a_job_that_does_not_listen_is_ended(tiny: Tiny) -> None:
    (spec,) = tiny.plan("erm", epochs=LONG)
    submit(tiny.workspace, [spec])
    os.kill(running(tiny, spec.run_id), signal.SIGSTOP)
    cancel(tiny.workspace, spec.run_id)
    asked_long_ago = time.time() - 2 * CANCEL_GRACE_SECONDS
    os.utime(find(tiny.workspace, spec.run_id).cancel_flag, (asked_long_ago, asked_long_ago))
    eventually(lambda: tiny.status(spec.run_id)["status"] == "cancelled")
    assert "did not stop by itself" in tiny.status(spec.run_id)["reason"]


def test_a_job_that_cannot_train_says_why(tiny: Tiny) -> None:
    (spec,) = tiny.plan("erm")
    submit(tiny.workspace, [spec], start=False)
    manifest = tiny.cohort.folder / "manifest.json"
    manifest.rename(manifest.with_suffix(".lost"))
    assert job.main(str(tiny.workspace.runs / spec.run_id)) == 1
    status = tiny.status(spec.run_id)
    assert status["status"] == "failed" and "no cohort" in status["reason"]


def test_a_job_of_ours_can_be_ended_with_all_it_started(tiny: Tiny) -> None:
    (spec,) = tiny.plan("erm", epochs=LONG)
    submit(tiny.workspace, [spec])
    pid = running(tiny, spec.run_id)
    created = tiny.status(spec.run_id)["pid_created"]
    assert not end_group(pid, created + 5, "core.runs.job")
    assert end_group(pid, created, "core.runs.job")
    eventually(lambda: tiny.status(spec.run_id)["status"] == "failed")


@pytest.mark.parametrize("broken", ["{}", "not a checkpoint"])
def test_an_unreadable_checkpoint_is_told_and_a_fresh_start_helps(tiny: Tiny, broken: str) -> None:
    (spec,) = tiny.plan("erm")
    submit(tiny.workspace, [spec], start=False)
    folder = find(tiny.workspace, spec.run_id)
    folder.checkpoint.write_text(broken, encoding="utf-8")
    assert job.main(str(folder.path)) == 1
    assert "not a readable checkpoint" in tiny.status(spec.run_id)["reason"]
    retry(tiny.workspace, spec.run_id, fresh=True, start=False)
    assert job.main(str(folder.path)) == 0
    assert tiny.status(spec.run_id)["status"] == "done"
