"""Several processes share one run of the queue: it ends like any other, and nothing of it is left."""

from __future__ import annotations

import signal
from typing import Any

import pandas as pd
import pytest

from core.errors import UserError
from core.json_reading import read_json
from core.runs import cancel, find, set_parallel, submit
from core.runs.folder import processes_of
from core.runs.job import main as make
from core.runs.sets import for_one_process
from core.runs.wait import wait
from tests.runs.conftest import Tiny, eventually

TOLERANCE = 1e-3
STILL: dict[str, Any] = {"optimizer": "sgd", "lr": 1e-5}
"""Small convolutions multiply differences in the last digit: they must move slowly to stay comparable."""


def jobs(tiny: Tiny) -> list[Any]:
    return tiny.processes("core.runs.job")


def test_two_processes_make_a_run_and_say_what_one_says(tiny: Tiny) -> None:
    (spec,) = tiny.plan("multifair", epochs=1, **STILL)
    submit(tiny.workspace, [spec], start=False)
    folder = find(tiny.workspace, spec.run_id)
    assert make(str(folder.path)) == 0
    alone = pd.read_parquet(folder.predictions)["score"]
    submit(tiny.workspace, [spec], fresh=True, processes=2)
    wait(tiny.workspace, [spec.run_id], lambda _: None)
    assert tiny.status(spec.run_id)["status"] == "done", tiny.status(spec.run_id)["reason"]
    assert read_json(folder.environment)["processes"] == 2
    assert (pd.read_parquet(folder.predictions)["score"] - alone).abs().max() < TOLERANCE
    eventually(lambda: not jobs(tiny))
    assert not any(path.name.startswith(".") and path.name != ".lock" for path in folder.path.iterdir())


@pytest.mark.slow
def test_a_shared_run_is_cancelled_as_one_and_dies_as_one(tiny: Tiny) -> None:
    first, second = tiny.plan("erm", seeds=(1, 2), epochs=4000)
    set_parallel(tiny.workspace, 2)
    submit(tiny.workspace, [first], processes=2)
    eventually(lambda: find(tiny.workspace, first.run_id).checkpoint.exists())
    assert len(jobs(tiny)) == 2
    cancel(tiny.workspace, first.run_id)
    wait(tiny.workspace, [first.run_id], lambda _: None)
    assert tiny.status(first.run_id)["reason"] == "cancelled by the user"
    eventually(lambda: not jobs(tiny))
    for victim in ("first", "further"):
        submit(tiny.workspace, [second], processes=2)
        eventually(lambda: find(tiny.workspace, second.run_id).checkpoint.exists() and len(jobs(tiny)) == 2)
        leader = tiny.status(second.run_id)["pid"]
        (chosen,) = (job for job in jobs(tiny) if (job.pid == leader) == (victim == "first"))
        chosen.send_signal(signal.SIGKILL)
        wait(tiny.workspace, [second.run_id], lambda _: None)
        assert tiny.status(second.run_id)["status"] == "failed"
        eventually(lambda: not jobs(tiny))


def test_a_shared_run_is_asked_for_on_this_machine_and_shares_no_process(tiny: Tiny) -> None:
    (spec,) = tiny.plan("erm")
    for wrong in ({"processes": 0}, {"processes": 65}, {"processes": 2, "launcher": "ray"}):
        with pytest.raises(UserError, match="from 1 to 64 processes"):
            submit(tiny.workspace, [spec], start=False, **wrong)
    submit(tiny.workspace, [spec], start=False, processes=3)
    folder = find(tiny.workspace, spec.run_id)
    assert processes_of(folder.read_status()) == 3 and processes_of({}) == 1 and processes_of({"processes": "x"}) == 1
    assert for_one_process([folder, folder], 1, lambda _: {"labs": "tabular"}) == [folder]
