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
from core.cohort_folders import damaged_file, in_short
from core.errors import UserError
from core.json_reading import read_json
from core.locks import holding

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


def load_array(folder: Path, path: Path, shape: tuple[int, ...], **options: Any) -> NDArray[Any]:
    """An array of a cohort's folder. Raises DamagedFile when it is missing, cut off, or of another shape."""
    name = path.relative_to(folder).as_posix()
    try:
        array: NDArray[Any] = np.load(path, allow_pickle=False, **options)
    except (OSError, ValueError, EOFError) as error:
        raise damaged_file(folder, name, f"cannot be read ({in_short(error)})") from None
    # A file that is a ZIP of arrays is read as a mapping.
    if getattr(array, "shape", None) != shape or array.dtype.kind not in "bui":
        raise damaged_file(folder, name, "is not the array that ingestion has written")
    return array


def file_array(folder: Path, files: Mapping[str, Any], modality: str, size: int | None, n: int) -> NDArray[np.uint8]:
    """uint8 (n, C|S, size, size), memory-mapped read-only; made once per size. `n`: samples of the cohort.

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
                _make(path, folder, files, modality, size, n)
    return load_array(folder, path, (n, *array_shape(files, size)), mmap_mode="r")


def _make(path: Path, folder: Path, files: Mapping[str, Any], modality: str, size: int, n: int) -> None:
    whole = int(files["size"])
    kept = load_array(folder, array_path(folder, modality, whole), (n, *array_shape(files, whole)), mmap_mode="r")
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
