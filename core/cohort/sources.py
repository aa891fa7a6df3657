"""Where a cohort's files come from: a folder, a zip, or a list of uploaded files.

A path in a table is text from outside. Nothing outside the source is ever
opened, nothing is unpacked to disk, and every read has a limit.
"""

from __future__ import annotations

import os
import re
import stat
import threading
import zipfile
import zlib
from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path, PurePosixPath
from typing import Any
from urllib.parse import unquote

from core.errors import UserError

MAX_FILE_BYTES = 512 << 20
MAX_ENTRIES = 2_000_000
MAX_RATIO = 200
"""Highest honest compression: photographs stay near 1, blank volumes reach about 100 before deflate's limit."""
RATIO_FLOOR = 16 << 20
"""Files that unpack to less than this cannot hurt, however well they compress."""


class Unreadable(Exception):
    """A file that cannot be used; the message is the reason in a few words, in one line."""

    def __init__(self, reason: object) -> None:
        # Decoders put several lines, and bytes of the file, into their messages.
        super().__init__(" ".join(str(reason).split())[:300])


@dataclass(frozen=True)
class Resolved:
    """What a reference in the table points to: a name in the source, or why there is none."""

    name: str | None
    problem: str | None = None
    unsafe: bool = False


def safe_name(reference: str) -> str | None:
    """A reference as a relative name with forward slashes; None when it leaves the source."""
    text = reference.strip().replace("\\", "/")
    if not text or "\x00" in text or text.startswith(("/", "~")) or (len(text) > 1 and text[1] == ":"):
        return None
    parts = [p for p in text.split("/") if p not in ("", ".")]
    if not parts or ".." in parts or any(p.startswith(".") or p == "__MACOSX" for p in parts):
        return None
    if len(text) > 4096 or any(len(p.encode("utf-8", "surrogatepass")) > 255 for p in parts):
        return None
    return "/".join(parts)


def loose_parts(reference: str) -> list[str] | None:
    """The parts of a path, also of one that is absolute on another machine; None for what can name no file of a source."""
    text = re.sub(r"^(file:/*)?([A-Za-z]:(?=/))?", "", reference.strip().replace("\\", "/")).lstrip("/")
    name = safe_name(text) if text else None
    return None if name is None else name.split("/")


def _with_stems(paths: Iterable[str]) -> set[str]:
    """The paths, and each without its extension (`.nii.gz` as one)."""
    keys = set(paths)
    return keys | {re.sub(r"\.(nii\.gz|[^./]+)$", "", key) for key in keys if "." in key.rsplit("/", 1)[-1]}


def _by_numbers(name: str) -> list[tuple[int, str]]:
    """Slice 2 before slice 10."""
    return [(int(part), "") if part.isdecimal() else (-1, part) for part in re.split(r"(\d+)", name.lower())]


class ImageSource(ABC):
    """Files by relative name."""

    @abstractmethod
    def names(self) -> list[str]:
        """Safe names of all regular, visible files, sorted."""

    @abstractmethod
    def read(self, name: str) -> bytes:
        """The file's bytes. Raises Unreadable."""

    def head(self, name: str, length: int) -> bytes:
        """The first bytes of the file. Raises Unreadable."""
        return self.read(name)[:length]

    @abstractmethod
    def size(self, name: str) -> int:
        """Bytes of the file once read. Raises Unreadable."""

    @abstractmethod
    def describe(self) -> dict[str, Any]:
        """Enough to open the source again (see `reopen`)."""

    def has(self, name: str) -> bool:
        return name in self._index

    @cached_property
    def _index(self) -> frozenset[str]:
        return frozenset(self.names())

    @cached_property
    def _ends(self) -> dict[str, str | None]:
        """Lower-case ends of paths, with and without extension -> name; None where two files fit."""
        ends: dict[str, str | None] = {}
        for name in self.names():
            parts = PurePosixPath(name.lower()).parts
            for key in _with_stems("/".join(parts[i:]) for i in range(len(parts))):
                ends[key] = None if ends.get(key, name) != name else name
        return ends

    @cached_property
    def _whole(self) -> dict[str, str | None]:
        """Lower-case whole paths, with and without extension -> name; None where two files fit."""
        whole: dict[str, str | None] = {}
        for name in self.names():
            for key in _with_stems([name.lower()]):
                whole[key] = None if whole.get(key, name) != name else name
        return whole

    @cached_property
    def _folders(self) -> dict[str, list[str]]:
        """Folder (its whole path in lower case) -> the files directly in it, in the order of the numbers in their names."""
        found: dict[str, list[str]] = {}
        for name in self.names():
            folder, sign, _ = name.rpartition("/")
            if sign:
                found.setdefault(folder.lower(), []).append(name)
        return {folder: sorted(names, key=_by_numbers) for folder, names in found.items()}

    def folder(self, reference: str) -> str | None:
        """The one folder of files whose path ends in the whole reference; None where there is none, or several."""
        parts = loose_parts(reference.rstrip("/\\"))
        if parts is None:
            return None
        wanted = "/".join(parts).lower()
        fitting = [folder for folder in self._folders if folder == wanted or folder.endswith(f"/{wanted}")]
        return wanted if wanted in self._folders else fitting[0] if len(fitting) == 1 else None

    def files_in(self, folder: str) -> list[str]:
        """The files directly in a folder that `folder` has named."""
        return list(self._folders.get(folder, ()))

    def resolve(self, reference: str) -> Resolved:
        """Find the file meant: by its path, else by a path that ends in the whole reference or that the reference ends in.

        A part of the reference never suffices: another patient's file may have the same end.
        """
        name = safe_name(reference)
        if name is not None and self.has(name):
            return Resolved(name)
        parts = loose_parts(reference)
        if parts is None:
            return Resolved(None, "path leaves the folder, is hidden, or is not a file name", unsafe=True)
        lowered = [p.lower() for p in parts]
        keys = [(self._ends, "/".join(lowered))] if name is not None else []
        keys += [(self._whole, "/".join(lowered[i:])) for i in range(len(lowered))]
        for known, key in keys:
            if key in known:
                found = known[key]
                return Resolved(found) if found else Resolved(None, "several files fit this name")
        plain = unquote(reference) if re.search(r"%[0-9A-Fa-f]{2}", reference) else reference
        if plain != reference and "\x00" not in plain:
            return self.resolve(plain)
        return Resolved(None, "file not found", unsafe=name is None)


def _without_waiting(path: str, flags: int) -> int:
    """Open a file at once: opening a pipe would wait for somebody to write into it."""
    return os.open(path, flags | getattr(os, "O_NONBLOCK", 0))


class FolderSource(ImageSource):
    """A folder on this machine. Links that lead out of it are not followed."""

    def __init__(self, root: str | Path) -> None:
        self.root = Path(root).expanduser().resolve()
        if not self.root.is_dir():
            raise UserError(f"{root}: no such folder")

    def names(self) -> list[str]:
        return list(self._walked)

    @cached_property
    def _walked(self) -> list[str]:
        """All names, looked up once: a large folder is asked for them several times while a cohort is brought in."""
        found: list[str] = []
        waiting = [""]
        while waiting:
            prefix = waiting.pop()
            try:
                with os.scandir(self._at(prefix)) as entries:
                    for entry in entries:
                        if entry.name.startswith(".") or entry.is_symlink():
                            continue
                        if entry.is_dir(follow_symlinks=False):
                            waiting += [f"{prefix}{entry.name}/"] if entry.name != "__MACOSX" else []
                        else:
                            found.append(prefix + entry.name)
            except OSError:
                continue  # A folder that may not be looked into, or is gone by now, holds nothing for us.
            if len(found) > MAX_ENTRIES:
                raise UserError(f"{self.root}: more than {MAX_ENTRIES} files; point --images at the cohort's own folder")
        return sorted(found)

    def has(self, name: str) -> bool:
        # Asked file by file, so that a large folder is walked only when a name does not fit.
        path = self._at(name)
        return os.path.isfile(path) and self._inside(path)

    def _at(self, name: str) -> str:
        return os.path.join(self._base, name)

    def _inside(self, path: str) -> bool:
        # Asked several times for every file of a cohort: where a folder leads is looked up once.
        if os.path.islink(path):
            return os.path.realpath(path).startswith(self._base)
        folder = os.path.dirname(path)
        if folder not in self._leads_inside:
            self._leads_inside[folder] = os.path.join(os.path.realpath(folder), "").startswith(self._base)
        return self._leads_inside[folder]

    @cached_property
    def _leads_inside(self) -> dict[str, bool]:
        return {}

    @cached_property
    def _base(self) -> str:
        """The folder with a separator behind it."""
        return os.path.join(str(self.root), "")

    def resolve(self, reference: str) -> Resolved:
        text = reference.strip()
        if os.path.isabs(text) and Path(text).is_relative_to(self.root):
            reference = Path(text).relative_to(self.root).as_posix()
        name = safe_name(reference)
        if name is not None and os.path.isfile(self._at(name)):
            return Resolved(name) if self._inside(self._at(name)) else Resolved(None, "link leads out of the folder", unsafe=True)
        return super().resolve(reference)

    def size(self, name: str) -> int:
        try:
            return os.stat(self._at(name)).st_size
        except OSError as error:
            raise Unreadable(f"cannot be opened ({error.strerror})") from error

    def head(self, name: str, length: int) -> bytes:
        return self._read(name, length)

    def read(self, name: str) -> bytes:
        return self._read(name, MAX_FILE_BYTES + 1)

    def _read(self, name: str, length: int) -> bytes:
        path = self._at(name)
        try:
            if not self._inside(path):
                raise Unreadable("link leads out of the folder")
            with open(path, "rb", opener=_without_waiting) as file:
                status = os.fstat(file.fileno())
                if not stat.S_ISREG(status.st_mode):
                    raise Unreadable("not a regular file")
                if status.st_size > MAX_FILE_BYTES:
                    raise Unreadable(f"larger than {MAX_FILE_BYTES >> 20} MiB")
                return file.read(length)
        except OSError as error:
            raise Unreadable(f"cannot be opened ({error.strerror})") from error

    def describe(self) -> dict[str, Any]:
        return {"kind": "folder", "path": str(self.root)}


class FilesSource(ImageSource):
    """Uploaded files: name as uploaded -> where its bytes lie."""

    def __init__(self, files: Mapping[str, Path]) -> None:
        self.files = {safe: Path(path) for name, path in files.items() if (safe := safe_name(name)) and not Path(path).is_symlink()}

    def names(self) -> list[str]:
        return sorted(self.files)

    def size(self, name: str) -> int:
        return self.files[name].stat().st_size

    def read(self, name: str) -> bytes:
        if self.size(name) > MAX_FILE_BYTES:
            raise Unreadable(f"larger than {MAX_FILE_BYTES >> 20} MiB")
        try:
            return self.files[name].read_bytes()
        except OSError as error:
            raise Unreadable(f"cannot be opened ({error.strerror})") from error

    def describe(self) -> dict[str, Any]:
        return {"kind": "files", "files": {k: str(v.resolve()) for k, v in sorted(self.files.items())}}


class ZipSource(ImageSource):
    """A zip read in place: entries are never written to disk."""

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path).expanduser().resolve()
        self.refused: dict[str, str] = {}
        """Entries left out, each with the reason."""
        self._entries: dict[str, zipfile.ZipInfo] = {}
        self._handles = threading.local()
        try:
            with zipfile.ZipFile(self.path) as archive:
                infos = archive.infolist()
        except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError) as error:
            raise UserError(f"{path}: not a readable zip ({error})") from error
        if len(infos) > MAX_ENTRIES:
            raise UserError(f"{path}: more than {MAX_ENTRIES} entries")
        for info in infos:
            if info.is_dir():
                continue
            name = safe_name(info.filename)
            reason = "hidden, or its path leaves the archive" if name is None else self._refuse(info)
            if reason or name is None:
                self.refused[info.filename] = str(reason)
            elif name in self._entries:
                self.refused[info.filename] = "the name occurs twice"
            else:
                self._entries[name] = info

    @staticmethod
    def _refuse(info: zipfile.ZipInfo) -> str | None:
        mode = info.external_attr >> 16
        if mode and stat.S_IFMT(mode) not in (0, stat.S_IFREG):
            return "a link or device, not a file"
        if info.flag_bits & 0x1:
            return "encrypted"
        if info.file_size > MAX_FILE_BYTES:
            return f"unpacks to more than {MAX_FILE_BYTES >> 20} MiB"
        if info.file_size > RATIO_FLOOR and info.file_size > MAX_RATIO * max(info.compress_size, 1):
            return "unpacks to far more than any image would"
        return None

    def names(self) -> list[str]:
        return sorted(self._entries)

    def resolve(self, reference: str) -> Resolved:
        resolved = super().resolve(reference)
        if resolved.name is None and reference.strip() in self.refused:
            return Resolved(None, self.refused[reference.strip()], unsafe=True)
        return resolved

    def size(self, name: str) -> int:
        return self._entries[name].file_size

    def read(self, name: str) -> bytes:
        info = self._entries[name]
        try:
            with self._archive().open(info) as entry:
                data = entry.read(info.file_size + 1)
        except (zipfile.BadZipFile, zlib.error, OSError, EOFError, RuntimeError, NotImplementedError) as error:
            raise Unreadable(f"damaged in the zip ({error})") from error
        if len(data) != info.file_size:
            raise Unreadable("damaged in the zip (length differs from what it declares)")
        return data

    def _archive(self) -> zipfile.ZipFile:
        # One handle per thread: a shared one seeks under a lock, and opening parses every entry.
        archive = getattr(self._handles, "archive", None)
        if archive is None:
            archive = self._handles.archive = zipfile.ZipFile(self.path)
        return archive

    def describe(self) -> dict[str, Any]:
        return {"kind": "zip", "path": str(self.path)}


def open_source(where: str | Path | Mapping[str, Path] | ImageSource) -> ImageSource:
    """A folder, a zip, a mapping of uploaded files, or a source that is open already."""
    if isinstance(where, ImageSource):
        return where
    if isinstance(where, Mapping):
        return FilesSource(where)
    path = Path(where).expanduser()
    if path.is_dir():
        return FolderSource(path)
    if path.is_file():
        return ZipSource(path)
    raise UserError(f"{where}: {'is a device or a pipe, not a folder or zip' if path.exists() else 'no such folder or zip'}")


def reopen(description: Mapping[str, Any]) -> ImageSource:
    """The source that `describe` described. Raises UserError when it is gone."""
    if description["kind"] == "files":
        return FilesSource({k: Path(v) for k, v in description["files"].items()})
    return open_source(description["path"])
