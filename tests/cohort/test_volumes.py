"""Stacks of slices from arrays and pages; pickles are never opened."""

from __future__ import annotations

import gzip
import io
import pickle
import zipfile
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from core.cohort import volumes
from core.cohort.ingest import ingest
from core.cohort.schema import Modality
from core.cohort.sources import Unreadable
from core.cohort.volumes import decode_volume, read_array, read_fields, volume_shape
from core.workspace import Workspace
from tests.cohort.helpers import encoded, roles


def npz(**arrays: np.ndarray) -> bytes:
    buffer = io.BytesIO()
    np.savez_compressed(buffer, **arrays)
    return buffer.getvalue()


def npy(array: np.ndarray, **options: bool) -> bytes:
    buffer = io.BytesIO()
    np.save(buffer, array, **options)
    return buffer.getvalue()


STACK = np.arange(20, dtype=np.uint8)[:, None, None] * np.ones((1, 8, 8), np.uint8)


@pytest.mark.parametrize("data", [npy(STACK), npz(scan=STACK), npz(scan=STACK, age=np.array(50))])
def test_evenly_spaced_slices(data: bytes):
    slices = decode_volume(data, size=8, slices=10)
    assert slices.shape == (10, 8, 8)
    assert slices[0].max() == 0 and slices[-1].max() == 19
    assert (np.diff(slices[:, 0, 0].astype(int)) > 0).all()
    assert volume_shape(data) == (20, 8, 8)


def test_pages_of_a_tiff_are_slices():
    pages = [Image.fromarray(np.full((6, 6), 40 * i, np.uint8)) for i in range(5)]
    slices = decode_volume(encoded(pages[0], "TIFF", save_all=True, append_images=pages[1:]), size=6, slices=5)
    assert slices[:, 0, 0].tolist() == [0, 40, 80, 120, 160]


def test_floats_are_scaled_from_their_own_range():
    slices = decode_volume(npy(STACK.astype(np.float32) * 100 - 700), size=8, slices=20)
    assert slices.min() == 0 and slices.max() == 255


def test_fewer_slices_than_asked_are_repeated():
    assert decode_volume(npy(STACK[:3]), size=8, slices=10).shape == (10, 8, 8)


class Evil:
    def __reduce__(self):
        return (exec, ("raise SystemExit('a pickle was opened')",))


def test_pickles_are_refused_unopened():
    objects = np.array([Evil()], dtype=object)
    for data in (npy(objects, allow_pickle=True), npz(scan=objects)):
        with pytest.raises(Unreadable, match="pickled"):
            read_array(data, "scan")
    with pytest.raises(Unreadable):
        decode_volume(pickle.dumps(Evil()), size=8)


def test_an_array_that_declares_too_much_is_refused_before_it_is_read(monkeypatch: pytest.MonkeyPatch):
    header = io.BytesIO()
    np.lib.format.write_array_header_1_0(header, {"descr": "|u1", "fortran_order": False, "shape": (100_000, 100_000, 100)})
    with pytest.raises(Unreadable, match="more values than is allowed"):
        read_array(header.getvalue())
    monkeypatch.setattr(volumes, "MAX_RATIO", 20)
    with pytest.raises(Unreadable, match="unpacks to far more"):
        read_array(npz(scan=np.zeros((40, 1024, 1024), np.uint8)))


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "empty"),
        (npy(np.zeros(5)), "not slices"),
        (npz(a=STACK, b=STACK), "2 arrays"),
        (npz(age=np.array(5)), "0 arrays"),
        (npy(np.full((2, 2, 2), np.nan)), "finite"),
        (npy(STACK)[:-100], "."),
        (b"PK\x03\x04 nonsense", "."),
        (b"\x93NUMPY\x01\x00\x10\x00nonsense", "."),
    ],
)
def test_unusable_volumes_give_a_reason(data: bytes, reason: str):
    with pytest.raises(Unreadable, match=reason):
        decode_volume(data, size=8)


def test_fields_are_read_without_the_rest():
    data = npz(scan=STACK, race=np.array(2), note=np.array("no change"))
    fields = read_fields(data, ("race", "note", "absent"))
    assert int(fields["race"]) == 2 and str(fields["note"]) == "no change" and "absent" not in fields


def test_a_path_inside_an_npz_is_only_a_name():
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("../../scan.npy", npy(STACK))
    assert volume_shape(buffer.getvalue()) == (20, 8, 8)


def nifti(values: np.ndarray, affine: np.ndarray | None = None) -> bytes:
    nibabel = pytest.importorskip("nibabel")
    return nibabel.Nifti1Image(values, np.eye(4) if affine is None else affine).to_bytes()


def test_nifti_is_slices_from_feet_to_head_however_it_is_stored():
    values = np.arange(4 * 5 * 6, dtype=np.int16).reshape(4, 5, 6)  # x, y, z
    data = nifti(values)
    assert volume_shape(data) == (6, 5, 4)
    slices = decode_volume(data, size=5, slices=6)
    flipped = decode_volume(nifti(np.ascontiguousarray(values[::-1]), np.diag([-1.0, 1, 1, 1])), size=5, slices=6)
    assert np.array_equal(slices, flipped)
    assert slices[0].mean() < slices[-1].mean(), "z goes up"
    assert slices[0, 0].mean() > slices[0, -1].mean(), "y, the front, is up"
    assert np.array_equal(decode_volume(gzip.compress(data), size=5, slices=6), slices)


@pytest.mark.parametrize("damage", ["cut", "shape", "bomb", "four"])
def test_damaged_nifti_is_unreadable(damage: str):
    data = {
        "cut": lambda: nifti(np.zeros((4, 4, 4), np.int16))[:380],
        "shape": lambda: nifti(np.zeros((4, 4, 4), np.int16)).replace(bytes([3, 0, 4, 0, 4, 0, 4, 0]), bytes([3, 0, 255, 127, 255, 127, 255, 127])),
        "bomb": lambda: gzip.compress(bytes(300 << 20)),
        "four": lambda: nifti(np.zeros((4, 4, 4, 3), np.int16)),
    }[damage]()
    with pytest.raises(Unreadable):
        decode_volume(data, size=8)


def test_a_nifti_saved_in_another_order_of_axes_is_the_same_volume() -> None:
    nibabel = pytest.importorskip("nibabel")
    values = np.random.default_rng(0).integers(0, 200, (7, 6, 5)).astype(np.int16)
    axial = nibabel.Nifti1Image(values, np.diag([1.0, 2.0, 3.0, 1.0]))
    affine = np.eye(4)
    # Sagittal: the file's axes are back, head, right.
    affine[:3, :3] = np.array([[0, 0, 1], [2, 0, 0], [0, 3, 0]])
    sagittal = nibabel.Nifti1Image(values.transpose(1, 2, 0), affine)
    assert volume_shape(sagittal.to_bytes()) == volume_shape(axial.to_bytes()) == (5, 6, 7)
    assert np.array_equal(decode_volume(sagittal.to_bytes(), size=8), decode_volume(axial.to_bytes(), size=8))


def test_a_folder_of_slices_is_a_volume(tmp_path: Path, workspace: Workspace) -> None:
    rows = []
    for i in range(24):
        (tmp_path / f"mri/case{i}").mkdir(parents=True)
        for k in (1, 2, 10):
            (tmp_path / f"mri/case{i}/slice{k}.png").write_bytes(encoded(Image.fromarray(np.full((8, 8), 10 * k + i, np.uint8))))
        rows.append({"id": f"s{i}", "patient": f"p{i}", "label": i % 2, "sex": "FM"[i // 2 % 2], "scan": f"case{i}"})
    pd.DataFrame(rows).to_csv(tmp_path / "cohort.csv", index=False)
    cohort = ingest(workspace, tmp_path / "cohort.csv", roles=roles(modalities=(Modality("mri", "volume", ("scan",)),)))
    first = cohort.array("mri")[0, :, 0, 0]
    assert cohort.n == 24 and sorted(set(first.tolist())) == [10, 20, 100]
    # Slice 2 lies before slice 10.
    assert first.tolist() == sorted(first.tolist())


def test_the_shape_is_read_without_unpacking(monkeypatch: pytest.MonkeyPatch):
    """Ingestion looks at every file before it decodes it: unpacking volumes twice doubled their cost."""
    monkeypatch.setattr(np.lib.format, "read_array", lambda *args, **more: pytest.fail("unpacked"))
    for save in (np.save, lambda file, values: np.savez_compressed(file, scan=values, other=np.zeros(3))):
        file = io.BytesIO()
        save(file, np.ones((20, 8, 9), np.uint8))
        assert volume_shape(file.getvalue()) == (20, 8, 9)
    file = io.BytesIO()
    np.save(file, np.ones((2, 3, 4, 5), np.uint8))
    with pytest.raises(Unreadable, match="is not slices x height x width"):
        volume_shape(file.getvalue())
