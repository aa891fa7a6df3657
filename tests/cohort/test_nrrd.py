"""NRRD volumes lie as the same volume does in NIfTI, whatever way round it was saved."""

from __future__ import annotations

import gzip
import itertools

import numpy as np
import pytest

from core.cohort.sources import Unreadable
from core.cohort.volumes import decode_volume, volume_shape

nibabel = pytest.importorskip("nibabel")
SHAPE = (7, 6, 5)


def nrrd(values: np.ndarray, affine: np.ndarray, space: str = "right-anterior-superior", encoding: str = "raw", endian: str = "little") -> bytes:
    signs = np.array([1, 1, 1] if space == "right-anterior-superior" else [-1, -1, 1])
    directions = " ".join("(" + ",".join(f"{x:g}" for x in affine[:3, axis] * signs) + ")" for axis in range(3))
    head = (
        f"NRRD0004\n# made by a test\ntype: short\ndimension: 3\nspace: {space}\nsizes: {' '.join(map(str, values.shape))}\nspace directions: "
        f"{directions}\nendian: {endian}\nencoding: {encoding}\n\n"
    )
    raw = values.astype("<i2" if endian == "little" else ">i2").tobytes(order="F")
    return head.encode() + (gzip.compress(raw) if encoding == "gzip" else raw)


@pytest.mark.parametrize("order", list(itertools.permutations(range(3))))
@pytest.mark.parametrize("signs", [(1, 1, 1), (-1, 1, 1), (1, -1, -1)])
@pytest.mark.parametrize(("space", "encoding", "endian"), [("right-anterior-superior", "raw", "little"), ("left-posterior-superior", "gzip", "big")])
def test_it_lies_as_its_nifti_does(order: tuple[int, ...], signs: tuple[int, ...], space: str, encoding: str, endian: str) -> None:
    values = np.random.default_rng(1).integers(0, 1000, SHAPE).astype(np.int16)
    affine = np.eye(4)
    affine[:3, :3] = (np.eye(3) * [1.0, 2.0, 3.0])[list(order)] * np.array(signs)[list(order)][:, None]
    twin = nibabel.Nifti1Image(values, affine).to_bytes()
    ours = nrrd(values, affine, space, encoding, endian)
    assert volume_shape(ours) == volume_shape(twin)
    assert np.array_equal(decode_volume(ours, size=8, slices=5), decode_volume(twin, size=8, slices=5))


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda d: d[:-9], "cut off"),
        (lambda d: d.replace(b"sizes: 7 6 5", b"sizes: 70000 60000 50000"), "more values than is allowed"),
        (lambda d: d.replace(b"sizes: 7 6 5", b"sizes: 7 x 5"), "save one volume"),
        (lambda d: d.replace(b"type: short", b"type: block"), "save one volume"),
        (lambda d: d.replace(b"encoding: raw", b"encoding: bzip2"), "bzip2"),
        (lambda d: d.replace(b"encoding: raw", b"data file: other.raw\nencoding: raw"), "another file"),
        (lambda d: d.replace(b"\n\n", b"\n"), "header does not end"),
    ],
)
def test_what_cannot_be_read_says_why(change, says: str) -> None:
    data = change(nrrd(np.zeros(SHAPE, np.int16) + 65, np.eye(4)))
    with pytest.raises(Unreadable, match=says):
        decode_volume(data, size=8)
