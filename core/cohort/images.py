"""One image file as uint8 pixels, whatever a scanner, phone or spreadsheet made of it."""

from __future__ import annotations

import io
import struct
import zlib
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps

from core.cohort.dicom import is_dicom, read_record, shown_values
from core.cohort.sources import Unreadable

FORMATS = ("PNG", "JPEG", "BMP", "GIF", "TIFF", "WEBP", "PPM")
"""What is opened at all: every further format of the library is further attack surface."""
SUFFIXES = (".png", ".jpg", ".jpeg", ".bmp", ".gif", ".tif", ".tiff", ".webp", ".ppm", ".pgm", ".dcm", ".dicom")
MAX_PIXELS = 64_000_000
OUTLIERS = 0.5
"""Percent of the values at either end that may be outliers."""
STRETCHED = 3.0
"""Times the range of the others from which a few values are taken for outliers."""
SAMPLED = 1_000_000
DAMAGE = (
    OSError,
    SyntaxError,
    ValueError,
    EOFError,
    struct.error,
    zlib.error,
    IndexError,
    KeyError,
    TypeError,
    OverflowError,
    MemoryError,
    Image.DecompressionBombError,
)
"""What the decoders raise on damaged or hostile files."""


@dataclass(frozen=True)
class ImageInfo:
    """Read from the header alone: height and width in pixels as stored, whether there is colour, and whether values beyond 8 bits are scaled."""

    height: int
    width: int
    gray: bool
    scaled: bool = False


def inspect_image(data: bytes) -> ImageInfo:
    """What the header says. Raises Unreadable."""
    if is_dicom(data):
        pixels = _dicom(data)
        return ImageInfo(pixels.shape[0], pixels.shape[1], pixels.ndim == 2, True)
    with _open(data) as image:
        width, height = image.size
        gray = image.mode in ("1", "L", "LA", "F", "I") or image.mode.startswith("I;16")
        return ImageInfo(height, width, gray, image.mode in ("F", "I") or image.mode.startswith("I;16"))


def decode_image(data: bytes, *, size: int | None, channels: int) -> NDArray[np.uint8]:
    """Pixels as uint8 (channels, H, W), upright; squashed to `size` x `size` when given.

    More than 8 bits a pixel are scaled linearly from the image's own range, without single
    outliers (`robust_range`); a DICOM image from its window where it has one.
    Transparency is laid on black. Raises Unreadable with the reason.
    """
    try:
        image = Image.fromarray(_dicom(data)) if is_dicom(data) else _loaded(data)
        image = image.convert("L" if channels == 1 else "RGB")
        if size is not None and image.size != (size, size):
            image = image.resize((size, size), Image.Resampling.LANCZOS if min(image.size) > size else Image.Resampling.BILINEAR)
        pixels = np.asarray(image, dtype=np.uint8)
    except DAMAGE as error:
        raise Unreadable(_reason(error)) from error
    return pixels[None] if channels == 1 else np.ascontiguousarray(pixels.transpose(2, 0, 1))


def resize(pixels: NDArray[np.uint8], size: int) -> NDArray[np.uint8]:
    """(C, H, W) or (S, H, W) pixels, each plane squashed to `size` x `size`."""
    if pixels.shape[1:] == (size, size):
        return pixels
    way = Image.Resampling.LANCZOS if min(pixels.shape[1:]) > size else Image.Resampling.BILINEAR
    return np.stack([np.asarray(Image.fromarray(plane).resize((size, size), way)) for plane in pixels])


def to_bytes(values: NDArray[Any]) -> NDArray[np.uint8]:
    """Any numeric array as uint8: as it is where it already is, else from its own range. Raises ValueError on NaN."""
    if values.dtype == np.uint8:
        return values
    if values.dtype == np.bool_:
        return values.astype(np.uint8) * np.uint8(255)
    if values.dtype.kind not in "iuf":
        raise ValueError(f"values of type {values.dtype} are not pixels")
    numbers = values.astype(np.float32)
    if not np.isfinite(numbers).all():
        raise ValueError("values are not finite")
    low, high = float(numbers.min()), float(numbers.max())
    if low >= 0 and high <= 255 and high > 1 and bool((numbers == np.floor(numbers)).all()):
        return numbers.astype(np.uint8)
    low, high = robust_range(numbers, low, high)
    if high == low:
        return np.zeros(values.shape, np.uint8)
    return np.rint((np.clip(numbers, low, high) - low) * (255.0 / (high - low))).astype(np.uint8)


def robust_range(numbers: NDArray[np.float32], low: float, high: float) -> tuple[float, float]:
    """The range to show: all of it, or where a few values stretch it (hot pixels, burnt-in marks) that of all but the outermost half percent."""
    step = max(1, numbers.size // SAMPLED)
    inner = np.percentile(numbers.reshape(-1)[::step], [OUTLIERS, 100 - OUTLIERS])
    if inner[1] > inner[0] and high - low > STRETCHED * (inner[1] - inner[0]):
        return float(inner[0]), float(inner[1])
    return low, high


def frames(data: bytes) -> list[NDArray[np.uint8]]:
    """All frames of a multi-page image, each uint8 (H, W). Raises Unreadable."""
    try:
        with _open(data) as image:
            n = getattr(image, "n_frames", 1)
            if n * image.size[0] * image.size[1] > 8 * MAX_PIXELS:
                raise Unreadable("too many pixels in all frames together")
            found = []
            for index in range(n):
                image.seek(index)
                found.append(np.asarray(_eight_bit(image.copy()).convert("L"), dtype=np.uint8))
            return found
    except DAMAGE as error:
        raise Unreadable(_reason(error)) from error


def _open(data: bytes) -> Image.Image:
    if not data:
        raise Unreadable("the file is empty")
    try:
        image = Image.open(io.BytesIO(data), formats=FORMATS)
    except DAMAGE as error:
        raise Unreadable(_reason(error)) from error
    if image.size[0] * image.size[1] > MAX_PIXELS:
        raise Unreadable(f"{image.size[0]} x {image.size[1]} pixels, more than {MAX_PIXELS // 1_000_000} million")
    return image


def _loaded(data: bytes) -> Image.Image:
    with _open(data) as image:
        # A phone's MPO carries a second view of the same picture; other multi-frame files are no single image.
        if image.format != "MPO" and getattr(image, "n_frames", 1) > 1:
            raise Unreadable(f"has {getattr(image, 'n_frames', 0)} frames: declare it as a volume, or save one frame")
        image.load()
        upright = ImageOps.exif_transpose(image)
        return _eight_bit(upright)


def _eight_bit(image: Image.Image) -> Image.Image:
    if image.mode in ("I", "F") or image.mode.startswith("I;16"):
        return Image.fromarray(to_bytes(np.asarray(image)))
    if image.mode in ("LA", "PA", "RGBA", "La", "RGBa") or "transparency" in image.info:
        layer = image.convert("RGBA")
        return Image.alpha_composite(Image.new("RGBA", layer.size, (0, 0, 0, 255)), layer).convert("RGB")
    return image


def _dicom(data: bytes) -> NDArray[np.uint8]:
    try:
        record = read_record(data)
        if int(record.get("Rows", 0)) * int(record.get("Columns", 0)) > MAX_PIXELS:
            raise Unreadable("more pixels than is allowed")
        pixels = shown_values(record)
        if pixels.ndim == 3 and pixels.shape[-1] != 3:
            raise Unreadable(f"has {pixels.shape[0]} frames: declare it as a volume")
        return to_bytes(pixels)
    except (AttributeError, NotImplementedError, RuntimeError, *DAMAGE) as error:
        raise Unreadable(f"DICOM: {_packed(error) or _reason(error)}") from error


def _packed(error: BaseException) -> str | None:
    """What to install where the pixels are compressed in a way that needs a further package."""
    text = str(error)
    if "Unable to decompress" not in text and "missing dependencies" not in text:
        return None
    return "its pixels are compressed in a way that needs the packages pylibjpeg, pylibjpeg-libjpeg and pylibjpeg-openjpeg (they come with the extra dicom)"


def _reason(error: BaseException) -> str:
    if isinstance(error, Image.DecompressionBombError):
        return f"more than {MAX_PIXELS // 1_000_000} million pixels"
    if isinstance(error, MemoryError):
        return "does not fit in memory"
    text = str(error).splitlines()[0] if str(error) else type(error).__name__
    if text.startswith("cannot identify image file"):
        return "not an image of a known format"
    return text[:200]
