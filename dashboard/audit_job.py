"""An audit in a process of its own: it says how far it is, can be cancelled, and outlives a closed tab.

`python -m dashboard.audit_job WORKSPACE FOLDER`, where FOLDER is the upload that is to be audited.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from core.api.saved_audits import SavedAudit, make, make_classes
from core.audit import AuditOptions, Mapping, Target
from core.errors import UserError
from core.json_reading import read_json
from core.runs import processes
from core.workspace import Workspace, write_json

MODULE = "dashboard.audit_job"
CHOICES, STATUS, LOG = "audit-choices.json", "audit-status.json", "audit.log"
TELLING = 0.05
"""Share from which on the time that is left can be told."""
SECONDS_BETWEEN = 0.2
"""The status is written at most this often."""
SHORT_ROWS = 5000
SHORT_WORK = 100
"""Models x attributes (and pairs of them) x hundreds of replicates."""
DIED = "The audit ended without a result, most likely because the memory did not suffice. Fewer bootstrap replicates, or single attributes only, need less."


@dataclass(frozen=True)
class Job:
    """How far an audit is.

    state : "running", "done" or "failed"; audit_id : of a finished one; error : why it failed.
    share : what is done, from 0 to 1; doing : what is being done; seconds : since it began.
    """

    state: str
    share: float = 0.0
    doing: str = ""
    seconds: float = 0.0
    audit_id: str | None = None
    error: str | None = None

    @property
    def seconds_left(self) -> float | None:
        """None while it is too early to tell."""
        return None if self.share < TELLING else self.seconds * (1 - self.share) / self.share


def is_short(rows: int, mapping: Mapping, options: AuditOptions, times: int = 1) -> bool:
    """Whether an audit takes less time than a process takes to start (a second or two, measured): it is made at once."""
    draws = max(options.bootstrap, 100) / 100
    attributes = len(mapping.attributes) + (len(mapping.attributes) ** 2 if options.intersections > 1 else 0)
    return options.intersections <= 2 and rows <= SHORT_ROWS and max(len(mapping.score), 1) * attributes * draws * times <= SHORT_WORK


Roles = dict[str, Mapping]
"""Class -> roles of its audit against the rest; "" -> the roles, where positive and negative are all there is."""
Metadata = tuple[Path, str]
"""Another file that holds attributes, and the id by which it is joined."""


def make_at_once(workspace: Workspace, folder: Path, table: Path, name: str, mappings: Roles, options: AuditOptions, metadata: Metadata | None = None) -> None:
    """As `start`, in this process: `look` then says that it is done, or why it failed."""
    cancel(folder)
    try:
        made = _make(workspace, table, name, mappings, options, metadata=metadata)
    except UserError as error:
        write_json(folder / STATUS, {"error": str(error)})
        return
    write_json(folder / STATUS, {"audit_id": made.audit_id})


def start(workspace: Workspace, folder: Path, table: Path, name: str, mappings: Roles, options: AuditOptions, metadata: Metadata | None = None) -> None:
    """Begin the audit of `table`, which its user knows as `name`, in the upload's `folder`."""
    cancel(folder)
    roles = {of: mapping.to_dict() for of, mapping in mappings.items()}
    more = None if metadata is None else [str(metadata[0]), metadata[1]]
    write_json(folder / CHOICES, {"table": str(table), "name": name, "mappings": roles, "options": asdict(options), "metadata": more})
    process = processes.start(MODULE, [str(workspace.root), str(folder)], folder / LOG)
    if not (folder / STATUS).exists():
        write_json(folder / STATUS, {"pid": process.pid, "created": processes.started_at(process.pid), "begun": time.time(), "share": 0.0, "doing": "starting"})


def look(folder: Path) -> Job | None:
    """How far the audit of this upload is; None when none was started."""
    if not (folder / STATUS).is_file():
        return None
    status = read_json(folder / STATUS)
    if status.get("audit_id"):
        return Job("done", 1.0, audit_id=str(status["audit_id"]))
    if status.get("error"):
        return Job("failed", error=str(status["error"]))
    if not processes.is_alive(status.get("pid"), status.get("created")):
        # What it wrote last may have come between the two looks.
        status = read_json(folder / STATUS)
        if status.get("audit_id"):
            return Job("done", 1.0, audit_id=str(status["audit_id"]))
        return Job("failed", error=str(status.get("error") or DIED))
    return Job("running", float(status["share"]), str(status["doing"]), time.time() - float(status["begun"]))


def cancel(folder: Path) -> None:
    """End the audit of this upload, if there is one, and forget it."""
    if not (folder / STATUS).is_file():
        return
    status = read_json(folder / STATUS)
    if status.get("pid") and status.get("created"):
        processes.end_group(int(status["pid"]), float(status["created"]), MODULE)
    (folder / STATUS).unlink(missing_ok=True)


def main(root: str, folder: str) -> int:
    """Make the audit that `start` asked for, and say how far it is on the way."""
    place = Path(folder)
    status: dict[str, Any] = {"pid": os.getpid(), "created": processes.started_at(os.getpid()), "begun": time.time(), "share": 0.0, "doing": "starting"}
    told = 0.0

    def progress(share: float, doing: str) -> None:
        nonlocal told
        if time.monotonic() - told >= SECONDS_BETWEEN:
            told = time.monotonic()
            write_json(place / STATUS, {**status, "share": share, "doing": doing})

    progress(0.0, "starting")
    choices = read_json(place / CHOICES)
    options = AuditOptions(
        **{name: _frozen(value) for name, value in choices["options"].items() if name != "target"}, target=_target(choices["options"]["target"])
    )
    try:
        mappings = {of: Mapping.from_dict(mapping) for of, mapping in choices["mappings"].items()}
        more = choices.get("metadata")
        metadata = None if more is None else (Path(more[0]), str(more[1]))
        made = _make(Workspace.open(root), Path(choices["table"]), str(choices["name"]), mappings, options, progress, metadata)
    except UserError as error:
        write_json(place / STATUS, {**status, "error": str(error)})
        return 2
    write_json(place / STATUS, {**status, "audit_id": made.audit_id})
    return 0


def _make(
    workspace: Workspace,
    table: Path,
    name: str,
    mappings: Roles,
    options: AuditOptions,
    progress: Callable[[float, str], None] | None = None,
    metadata: Metadata | None = None,
) -> SavedAudit:
    if "" in mappings:
        return make(workspace, table, name, mappings[""], options, progress, metadata=metadata)
    return make_classes(workspace, table, name, mappings, options, progress, metadata=metadata)


def _target(value: dict[str, Any] | None) -> Target | None:
    return None if value is None else Target(**value)


def _frozen(value: Any) -> Any:
    """Lists, which JSON makes of tuples, as tuples again."""
    if isinstance(value, list):
        return tuple(_frozen(item) for item in value)
    return {name: _frozen(item) for name, item in value.items()} if isinstance(value, dict) else value


if __name__ == "__main__":
    raise SystemExit(main(*sys.argv[1:]))
