"""DICOM: shown as it is meant, series as volumes, text in pictures said, nobody's name kept. All records are generated."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from numpy.typing import NDArray

from core.cohort.dicom import burnt_in
from core.cohort.guess import guess_roles
from core.cohort.images import decode_image, inspect_image
from core.cohort.ingest import ingest
from core.cohort.preparation import prepared
from core.cohort.schema import Modality
from core.cohort.sources import open_source
from core.cohort.volumes import join_slices, volume_shape
from core.tables.reader import read_table
from core.workspace import Workspace
from tests.cohort.helpers import png, roles

pydicom = pytest.importorskip("pydicom")
WHO = "Erika^Mustermann"


def record(pixels: NDArray[np.uint16], **tags: object) -> bytes:
    from pydicom.dataset import Dataset, FileMetaDataset
    from pydicom.uid import ExplicitVRLittleEndian, generate_uid

    data = Dataset()
    data.file_meta = FileMetaDataset()
    data.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    data.SOPClassUID, data.SOPInstanceUID = "1.2.840.10008.5.1.4.1.1.7", generate_uid()
    data.PatientName, data.PatientID, data.PatientBirthDate = WHO, "4711", "19600101"
    data.Rows, data.Columns, data.SamplesPerPixel, data.PhotometricInterpretation = *pixels.shape, 1, "MONOCHROME2"
    data.BitsAllocated, data.BitsStored, data.HighBit, data.PixelRepresentation = 16, 16, 15, 0
    data.PixelData = pixels.astype("<u2").tobytes()
    for name, value in tags.items():
        setattr(data, name, value)
    buffer = io.BytesIO()
    pydicom.dcmwrite(buffer, data, enforce_file_format=True)
    return buffer.getvalue()


RAMP = np.arange(64, dtype=np.uint16).reshape(8, 8) * 50


def test_rescale_window_and_photometric_interpretation():
    plain = decode_image(record(RAMP), size=None, channels=1)[0]
    assert (plain[0, 0], plain[-1, -1]) == (0, 255)
    turned = decode_image(record(RAMP, PhotometricInterpretation="MONOCHROME1"), size=None, channels=1)[0]
    assert (turned == 255 - plain).all()
    window = decode_image(record(RAMP, RescaleSlope=2, RescaleIntercept=-1000, WindowCenter=0, WindowWidth=200), size=None, channels=1)[0]
    # Values below -100 are black and above 100 white, in units after rescaling.
    assert (window[RAMP * 2.0 - 1000 < -101] == 0).all() and (window[RAMP * 2.0 - 1000 > 101] == 255).all()


@pytest.mark.parametrize("syntax", ["RLELossless", "JPEG2000Lossless"])
def test_compressed_syntaxes(syntax: str):
    from pydicom import uid

    if syntax.startswith("JPEG"):
        pytest.importorskip("openjpeg")
    large = np.kron(RAMP, np.ones((8, 8), np.uint16))
    data = pydicom.dcmread(io.BytesIO(record(large)))
    data.compress(getattr(uid, syntax))
    buffer = io.BytesIO()
    pydicom.dcmwrite(buffer, data, enforce_file_format=True)
    assert (decode_image(buffer.getvalue(), size=None, channels=1) == decode_image(record(large), size=None, channels=1)).all()


@pytest.mark.parametrize(
    ("tags", "said"),
    [({"BurnedInAnnotation": "YES"}, "yes"), ({"BurnedInAnnotation": "NO", "Modality": "US"}, "no"),
     ({"Modality": "US"}, "perhaps"), ({"Modality": "CT"}, "unsaid"),
     ({"Modality": "CT", "ImageType": ["DERIVED", "SECONDARY"]}, "perhaps")],
)  # fmt: skip
def test_text_in_the_picture_is_said(tags: dict[str, object], said: str):
    found = burnt_in(record(RAMP, **tags))
    assert found is not None and found.said == said
    assert burnt_in(png()) is None


def test_a_series_is_a_volume_in_the_order_of_its_slices():
    files = [
        record(np.full((8, 8), 100 * k, np.uint16), InstanceNumber=9 - k, ImagePositionPatient=[0, 0, 5.0 * k], ImageOrientationPatient=[1, 0, 0, 0, 1, 0])
        for k in (2, 0, 1)
    ]
    volume = np.load(io.BytesIO(join_slices(files)))
    assert volume_shape(join_slices(files)) == (3, 8, 8)
    assert volume[:, 0, 0].tolist() == [0, 100, 200]


def test_a_cohort_of_series_keeps_no_name(tmp_path: Path, workspace: Workspace):
    rows = []
    for i in range(24):
        for k in range(3):
            path = tmp_path / f"ct/case{i}/IM{k}.dcm"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(record(np.roll(RAMP, i + 20 * k).astype(np.uint16), InstanceNumber=k, BurnedInAnnotation="YES" if i == 0 else "NO"))
        rows.append({"id": f"s{i}", "patient": f"p{i}", "label": i % 2, "sex": "FM"[i // 2 % 2], "age": 40 + i, "scan": f"ct/case{i}"})
    pd.DataFrame(rows).to_csv(tmp_path / "cohort.csv", index=False)
    cohort = ingest(workspace, tmp_path / "cohort.csv", roles=roles(modalities=(Modality("ct", "volume", ("scan",)),)))
    assert cohort.n == 24 and cohort.array("ct").shape[0] == 24 and cohort.present.all()
    assert len({cohort.array("ct")[i].tobytes() for i in range(24)}) > 20
    for path in cohort.folder.rglob("*"):
        if path.is_file():
            assert WHO.encode() not in path.read_bytes() and b"4711" not in path.read_bytes()


def test_single_files_with_burnt_in_text_are_a_finding(tmp_path: Path, workspace: Workspace):
    rows = []
    for i in range(24):
        (tmp_path / f"{i}.dcm").write_bytes(record((RAMP + i).astype(np.uint16), BurnedInAnnotation="YES" if i < 2 else "NO"))
        rows.append({"id": f"s{i}", "patient": f"p{i}", "label": i % 2, "sex": "FM"[i // 2 % 2], "path": f"{i}.dcm"})
    pd.DataFrame(rows).to_csv(tmp_path / "cohort.csv", index=False)
    cohort = ingest(workspace, tmp_path / "cohort.csv", roles=roles(modalities=(Modality("xray", "image", ("path",)),)))
    (finding,) = [f for f in cohort.findings if f.code == "burnt-in-text"]
    assert (finding.severity, finding.rows) == ("warning", 2) and "2 DICOM files" in finding.message
    assert inspect_image(record(RAMP)).gray


def test_side_and_view_are_columns_and_nothing_that_names_a_person_is(tmp_path: Path, workspace: Workspace):
    n = 24
    for i in range(n):
        side = {"ImageLaterality": "RL"[i % 2]} if i < 12 else {"Laterality": "RL"[i % 2]} if i < 20 else {}
        (tmp_path / f"{i:03d}.dcm").write_bytes(record(RAMP + i, ViewPosition=("CC", "MLO")[i // 2 % 2], **side))
    table = pd.DataFrame(
        {
            "nr": [i % 12 for i in range(n)],
            "image_id": [f"{i:03d}" for i in range(n)],
            "age": [40 + i * 7 % 30 for i in range(n)],
            "label": [i // 2 % 2 for i in range(n)],
        }
    )
    table.to_csv(tmp_path / "mammograms.csv", index=False)
    prepared_table = prepared(read_table(tmp_path / "mammograms.csv"), source=open_source(tmp_path))
    assert prepared_table["side in image_id"].tolist()[:2] == ["right", "left"] and prepared_table["side in image_id"].isna().sum() == 4
    assert prepared_table["view in image_id"].tolist() == [("cc", "mlo")[i // 2 % 2] for i in range(n)]
    cohort = ingest(workspace, tmp_path / "mammograms.csv", images=tmp_path)
    assert {c["column"]: c["role"] for c in cohort.columns}["side in image_id"] == "not used"
    assert guess_roles(prepared_table, open_source(tmp_path), attributes=["side in image_id"], label="label").roles.attributes == ("side in image_id",)
    for path in (workspace.cohorts / cohort.cohort_id).rglob("*"):
        assert path.is_dir() or (WHO.encode() not in path.read_bytes() and b"19600101" not in path.read_bytes())


def test_a_table_that_says_the_side_itself_is_not_asked_again(tmp_path: Path):
    for i in range(6):
        (tmp_path / f"{i}.dcm").write_bytes(record(RAMP, ImageLaterality="RL"[i % 2]))
    table = pd.DataFrame({"file": [f"{i}.dcm" for i in range(6)], "laterality": ["R", "L"] * 3})
    assert list(prepared(table, source=open_source(tmp_path)).columns) == ["file", "laterality"]
