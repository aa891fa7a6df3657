"""File modalities of a saved cohort at the size that is asked for."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import quote

import numpy as np
from numpy.typing import NDArray

from core.cohort.decode import Decoder, decode_all
from core.cohort.images import SUFFIXES as IMAGE_SUFFIXES
from core.cohort.images import decode_image, resize
from core.cohort.sources import ImageSource, reopen
from core.cohort.volumes import SUFFIXES as ARRAY_SUFFIXES
from core.cohort.volumes import decode_plane, decode_volume, join_slices, split_key
from core.errors import UserError
from core.locks import holding
from core.workspace import read_json

MIN_SIZE, MAX_SIZE = 8, 1024
SLICES = IMAGE_SUFFIXES
"""Endings of the files of a folder that are slices of a volume."""
_lock = threading.Lock()


def array_path(folder: Path, modality: str, size: int) -> Path:
    """Where a modality's decoded files lie at `size` pixels."""
    return folder / "arrays" / f"{quote(modality, safe='')}-{size}.npy"


def decoder(source: ImageSource, files: Mapping[str, Any], size: int) -> Decoder:
    """A function from a file's name to its pixels, as the modality's record `files` says."""

    def decode(name: str) -> NDArray[np.uint8]:
        file, key = split_key(name)
        if files["kind"] == "volume" and file.endswith("/"):
            return decode_volume(read_folder(source, file), size=size, slices=files["slices"])
        data = source.read(file)
        if files["kind"] == "volume":
            return decode_volume(data, size=size, slices=files["slices"], key=key)
        if file.lower().endswith(ARRAY_SUFFIXES):
            return decode_plane(data, size=size, channels=files["channels"], key=key)
        return decode_image(data, size=size, channels=files["channels"])

    return decode


def read_folder(source: ImageSource, name: str) -> bytes:
    """A folder of slices (its name ends in "/") as one volume. Raises Unreadable."""
    return join_slices([source.read(file) for file in source.files_in(name.rstrip("/")) if file.lower().endswith(SLICES)])


def array_shape(files: Mapping[str, Any], size: int) -> tuple[int, int, int]:
    """Shape of one sample: channels of an image or slices of a volume, height, width."""
    return (files["channels"] if files["kind"] == "image" else files["slices"], size, size)


def file_array(folder: Path, files: Mapping[str, Any], modality: str, size: int | None) -> NDArray[np.uint8]:
    """uint8 (n, C|S, size, size), memory-mapped read-only; made once per size.

    Smaller sizes come from the array kept at ingestion. Larger ones go back to
    the files when these hold more detail. Raises UserError when they are gone.
    """
    size = size or int(files["size"])
    if not MIN_SIZE <= size <= MAX_SIZE:
        raise UserError(f"image size {size}: use {MIN_SIZE} to {MAX_SIZE} pixels")
    path = array_path(folder, modality, size)
    if not path.is_file():
        # Two runs that begin together must not decode into one file.
        with _lock, holding(path.with_suffix(".lock")):
            if not path.is_file():
                _make(path, folder, files, modality, size)
    return np.load(path, mmap_mode="r", allow_pickle=False)


def _make(path: Path, folder: Path, files: Mapping[str, Any], modality: str, size: int) -> None:
    kept = np.load(array_path(folder, modality, int(files["size"])), mmap_mode="r", allow_pickle=False)
    if size <= files["size"] or files["size"] >= files["native"]:
        rows: list[str | None] = [str(i) for i in range(len(kept))]
        decode_all(path, rows, array_shape(files, size), lambda row: resize(kept[int(row)], size), label=modality)
        return
    source = reopen(files["source"])
    names = read_json(folder / "files.json")[modality]
    problems = decode_all(path, names, array_shape(files, size), decoder(source, files, size), label=modality)
    if problems:
        path.unlink()
        raise UserError(
            f"modality {modality!r} at {size} pixels: {len(problems)} files that were readable at ingestion no longer are; put them back "
            f"under {source.describe().get('path', 'the upload folder')} or use size {files['size']}"
        )
