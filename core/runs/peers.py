"""The further processes of a run that several share, each with a part of every batch (core/training/shards.py)."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from core.runs import processes
from core.runs.folder import RunFolder

JOB_MODULE = "core.runs.job"
LOOK_SECONDS = 0.5
HERE = "127.0.0.1"


def rank() -> int:
    """Which of the processes of a run this one is; 0 is the first or the only one."""
    return int(os.environ.get("RANK", "0"))


@contextmanager
def beside(folder: RunFolder, count: int) -> Iterator[None]:
    """Within it `count` processes make the run, of which this is the first; the others end with the block.

    They belong to this process's group, so that whoever ends the run ends them too, and end when it dies.
    One that ends before the work is done takes this process with it: the others would wait for it for ever.
    """
    if count < 2:
        yield
        return
    shared = {"WORLD_SIZE": str(count), "MASTER_ADDR": HERE, "MASTER_PORT": str(_free_port())}
    started = [
        processes.start(JOB_MODULE, [str(folder.path)], folder.log, {**shared, "RANK": str(r), "LOCAL_RANK": str(r)}, processes.die_with_parent, apart=False)
        for r in range(1, count)
    ]
    own = {**shared, "RANK": "0", "LOCAL_RANK": "0"}
    before = {name: os.environ.get(name) for name in own}
    os.environ.update(own)
    finished = threading.Event()
    threading.Thread(target=_watch, args=(started, finished), daemon=True).start()
    try:
        yield
    finally:
        finished.set()
        for process in started:
            process.kill()
            process.wait()
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value


def _watch(started: Sequence[subprocess.Popen[bytes]], finished: threading.Event) -> None:
    while not finished.wait(LOOK_SECONDS):
        for process in started:
            if process.poll():
                print(f"One of the processes that share this run ended with {process.returncode}.", flush=True)
                sys.stdout.flush()
                os._exit(1)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind((HERE, 0))
        return int(probe.getsockname()[1])
