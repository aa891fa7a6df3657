"""A workspace, or a selection of its runs with their cohorts, as one zip file, and back."""

from __future__ import annotations

import os
import re
import shutil
import tempfile
import zipfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from core.cohort_folders import find_cohort, list_cohorts, read_manifest
from core.errors import UserError
from core.locks import holding
from core.runs.folder import SETTLED, RunFolder, described, find
from core.workspace import Workspace

KINDS = ("cohorts", "runs", "audits", "reports")
NAME = re.compile(r"[A-Za-z0-9][\w.-]{0,254}", re.ASCII)
MOST_FILES = 1_000_000
COPY_BYTES = 1 << 20


@dataclass(frozen=True)
class Archived:
    """What an archive got or gave, by kind."""

    added: dict[str, list[str]]
    """Kind (cohorts, runs, audits, reports) -> ids."""
    left_out: list[str]
    """One line each: what is not in it, or was there already, and why."""


def export(workspace: Workspace, file: Path, run_ids: Iterable[str] = (), cohorts: Iterable[str] = ()) -> Archived:
    """Write runs and cohorts into a new zip file; without a selection, the whole workspace.

    A selected run brings its cohort, a selected cohort no run. Queued and running runs stay
    out. Raises UserError when the file exists or nothing has a name that was given.
    """
    if file.exists():
        raise UserError(f"{file}: exists already; name another file or remove it")
    added, left_out = _selection(workspace, list(run_ids), list(cohorts))
    handle, temporary = tempfile.mkstemp(dir=file.parent, prefix=f".{file.name}.")
    try:
        with os.fdopen(handle, "wb") as stream, zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
            for kind, names in added.items():
                for name in names:
                    _write(archive, workspace.root / kind / name, f"{kind}/{name}")
        os.replace(temporary, file)
    finally:
        Path(temporary).unlink(missing_ok=True)
    return Archived(added, left_out)


def import_archive(workspace: Workspace, file: Path) -> Archived:
    """Add what the archive holds and the workspace lacks; nothing that exists already is changed.

    Every file is checked as a stranger's: names, sizes, that a run or cohort is what its
    folder says. Raises UserError for a file that is no archive or does not fit on the disk.
    """
    added: dict[str, list[str]] = {}
    left_out: list[str] = []
    aside = Path(tempfile.mkdtemp(prefix=".importing-", dir=workspace.root))
    try:
        _unpack(file, aside)
        for kind in KINDS:
            for folder in sorted((aside / kind).iterdir()) if (aside / kind).is_dir() else []:
                why = _unfit(kind, folder, workspace)
                if why is None:
                    target = workspace.root / kind
                    target.mkdir(exist_ok=True)
                    os.rename(folder, target / folder.name)
                    added.setdefault(kind, []).append(folder.name)
                else:
                    left_out.append(f"{kind}/{folder.name}: {why}")
    finally:
        shutil.rmtree(aside, ignore_errors=True)
    return Archived(added, left_out)


def _selection(workspace: Workspace, run_ids: list[str], cohorts: list[str]) -> tuple[dict[str, list[str]], list[str]]:
    whole = not run_ids and not cohorts
    chosen = [(folder, folder.read_spec()) for folder in (find(workspace, run_id) for run_id in run_ids)] if not whole else list(described(workspace))
    runs, needed, left_out = [], [find_cohort(workspace, name).name for name in cohorts], []
    for folder, named in chosen:
        status = folder.read_status()["status"]
        if status not in SETTLED:
            left_out.append(f"runs/{folder.run_id}: is {status}")
            continue
        runs.append(folder.run_id)
        needed.append(named["spec"]["cohort_id"])
    known = [cohort.cohort_id for cohort in list_cohorts(workspace)]
    added = {"cohorts": [name for name in known if whole or name in needed], "runs": list(dict.fromkeys(runs))}
    if whole:
        for kind in ("audits", "reports"):
            added[kind] = [path.name for path in workspace.entries(workspace.root / kind) if path.is_dir() and not path.name.startswith(".")]
    return added, left_out


def _write(archive: zipfile.ZipFile, folder: Path, name: str) -> None:
    lock = RunFolder(folder).lock_file if name.startswith("runs/") else None
    # Nothing is queued in a workspace that nobody can write to, and no lock can be made there.
    if lock is None or not os.access(folder, os.W_OK):
        for path in _files(folder):
            archive.write(path, f"{name}/{path.relative_to(folder).as_posix()}")
        return
    # Held, so that nobody queues the run again while it is copied.
    with holding(lock):
        for path in _files(folder):
            archive.write(path, f"{name}/{path.relative_to(folder).as_posix()}")


def _files(folder: Path) -> Iterator[Path]:
    """Regular, visible files; links, pipes and locks stay behind."""
    for top, folders, files in os.walk(folder):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in sorted(files):
            path = Path(top, name)
            if not name.startswith(".") and path.is_file() and not path.is_symlink():
                yield path


def _unpack(file: Path, aside: Path) -> None:
    try:
        with zipfile.ZipFile(file) as archive:
            members = [item for item in archive.infolist() if not item.is_dir()]
            total = sum(item.file_size for item in members)
            if len(members) > MOST_FILES or total > shutil.disk_usage(aside).free:
                raise UserError(f"{file}: {len(members)} files of {total} bytes in all do not fit on the disk of the workspace")
            for item in members:
                path = _safe(item.filename, file)
                (aside / path).parent.mkdir(parents=True, exist_ok=True)
                with archive.open(item) as source, (aside / path).open("xb") as target:
                    shutil.copyfileobj(source, target, COPY_BYTES)
    except FileNotFoundError:
        raise UserError(f"{file}: no such file") from None
    except FileExistsError:
        raise UserError(f"{file}: holds a file twice; it was not made by multifair export") from None
    except (zipfile.BadZipFile, NotImplementedError, RuntimeError, EOFError) as error:
        raise UserError(f"{file}: not a readable archive of multifair export ({error})") from None


def _safe(name: str, file: Path) -> PurePosixPath:
    path = PurePosixPath(name)
    if (
        len(path.parts) < 3
        or path.parts[0] not in KINDS
        or not all(NAME.fullmatch(part) for part in path.parts[:2])
        or any(part in ("..", "/") or part.startswith(".") or "\\" in part or ":" in part or "\0" in part for part in path.parts)
    ):
        raise UserError(f"{file}: holds {name[:80]!r}, which no export of multifair would")
    return path


def _unfit(kind: str, folder: Path, workspace: Workspace) -> str | None:
    """Why a folder cannot be taken over; None when it can."""
    if (workspace.root / kind / folder.name).exists():
        return "exists already"
    try:
        if kind == "cohorts":
            read_manifest(folder)
        elif kind == "runs":
            run = RunFolder(folder)
            run.read_spec()
            status = run.read_status() if run.status_file.is_file() else None
            if status is None or status["status"] not in SETTLED:
                return "is not a run that has ended"
            if status["status"] == "done" and not run.has_predictions():
                return "is done but has no readable predictions"
    except UserError as error:
        return str(error)
    return None
