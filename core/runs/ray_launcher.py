"""Runs on a Ray cluster: `python -m core.runs.ray_launcher WORKSPACE`, started by whoever asks for such runs.

Run folders lie on storage that all nodes share at the same path; whatever a page shows it
reads from there, wherever a run is made. A job claims its run by the lock in the folder, so
a run is never made twice, and a run whose node is lost goes on elsewhere from its checkpoint.
The storage must honour file locks between nodes (NFS version 4 and cluster file systems do).
"""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from core.errors import UserError
from core.locks import Lock, holding, is_held
from core.runs import processes
from core.runs.dead_runs import launcher_lock, settle_dead
from core.runs.environment import ROOT
from core.runs.folder import SETTLED, RunFolder
from core.runs.job import THREADS_VARIABLE
from core.runs.queue import waiting
from core.runs.queue_settings import queue_settings
from core.workspace import Workspace

JOB_MODULE = "core.runs.job"
LAUNCHER = "ray"
LOOK_SECONDS = 1.0
ANSWER_SECONDS = 5.0
CANCEL_GRACE_SECONDS = 15.0


def check(address: str | None) -> None:
    """Raises UserError when Ray is not installed here or the cluster does not answer."""
    ray = _ray()
    try:
        _knock(address)
        ray.init(address=address or "auto", log_to_driver=False, logging_level="ERROR")
    except (OSError, RuntimeError, ValueError) as error:
        raise UserError(
            f"no Ray cluster answers at {address or 'RAY_ADDRESS or this machine'} ({' '.join(str(error).split())[:160]}); start one with: ray start --head"
        ) from None
    ray.shutdown()


def _knock(address: str | None) -> None:
    """Raises OSError or ValueError when nothing listens at HOST:PORT, which Ray itself would try for minutes."""
    if address is None or address == "auto":
        return
    host, _, port = address.removeprefix("ray://").rpartition(":")
    with socket.create_connection((host, int(port)), timeout=ANSWER_SECONDS):
        pass


def main(root: str) -> int:
    """Give the workspace's waiting runs to a Ray cluster until none is left; returns the exit code."""
    workspace = Workspace.open(root)
    lock = Lock(launcher_lock(workspace, LAUNCHER))
    if not lock.acquire():
        return 0
    ray = _ray()
    path = os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH")]))
    ray.init(address=queue_settings(workspace).ray_address or "auto", log_to_driver=False, runtime_env={"env_vars": {"PYTHONPATH": path}})
    while True:
        _drive(ray, workspace)
        lock.release()
        # Whoever queued a run while the lock was still ours has relied on us.
        if queue_settings(workspace).paused or not waiting(workspace, LAUNCHER) or not lock.acquire():
            return 0


def _drive(ray: Any, workspace: Workspace) -> None:
    """Give queued runs to the cluster in their order, as many as it has room for, until none is left."""
    # By its import, not from __main__: nodes load the code that they have, and job checks that it is the same.
    from core.runs.ray_launcher import execute

    remote = ray.remote(max_retries=-1)(execute)
    given: dict[Any, RunFolder] = {}
    while True:
        ready, _ = ray.wait(list(given), timeout=LOOK_SECONDS) if given else ([], [])
        for reference in ready:
            _collect(ray, reference, given.pop(reference))
        under_way = {folder.run_id for folder in given.values()}
        queue = [] if queue_settings(workspace).paused else [folder for folder in waiting(workspace, LAUNCHER) if folder.run_id not in under_way]
        for folder in queue:
            share = share_of(folder.read_status())
            if len(given) >= places(ray.cluster_resources(), share):
                break
            given[remote.options(num_cpus=share["cpus"], num_gpus=share["gpus"], name=folder.run_id).remote(str(folder.path))] = folder
        if not given and not queue:
            return
        if not given:
            time.sleep(LOOK_SECONDS)


def _collect(ray: Any, reference: Any, folder: RunFolder) -> None:
    try:
        ray.get(reference)
    except ray.exceptions.RayError as error:
        print(f"{folder.run_id}: {error}", flush=True)
        settle_dead(folder)


def share_of(status: dict[str, Any]) -> dict[str, float]:
    """CPUs and GPUs that a run asks for; one CPU and no GPU when it does not say."""
    share = status.get("share")
    return {
        name: float(share[name]) if isinstance(share, dict) and isinstance(share.get(name), int | float) else usual
        for name, usual in (("cpus", 1.0), ("gpus", 0.0))
    }


def places(resources: dict[str, float], share: dict[str, float]) -> int:
    """How many runs of this share the cluster holds at a time, at least one: nodes may still come."""
    wanted = [(resources.get(name, 0.0), share[key]) for name, key in (("CPU", "cpus"), ("GPU", "gpus")) if share[key] > 0]
    return max(1, int(min((there / needed + 1e-9 for there, needed in wanted), default=1.0)))


def execute(path: str) -> str:
    """Make a run on this node; its status. Ray calls it again elsewhere when the node is lost."""
    folder = RunFolder(Path(path))
    while True:
        status = folder.read_status()
        if status["status"] in SETTLED:
            return str(status["status"])
        if not claimable(folder):
            # Another node is at it, or has been lost so lately that its lock is not free yet.
            time.sleep(LOOK_SECONDS)
            continue
        attempt = folder.read_status()["attempt"]
        returncode = _run_job(folder, share_of(status))
        settle_dead(folder, returncode, attempt)


def claimable(folder: RunFolder) -> bool:
    """Whether nobody makes the run; one whose maker was lost is queued again, to go on from its checkpoint."""
    if is_held(folder.lock_file):
        return False
    with holding(folder.lock_file, wait=False) as got:
        if not got:
            return False
        status = folder.read_status()
        if status["status"] == "running":
            folder.update_status(status="queued", attempt=status["attempt"] + 1, pid=None, pid_created=None, host=None)
        return folder.read_status()["status"] == "queued"


def _run_job(folder: RunFolder, share: dict[str, float]) -> int:
    """The job as a process of its own, ended with this one (a node that Ray has given up must not go on training); returns as subprocess does."""
    threads = str(max(1, int(share["cpus"])))
    environment = {name: threads for name in (THREADS_VARIABLE, "OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")}
    process = processes.start(JOB_MODULE, [str(folder.path)], folder.log, {**environment, "OMP_WAIT_POLICY": "PASSIVE"}, preexec=processes.die_with_parent)
    while True:
        try:
            return process.wait(LOOK_SECONDS)
        except subprocess.TimeoutExpired:
            if folder.cancel_flag.exists() and time.time() - folder.cancel_flag.stat().st_mtime > CANCEL_GRACE_SECONDS:
                process.kill()


def _ray() -> Any:
    try:
        import ray
    except ImportError:
        raise UserError("Ray is not installed: pip install 'multifair-dashboard[distributed]', on every node") from None
    return ray


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
