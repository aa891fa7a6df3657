"""Makes runs: `python -m core.runs.job RUN_FOLDER...`. Started by the worker, never by hand."""

from __future__ import annotations

import os
import socket
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from core.errors import UserError, command, storage_problem
from core.locks import Lock
from core.runs import peers
from core.runs.environment import describe
from core.runs.folder import RunFolder, processes_of, rank
from core.runs.memory import peak_bytes
from core.runs.processes import started_at
from core.runs.queue import waiting
from core.runs.queue_settings import queue_settings
from core.runs.reasons import out_of_memory_kills
from core.runs.sets import sets_of_seeds
from core.workspace import Workspace, write_json

if TYPE_CHECKING:
    import torch

THREADS_VARIABLE = "MULTIFAIR_THREADS"
AS_PROGRAM = False
"""Whether this process is a job and nothing else, whose output may be sent to another log."""


def main(*paths: str) -> int:
    """0 when the runs are settled or not ours to make; an exception ends in the log.

    More than one are made one set after the other in this process: it starts once, and
    seeds of one specification train together where that is possible (core/training/together.py).
    """
    if peers.rank() > 0:
        # The first process of a run holds its lock and tells of it; the others compute along.
        return 0 if _train(RunFolder(Path(paths[0]))) in ("done", "cancelled") else 1
    code = 0
    for number, members in enumerate(sets_of_seeds([RunFolder(Path(path)) for path in paths])):
        if number and _give_way(members[0]):
            break
        code = max(code, _make(members))
    return code


def _give_way(folder: RunFolder) -> bool:
    """Whether runs that were not begun wait for somebody else: the queue is paused, or has one of a higher priority."""
    workspace = Workspace.open(folder.path.parent.parent)
    head = waiting(workspace, "local")
    return queue_settings(workspace).paused or (bool(head) and rank(head[0].read_status()) > rank(folder.read_status()))


def _make(members: list[RunFolder]) -> int:
    """Make those of the runs that are ours to make; 0, or 1 when one has failed."""
    locks = {folder.run_id: Lock(folder.lock_file) for folder in members}
    # A lock is held as long as the run is made: nobody else can start it.
    ours = [folder for folder in members if locks[folder.run_id].acquire() and folder.read_status()["status"] == "queued"]
    if not ours:
        print("This run is already being made or settled; nothing to do.", flush=True)
        return 0
    try:
        made = _try(ours, _train_together) if len(ours) > 1 else None
        if made is not None:
            return made
        return max(_try([folder], _train_alone) or 0 for folder in ours)
    finally:
        for lock in locks.values():
            lock.release()


def _try(members: list[RunFolder], train: Callable[[list[RunFolder]], list[str] | None]) -> int | None:
    """Run `train` on the members and settle them by what it says of each; None when it has declined."""
    _log_to(members[0])
    try:
        ends = train(members)
    except Exception as error:
        reason = str(error) if isinstance(error, UserError) else storage_problem(error)
        if reason is None:
            raise
        ends = [reason] * len(members)
    if ends is None:
        return None
    for folder, end in zip(members, ends, strict=True):
        if end == "done":
            _settle(folder, "done", None)
            _pool(folder)
        elif end == "cancelled":
            _settle(folder, "cancelled", "cancelled by the user")
        else:
            print(end, flush=True)
            _settle(folder, "failed", end)
    return 0 if set(ends) <= {"done", "cancelled"} else 1


def _pool(folder: RunFolder) -> None:
    """With the last fold of a cross-validation its pooled run is made."""
    from core.runs.folds import pool_when_whole

    pooled = pool_when_whole(Workspace.open(folder.path.parent.parent), folder)
    if pooled is not None:
        print(f"All folds are done: {pooled.run_id} holds their predictions.", flush=True)


def _log_to(folder: RunFolder) -> None:
    """What is printed from here on goes to the log of this run."""
    if AS_PROGRAM:
        sys.stdout.flush()
        sys.stderr.flush()
        handle = os.open(folder.log, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
        os.dup2(handle, 1)
        os.dup2(handle, 2)
        os.close(handle)


def _running(folder: RunFolder) -> None:
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


def _train_alone(members: list[RunFolder]) -> list[str]:
    (folder,) = members
    _running(folder)
    if folder.cancel_flag.exists():
        return ["cancelled"]
    with peers.beside(folder, processes_of(folder.read_status())):
        return [_train(folder)]


def _train_together(members: list[RunFolder]) -> list[str] | None:
    """As `train_together` says it, of those that are not cancelled; None where runs train alone."""
    from core import cohort as cohorts
    from core.runs.journal_writer import JournalSink
    from core.runs.spec import RunSpec
    from core.training.together import Member, alike, can_join, train_together

    if any(folder.cancel_flag.exists() or folder.checkpoint.exists() or _changed(folder) for folder in members):
        return None
    specs = [RunSpec.from_dict(folder.read_spec()["spec"]) for folder in members]
    device, place = _prepared(members[0])
    if len({spec.fold for spec in specs}) > 1 or not alike([spec.train for spec in specs]) or not can_join(specs[0].train, place):
        return None
    for folder in members:
        _running(folder)
        _environment(folder, place)
    workspace = Workspace.open(members[0].path.parent.parent)
    sinks = [JournalSink(folder) for folder in members]
    try:
        parts = [Member(spec.train, sink, folder.cancel_flag.exists, folder.checkpoint) for spec, sink, folder in zip(specs, sinks, members, strict=True)]
        ends = train_together(cohorts.load(workspace, specs[0].cohort_id).at_fold(specs[0].fold), parts, workspace.cache, device)
    finally:
        for sink in sinks:
            sink.close()
    for folder in members[1:] if ends is not None else []:
        with folder.log.open("a", encoding="utf-8") as file:
            file.write(f"Trained together with {members[0].run_id}, whose log tells of it.\n")
    if ends is None:
        for folder in members:
            folder.update_status(status="queued", pid=None, pid_created=None, host=None, started=None)
    return ends


def _train(folder: RunFolder) -> str:
    device, place = _prepared(folder)
    # Late imports: the status says "running" at once, not after seconds of loading torch.
    from core import cohort as cohorts
    from core.runs.journal_writer import JournalSink
    from core.runs.spec import RunSpec
    from core.training.train import Silent, train

    workspace = Workspace.open(folder.path.parent.parent)
    spec = RunSpec.from_dict(folder.read_spec()["spec"])
    if _changed(folder):
        raise UserError(
            f"the method {spec.train.method} (or an encoder class) has changed since this run was asked for: ask for it anew with {command('train')}"
        )
    sink: JournalSink | Silent = Silent() if peers.rank() > 0 else JournalSink(folder)
    if peers.rank() == 0:
        _environment(folder, place)
    try:
        return train(
            cohorts.load(workspace, spec.cohort_id).at_fold(spec.fold),
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


def _prepared(folder: RunFolder) -> tuple[str, torch.device]:
    """The device that was asked for and the one that it is, with torch at its number of threads."""
    import torch

    from core.training import device as devices

    torch.set_num_threads(_threads())
    device = folder.read_status().get("requested_device") or "auto"
    return device, devices.choose(device)


def _threads() -> int:
    return int(os.environ.get(THREADS_VARIABLE, "1"))


def _environment(folder: RunFolder, place: torch.device) -> None:
    from core.training import device as devices

    write_json(folder.environment, describe(devices.describe(place), _threads()) | {"processes": processes_of(folder.read_status())})


def _changed(folder: RunFolder) -> bool:
    """Whether the method, or an encoder of the user's own, is another than when the run was asked for."""
    from core.runs.own_methods import recall
    from core.runs.spec import source_of

    named = folder.read_spec()
    recall(Workspace.open(folder.path.parent.parent), named)
    now = source_of(named["spec"]["method"], named["spec"]["network"].get("encoders", {}))
    return bool(named.get("source", now) != now)


def _settle(folder: RunFolder, status: str, reason: str | None) -> None:
    progress = folder.read_status()["progress"] | {"seconds_left": None}
    folder.update_status(status=status, reason=reason, finished=time.time(), pid=None, pid_created=None, progress=progress, peak_bytes=peak_bytes())


if __name__ == "__main__":
    AS_PROGRAM = True
    sys.exit(main(*sys.argv[1:]))
