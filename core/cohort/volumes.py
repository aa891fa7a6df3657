"""One volume file as uint8 slices: NumPy arrays, NIfTI, NRRD, multi-page TIFF, multi-frame DICOM."""

from __future__ import annotations

import io
import tokenize
import zipfile
import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from core.cohort.dicom import in_order, is_dicom, read_record, shown_values
from core.cohort.images import DAMAGE, MAX_PIXELS, frames, resize, to_bytes
from core.cohort.nrrd import nrrd_fields, nrrd_values
from core.cohort.sources import MAX_RATIO, Unreadable

SUFFIXES = (".npy", ".npz")
VOLUME_SUFFIXES = (*SUFFIXES, ".nii", ".nii.gz", ".nrrd")
N_SLICES = 10
MAX_VALUES = 8 * MAX_PIXELS
_DAMAGE = (tokenize.TokenError, zipfile.BadZipFile, zlib.error, NotImplementedError, RuntimeError, *DAMAGE)


def read_array(data: bytes, key: str | None = None) -> NDArray[Any]:
    """The array in an NPY file, or under `key` in an NPZ (its only 3-D array when None).

    Pickled objects are refused: opening one runs whatever code its author put
    there. Raises Unreadable.
    """
    try:
        if data[:6] == b"\x93NUMPY":
            _check_header(io.BytesIO(data))
            return np.load(io.BytesIO(data), allow_pickle=False)
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            return _from_archive(archive, key)
    except _DAMAGE as error:
        raise Unreadable(str(error).splitlines()[0][:200] if str(error) else type(error).__name__) from error


def read_fields(file: bytes | Path, keys: tuple[str, ...]) -> dict[str, NDArray[Any]]:
    """Those of `keys` that an NPZ file has, without unpacking its other arrays. Raises Unreadable."""
    try:
        with zipfile.ZipFile(io.BytesIO(file) if isinstance(file, bytes) else file) as archive:
            there = set(archive.namelist())
            return {key: _from_archive(archive, key) for key in keys if f"{key}.npy" in there}
    except _DAMAGE as error:
        raise Unreadable(str(error).splitlines()[0][:200] if str(error) else type(error).__name__) from error


def decode_plane(data: bytes, *, size: int, channels: int, key: str | None = None) -> NDArray[np.uint8]:
    """A picture kept as an array, uint8 (channels, size, size): (H, W), (H, W, 3) or (3, H, W). Raises Unreadable."""
    pixels = _plane(data, key)
    planes = resize(pixels, size)
    if len(planes) == channels:
        return planes
    return np.repeat(planes, 3, axis=0) if channels == 3 else np.rint(planes.mean(axis=0, keepdims=True)).astype(np.uint8)


def plane_shape(data: bytes, key: str | None = None) -> tuple[int, int, int]:
    """Channels, height, width. Raises Unreadable."""
    channels, height, width = _plane(data, key).shape
    return channels, height, width


def _plane(data: bytes, key: str | None) -> NDArray[np.uint8]:
    values = read_array(data, key)
    if values.ndim == 2:
        values = values[None]
    elif values.ndim == 3 and values.shape[-1] == 3:
        values = values.transpose(2, 0, 1)
    if values.ndim != 3 or values.shape[0] not in (1, 3) or 0 in values.shape:
        raise Unreadable(f"an array of shape {values.shape} is not a picture")
    try:
        return np.ascontiguousarray(to_bytes(values))
    except ValueError as error:
        raise Unreadable(str(error)) from error


def split_key(name: str) -> tuple[str, str | None]:
    """`scan.npz#oct` as the file and the array meant in it."""
    file, sign, key = name.rpartition("#")
    return (file, key) if sign and file.lower().endswith(SUFFIXES) and key else (name, None)


def decode_volume(data: bytes, *, size: int, slices: int = N_SLICES, key: str | None = None) -> NDArray[np.uint8]:
    """`slices` evenly spaced slices along the first axis, uint8 (S, size, size). Raises Unreadable."""
    stack = _stack(data, key)
    chosen = np.rint(np.linspace(0, len(stack) - 1, slices)).astype(int)
    return resize(np.ascontiguousarray(stack[chosen]), size)


def join_slices(files: Sequence[bytes]) -> bytes:
    """The files of one folder as one volume, an NPY of uint8 (S, H, W): a DICOM series in the order of its slices, other pictures as they come.

    Raises Unreadable for files that are no pictures or differ in size.
    """
    if not files:
        raise Unreadable("the folder holds no slices")
    series = all(is_dicom(data) for data in files)
    try:
        values = [shown_values(read_record(files[i])) for i in in_order(files)] if series else [frames(data)[0] for data in files]
        if len({v.shape for v in values}) != 1 or values[0].ndim != 2:
            raise Unreadable("its slices differ in size, or are not single grey pictures")
        if len(values) * values[0].size > MAX_VALUES:
            raise Unreadable("more pixels than is allowed")
        buffer = io.BytesIO()
        # The whole series has one range: slices of its own range each would not lie beside each other.
        np.save(buffer, to_bytes(np.stack(values)), allow_pickle=False)
    except (AttributeError, *_DAMAGE) as error:
        raise Unreadable(f"a folder of slices: {str(error)[:150]}") from error
    return buffer.getvalue()


def volume_shape(data: bytes, key: str | None = None) -> tuple[int, int, int]:
    """Slices, height, width; of NumPy's files by their headers alone, so that nothing is unpacked twice. Raises Unreadable."""
    shape = _declared_shape(data, key) if data[:6] == b"\x93NUMPY" or data[:4] == b"PK\x03\x04" else _stack(data, key).shape
    if len(shape) == 2:
        shape = (1, *shape)
    if len(shape) != 3 or 0 in shape:
        raise Unreadable(f"an array of shape {shape} is not slices x height x width")
    return shape[0], shape[1], shape[2]


def _declared_shape(data: bytes, key: str | None) -> tuple[int, ...]:
    try:
        if data[:6] == b"\x93NUMPY":
            return _check_header(io.BytesIO(data))
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            return _member(archive, key)[1]
    except _DAMAGE as error:
        raise Unreadable(str(error).splitlines()[0][:200] if str(error) else type(error).__name__) from error


def _stack(data: bytes, key: str | None) -> NDArray[np.uint8]:
    if data[:6] == b"\x93NUMPY" or data[:4] == b"PK\x03\x04":
        values = read_array(data, key)
    elif is_dicom(data):
        values = _dicom_frames(data)
    elif data[:4] == b"NRRD":
        values = nrrd_values(_with_raw(data))
    elif _is_nifti(data):
        values = _nifti(data)
    else:
        pages = frames(data)
        if len({p.shape for p in pages}) != 1:
            raise Unreadable("its pages differ in size")
        values = np.stack(pages)
    if values.ndim == 2:
        values = values[None]
    if values.ndim != 3 or 0 in values.shape:
        raise Unreadable(f"an array of shape {values.shape} is not slices x height x width")
    try:
        return to_bytes(values)
    except ValueError as error:
        raise Unreadable(str(error)) from error


def _member(archive: zipfile.ZipFile, key: str | None) -> tuple[zipfile.ZipInfo, tuple[int, ...]]:
    """The entry that holds the array under `key`, or the only array of three dimensions, and its declared shape. Raises Unreadable."""
    infos = {i.filename.removesuffix(".npy"): i for i in archive.infolist() if i.filename.endswith(".npy")}
    if key is not None:
        if key not in infos:
            raise Unreadable(f"has no array {key!r}; it has: {', '.join(sorted(infos))}")
        return infos[key], _shape(archive, infos[key])
    three = [(info, shape) for info in infos.values() if len(shape := _shape(archive, info)) == 3]
    if len(three) != 1:
        raise Unreadable(f"holds {len(three)} arrays of three dimensions; exactly one is needed")
    return three[0]


def _from_archive(archive: zipfile.ZipFile, key: str | None) -> NDArray[Any]:
    info, _ = _member(archive, key)
    if info.file_size > (1 << 24) and info.file_size > MAX_RATIO * max(info.compress_size, 1):
        raise Unreadable("unpacks to far more than any volume would")
    with archive.open(info) as entry:
        return np.lib.format.read_array(entry, allow_pickle=False)


def _shape(archive: zipfile.ZipFile, info: zipfile.ZipInfo) -> tuple[int, ...]:
    with archive.open(info) as entry:
        return _check_header(entry)


def _check_header(file: IO[bytes]) -> tuple[int, ...]:
    """The declared shape; refuses pickles and sizes that would fill the memory before anything is read."""
    version = np.lib.format.read_magic(file)
    read = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
    shape, _, dtype = read(file)
    if dtype.hasobject:
        raise Unreadable("holds pickled objects, which are never opened")
    if int(np.prod([max(int(s), 1) for s in shape], dtype=object)) * dtype.itemsize > 4 * MAX_VALUES:
        raise Unreadable("declares more values than is allowed")
    return tuple(int(s) for s in shape)


def _with_raw(data: bytes) -> tuple[dict[str, str], bytes]:
    """Fields of a NRRD header and the data after it, unpacked. Raises Unreadable."""
    head, sign, raw = data.replace(b"\r\n", b"\n", 50).partition(b"\n\n") if b"\r\n" in data[:40] else data.partition(b"\n\n")
    if not sign:
        raise Unreadable("NRRD: the header does not end, or the data are in another file; save header and data in one .nrrd")
    fields = nrrd_fields(head)
    if fields.get("encoding") in ("gzip", "gz"):
        raw = _unzipped(raw)
    return fields, raw


def _is_nifti(data: bytes) -> bool:
    return data[:2] == b"\x1f\x8b" or data[344:347] in (b"n+1", b"ni1") or data[4:7] == b"n+2"


def _nifti(data: bytes) -> NDArray[Any]:
    """Slices from feet to head, each with the patient's front up: (Z, Y, X) of the image turned to the closest axes."""
    try:
        import nibabel
        from nibabel.filebasedimages import ImageFileError
        from nibabel.spatialimages import HeaderDataError
    except ImportError as error:
        raise Unreadable("NIfTI: install the package nibabel to read it, or convert it to .npy") from error
    try:
        raw = _unzipped(data)
        kind = nibabel.Nifti2Image if raw[4:7] == b"n+2" else nibabel.Nifti1Image
        header = kind.header_class.from_fileobj(io.BytesIO(raw))
        shape = tuple(int(n) for n in header.get_data_shape())
        if int(np.prod(shape, dtype=object)) > MAX_VALUES:
            raise Unreadable("declares more values than is allowed")
        if len([n for n in shape if n > 1]) > 3 or len(shape) < 2:
            raise Unreadable(f"NIfTI of shape {shape}: save one volume of three dimensions")
        image = nibabel.as_closest_canonical(kind.from_bytes(raw))
        values = np.asarray(image.dataobj, dtype=np.float32).reshape((*image.shape[:3], 1, 1)[:3])
        return np.ascontiguousarray(np.nan_to_num(values).transpose(2, 1, 0)[:, ::-1])
    except (ImageFileError, HeaderDataError, AttributeError, *_DAMAGE) as error:
        raise Unreadable(f"NIfTI: {str(error)[:150]}") from error


def _unzipped(data: bytes) -> bytes:
    if data[:2] != b"\x1f\x8b":
        return data
    limit = 4 * MAX_VALUES
    unpacker = zlib.decompressobj(wbits=31)
    raw = unpacker.decompress(data, min(limit, MAX_RATIO * len(data) + (16 << 20)))
    if unpacker.unconsumed_tail or not unpacker.eof:
        raise Unreadable("the compressed file is cut off, or unpacks to far more than any volume would")
    return raw


def _dicom_frames(data: bytes) -> NDArray[Any]:
    try:
        record = read_record(data)
        count = int(record.get("NumberOfFrames", 1)) * int(record.get("Rows", 0)) * int(record.get("Columns", 0))
        if count > MAX_VALUES:
            raise Unreadable("more pixels than is allowed")
        return shown_values(record)
    except (AttributeError, *_DAMAGE) as error:
        raise Unreadable(f"DICOM: {str(error)[:150]}") from error
