"""The run folder: the only truth about a run. Everything else is derived from it."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from core.errors import DamagedFile, UserError, command
from core.runs.checks import LATEST, checked_spec_file, checked_status
from core.workspace import Workspace, is_whole_parquet, read_json_remembered, write_json

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
        """`{run_id, key, label, family, spec: {...}}`.

        Raises DamagedFile when spec.json is not what it should be, or is another run's.
        """
        try:
            return read_json_remembered(self.spec_file, self._checked_spec)
        except (OSError, ValueError) as error:
            raise DamagedFile(f"run {self.run_id}", "spec.json", _why(error), f"delete the run with {command('delete', 'run', name=self.run_id)}") from None

    def _checked_spec(self, value: Any) -> dict[str, Any]:
        spec = checked_spec_file(value)
        if spec["run_id"] != self.run_id:
            raise ValueError(f"belongs to another run ({spec['run_id'][:80]!r})")
        return spec

    def read_status(self) -> dict[str, Any]:
        """`{status, pid, pid_created, created, started, finished, reason, device, attempt, order, alerts, progress}`.

        A damaged file reads as a failed run, which can be tried again. A copy: the caller may change it.
        """
        try:
            return dict(read_json_remembered(self.status_file, _checked_status))
        except ValueError as error:
            changed = min(max(0.0, self.status_file.stat().st_mtime), LATEST)
            return new_status(changed) | {"status": "failed", "reason": f"damaged: status.json {error}; {self.remedy()}"}

    def has_predictions(self) -> bool:
        """Whether the predictions are there and are a Parquet file from its first to its last bytes."""
        return is_whole_parquet(self.predictions)

    def remedy(self) -> str:
        """What makes a run with a damaged file whole again, as a command."""
        return f"train it again with {command('retry', '--fresh', name=self.run_id)}"

    def write_status(self, status: dict[str, Any]) -> None:
        write_json(self.status_file, status)

    def update_status(self, **changes: Any) -> dict[str, Any]:
        """Replace some fields; the caller holds the run's lock or is the job itself."""
        status = {**self.read_status(), **changes}
        self.write_status(status)
        return status


def _checked_status(value: Any) -> dict[str, Any]:
    return checked_status(value, STATUSES)


def _why(error: OSError | ValueError) -> str:
    if isinstance(error, FileNotFoundError):
        return "is missing"
    return f"cannot be read ({error.strerror})" if isinstance(error, OSError) else str(error)


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
        "priority": 0,
        "alerts": [],
        "progress": {"epoch": None, "epochs": None, "seconds_left": None},
    }


def rank(status: dict[str, Any]) -> int:
    """Priority of a run as a number; runs of a higher one start first."""
    value = status.get("priority", 0)
    return value if isinstance(value, int) else 0


def processes_of(status: dict[str, Any]) -> int:
    """How many processes of a machine share the run."""
    value = status.get("processes", 1)
    return value if isinstance(value, int) and value > 0 else 1


def folders(workspace: Workspace) -> Iterator[RunFolder]:
    """Every run folder with a specification and a status, in order of its name; either may be damaged.

    A folder that is still being made (its name starts with a dot) is passed over.
    """
    if not workspace.runs.is_dir():
        return
    with os.scandir(workspace.runs) as entries:
        paths = sorted(entry.path for entry in entries if not entry.name.startswith(".") and entry.is_dir())
    for path in paths:
        # Pages look at hundreds of folders at a time, so these are plain names and no Path objects.
        if os.path.exists(f"{path}/spec.json") and os.path.exists(f"{path}/status.json"):
            yield RunFolder(Path(path))


def described(workspace: Workspace) -> Iterator[tuple[RunFolder, dict[str, Any]]]:
    """Every run folder with the content of its spec.json; those whose spec.json is damaged are left out."""
    for folder in folders(workspace):
        try:
            spec = folder.read_spec()
        except DamagedFile:
            continue
        yield folder, spec


def damaged(workspace: Workspace) -> list[DamagedFile]:
    """Runs that cannot be read or shown, each with the file, what is wrong with it and what to do."""
    found = []
    for folder in folders(workspace):
        try:
            folder.read_spec()
        except DamagedFile as error:
            found.append(error)
    return found


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
