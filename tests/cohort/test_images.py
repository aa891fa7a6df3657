"""Every kind of picture as the same bytes, and every damaged one as a plain reason."""

from __future__ import annotations

import io
import struct
import zlib

import numpy as np
import pytest
from PIL import Image

from core.cohort import images
from core.cohort.images import decode_image, inspect_image, resize, to_bytes
from core.cohort.sources import Unreadable
from tests.cohort.helpers import encoded, png


def gradient(width: int = 20, height: int = 10) -> np.ndarray:
    return np.tile(np.linspace(0, 255, width).astype(np.uint8), (height, 1))


def test_colour_and_gray_have_three_and_one_channels():
    assert decode_image(png(1), size=None, channels=3).shape == (3, 16, 16)
    assert decode_image(png(1, mode="L"), size=8, channels=1).shape == (1, 8, 8)
    assert not inspect_image(png(1)).gray
    assert inspect_image(png(1, mode="L")).gray


def test_lossless_pixels_arrive_unchanged():
    pixels = np.random.default_rng(0).integers(0, 256, (9, 7, 3), dtype=np.uint8)
    assert np.array_equal(decode_image(encoded(Image.fromarray(pixels)), size=None, channels=3), pixels.transpose(2, 0, 1))


def test_a_turned_photograph_is_set_upright():
    image = Image.fromarray(gradient())
    exif = Image.Exif()
    exif[0x0112] = 6
    data = encoded(image, "PNG", exif=exif)
    assert np.array_equal(decode_image(data, size=None, channels=1)[0], np.rot90(gradient(), -1))


def test_sixteen_bits_are_scaled_from_their_own_range():
    values = np.linspace(1000, 5000, 200).reshape(10, 20).astype(np.uint16)
    pixels = decode_image(encoded(Image.fromarray(values)), size=None, channels=1)[0]
    assert pixels.min() == 0 and pixels.max() == 255
    assert (np.diff(pixels.ravel().astype(int)) >= 0).all()


def test_transparency_is_laid_on_black():
    layer = np.full((4, 4, 4), 255, np.uint8)
    layer[..., 3] = 0
    assert decode_image(encoded(Image.fromarray(layer)), size=None, channels=3).max() == 0


def test_palette_and_bilevel_pictures_are_read():
    colours = Image.fromarray(np.dstack([gradient()] * 3)).convert("P")
    assert decode_image(encoded(colours), size=None, channels=3).shape == (3, 10, 20)
    assert set(np.unique(decode_image(encoded(Image.fromarray(gradient()).convert("1")), size=None, channels=1))) <= {0, 255}


def test_an_animation_is_refused_with_advice():
    pages = [Image.fromarray(np.full((4, 4), v, np.uint8)) for v in (0, 120, 255)]
    data = encoded(pages[0], "GIF", save_all=True, append_images=pages[1:])
    with pytest.raises(Unreadable, match=r"3 frames: declare it as a volume"):
        decode_image(data, size=None, channels=1)


def bomb() -> bytes:
    """A PNG of a few hundred bytes that declares 60,000 x 60,000 pixels."""

    def chunk(kind: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    header = struct.pack(">IIBBBBB", 60000, 60000, 8, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(bytes(1000))) + chunk(b"IEND", b"")


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "empty"),
        (b"hello", "not an image"),
        (b"<svg xmlns='http://www.w3.org/2000/svg'/>", "not an image"),
        (b"%PDF-1.4 ...", "not an image"),
        (png(0)[:200], "."),
        (bomb(), "pixels"),
    ],
)
def test_unusable_files_give_a_reason(data: bytes, reason: str):
    with pytest.raises(Unreadable, match=reason):
        inspect_image(data)
        decode_image(data, size=16, channels=3)


def test_a_large_picture_is_refused_by_its_header(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(images, "MAX_PIXELS", 100)
    with pytest.raises(Unreadable, match="16 x 16 pixels"):
        inspect_image(png(0))


@pytest.mark.filterwarnings("ignore::UserWarning:PIL")  # what the library says of damaged files
@pytest.mark.filterwarnings("ignore::PIL.Image.DecompressionBombWarning")
@pytest.mark.parametrize("seed", range(40))
def test_damaged_bytes_never_raise_anything_else(seed: int):
    generator = np.random.default_rng(seed)
    kind = ("PNG", "JPEG", "GIF", "TIFF", "BMP", "WEBP")[seed % 6]
    data = bytearray(encoded(Image.fromarray(generator.integers(0, 256, (16, 16, 3), dtype=np.uint8)), kind))
    for at in generator.integers(0, len(data), 12):
        data[at] = int(generator.integers(0, 256))
    cut = bytes(data[: int(generator.integers(1, len(data)))]) if seed % 2 else bytes(data)
    try:
        assert decode_image(cut, size=8, channels=3).shape == (3, 8, 8)
    except Unreadable as error:
        assert str(error)


def test_to_bytes_refuses_what_is_no_picture():
    with pytest.raises(ValueError, match="finite"):
        to_bytes(np.array([[0.0, np.nan]]))
    with pytest.raises(ValueError, match="not pixels"):
        to_bytes(np.array([["a"]]))
    assert to_bytes(np.full((2, 2), 7.5)).max() == 0
    assert np.array_equal(to_bytes(np.array([[0.0, 200.0]])), [[0, 200]])


def test_resize_keeps_the_mean():
    plane = np.random.default_rng(0).integers(0, 256, (1, 64, 64), dtype=np.uint8)
    assert abs(float(resize(plane, 16).mean()) - float(plane.mean())) < 1


def test_dicom_is_read_when_the_package_is_there():
    pydicom = pytest.importorskip("pydicom")
    from pydicom.dataset import FileDataset, FileMetaDataset
    from pydicom.uid import ExplicitVRLittleEndian, generate_uid

    meta = FileMetaDataset()
    meta.TransferSyntaxUID, meta.MediaStorageSOPClassUID, meta.MediaStorageSOPInstanceUID = ExplicitVRLittleEndian, generate_uid(), generate_uid()
    record = FileDataset("", {}, file_meta=meta, preamble=b"\0" * 128)
    pixels = np.linspace(0, 4000, 48).reshape(6, 8).astype(np.uint16)
    record.Rows, record.Columns, record.SamplesPerPixel, record.PhotometricInterpretation = 6, 8, 1, "MONOCHROME1"
    record.BitsAllocated, record.BitsStored, record.HighBit, record.PixelRepresentation = 16, 16, 15, 0
    record.PixelData = pixels.tobytes()
    buffer = io.BytesIO()
    pydicom.dcmwrite(buffer, record, enforce_file_format=True)
    decoded = decode_image(buffer.getvalue(), size=None, channels=1)[0]
    # MONOCHROME1 shows its highest value as black.
    assert decoded[0, 0] == 255 and decoded[-1, -1] == 0


def test_one_hot_pixel_does_not_blacken_a_picture():
    deep = np.linspace(1000, 5000, 64 * 64).reshape(64, 64).astype(np.uint16)
    hot = deep.copy()
    hot[10, 10] = 65535
    plain, robust = to_bytes(deep).astype(int), to_bytes(hot).astype(int)
    assert abs(plain - robust)[hot < 65535].max() <= 2
    assert robust[10, 10] == 255
    # Without outliers nothing is cut off.
    assert (plain.min(), plain.max()) == (0, 255)
