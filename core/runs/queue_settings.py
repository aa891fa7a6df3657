"""How the queue of a workspace works: how many runs at a time, in how much memory, and whether it is paused."""

from __future__ import annotations

import os
import shutil
from dataclasses import asdict, dataclass, replace
from typing import Any

from core.errors import UserError
from core.json_reading import read_json
from core.runs.environment import usable_cores
from core.workspace import Workspace, write_json

SETTINGS = "queue.json"
WAKE = "queue.wake"
MOST_PARALLEL = 64


@dataclass(frozen=True)
class QueueSettings:
    """What its user has chosen; None: the default."""

    parallel: int | None = None
    """Runs at a time."""
    memory_gb: float | None = None
    """Memory that all runs together may take, in 10^9 bytes; None: what the machine has free."""
    paused: bool = False
    """Nothing that waits is started; what runs goes on."""
    ray_address: str | None = None
    """The Ray cluster to which runs of that launcher were given last."""


def queue_settings(workspace: Workspace) -> QueueSettings:
    """The settings; the defaults when there are none or the file is damaged (see `settings_problem`)."""
    try:
        return _checked(read_json(workspace.root / SETTINGS))
    except (OSError, ValueError):
        return QueueSettings()


def settings_problem(workspace: Workspace) -> str | None:
    """What is wrong with the settings file, and what to do; None when it is fine."""
    try:
        _checked(read_json(workspace.root / SETTINGS))
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as error:
        return f"the queue's settings are damaged, so the defaults are used: {SETTINGS} {error}; multifair queue --parallel auto writes them anew"
    return None


def change_settings(workspace: Workspace, **changes: Any) -> QueueSettings:
    """Change some of them; the worker looks at once. Raises UserError for a value out of range."""
    settings = replace(queue_settings(workspace), **changes)
    if settings.parallel is not None and not 1 <= settings.parallel <= MOST_PARALLEL:
        raise UserError(f"runs at a time must be from 1 to {MOST_PARALLEL}, not {settings.parallel}")
    if settings.memory_gb is not None and not 0.1 <= settings.memory_gb <= 100_000:
        raise UserError(f"memory for all runs must be from 0.1 to 100000 GB, not {settings.memory_gb:g}")
    write_json(workspace.root / SETTINGS, asdict(settings))
    wake(workspace)
    return settings


def parallel(workspace: Workspace) -> int:
    """How many runs train at a time.

    Small networks do not fill a second thread, and threads that wait for each other burn
    what other jobs need: on a busy machine of 2 cores the same training took 4 s of
    processor time with one thread and 33 s with two. So two cores take two jobs of one
    thread; larger machines give each job two cores or more. On a GPU jobs go one at a time.
    """
    chosen = queue_settings(workspace).parallel
    if chosen is not None:
        return chosen
    if shutil.which("nvidia-smi"):
        return 1
    cores = usable_cores()
    return cores if cores <= 2 else cores // 2


def set_parallel(workspace: Workspace, jobs: int | None) -> None:
    """Change it for runs that start from now on; None goes back to the default."""
    change_settings(workspace, parallel=jobs)


def threads_per_job(workspace: Workspace) -> int:
    """An equal share of the cores, the same for every job so that numbers repeat."""
    return max(1, usable_cores() // parallel(workspace))


def wake(workspace: Workspace) -> None:
    """Have the worker look again."""
    path = workspace.root / WAKE
    path.touch()
    os.utime(path)


def _checked(value: Any) -> QueueSettings:
    if not isinstance(value, dict):
        raise ValueError("holds no object")
    kinds: dict[str, tuple[type, ...]] = {"parallel": (int,), "memory_gb": (int, float), "paused": (bool,), "ray_address": (str,)}
    known: dict[str, Any] = {}
    for name, kind in kinds.items():
        item = value.get(name)
        if item is None:
            continue
        if not isinstance(item, kind) or (name != "paused" and isinstance(item, bool)):
            raise ValueError(f"has no usable {name}")
        known[name] = item
    return QueueSettings(**known)
