"""The run folder: the only truth about a run. Everything else is derived from it."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from core.errors import UserError
from core.runs.json_cache import kept_json
from core.workspace import Workspace, write_json

SETTLED = ("done", "failed", "cancelled")
STATUSES = ("queued", "running", *SETTLED)


@dataclass(frozen=True)
class RunFolder:
    """Paths and small files of one run.

    `spec.json` is written once; `status.json` is replaced as a whole by whoever holds
    the run's lock; the journal, the log and the predictions are written by the job only.
    """

    path: Path

    @property
    def run_id(self) -> str:
        return self.path.name

    @property
    def spec_file(self) -> Path:
        return self.path / "spec.json"

    @property
    def status_file(self) -> Path:
        return self.path / "status.json"

    @property
    def journal(self) -> Path:
        return self.path / "journal.jsonl"

    @property
    def predictions(self) -> Path:
        return self.path / "predictions.parquet"

    @property
    def checkpoint(self) -> Path:
        return self.path / "checkpoint.pt"

    @property
    def log(self) -> Path:
        return self.path / "log.txt"

    @property
    def environment(self) -> Path:
        return self.path / "environment.json"

    @property
    def cancel_flag(self) -> Path:
        return self.path / "cancel"

    @property
    def lock_file(self) -> Path:
        """Held by the job as long as it lives, and by others while they change the status."""
        return self.path / ".lock"

    def read_spec(self) -> dict[str, Any]:
        """`{run_id, key, label, family, spec: {...}}`."""
        value = kept_json(self.spec_file)
        assert isinstance(value, dict)
        return dict(value)

    def read_status(self) -> dict[str, Any]:
        """`{status, pid, pid_created, created, started, finished, reason, device, attempt, order, progress}`.

        A damaged file reads as a failed run, which can be tried again.
        """
        try:
            value = kept_json(self.status_file)
        except ValueError:
            changed = self.status_file.stat().st_mtime
            return new_status(changed) | {"status": "failed", "reason": "its status.json is damaged; retry the run"}
        assert isinstance(value, dict)
        return dict(value)

    def write_status(self, status: dict[str, Any]) -> None:
        write_json(self.status_file, status)

    def update_status(self, **changes: Any) -> dict[str, Any]:
        """Replace some fields; the caller holds the run's lock or is the job itself."""
        status = {**self.read_status(), **changes}
        self.write_status(status)
        return status


def new_status(created: float | None = None, order: float | None = None) -> dict[str, Any]:
    """The status of a run that waits to be started. Times are unix seconds."""
    now = time.time() if created is None else created
    return {
        "status": "queued",
        "pid": None,
        "pid_created": None,
        "created": now,
        "started": None,
        "finished": None,
        "reason": None,
        "device": None,
        "attempt": 1,
        "order": now if order is None else order,
        "progress": {"epoch": None, "epochs": None, "seconds_left": None},
    }


def folders(workspace: Workspace) -> Iterator[RunFolder]:
    """Every run folder that is complete enough to be named, in order of its name.

    A folder that is still being made (its name starts with a dot) is passed over.
    """
    with os.scandir(workspace.runs) as entries:
        paths = sorted(entry.path for entry in entries if not entry.name.startswith(".") and entry.is_dir())
    for path in paths:
        # Pages look at hundreds of folders at a time, so these are plain names and no Path objects.
        if os.path.exists(f"{path}/spec.json") and os.path.exists(f"{path}/status.json"):
            yield RunFolder(Path(path))


def find(workspace: Workspace, run_id: str) -> RunFolder:
    """The folder of `run_id` or of the one run whose name begins or whose key starts with it.

    Raises UserError when none or several match.
    """
    exact = RunFolder(workspace.runs / run_id)
    if "/" not in run_id and not run_id.startswith(".") and exact.spec_file.exists():
        return exact
    known = list(folders(workspace))
    matches = [f for f in known if f.run_id.startswith(run_id) or f.run_id.rsplit("-", 1)[-1].startswith(run_id)]
    if len(matches) == 1:
        return matches[0]
    if matches:
        raise UserError(f"{run_id!r} fits several runs: {', '.join(f.run_id for f in matches[:8])}; give more of the name")
    raise UserError(f"no run is named {run_id!r}; `multifair runs` lists the {len(known)} there are")
