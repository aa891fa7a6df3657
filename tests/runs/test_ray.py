"""Runs on a cluster: a local one of two nodes, of which one is lost in the middle."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from core.errors import UserError
from core.locks import holding
from core.runs import cancel, find, queue_state, settle_dead_runs, submit
from core.runs.folder import RunFolder
from core.runs.queue import waiting
from core.runs.queue_settings import change_settings
from core.runs.ray_launcher import check, claimable, places, share_of
from core.runs.wait import wait
from core.runs.worker import JOB_MODULE
from core.workspace import Workspace
from tests.runs.conftest import Tiny, eventually

STORE = 80 * 1024 * 1024


@pytest.fixture
def cluster() -> Iterator[Any]:
    pytest.importorskip("ray", reason="the distributed extra is not installed")
    from ray.cluster_utils import Cluster

    made = Cluster(initialize_head=True, head_node_args={"num_cpus": 1, "include_dashboard": False, "object_store_memory": STORE})
    yield made
    made.shutdown()


@pytest.mark.slow
def test_a_sweep_on_two_nodes_survives_the_loss_of_one(cluster: Any, tiny: Tiny) -> None:
    node = cluster.add_node(num_cpus=1, object_store_memory=STORE)
    specs = tiny.plan("erm", seeds=(1, 2, 3), epochs=40)
    change_settings(tiny.workspace, ray_address=cluster.address)
    handles = submit(tiny.workspace, specs, launcher="ray", share={"cpus": 1, "gpus": 0})
    folders = [find(tiny.workspace, handle.run_id) for handle in handles]
    eventually(lambda: sum(folder.checkpoint.exists() and folder.read_status()["status"] == "running" for folder in folders) == 2)
    cluster.remove_node(node, allow_graceful=False)
    wait(tiny.workspace, [handle.run_id for handle in handles], lambda _: None)
    statuses = [folder.read_status() for folder in folders]
    assert [status["status"] for status in statuses] == ["done"] * 3, [status["reason"] for status in statuses]
    assert sorted(status["attempt"] for status in statuses) == [1, 1, 2], "the lost run went on, the others were made once"
    lost = next(folder for folder in folders if folder.read_status()["attempt"] == 2)
    (spec,) = (spec for spec in specs if spec.run_id == lost.run_id)
    on_cluster = pd.read_parquet(lost.predictions)
    submit(tiny.workspace, [spec], fresh=True, launcher="local")
    wait(tiny.workspace, [spec.run_id], lambda _: None)
    assert pd.read_parquet(lost.predictions).equals(on_cluster)
    eventually(lambda: not tiny.processes("core.runs.ray_launcher"))


@pytest.mark.slow
def test_forty_runs_on_two_nodes_of_which_one_is_lost_are_complete_and_equal(cluster: Any, tiny: Tiny, tmp_path: Path) -> None:
    node = cluster.add_node(num_cpus=1, object_store_memory=STORE)
    long = tiny.plan("erm", seeds=(101, 102), epochs=40)
    short = tiny.plan("erm", "multifair", seeds=tuple(range(1, 20)))
    # Two runs that are surely under way, one on each node, when one node is lost.
    specs = [*short[:6], *long, *short[6:]]
    shutil.copytree(tiny.workspace.root, tmp_path / "calm")
    calm = Workspace.open(tmp_path / "calm")
    submit(calm, specs, start=False)
    expected = [RunFolder(calm.runs / spec.run_id) for spec in specs]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    done = subprocess.run([sys.executable, "-m", JOB_MODULE, *(str(folder.path) for folder in expected)], env=environment, check=False)
    assert done.returncode == 0
    change_settings(tiny.workspace, ray_address=cluster.address)
    submit(tiny.workspace, specs, launcher="ray", share={"cpus": 1, "gpus": 0})
    folders = [find(tiny.workspace, spec.run_id) for spec in specs]
    under_way = [find(tiny.workspace, spec.run_id) for spec in long]
    eventually(lambda: all(folder.checkpoint.exists() and folder.read_status()["status"] == "running" for folder in under_way), 1200)
    cluster.remove_node(node, allow_graceful=False)
    wait(tiny.workspace, [spec.run_id for spec in specs], lambda _: None)
    statuses = [folder.read_status() for folder in folders]
    assert [status["status"] for status in statuses] == ["done"] * 40, [status["reason"] for status in statuses]
    assert sum(status["attempt"] for status in statuses) == 41, "what was lost went on elsewhere, the others were made once"
    for one, other in zip(folders, expected, strict=True):
        assert pd.read_parquet(one.predictions).equals(pd.read_parquet(other.predictions)), one.run_id
    assert not any(path.name.startswith(".") and path.name != ".lock" for path in tiny.workspace.runs.rglob("*"))


@pytest.mark.slow
def test_cancelling_reaches_the_node(cluster: Any, tiny: Tiny) -> None:
    change_settings(tiny.workspace, ray_address=cluster.address)
    running, queued = (handle.run_id for handle in submit(tiny.workspace, tiny.plan("erm", seeds=(1, 2), epochs=5000), launcher="ray"))
    eventually(lambda: find(tiny.workspace, running).checkpoint.exists())
    assert [item.status for item in queue_state(tiny.workspace)] == ["running", "queued"]
    assert cancel(tiny.workspace, queued) == "cancelled"
    cancel(tiny.workspace, running)
    wait(tiny.workspace, [running, queued], lambda _: None)
    assert tiny.status(running)["reason"] == "cancelled by the user"


def test_runs_of_a_cluster_are_left_alone_by_the_worker_of_this_machine(tiny: Tiny) -> None:
    (cluster_run,) = submit(tiny.workspace, tiny.plan("erm"), start=False, launcher="ray", share={"cpus": 2, "gpus": 0.5})
    assert share_of(tiny.status(cluster_run.run_id)) == {"cpus": 2.0, "gpus": 0.5}
    assert waiting(tiny.workspace, "local") == [] and len(waiting(tiny.workspace, "ray")) == 1
    assert subprocess.run([sys.executable, "-m", "core.runs.worker", str(tiny.workspace.root)], check=False, timeout=90).returncode == 0
    assert tiny.status(cluster_run.run_id)["status"] == "queued"
    with pytest.raises(UserError, match="local or ray"):
        submit(tiny.workspace, tiny.plan("erm", seeds=(9,)), launcher="slurm")


def test_a_run_of_another_machine_lives_as_long_as_its_lock_is_held(tiny: Tiny) -> None:
    (handle,) = submit(tiny.workspace, tiny.plan("erm"), start=False, launcher="ray")
    folder = find(tiny.workspace, handle.run_id)
    folder.update_status(status="running", host="elsewhere", pid=1, pid_created=1.0, started=1.0)
    with holding(folder.lock_file):
        assert settle_dead_runs(tiny.workspace) == [] and not claimable(folder)
    with holding(tiny.workspace.root / "queue.ray.lock"):
        assert settle_dead_runs(tiny.workspace) == [], "the launcher that lives sees to its own runs"
    assert claimable(folder)
    status = RunFolder(folder.path).read_status()
    assert (status["status"], status["attempt"], status["host"]) == ("queued", 2, None)
    folder.update_status(status="running", host="elsewhere", pid=1, pid_created=1.0, started=1.0)
    assert settle_dead_runs(tiny.workspace) == [handle.run_id]


@pytest.mark.parametrize(
    ("resources", "share", "expected"),
    [
        ({"CPU": 8.0}, (1, 0), 8),
        ({"CPU": 8.0}, (3, 0), 2),
        ({"CPU": 16.0, "GPU": 2.0}, (1, 0.5), 4),
        ({"CPU": 1.0}, (4, 0), 1),
        ({}, (1, 0), 1),
        ({"CPU": 0.3}, (0.1, 0), 3),
    ],
)
def test_how_many_runs_a_cluster_holds(resources: dict[str, float], share: tuple[float, float], expected: int) -> None:
    assert places(resources, {"cpus": share[0], "gpus": share[1]}) == expected


def test_a_cluster_that_does_not_answer_is_one_message() -> None:
    pytest.importorskip("ray", reason="the distributed extra is not installed")
    with pytest.raises(UserError, match=r"no Ray cluster answers at 127\.0\.0\.1:9"):
        check("127.0.0.1:9")
    with pytest.raises(UserError, match="no Ray cluster answers at nowhere"):
        check("nowhere")
