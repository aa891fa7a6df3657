"""DICOM as far as cohorts need it: pixels as they are meant to be shown, and what is said about them; nothing that names a person is kept.

Read tags: pixels and how they are shown; BurnedInAnnotation, Modality and ImageType (text in the picture);
InstanceNumber and ImagePositionPatient (the order of a series); ImageLaterality, Laterality and ViewPosition, which become columns of
side and view. No other tag is looked at, and none is stored.
"""

from __future__ import annotations

import io
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from core.cohort.sources import Unreadable

INSTALL = "DICOM: install the package pydicom to read it (pip install 'multifair-dashboard[dicom]')"
SCREENS = frozenset({"US", "SC", "OT", "XC", "ES", "GM", "IVUS"})
"""Modalities whose pictures often carry text: ultrasound, screenshots, endoscopy, photographs."""
_SIDE_AND_VIEW = ["ImageLaterality", "Laterality", "ViewPosition"]
_SIDES = {"R": "right", "L": "left", "B": "both"}
HEAD = 256 << 10
"""Bytes at a file's beginning in which its tags nearly always lie."""
_SAID = ["BurnedInAnnotation", "Modality", "ImageType", "ConversionType"]


@dataclass(frozen=True)
class BurntIn:
    """Whether a file says that its picture holds text (`yes`), that it does not (`no`), or neither (`perhaps`, for kinds of pictures that often do)."""

    said: str


def is_dicom(data: bytes) -> bool:
    """Whether these are the bytes of a DICOM file."""
    return data[128:132] == b"DICM"


def read_record(data: bytes) -> Any:
    """The record with its pixels still packed. Raises Unreadable where pydicom is not installed; pydicom's own errors otherwise."""
    try:
        import pydicom
    except ImportError as error:
        raise Unreadable(INSTALL) from error
    return pydicom.dcmread(io.BytesIO(data))


def burnt_in(data: bytes) -> BurntIn | None:
    """What the file says about text in its picture; None for what is no readable DICOM."""
    if not is_dicom(data):
        return None
    try:
        import pydicom
        from pydicom.errors import InvalidDicomError
    except ImportError:
        return None
    try:
        record = pydicom.dcmread(io.BytesIO(data), stop_before_pixels=True, specific_tags=_SAID)
    except (InvalidDicomError, OSError, ValueError, KeyError, AttributeError, TypeError, EOFError, NotImplementedError):
        return None
    said = str(record.get("BurnedInAnnotation", "")).strip().upper()
    if said in ("YES", "NO"):
        return BurntIn(said.lower())
    kind = str(record.get("Modality", "")).strip().upper()
    secondary = "SECONDARY" in [str(part).upper() for part in _parts(record.get("ImageType", ()))] or "ConversionType" in record
    return BurntIn("perhaps" if kind in SCREENS or secondary else "unsaid")


def side_and_view(data: bytes) -> tuple[str | None, str | None]:
    """The side (right, left, both) and the view (ap, cc, ...) that a file, or its beginning, says in its tags; None for what it does not say."""
    if not is_dicom(data):
        return None, None
    try:
        import pydicom
        from pydicom.errors import InvalidDicomError
    except ImportError:
        return None, None
    try:
        record = pydicom.dcmread(io.BytesIO(data), stop_before_pixels=True, specific_tags=_SIDE_AND_VIEW)
        said = str(record.get("ImageLaterality") or record.get("Laterality") or "").strip().upper()
        view = re.sub(r"[^A-Za-z0-9 ]", "", str(record.get("ViewPosition") or "")).strip().lower()[:16]
    except (InvalidDicomError, OSError, ValueError, KeyError, AttributeError, TypeError, EOFError, NotImplementedError):
        return None, None
    return _SIDES.get(said), view or None


def shown_values(record: Any) -> NDArray[Any]:
    """Values as they are meant to be shown: rescaled, within the window where there is one, bright where dense, RGB where there is colour.

    A palette is looked up; YBR is turned into RGB. Compressed syntaxes are unpacked by what pydicom finds installed.
    """
    from pydicom.pixels import apply_color_lut, apply_modality_lut, apply_voi_lut, pixel_array  # type: ignore[attr-defined]

    photometric = str(record.get("PhotometricInterpretation", ""))
    pixels = np.asarray(pixel_array(record))
    if photometric == "PALETTE COLOR":
        return np.asarray(apply_color_lut(pixels, record))
    if int(record.get("SamplesPerPixel", 1)) == 1:
        pixels = apply_modality_lut(pixels, record)
        if "WindowCenter" in record or "VOILUTSequence" in record:
            pixels = apply_voi_lut(pixels, record)
    return pixels.max() - pixels if photometric == "MONOCHROME1" else pixels


def in_order(slices: Sequence[bytes]) -> list[int]:
    """The order of the files of one series, from feet to head by their position, else by their instance numbers, else as they are."""
    try:
        import pydicom
    except ImportError as error:
        raise Unreadable(INSTALL) from error
    records = [
        pydicom.dcmread(io.BytesIO(data), stop_before_pixels=True, specific_tags=["InstanceNumber", "ImagePositionPatient", "ImageOrientationPatient"])
        for data in slices
    ]
    places = [_along(record) for record in records]
    if all(place is not None for place in places) and len(set(places)) == len(places):
        return sorted(range(len(slices)), key=lambda i: places[i] or 0.0)
    numbers = [record.get("InstanceNumber") for record in records]
    if all(number is not None for number in numbers):
        return sorted(range(len(slices)), key=lambda i: int(numbers[i] or 0))
    return list(range(len(slices)))


def _along(record: Any) -> float | None:
    """How far a slice lies along the normal of its plane, in millimetres; None where it does not say."""
    position, orientation = record.get("ImagePositionPatient"), record.get("ImageOrientationPatient")
    if position is None or orientation is None or len(position) != 3 or len(orientation) != 6:
        return None
    axes = np.array([float(v) for v in orientation]).reshape(2, 3)
    return float(np.dot(np.cross(axes[0], axes[1]), [float(v) for v in position]))


def _parts(value: Any) -> Sequence[Any]:
    return [value] if isinstance(value, str) else list(value or ())
