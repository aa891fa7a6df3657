"""Deleting a cohort, a run, an audit or an upload: first into the workspace's trash, from where it can be taken back."""

from __future__ import annotations

import os
import shutil
import tempfile
import time
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from pathlib import Path, PurePosixPath
from typing import Any, Literal, get_args

from core.cohort_folders import find_cohort, forget_aliases
from core.errors import UserError, command
from core.json_reading import read_json
from core.locks import holding
from core.runs.dead_runs import settle_dead_runs
from core.runs.disk_usage import folder_bytes
from core.runs.folder import RunFolder, described, find
from core.workspace import DAYS_IN_TRASH, FOLDERS, Workspace, write_json

Kind = Literal["cohort", "run", "audit", "upload"]
KINDS: tuple[str, ...] = get_args(Kind)
ENTRY_FILE = "entry.json"
CONTENT = "content"


@dataclass(frozen=True)
class TrashEntry:
    """One deletion: what was moved into the trash together and is restored together."""

    entry_id: str
    kind: Kind
    identifier: str
    """Id of the cohort, run, audit or upload."""
    title: str
    """What its user calls it."""
    deleted: float
    """Unix seconds."""
    paths: tuple[str, ...]
    """Folders relative to the workspace: the thing itself first, then the runs that went with a cohort."""
    bytes: int

    @property
    def expires(self) -> float:
        """Unix seconds after which the entry is removed for good."""
        return self.deleted + DAYS_IN_TRASH * 86_400


def delete(workspace: Workspace, kind: Kind, identifier: str, *, with_runs: bool = False, now: bool = False) -> TrashEntry:
    """Move a cohort, run, audit or upload into the trash.

    Parameters
    ----------
    kind : what `identifier` names
    identifier : an id; for cohorts also a name, for runs and cohorts also the beginning of an id
    with_runs : delete a cohort's runs with it
    now : remove it for good instead

    Returns
    -------
    TrashEntry
        What was deleted; with `now` it is no longer in the trash.

    Raises
    ------
    UserError
        When nothing has this id, when a run is queued or running (cancel it first), or when
        a cohort has runs and `with_runs` was not said.
    """
    if kind not in KINDS:
        raise UserError(f"{kind!r} cannot be deleted; what can: {', '.join(KINDS)}")
    empty_trash(workspace)
    settle_dead_runs(workspace)
    target = _folder(workspace, kind, identifier)
    runs = [target] if kind == "run" else _runs_of(workspace, target.name) if kind == "cohort" else []
    if kind == "cohort" and runs and not with_runs:
        raise UserError(f"cohort {target.name} has {len(runs)} runs, which nobody could read without it; to delete them too, say --with-runs")
    title = _title(kind, target)
    with ExitStack() as held:
        for path in runs:
            _claim(held, RunFolder(path))
        # The cohort goes last: whoever looks in between finds no run without its cohort.
        moved = runs if kind == "run" else [*runs, target]
        entry = _move(workspace, kind, target, title, moved)
    if now:
        _remove(workspace, entry)
    return entry


def list_trash(workspace: Workspace) -> list[TrashEntry]:
    """What can be restored, the latest deletion first."""
    entries = []
    for folder in workspace.entries(workspace.trash):
        entry = _read(folder)
        if entry is not None:
            entries.append(entry)
    return sorted(entries, key=lambda entry: (entry.deleted, entry.entry_id), reverse=True)


def restore(workspace: Workspace, entry_id: str) -> TrashEntry:
    """Put everything of one deletion back where it was.

    `entry_id` : an entry's id, or the id of what was deleted (its latest deletion).

    Raises
    ------
    UserError
        When the trash holds no such entry, or its place is taken again.
    """
    entry = next((e for e in list_trash(workspace) if entry_id in (e.entry_id, e.identifier)), None)
    if entry is None:
        raise UserError(f"the trash holds no {entry_id!r}; multifair trash lists what it holds")
    content = workspace.trash / entry.entry_id / CONTENT
    waiting = [path for path in entry.paths if (content / path).exists()]
    taken = [path for path in waiting if (workspace.root / path).exists()]
    if taken:
        raise UserError(f"{taken[0]} exists again; delete it first, then restore {entry.entry_id}")
    for path in waiting:
        (workspace.root / path).parent.mkdir(exist_ok=True)
        os.rename(content / path, workspace.root / path)
    shutil.rmtree(workspace.trash / entry.entry_id)
    return entry


def empty_trash(workspace: Workspace, older_than_days: float = DAYS_IN_TRASH) -> list[TrashEntry]:
    """Remove for good what was deleted longer ago; 0 empties the trash. Returns what was removed."""
    limit = time.time() - older_than_days * 86_400
    removed = [entry for entry in list_trash(workspace) if entry.deleted <= limit]
    for entry in removed:
        _remove(workspace, entry)
    return removed


def _folder(workspace: Workspace, kind: Kind, identifier: str) -> Path:
    parent = {"cohort": workspace.cohorts, "run": workspace.runs, "audit": workspace.audits, "upload": workspace.uploads}[kind]
    plain = bool(identifier) and not identifier.startswith(".") and not set(identifier) & {"/", "\\", "\0"}
    # The exact name comes first, so that what is damaged can be deleted too.
    if plain and (parent / identifier).is_dir():
        return parent / identifier
    if kind == "run":
        return find(workspace, identifier).path
    if kind == "cohort":
        return find_cohort(workspace, identifier)
    raise UserError(f"no {kind} has the id {identifier!r}")


def _runs_of(workspace: Workspace, cohort_id: str) -> list[Path]:
    return [folder.path for folder, named in described(workspace) if named["spec"]["cohort_id"] == cohort_id]


def _claim(held: ExitStack, folder: RunFolder) -> None:
    """Hold the run's lock, so that no job begins it while it is moved."""
    got = held.enter_context(holding(folder.lock_file, wait=False))
    status = folder.read_status()["status"] if folder.status_file.exists() else "failed"
    if not got or status in ("queued", "running"):
        word = status if status in ("queued", "running") else "in use"
        raise UserError(f"{folder.run_id} is {word}; cancel it first: {command('cancel', name=folder.run_id)}")


def _title(kind: Kind, target: Path) -> str:
    about = {"cohort": ("manifest.json", "name"), "run": ("spec.json", "label"), "audit": ("mapping.json", "name"), "upload": ("draft.json", "name")}
    file, key = about[kind]
    try:
        value = read_json(target / file)
    except (OSError, ValueError):
        return target.name
    return str(value.get(key) or target.name) if isinstance(value, dict) else target.name


def _move(workspace: Workspace, kind: Kind, target: Path, title: str, moved: list[Path]) -> TrashEntry:
    begun = time.time()
    place = Path(tempfile.mkdtemp(prefix=f"{kind}-{target.name}-", dir=workspace.trash))
    paths = [path.relative_to(workspace.root).as_posix() for path in [target, *(p for p in moved if p != target)]]
    entry = TrashEntry(place.name, kind, target.name, title, begun, tuple(paths), sum(folder_bytes(path) for path in moved))
    # The entry is written before anything moves: whatever a crash leaves in the trash can be restored.
    write_json(place / ENTRY_FILE, asdict(entry))
    for path in moved:
        to = place / CONTENT / path.relative_to(workspace.root)
        to.parent.mkdir(parents=True, exist_ok=True)
        os.rename(path, to)
    return entry


def _read(folder: Path) -> TrashEntry | None:
    """None for a folder that is no whole entry: just being made, or foreign."""
    try:
        value: Any = read_json(folder / ENTRY_FILE)
        entry = TrashEntry(**{**value, "paths": tuple(value["paths"])})
        return entry if _is_ours(entry, folder) and (folder / CONTENT).is_dir() else None
    except (OSError, ValueError, TypeError, KeyError):
        return None


def _is_ours(entry: TrashEntry, folder: Path) -> bool:
    """Whether an entry says what this program writes: restoring moves folders to where it says."""
    texts = all(isinstance(text, str) for text in (entry.identifier, entry.title, *entry.paths))
    numbers = all(isinstance(number, (int, float)) for number in (entry.deleted, entry.bytes))
    if not texts or not numbers or entry.kind not in KINDS or entry.entry_id != folder.name:
        return False
    parts = [PurePosixPath(path).parts for path in entry.paths]
    return all(len(part) == 2 and part[0] in FOLDERS and part[1] not in (".", "..") for part in parts)


def _remove(workspace: Workspace, entry: TrashEntry) -> None:
    shutil.rmtree(workspace.trash / entry.entry_id, ignore_errors=True)
    if entry.kind == "cohort":
        forget_aliases(workspace, entry.identifier)
