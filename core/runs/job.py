"""Executes one run: `python -m core.runs.job RUN_FOLDER`. Started by the worker, never by hand."""

from __future__ import annotations

import os
import socket
import sys
import time
from pathlib import Path

from core.errors import UserError, command, storage_problem
from core.locks import Lock
from core.runs.environment import describe
from core.runs.folder import RunFolder
from core.runs.memory import peak_bytes
from core.runs.processes import started_at
from core.runs.reasons import out_of_memory_kills
from core.workspace import Workspace, write_json

THREADS_VARIABLE = "MULTIFAIR_THREADS"


def main(path: str) -> int:
    """0 when the run is settled or not ours to make; an exception ends in the log."""
    folder = RunFolder(Path(path))
    lock = Lock(folder.lock_file)
    # The lock is held until this process ends: nobody else can start the same run.
    if not lock.acquire() or folder.read_status()["status"] != "queued":
        print("This run is already being made or settled; nothing to do.", flush=True)
        return 0
    pid = os.getpid()
    folder.update_status(
        status="running",
        host=socket.gethostname(),
        pid=pid,
        pid_created=started_at(pid),
        started=time.time(),
        finished=None,
        reason=None,
        oom_kills=out_of_memory_kills(),
    )
    try:
        status = _train(folder)
    except Exception as error:
        reason = str(error) if isinstance(error, UserError) else storage_problem(error)
        if reason is None:
            raise
        print(reason, flush=True)
        _settle(folder, "failed", reason)
        return 1
    _settle(folder, status, "cancelled by the user" if status == "cancelled" else None)
    return 0


def _train(folder: RunFolder) -> str:
    if folder.cancel_flag.exists():
        return "cancelled"
    # Late imports: the status says "running" at once, not after seconds of loading torch.
    import torch

    from core import cohort as cohorts
    from core.methods.source import source_digest
    from core.runs.journal_writer import JournalSink
    from core.runs.spec import RunSpec
    from core.training import device as devices
    from core.training.train import train

    threads = int(os.environ.get(THREADS_VARIABLE, "1"))
    torch.set_num_threads(threads)
    workspace = Workspace.open(folder.path.parent.parent)
    named = folder.read_spec()
    spec = RunSpec.from_dict(named["spec"])
    if named.get("source", source_digest(spec.train.method)) != source_digest(spec.train.method):
        raise UserError(f"the method {spec.train.method} has changed since this run was asked for: ask for it anew with {command('train')}")
    device = folder.read_status().get("requested_device") or "auto"
    write_json(folder.environment, describe(devices.describe(devices.choose(device)), threads))
    sink = JournalSink(folder)
    try:
        return train(
            cohorts.load(workspace, spec.cohort_id),
            spec.train,
            sink,
            resume=folder.checkpoint if folder.checkpoint.exists() else None,
            should_stop=folder.cancel_flag.exists,
            checkpoint=folder.checkpoint,
            cache=workspace.cache,
            device=device,
        )
    finally:
        sink.close()


def _settle(folder: RunFolder, status: str, reason: str | None) -> None:
    progress = folder.read_status()["progress"] | {"seconds_left": None}
    folder.update_status(status=status, reason=reason, finished=time.time(), pid=None, pid_created=None, progress=progress, peak_bytes=peak_bytes())


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
