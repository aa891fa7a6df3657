"""The folder in which everything a user has made is kept, and safe ways to read and write there."""

from __future__ import annotations

import json
import os
import shutil
import stat
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import platformdirs

from core.errors import UserError
from core.json_reading import read_json

ENVIRONMENT_VARIABLE = "MULTIFAIR_HOME"
DAYS_IN_TRASH = 7
"""For how long what was deleted can be restored."""
FOLDERS = ("audits", "cache", "cohorts", "methods", "reports", "runs", "trash", "uploads")
PRIVATE_UMASK = 0o077
OTHERS = 0o077
"""Permission bits of everybody but the owner."""
PARQUET_MARK = b"PAR1"
STILL_NS = 2_000_000_000
"""A file that changed less than this ago is not remembered: the clock of a file system is coarse, and
a second change within one tick, to the same size, would go unnoticed."""
MOST_REMEMBERED = 20_000

T = TypeVar("T")
_remembered: dict[str, tuple[tuple[int, int, int], Any]] = {}


@dataclass(frozen=True)
class Workspace:
    """Paths of one workspace. Folders are created when first asked for."""

    root: Path

    @classmethod
    def open(cls, root: str | Path | None = None) -> Workspace:
        """`root`, else $MULTIFAIR_HOME, else a folder in the user's data directory.

        From here on every file that this process writes is readable by its owner alone,
        reports included, because patients' data may be in it; a workspace that others can
        read is closed to them. Raises UserError when the folder cannot be made.
        """
        chosen = root or os.environ.get(ENVIRONMENT_VARIABLE) or platformdirs.user_data_dir("multifair")
        path = Path(chosen).expanduser().resolve()
        os.umask(PRIVATE_UMASK)
        try:
            path.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise UserError(f"{path}: no workspace can be made there ({error.strerror}); choose another with --workspace") from None
        workspace = cls(path)
        workspace.tighten()
        return workspace

    @property
    def writable(self) -> bool:
        """Whether anything can be changed here; a finished workspace may be kept read-only."""
        return os.access(self.root, os.W_OK)

    def _folder(self, name: str) -> Path:
        path = self.root / name
        if self.writable:
            path.mkdir(parents=True, exist_ok=True)
        return path

    def entries(self, folder: Path) -> list[Path]:
        """Paths in one of the workspace's folders, by name; none when a read-only workspace lacks the folder."""
        return sorted(folder.iterdir()) if folder.is_dir() else []

    def tighten(self) -> int:
        """Close to all but the owner what an earlier version left open; returns how many paths were changed.

        Only this program's own folders and files are touched, and the root only when it holds
        nothing else: a workspace may have been set to a folder that others share.
        """
        if os.name != "posix" or not self.writable:
            return 0
        changed = 0
        with os.scandir(self.root) as scan:
            entries = list(scan)
        own = [entry for entry in entries if entry.name in FOLDERS or entry.name.startswith(("queue.", "store"))]
        for entry in own:
            # A folder that is closed itself hides what is in it, so only open ones are walked.
            if not entry.is_symlink() and entry.stat().st_mode & OTHERS:
                inside = _walk(entry.path) if entry.is_dir() else []
                changed += sum(_close(path) for path in [*inside, entry.path])
        if len(own) == len(entries):
            changed += _close(str(self.root))
        return changed

    def open_paths(self) -> list[str]:
        """Folders and files that somebody else than the owner may enter or read."""
        if os.name != "posix":
            return []
        own = [str(self.root / name) for name in FOLDERS if (self.root / name).is_dir()]
        return [path for top in [str(self.root), *own] for path in ([top] if top == str(self.root) else [*_walk(top), top]) if _is_open(path)]

    @property
    def cohorts(self) -> Path:
        return self._folder("cohorts")

    @property
    def runs(self) -> Path:
        return self._folder("runs")

    @property
    def methods(self) -> Path:
        """Copies of users' own method files, which runs may need again."""
        return self._folder("methods")

    @property
    def uploads(self) -> Path:
        return self._folder("uploads")

    @property
    def audits(self) -> Path:
        return self._folder("audits")

    @property
    def reports(self) -> Path:
        return self._folder("reports")

    @property
    def trash(self) -> Path:
        """What was deleted in the last days and can be restored."""
        return self._folder("trash")

    @property
    def cache(self) -> Path:
        """Derived data (frozen features and the like) that may be deleted at any time."""
        return self._folder("cache")


def write_atomic(path: Path, data: str | bytes) -> None:
    """Replace `path` as a whole: a reader sees the old content or the new, never a part."""
    raw = data.encode() if isinstance(data, str) else data
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(raw)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise


def write_json(path: Path, value: Any) -> None:
    """Write JSON atomically. NaN is refused: undefined values are null, with a reason."""
    write_atomic(path, json.dumps(value, indent=1, allow_nan=False, ensure_ascii=False) + "\n")


def read_json_remembered(path: Path, check: Callable[[Any], T]) -> T:
    """`check` of the content of a JSON file; the same object while the file stays as it is, so nobody may write into it.

    What is remembered falls with the file's time of change, size or identity, which
    `write_json` always changes. Raises as `read_json` and `check` do.
    """
    name = str(path)
    found = os.stat(name)
    fingerprint = (found.st_mtime_ns, found.st_size, found.st_ino)
    known = _remembered.get(name)
    if known is not None and known[0] == fingerprint:
        return known[1]  # type: ignore[no-any-return]
    value = check(read_json(path))
    if time.time_ns() - found.st_mtime_ns > STILL_NS:
        if len(_remembered) >= MOST_REMEMBERED:
            _remembered.clear()
        _remembered[name] = fingerprint, value
    return value


def is_whole_parquet(path: Path) -> bool:
    """Whether the file begins and ends as every Parquet file does; one that was cut off lacks its end."""
    if not path.is_file():
        return False
    with path.open("rb") as file:
        head = file.read(len(PARQUET_MARK))
        size = file.seek(0, os.SEEK_END)
        file.seek(max(0, size - len(PARQUET_MARK)))
        return size > 2 * len(PARQUET_MARK) and head == PARQUET_MARK == file.read()


def whole_lines(path: Path, offset: int = 0) -> Iterator[tuple[int, bytes]]:
    """Complete lines of `path` after byte `offset`, each with the offset that follows it.

    A torn last line (no newline yet) is left for the next call.
    """
    with path.open("rb") as file:
        file.seek(offset)
        for raw in file:
            if not raw.endswith(b"\n"):
                return
            offset += len(raw)
            yield offset, raw


def copy_private(source: Path, target: Path) -> None:
    """Copy a folder with all that is in it, for the owner alone: what is shipped or handed over may be open to everybody. `target` may exist."""
    shutil.copytree(source, target, dirs_exist_ok=True, copy_function=shutil.copyfile)
    for path in [*_walk(str(target)), str(target)]:
        _close(path)


def _walk(top: str) -> Iterator[str]:
    """Everything below `top`, deepest first; links are named but not followed."""
    for folder, folders, files in os.walk(top, topdown=False):
        yield from (os.path.join(folder, name) for name in [*files, *folders])


def _is_open(path: str) -> bool:
    try:
        mode = os.lstat(path).st_mode
    except OSError:
        return False
    return not stat.S_ISLNK(mode) and bool(mode & OTHERS)


def _close(path: str) -> bool:
    """Take everybody else's rights away; False where there were none, or the path is not ours to change."""
    if not _is_open(path):
        return False
    try:
        os.chmod(path, stat.S_IMODE(os.lstat(path).st_mode) & ~OTHERS)
    except OSError:
        return False
    return True
