from __future__ import annotations

import os
import subprocess
import sys
import time

import psutil
import pytest

from core.errors import UserError
from core.locks import holding
from core.runs import cancel, find, folders, move, parallel, plan, queue_state, retry, set_parallel, settle_dead_runs, submit
from core.runs.folder import RunFolder, new_status
from core.runs.memory import UNKNOWN_RUN_BYTES, expected_bytes, fits, peaks_by_kind
from core.runs.queue import pause, resume, retry_failed, set_priority, waiting
from core.runs.queue_settings import change_settings, settings_problem, threads_per_job
from core.store.journal import read_part
from tests.factories import FakeWorkspace, fake_run, fake_workspace
from tests.runs.conftest import Tiny, eventually


def dead_pid() -> tuple[int, float]:
    """A process that has been, and is no more."""
    process = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    created = psutil.Process(process.pid).create_time()
    process.communicate(b"\n")
    return process.pid, created


def make_running(folder: RunFolder, pid: int, created: float) -> None:
    folder.update_status(status="running", pid=pid, pid_created=created, started=time.time() - 5)


def test_a_run_is_made_once_however_often_it_is_asked_for(tiny: Tiny) -> None:
    specs = tiny.plan("erm", seeds=(1, 2))
    first = submit(tiny.workspace, [*specs, specs[0]], start=False)
    second = submit(tiny.workspace, specs, start=False)
    assert [h.status for h in first + second] == ["queued"] * 5
    assert not any(h.cached for h in first + second)
    assert sorted(f.run_id for f in folders(tiny.workspace)) == sorted(s.run_id for s in specs)
    assert not [p for p in tiny.workspace.runs.iterdir() if p.name.startswith(".new-")]


def test_processes_that_ask_at_once_share_the_run(tiny: Tiny) -> None:
    (spec,) = tiny.plan("erm")
    code = (
        "import sys, json; from core.runs import submit, RunSpec; from core.workspace import Workspace\n"
        "spec = RunSpec.from_dict(json.loads(sys.argv[2])); w = Workspace.open(sys.argv[1]); print('ready', flush=True); sys.stdin.readline()\n"
        "print(submit(w, [spec], start=False)[0].status)"
    )
    import json

    command = [sys.executable, "-c", code, str(tiny.workspace.root), json.dumps(spec.to_dict())]
    askers = [subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) for _ in range(3)]
    for asker in askers:
        assert asker.stdout is not None and asker.stdout.readline() == "ready\n"
    answers = [asker.communicate("\n")[0] for asker in askers]
    assert answers == ["queued\n"] * 3
    assert [f.run_id for f in folders(tiny.workspace)] == [spec.run_id]


def test_a_done_run_answers_from_the_cache_and_a_changed_setting_does_not(tiny: Tiny) -> None:
    (spec,), (other,) = tiny.plan("erm"), tiny.plan("erm", lr=0.002)
    submit(tiny.workspace, [spec], start=False)
    folder = find(tiny.workspace, spec.run_id)
    folder.predictions.write_bytes(b"PAR1 there PAR1")
    folder.update_status(status="done", started=1.0, finished=2.0)
    assert [(h.status, h.cached) for h in submit(tiny.workspace, [spec, other], start=False)] == [("done", True), ("queued", False)]


def test_a_done_run_without_its_predictions_is_made_again(tiny: Tiny) -> None:
    (spec,) = tiny.plan("erm")
    submit(tiny.workspace, [spec], start=False)
    find(tiny.workspace, spec.run_id).update_status(status="done", started=1.0, finished=2.0)
    assert submit(tiny.workspace, [spec], start=False)[0].status == "queued"


def test_a_run_whose_process_died_is_failed_and_can_be_asked_for_again(tiny: Tiny) -> None:
    (spec,) = tiny.plan("erm")
    submit(tiny.workspace, [spec], start=False)
    folder = find(tiny.workspace, spec.run_id)
    make_running(folder, *dead_pid())
    folder.log.write_text("epoch 1\n", encoding="utf-8")
    folder.journal.write_text('{"event": "start", "time": 1}\n{"event": "ep', encoding="utf-8")
    assert settle_dead_runs(tiny.workspace) == [spec.run_id]
    status = folder.read_status()
    assert status["status"] == "failed" and "without a message" in status["reason"] and "epoch 1" in status["reason"]
    assert settle_dead_runs(tiny.workspace) == []
    assert read_part(folder.journal).skipped == 1
    assert '"status": "failed"' in folder.journal.read_text(encoding="utf-8").splitlines()[-1]
    (handle,) = submit(tiny.workspace, [spec], start=False)
    assert handle.status == "queued" and not handle.cached
    status = folder.read_status()
    assert status["attempt"] == 2 and status["reason"] is None
    assert (folder.path / "log.attempt1.txt").read_text(encoding="utf-8") == "epoch 1\n"
    assert (folder.path / "journal.attempt1.jsonl").exists() and not folder.journal.exists()


def test_a_living_run_is_left_alone(fake: FakeWorkspace) -> None:
    before = {f.run_id: f.read_status() for f in folders(fake.workspace)}
    assert settle_dead_runs(fake.workspace) == []
    assert {f.run_id: f.read_status() for f in folders(fake.workspace)} == before
    assert "running" in {s["status"] for s in before.values()}


def test_a_cancelled_run_that_did_not_listen_is_cancelled_not_failed(tiny: Tiny) -> None:
    (spec,) = tiny.plan("erm")
    submit(tiny.workspace, [spec], start=False)
    folder = find(tiny.workspace, spec.run_id)
    make_running(folder, *dead_pid())
    folder.cancel_flag.touch()
    settle_dead_runs(tiny.workspace)
    assert folder.read_status()["status"] == "cancelled"


def test_retry_keeps_the_checkpoint_unless_told_otherwise(tiny: Tiny) -> None:
    (spec,) = tiny.plan("erm")
    submit(tiny.workspace, [spec], start=False)
    folder = find(tiny.workspace, spec.run_id)
    for fresh in (False, True):
        folder.update_status(status="failed", reason="x")
        folder.checkpoint.write_bytes(b"tensors")
        folder.journal.write_text("{}\n", encoding="utf-8")
        retry(tiny.workspace, spec.run_id, fresh=fresh, start=False)
        assert folder.checkpoint.exists() is not fresh and folder.journal.exists() is not fresh
        assert folder.read_status()["status"] == "queued"
    with pytest.raises(UserError, match="is queued: only a run that has ended"):
        retry(tiny.workspace, spec.run_id)


def test_a_queued_run_is_cancelled_at_once_and_its_cancelling_is_forgotten_on_retry(tiny: Tiny) -> None:
    (spec,) = tiny.plan("erm")
    submit(tiny.workspace, [spec], start=False)
    assert cancel(tiny.workspace, spec.run_id) == "cancelled"
    with pytest.raises(UserError, match="is cancelled already"):
        cancel(tiny.workspace, spec.run_id)
    retry(tiny.workspace, spec.run_id, start=False)
    assert not find(tiny.workspace, spec.run_id).cancel_flag.exists()


def test_the_order_of_the_queue_can_be_changed(tiny: Tiny) -> None:
    specs = tiny.plan("erm", seeds=(1, 2, 3, 4))
    one, two, three, four = (h.run_id for h in submit(tiny.workspace, specs, start=False))
    assert [f.run_id for f in waiting(tiny.workspace)] == [one, two, three, four]
    assert move(tiny.workspace, four, 1) == [four, one, two, three]
    assert move(tiny.workspace, one, 3) == [four, two, one, three]
    assert move(tiny.workspace, four, 99) == [two, one, three, four]
    assert [(i.run_id, i.position) for i in queue_state(tiny.workspace)] == [(two, 1), (one, 2), (three, 3), (four, 4)]
    find(tiny.workspace, one).update_status(status="done", started=1.0, finished=2.0)
    with pytest.raises(UserError, match="is done, not queued"):
        move(tiny.workspace, one, 1)


def test_a_higher_priority_goes_first_and_moving_takes_the_neighbours_priority(tiny: Tiny) -> None:
    one, two, three = (h.run_id for h in submit(tiny.workspace, tiny.plan("erm", seeds=(1, 2, 3)), start=False))
    (late,) = (h.run_id for h in submit(tiny.workspace, tiny.plan("erm", seeds=(4,)), start=False, priority="high"))
    assert [f.run_id for f in waiting(tiny.workspace)] == [late, one, two, three]
    assert set_priority(tiny.workspace, one, "low") == [late, two, three, one]
    assert move(tiny.workspace, one, 1) == [one, late, two, three]
    assert move(tiny.workspace, late, 3) == [one, two, late, three]
    assert move(tiny.workspace, one, 4) == [two, late, three, one]
    with pytest.raises(UserError, match="low, normal, high"):
        set_priority(tiny.workspace, one, "urgent")
    retried = find(tiny.workspace, one)
    retried.update_status(status="failed", priority=1)
    retry(tiny.workspace, one, start=False)
    assert retried.read_status()["priority"] == 1


def test_a_paused_queue_starts_nothing_and_no_worker_for_nothing(tiny: Tiny) -> None:
    pause(tiny.workspace)
    submit(tiny.workspace, tiny.plan("erm"))
    assert not tiny.processes("core.runs.worker") and not (tiny.workspace.root / "queue.log").exists()
    # A worker that runs already ends, although something waits.
    assert subprocess.run([sys.executable, "-m", "core.runs.worker", str(tiny.workspace.root)], check=False, timeout=90).returncode == 0
    assert [status["status"] for status in (f.read_status() for f in folders(tiny.workspace))] == ["queued"]
    resume(tiny.workspace)
    run_id = next(folders(tiny.workspace)).run_id
    eventually(lambda: tiny.status(run_id)["status"] == "done")
    assert tiny.status(run_id)["peak_bytes"] > 50_000_000


def test_every_failed_run_is_tried_again(tiny: Tiny) -> None:
    handles = submit(tiny.workspace, tiny.plan("erm", seeds=(1, 2, 3)), start=False)
    for handle, word in zip(handles, ("failed", "failed", "cancelled"), strict=True):
        find(tiny.workspace, handle.run_id).update_status(status=word)
    assert [h.run_id for h in retry_failed(tiny.workspace, start=False)] == sorted(h.run_id for h in handles[:2])
    assert find(tiny.workspace, handles[2].run_id).read_status()["status"] == "cancelled"


def test_a_done_run_is_trained_again_from_the_start_and_its_predictions_are_kept(tiny: Tiny) -> None:
    (spec,) = tiny.plan("erm")
    submit(tiny.workspace, [spec], start=False)
    folder = find(tiny.workspace, spec.run_id)
    for again in (lambda: retry(tiny.workspace, spec.run_id, start=False), lambda: submit(tiny.workspace, [spec], start=False, fresh=True)):
        folder.predictions.write_bytes(b"PAR1 there PAR1")
        folder.checkpoint.write_bytes(b"tensors")
        folder.update_status(status="done", started=1.0, finished=2.0)
        assert submit(tiny.workspace, [spec], start=False)[0].cached
        again()
        status = folder.read_status()
        assert status["status"] == "queued" and not folder.checkpoint.exists() and not folder.predictions.exists()
        assert (folder.path / f"predictions.attempt{status['attempt'] - 1}.parquet").read_bytes() == b"PAR1 there PAR1"


def test_settings_of_the_queue_survive_each_other_and_damage(tiny: Tiny) -> None:
    change_settings(tiny.workspace, memory_gb=2.5)
    set_parallel(tiny.workspace, 3)
    pause(tiny.workspace)
    assert (parallel(tiny.workspace), settings_problem(tiny.workspace)) == (3, None)
    with pytest.raises(UserError, match=r"from 0\.1 to"):
        change_settings(tiny.workspace, memory_gb=0.0)
    for text in ("", "[]", "{", '{"parallel": "two"}', '{"paused": 1}'):
        (tiny.workspace.root / "queue.json").write_text(text, encoding="utf-8")
        assert parallel(tiny.workspace) >= 1
        assert "queue's settings are damaged" in str(settings_problem(tiny.workspace))


def test_a_run_waits_until_it_fits_into_memory() -> None:
    gb = 10**9
    assert fits(8 * gb, [], limit=gb, available=0), "alone it is tried in any case"
    assert fits(2 * gb, [(1 * gb, 1 * gb)], limit=None, available=3 * gb)
    assert not fits(2 * gb, [(1 * gb, 0)], limit=None, available=3 * gb), "what the first has not taken yet is kept for it"
    assert not fits(2 * gb, [(2 * gb, 2 * gb)], limit=3.5 * gb, available=90 * gb)
    assert fits(1 * gb, [(2 * gb, 2 * gb)], limit=3.5 * gb, available=90 * gb)
    spec = {"cohort_id": "a", "network": {"width": 8}, "budget": {"batch_size": 32}}
    peaks = peaks_by_kind([(spec, {"peak_bytes": 3 * gb}), (spec, {"peak_bytes": 2 * gb}), (spec, {}), ({**spec, "cohort_id": "b"}, {"peak_bytes": 9 * gb})])
    assert expected_bytes(spec, peaks) == 3 * gb and expected_bytes({**spec, "cohort_id": "c"}, peaks) == UNKNOWN_RUN_BYTES


def test_a_run_that_a_job_has_taken_is_not_taken_twice(tiny: Tiny) -> None:
    (spec,) = tiny.plan("erm")
    submit(tiny.workspace, [spec], start=False)
    folder = find(tiny.workspace, spec.run_id)
    with holding(folder.lock_file):
        job = subprocess.run([sys.executable, "-m", "core.runs.job", str(folder.path)], capture_output=True, text=True, check=False)
    assert job.returncode == 0 and "already being made" in job.stdout
    assert folder.read_status()["status"] == "queued"


def test_time_left_comes_from_runs_like_it(tmp_path: object) -> None:
    fake = fake_workspace(str(tmp_path), runs=9, patients=100, epochs=4, unsettled=False)
    waits = fake_run(fake.workspace, fake.cohort, method="erm", seed=50, epochs=8, status="queued")
    set_parallel(fake.workspace, 1)
    (item,) = queue_state(fake.workspace)
    done = next(f for f in folders(fake.workspace) if f.run_id.startswith("erm-s1-")).read_status()
    assert item.run_id == waits
    assert item.seconds_left == pytest.approx(2 * (done["finished"] - done["started"]))


def test_without_a_run_like_it_no_time_is_invented(tiny: Tiny) -> None:
    submit(tiny.workspace, tiny.plan("erm"), start=False)
    assert queue_state(tiny.workspace)[0].seconds_left is None


def test_how_many_run_at_a_time(tiny: Tiny) -> None:
    assert parallel(tiny.workspace) >= 1
    set_parallel(tiny.workspace, 1)
    assert parallel(tiny.workspace) == 1 and threads_per_job(tiny.workspace) >= 1
    with pytest.raises(UserError, match="from 1 to 64"):
        set_parallel(tiny.workspace, 0)
    set_parallel(tiny.workspace, None)
    assert parallel(tiny.workspace) * threads_per_job(tiny.workspace) <= max(1, len(os.sched_getaffinity(0)))


def test_runs_are_found_by_the_beginning_of_their_name(fake: FakeWorkspace) -> None:
    run_id = fake.run_ids[0]
    assert find(fake.workspace, run_id).run_id == run_id
    assert find(fake.workspace, run_id.rsplit("-", 1)[-1][:8]).run_id == run_id
    with pytest.raises(UserError, match="fits several runs"):
        find(fake.workspace, "erm-")
    with pytest.raises(UserError, match="no run is named 'nothing'"):
        find(fake.workspace, "nothing")
    with pytest.raises(UserError, match="no run is named"):
        find(fake.workspace, "../cohorts")


def test_new_runs_wait() -> None:
    assert new_status()["status"] == "queued"


def test_plan_takes_a_real_cohort(tiny: Tiny) -> None:
    specs = plan(tiny.cohort, ["unimodal", "erm"])
    assert [s.modality for s in specs] == [*tiny.cohort.modality_names, None]
