"""NRRD volumes, as its format definition at teem.sourceforge.net/nrrd/format.html says."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from core.cohort.images import MAX_PIXELS
from core.cohort.sources import Unreadable

MAX_VALUES = 8 * MAX_PIXELS
_TYPES = {
    "int8": ("signed char", "int8", "int8_t"), "uint8": ("uchar", "unsigned char", "uint8", "uint8_t"),
    "int16": ("short", "short int", "signed short", "signed short int", "int16", "int16_t"),
    "uint16": ("ushort", "unsigned short", "unsigned short int", "uint16", "uint16_t"), "int32": ("int", "signed int", "int32", "int32_t"),
    "uint32": ("uint", "unsigned int", "uint32", "uint32_t"),
    "float32": ("float",), "float64": ("double",),
}  # fmt: skip
_SPACES = {
    "left-posterior-superior": (1, 1),
    "lps": (1, 1),
    "right-anterior-superior": (-1, -1),
    "ras": (-1, -1),
    "left-anterior-superior": (1, -1),
    "las": (1, -1),
}
"""Space -> the direction of its first two axes, as +1 towards left and towards the back."""


def nrrd_fields(head: bytes) -> dict[str, str]:
    """The fields of a header, names in lower case. Raises Unreadable."""
    lines = head.decode("ascii", "replace").split("\n")[1:]
    pairs = [line.partition(":") for line in lines if line and not line.startswith("#") and ":=" not in line]
    return {name.strip().lower(): value.strip() for name, sign, value in pairs if sign}


def nrrd_values(parts: tuple[dict[str, str], bytes]) -> NDArray[Any]:
    """Slices from feet to head, each with the patient's front up where the header says how it lies: (Z, Y, X). Raises Unreadable."""
    fields, raw = parts
    if "data file" in fields or "datafile" in fields:
        raise Unreadable("NRRD: its data are in another file; save header and data in one .nrrd")
    if fields.get("encoding") not in ("raw", "gzip", "gz"):
        raise Unreadable(f"NRRD: encoding {fields.get('encoding')!r} is not read; save it raw or gzip")
    kind = next((name for name, words in _TYPES.items() if fields.get("type", "").lower() in words), None)
    try:
        sizes = [int(n) for n in fields.get("sizes", "").split()]
    except ValueError:
        sizes = []
    if kind is None or len(sizes) not in (2, 3) or min(sizes) < 1:
        raise Unreadable(f"NRRD of type {fields.get('type')!r} and sizes {fields.get('sizes')!r}: save one volume of two or three dimensions")
    if int(np.prod(sizes, dtype=object)) > MAX_VALUES:
        raise Unreadable("declares more values than is allowed")
    dtype = np.dtype(kind).newbyteorder(">" if fields.get("endian", "little").lower() == "big" else "<")
    wanted = int(np.prod(sizes)) * dtype.itemsize
    if len(raw) < wanted:
        raise Unreadable(f"NRRD: cut off; {len(raw)} bytes of {wanted}")
    values = np.frombuffer(raw[:wanted], dtype=dtype).reshape(sizes[::-1])
    if len(sizes) == 2:
        return np.ascontiguousarray(values[None].astype(np.float32))
    return np.ascontiguousarray(np.nan_to_num(_turned(values, fields).astype(np.float32)))


def _turned(values: NDArray[Any], fields: dict[str, str]) -> NDArray[Any]:
    """(Z, Y, X) turned to the closest axes of the patient, X from left to right of the picture's reader as NIfTI volumes are."""
    signs = _SPACES.get(fields.get("space", "").lower())
    try:
        vectors = [[float(n) for n in part.strip("()").split(",")] for part in fields.get("space directions", "").split()]
    except ValueError:
        return values
    if signs is None or len(vectors) != 3 or any(len(v) != 3 for v in vectors):
        return values
    matrix = np.array(vectors) * np.array([*signs, 1])
    axes = np.abs(matrix).argmax(axis=1).tolist()
    if any(a == b for a, b in pairwise(sorted(axes))):
        return values
    # File axis i is axis 2 - i of `values`; the wanted order is head, back, right.
    turned = values.transpose([2 - axes.index(axis) for axis in (2, 1, 0)])
    flips = [matrix[axes.index(axis), axis] * wanted < 0 for axis, wanted in ((2, 1), (1, 1), (0, -1))]
    return turned[tuple(slice(None, None, -1) if flip else slice(None) for flip in flips)]
