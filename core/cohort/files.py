"""The files of one modality while a cohort is being built: found, hashed, decoded."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from core.cohort.arrays import array_path, array_shape, decoder, read_folder
from core.cohort.decode import Progress, decode_all, keep_rows
from core.cohort.dicom import burnt_in
from core.cohort.images import inspect_image
from core.cohort.matching import NOT_FOUND, match_files
from core.cohort.schema import Finding, Roles, Severity
from core.cohort.sources import ImageSource, Unreadable
from core.cohort.volumes import N_SLICES, SUFFIXES, plane_shape, split_key, volume_shape
from core.errors import UserError
from core.tables.finding import counted

DEFAULT_MAX_SIZE = 128
WHOLE_HASH_BYTES = 4 << 30
"""Up to this much in all, files are hashed whole; beyond, by length and both ends, or a first look would take hours."""
ENDS = 64 << 10
DARK = 32
"""Of 255 grey levels: up to here a pixel is black to the eye."""
DARK_SHARE = 0.01
"""Share of brighter pixels below which a picture is nearly black."""


@dataclass
class FileModality:
    """Lists have one entry per row."""

    name: str
    kind: str
    column: str
    names: list[str | None]
    """The file in the source; None where the row has none."""
    digests: list[str | None]
    problems: dict[int, str]
    edges: list[int]
    """Longer edge in pixels of the files looked at."""
    gray: bool
    size: int = 0
    pixel_digests: list[str | None] = field(default_factory=list)
    blank: NDArray[np.bool_] = field(default_factory=lambda: np.zeros(0, bool))
    dark: NDArray[np.bool_] = field(default_factory=lambda: np.zeros(0, bool))
    """Rows whose pixels are nearly all black, but not all the same."""
    findings: tuple[Finding, ...] = ()
    seen: dict[int, tuple[str, bool, bool]] = field(default_factory=dict)
    """Row of the table -> digest of its pixels, whether they are blank, and dark; of the rows decoded in this run."""
    scaled: bool = False
    """Some file holds more than 8 bits a value: how these are scaled is part of what the cohort is."""

    @property
    def native(self) -> int:
        """Median longer edge in pixels."""
        return int(np.median(self.edges)) if self.edges else 0

    def record(self, source: ImageSource) -> dict[str, Any]:
        """What later reads need to know."""
        return {"kind": self.kind, "size": self.size, "native": self.native, "channels": 1 if self.gray else 3, "slices": N_SLICES, "source": source.describe()}

    def keep(self, folder: Path, rows: NDArray[np.int64]) -> None:
        """Restrict to these rows, in the array too, and describe its content."""
        path = array_path(folder, self.name, self.size)
        if len(rows) < len(self.names):
            keep_rows(path, rows)
            self.names = [self.names[i] for i in rows]
        pixels = np.load(path, mmap_mode="r", allow_pickle=False)
        self.pixel_digests = [None] * len(self.names)
        self.blank, self.dark = np.zeros(len(self.names), bool), np.zeros(len(self.names), bool)
        for i, (row, name) in enumerate(zip(rows.tolist(), self.names, strict=True)):
            if name is not None:
                self.pixel_digests[i], self.blank[i], self.dark[i] = self.seen.get(row) or described(pixels[i])

    def look(self, row: int, pixels: NDArray[np.uint8]) -> None:
        """Describe a row while its pixels are at hand: reading them back from the disk would cost more."""
        self.seen[row] = described(pixels)


def described(pixels: NDArray[np.uint8]) -> tuple[str, bool, bool]:
    """A digest of a row's pixels, whether they are all the same, and whether nearly all are dark (and not all the same)."""
    whole = np.ascontiguousarray(pixels)
    blank = int(whole.min()) == int(whole.max())
    dark = not blank and float(np.count_nonzero(whole > DARK)) < DARK_SHARE * whole.size
    return hashlib.blake2b(whole.data, digest_size=16).hexdigest(), blank, dark


def collect(table: pd.DataFrame, roles: Roles, source: ImageSource) -> dict[str, FileModality]:
    """Find and hash the files of all image and volume modalities.

    Raises UserError when a modality has no usable file at all.
    """
    found: dict[str, FileModality] = {}
    for modality in roles.modalities:
        if modality.kind not in ("image", "volume"):
            continue
        column = modality.columns[0]
        keyed = [(None, None) if pd.isna(r) else split_key(str(r)) for r in table[column]]
        matches = match_files(source, [file for file, _ in keyed], column, folders=modality.kind == "volume")
        names = [f"{m.name}#{key}" if m.name and key else m.name for m, (_, key) in zip(matches.files, keyed, strict=True)]
        problems = {
            row: m.problem or "file not found"
            for row, (m, (file, _)) in enumerate(zip(matches.files, keyed, strict=True))
            if file is not None and m.name is None
        }
        item = FileModality(modality.name, modality.kind, column, names, [None] * len(names), problems, [], True, findings=matches.findings)
        _hash(item, source)
        if not item.edges:
            row = min(item.problems, default=0)
            reason = item.problems.get(row, "the column is empty")
            hint = next((f" {f.message}." for f in matches.findings if f.code == "names-alike"), "")
            where = (hint or " Say where the files are with --images FOLDER_OR_ZIP") if reason == NOT_FOUND else ""
            if reason.startswith("path leaves"):
                where = " Write the paths as they are below the folder of the files"
            raise UserError(
                f"modality {modality.name!r}, column {column!r}: no file can be used; the first, row {row + 2}: {table[column].iloc[row]!r}: {reason}.{where}"
            )
        found[modality.name] = item
    return found


def _hash(item: FileModality, source: ImageSource) -> None:
    rows = [i for i, n in enumerate(item.names) if n is not None]
    whole = _total(item, rows, source) <= WHOLE_HASH_BYTES
    text: dict[int, str] = {}

    def look(row: int) -> tuple[int, str, int, bool, bool] | tuple[int, str]:
        name, key = split_key(str(item.names[row]))
        try:
            data = read_folder(source, name) if name.endswith("/") else source.read(name)
            said = burnt_in(data)
            if said is not None:
                text[row] = said.said
            digest = hashlib.sha256(data if whole else b"%d" % len(data) + data[:ENDS] + data[-ENDS:]).hexdigest()
            if item.kind == "volume":
                _, height, width = volume_shape(data, key)
                return row, digest, max(height, width), True, True
            if name.lower().endswith(SUFFIXES):
                planes, height, width = plane_shape(data, key)
                return row, digest, max(height, width), planes == 1, True
            info = inspect_image(data)
            return row, digest, max(info.height, info.width), info.gray, info.scaled
        except Unreadable as error:
            return row, str(error)

    with ThreadPoolExecutor(max_workers=min(8, os.cpu_count() or 1)) as pool:
        for result in pool.map(look, rows):
            if len(result) == 2:
                item.problems[result[0]] = result[1]
                item.names[result[0]] = None
            else:
                row, item.digests[row], edge, gray, scaled = result
                item.scaled |= scaled
                item.edges.append(edge)
                item.gray &= gray
    item.findings = (*item.findings, *_burnt_in(item, text))


def _burnt_in(item: FileModality, text: Mapping[int, str]) -> list[Finding]:
    """What DICOM files say of text in their pictures, which names people."""
    found = []
    kinds: tuple[tuple[str, Severity, str], ...] = (
        ("yes", "warning", "say that text is burnt into the picture"),
        ("perhaps", "info", "are of a kind that often has text in the picture (ultrasound, screenshots, photographs), and do not say whether it has"),
    )
    for said, severity, words in kinds:
        rows = [row for row, value in text.items() if value == said]
        if rows:
            remedy = (
                "Look at them: burnt-in names and dates identify people, and a model can recognise the hospital. Cover the text before sharing or training."
            )
            found.append(
                Finding("burnt-in-text", severity, f"modality {item.name!r}: {counted(len(rows), 'DICOM file')} {words}", len(rows), remedy, (item.column,))
            )
    return found


def _total(item: FileModality, rows: list[int], source: ImageSource) -> int:
    total = 0
    for row in rows:
        try:
            name = split_key(str(item.names[row]))[0]
            total += sum(map(source.size, source.files_in(name.rstrip("/")))) if name.endswith("/") else source.size(name)
        except Unreadable:
            continue
    return total


def decode_modality(folder: Path, item: FileModality, source: ImageSource, size: int | None, progress: Progress) -> dict[int, str]:
    """Decode all rows into the modality's array; the reason per row that failed."""
    item.size = size or int(np.clip(item.native, 8, DEFAULT_MAX_SIZE))
    record: Mapping[str, Any] = item.record(source)
    failed = decode_all(
        array_path(folder, item.name, item.size),
        item.names,
        array_shape(record, item.size),
        decoder(source, record, item.size),
        label=item.name,
        progress=progress,
        seen=item.look,
    )
    for row in failed:
        item.names[row] = None
    return failed
