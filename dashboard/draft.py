"""A cohort that is still being brought: its files and choices lie on disk, so a reload loses nothing."""

from __future__ import annotations

import os
import re
import secrets
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, Protocol

from core.cohort.sources import safe_name
from core.errors import UserError
from core.json_reading import read_json
from core.tables import is_table
from core.workspace import Workspace, write_json
from dashboard.server import door

CHUNK = 1 << 20
TABLES = (".csv", ".tsv", ".txt", ".xlsx", ".ods", ".parquet", ".dta", ".sas7bdat", ".sav")
"""Endings that are named to people; every table that `core.tables` reads is taken."""


class Upload(Protocol):
    """What Streamlit hands over: a named stream."""

    name: str

    def seek(self, offset: int, whence: int = 0, /) -> int: ...
    def read(self, size: int = -1, /) -> bytes: ...


@dataclass(frozen=True)
class Draft:
    """One folder in the workspace's uploads.

    `draft.json` holds the choices made so far: `table` and `images` (paths), `roles`, `name`, `left_out` (files that were refused).
    """

    folder: Path

    @classmethod
    def new(cls, workspace: Workspace) -> Draft:
        folder = workspace.uploads / secrets.token_hex(6)
        folder.mkdir()
        draft = cls(folder)
        write_json(folder / "draft.json", {})
        return draft

    @classmethod
    def open(cls, workspace: Workspace, token: str | None) -> Draft | None:
        """The draft of a token from the URL; None when it names none."""
        if not token or not re.fullmatch(r"[0-9a-f]{12}", token):
            return None
        folder = workspace.uploads / token
        return cls(folder) if (folder / "draft.json").is_file() else None

    @property
    def token(self) -> str:
        return self.folder.name

    @property
    def state(self) -> dict[str, Any]:
        value = read_json(self.folder / "draft.json")
        return dict(value)

    def remember(self, **changes: Any) -> None:
        write_json(self.folder / "draft.json", {**self.state, **changes})

    @property
    def table(self) -> Path | None:
        value = self.state.get("table")
        return Path(value) if value else None

    @property
    def images(self) -> Path | None:
        value = self.state.get("images")
        return Path(value) if value else None

    @property
    def further(self) -> Path | None:
        """A table that is joined to the first one."""
        value = self.state.get("further")
        return Path(value) if value else None

    def keep_further(self, upload: Upload) -> None:
        """Copy a table that is to be joined to the first one. UserError names a file that is no table."""
        (self.folder / "further").mkdir(exist_ok=True)
        path, _ = self._copied(upload, self.folder / "further")
        self.remember(further=str(path), further_name=Path(upload.name).name, roles=None)

    def drop_further(self) -> None:
        """Forget the table that was to be joined."""
        self.remember(further=None, further_name=None, roles=None)

    def keep_table(self, upload: Upload) -> None:
        """Copy an uploaded table to disk. UserError names a file that is no table."""
        path, stem = self._copied(upload, self.folder)
        self.remember(table=str(path), table_name=Path(upload.name).name, roles=None, name=self.state.get("name") or stem.replace("_", " "))

    def _copied(self, upload: Upload, folder: Path) -> tuple[Path, str]:
        """Where the uploaded table lies now, and its name without endings."""
        if not is_table(upload.name):
            raise UserError(f"{upload.name}: not a table; bring one of {', '.join(TABLES)}")
        name = Path(upload.name.replace("\\", "/"))
        suffix = "".join(name.suffixes[-2:] if name.suffix.lower() == ".gz" else name.suffixes[-1:]).lower()
        stem = re.sub(r"[^\w-]+", "-", name.name[: -len(suffix)]).strip("-")[:60] or "cohort"
        path = folder / f"{stem}{suffix}"
        copy(upload, path)
        return path, stem

    def keep_images(self, uploads: Sequence[Upload]) -> None:
        """Copy uploaded files to disk: one zip as it is, others under their cleaned names.

        Files are added to those brought before; hidden files and names that would leave
        the folder are left out and counted. UserError when a zip comes with other files.
        """
        zips = [u for u in uploads if u.name.lower().endswith(".zip")]
        if zips and len(uploads) > 1:
            raise UserError("bring one zip, or the image files themselves, not both at once")
        if zips:
            path = self.folder / "images.zip"
            copy(zips[0], path)
            self.remember(images=str(path), left_out=[])
            return
        root = self.folder / "files"
        left_out = list(self.state.get("left_out", []))
        for upload in uploads:
            name = safe_name(upload.name)
            if name is None:
                left_out.append(upload.name)
                continue
            path = root / name
            path.parent.mkdir(parents=True, exist_ok=True)
            copy(upload, path)
        self.remember(images=str(root) if root.is_dir() else None, left_out=left_out)

    def point_to(self, table: str, images: str) -> None:
        """Use files that lie on this machine already, where they are, below the `readable_roots`. UserError names what is not there."""
        table_path = Path(table).expanduser()
        _below_roots(table_path, Path(images).expanduser() if images else table_path)
        if not table_path.is_file():
            raise UserError(f"{table}: no such file on the machine that runs the dashboard")
        if not is_table(table_path.name):
            raise UserError(f"{table}: not a table; name one of {', '.join(TABLES)}")
        images_path = Path(images).expanduser() if images else None
        if images_path is not None and not images_path.exists():
            raise UserError(f"{images}: no such folder or zip on the machine that runs the dashboard")
        self.remember(
            table=str(table_path.resolve()), table_name=table_path.name, images=str(images_path.resolve()) if images_path else None,
            left_out=[], roles=None, name=self.state.get("name") or table_path.stem.replace("_", " "),
        )  # fmt: skip

    def count_files(self) -> int:
        """How many image files were uploaded one by one."""
        root = self.folder / "files"
        return sum(1 for path in root.rglob("*") if path.is_file()) if root.is_dir() else 0

    def discard(self) -> None:
        shutil.rmtree(self.folder)


def readable_roots() -> list[Path]:
    """Folders below which the server reads what a page names: those of $MULTIFAIR_ROOTS.

    Without it the home and the working directory, which are the reader's own; none where
    users log in, because the server's account may read what they may not.
    """
    named = os.environ.get("MULTIFAIR_ROOTS")
    roots = named.split(os.pathsep) if named else [] if door() == "login" else [str(Path.home()), str(Path.cwd())]
    return [Path(root).expanduser().resolve() for root in roots if root]


def _below_roots(*paths: Path) -> None:
    roots = readable_roots()
    for path in paths:
        if not any(path.resolve().is_relative_to(root) for root in roots):
            allowed = f"only below {', '.join(map(str, roots))}" if roots else "no folders of this server"
            raise UserError(
                f"{path}: the dashboard reads {allowed}; put the files there, or start it with the environment variable MULTIFAIR_ROOTS naming further folders"
            )


def copy(upload: Upload | IO[bytes], path: Path) -> None:
    """Stream to disk a mebibyte at a time; the file appears whole or not at all."""
    part = path.with_name(f".{path.name}.part")
    upload.seek(0)
    with part.open("wb") as file:
        while chunk := upload.read(CHUNK):
            file.write(chunk)
    part.replace(path)
