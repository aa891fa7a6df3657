"""Tables in the layout of well-known cohorts: the right roles without a flag, or one clear question. All values are generated."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from core.cohort.guess import guess_roles
from core.cohort.ingest import ingest
from core.cohort.label_tables import sibling_findings
from core.cohort.layouts import LAYOUTS as KNOWN
from core.cohort.layouts import layout_finding, recognised
from core.cohort.preparation import prepared
from core.cohort.schema import Modality
from core.cohort.sources import open_source
from core.errors import UserError
from core.tables.reader import read_table
from core.workspace import Workspace
from tests.cohort.helpers import png

N = 60
RNG = np.random.default_rng(0)
SEX = [("male", "female")[i // 2 % 2] for i in range(N)]
AGE = RNG.integers(20, 90, N).tolist()
BINARY = [(i // 2 + i % 3) % 2 for i in range(N)]
UNCERTAIN = [("1.0", "0.0", "-1.0", None)[(i * 7) % 4] for i in range(N)]


def write(folder: Path, columns: dict[str, list[Any]], files: list[str]) -> Path:
    for i, name in enumerate(files):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(png(i, (8, 8)))
    pd.DataFrame(columns).to_csv(folder / "table.csv", index=False)
    return folder / "table.csv"


def chexpert(folder: Path) -> Path:
    paths = [f"CheXpert-v1.0-small/train/patient{i // 2:05d}/study{i % 2 + 1}/view1_frontal.jpg" for i in range(N)]
    findings = {f: [UNCERTAIN[(i * k) % N] for i in range(N)] for k, f in enumerate(("No Finding", "Edema", "Pneumonia", "Pleural Effusion"), start=3)}
    return write(folder, {"Path": paths, "Sex": SEX, "Age": AGE, "Frontal/Lateral": ["Frontal"] * N, "AP/PA": ["AP", "PA"] * (N // 2), **findings}, paths)


def mimic(folder: Path) -> Path:
    ids = [f"{i:08x}-{i * 7:08x}" for i in range(N)]
    files = [f"files/p10/p{10000000 + i // 2}/s{50000000 + i}/{ids[i]}.jpg" for i in range(N)]
    split = ["train"] * 40 + ["validate"] * 10 + ["test"] * 10
    return write(
        folder,
        {
            "dicom_id": ids,
            "subject_id": [10000000 + i // 2 for i in range(N)],
            "study_id": [50000000 + i for i in range(N)],
            "split": split,
            "gender": SEX,
            "anchor_age": AGE,
            "Edema": [("1.0", "0.0")[v] for v in BINARY],
        },
        files,
    )


def nih(folder: Path) -> Path:
    names = [f"{i // 2:08d}_{i % 2:03d}.png" for i in range(N)]
    labels = [("No Finding", "Effusion", "Effusion|Mass", "Mass", "Mass|Nodule")[i % 5] for i in range(N)]
    return write(
        folder,
        {
            "Image Index": names,
            "Finding Labels": labels,
            "Follow-up #": [i % 2 for i in range(N)],
            "Patient ID": [i // 2 for i in range(N)],
            "Patient Age": [f"{a:03d}Y" for a in AGE],
            "Patient Gender": [s[0].upper() for s in SEX],
        },
        [f"images/{n}" for n in names],
    )


def isic(folder: Path) -> Path:
    names = [f"ISIC_{2637011 + i}" for i in range(N)]
    return write(
        folder,
        {"image_name": names, "patient_id": [f"IP_{i // 2:07d}" for i in range(N)], "sex": SEX, "age_approx": AGE, "target": BINARY},
        [f"train/{n}.jpg" for n in names],
    )


def ham10000(folder: Path) -> Path:
    names = [f"ISIC_{24306 + i:07d}" for i in range(N)]
    files = [f"HAM10000_images_part_{1 + i % 2}/{n}.jpg" for i, n in enumerate(names)]
    return write(
        folder,
        {
            "lesion_id": [f"HAM_{i // 2:07d}" for i in range(N)],
            "image_id": names,
            "dx": [("nv", "mel", "bkl")[i % 3] for i in range(N)],
            "dx_type": ["histo", "follow_up"] * (N // 2),
            "age": AGE,
            "sex": SEX,
        },
        files,
    )


def pad_ufes(folder: Path) -> Path:
    names = [f"PAT_{i // 2}_{i}_{i * 3}.png" for i in range(N)]
    return write(
        folder,
        {
            "patient_id": [f"PAT_{i // 2}" for i in range(N)],
            "lesion_id": list(range(N)),
            "age": AGE,
            "gender": [s.upper() for s in SEX],
            "fitspatrick": [float(1 + i % 3) for i in range(N)],
            "diagnostic": [("NEV", "BCC", "ACK")[i % 3] for i in range(N)],
            "img_id": names,
        },
        [f"imgs_part_1/{n}" for n in names],
    )


def fitzpatrick17k(folder: Path) -> Path:
    names = [f"{i * 7919:032x}" for i in range(N)]
    return write(
        folder,
        {
            "md5hash": names,
            "fitzpatrick_scale": [(1, 2, 3, -1)[i % 4] for i in range(N)],
            "three_partition_label": [("benign", "malignant", "non-neoplastic")[i % 3] for i in range(N)],
            "url": [f"https://example.org/{i}.jpg" for i in range(N)],
        },
        [f"images/{n}.jpg" for n in names],
    )


def papila(folder: Path) -> Path:
    names = [f"RET{1 + i // 2:03d}{('OD', 'OS')[i % 2]}" for i in range(N)]
    return write(
        folder,
        {
            "ID": names,
            "Age": AGE,
            "Gender": [i // 2 % 2 for i in range(N)],
            "Diagnosis": [i % 3 for i in range(N)],
            "Pachymetry": RNG.normal(540, 30, N).round(1).tolist(),
        },
        [f"FundusImages/{n}.jpg" for n in names],
    )


def brset(folder: Path) -> Path:
    names = [f"img{i:05d}" for i in range(N)]
    return write(
        folder,
        {
            "image_id": names,
            "patient_id": [i // 2 for i in range(N)],
            "patient_age": AGE,
            "patient_sex": [1 + i // 2 % 2 for i in range(N)],
            "exam_eye": [1 + i % 2 for i in range(N)],
            "diabetic_retinopathy": BINARY,
            "macular_edema": [(i // 3) % 2 for i in range(N)],
            "drusens": [(i // 5) % 2 for i in range(N)],
        },
        [f"fundus_photos/{n}.jpg" for n in names],
    )


def aptos(folder: Path) -> Path:
    names = [f"{i * 104729:012x}" for i in range(N)]
    return write(folder, {"id_code": names, "diagnosis": [i % 5 for i in range(N)]}, [f"train_images/{n}.png" for n in names])


def rsna(folder: Path) -> Path:
    return write(
        folder,
        {"patient_id": [i // 2 for i in range(N)], "image_id": [1000 + i for i in range(N)], "laterality": ["L", "R"] * (N // 2), "age": AGE, "cancer": BINARY},
        [f"train_images/{i // 2}/{1000 + i}.png" for i in range(N)],
    )


def odir(folder: Path) -> Path:
    files = [f"{i}_left.jpg" for i in range(N)]
    one = [i % 3 for i in range(N)]
    return write(
        folder,
        {
            "ID": list(range(N)),
            "Patient Age": AGE,
            "Patient Sex": SEX,
            "Left-Fundus": files,
            "N": [int(v == 0) for v in one],
            "D": [int(v == 1) for v in one],
            "G": [int(v == 2) for v in one],
        },
        [f"ODIR-5K_Training_Images/{f}" for f in files],
    )


LAYOUTS = [
    (chexpert, {"label": "Pleural Effusion"}, "Path", "patient in Path", ("Sex",), None),
    (mimic, {"label": "Edema"}, "dicom_id", "subject_id", ("gender",), "split"),
    (nih, {"label": "Finding Labels", "positive": "Effusion"}, "Image Index", "Patient ID", ("Patient Gender",), None),
    (isic, {}, "image_name", "patient_id", ("sex",), None),
    (ham10000, {"positive": "mel", "label": "dx"}, "image_id", "lesion_id", ("sex",), None),
    (pad_ufes, {"label": "diagnostic", "positive": "BCC"}, "img_id", "patient_id", ("gender", "fitspatrick"), None),
    (fitzpatrick17k, {"label": "three_partition_label"}, "md5hash", None, ("fitzpatrick_scale",), None),
    (papila, {"label": "Diagnosis", "positive": "1"}, "ID", "patient in ID", ("Gender",), None),
    (brset, {"label": "diabetic_retinopathy"}, "image_id", "patient_id", ("patient_sex",), None),
    (aptos, {"label": "diagnosis", "positive": ">=2"}, "id_code", None, (), None),
    (rsna, {"label": "cancer"}, "image_id", "patient_id", (), None),
    (odir, {"label": "G"}, "Left-Fundus", None, ("Patient Sex",), None),
]


@pytest.mark.parametrize(("make", "said", "image", "patient", "attributes", "split"), LAYOUTS, ids=lambda v: getattr(v, "__name__", ""))
def test_roles_of_well_known_layouts(
    tmp_path: Path, make, said: dict[str, str], image: str, patient: str | None, attributes: tuple[str, ...], split: str | None
):
    path = make(tmp_path)
    roles = guess_roles(prepared(read_table(path)), open_source(tmp_path), **said).roles
    assert [m.columns for m in roles.modalities if m.kind == "image"] == [(image,)]
    assert (roles.patient_id, roles.attributes, roles.split) == (patient, attributes, split)
    assert not {"No Finding", "Edema", "Pneumonia", "macular_edema", "drusens", "N", "D", "url"} & set(roles.feature_columns) - {roles.label}


@pytest.mark.parametrize("make", [chexpert, rsna], ids=lambda v: v.__name__)
def test_every_file_goes_to_its_row(tmp_path: Path, workspace: Workspace, make):
    path = make(tmp_path)
    said = {chexpert: {"label": "Edema", "blank": "negative", "uncertain": "positive"}, rsna: {"label": "cancer"}}[make]
    frame = prepared(read_table(path))
    cohort = ingest(workspace, path, roles=guess_roles(frame, open_source(tmp_path), **said).roles)
    assert cohort.n == N and cohort.n_patients == N // 2
    assert cohort.present.all()
    assert cohort.table.groupby("patient_id")["split"].nunique().max() == 1


def test_what_is_not_said_is_one_question(tmp_path: Path):
    with pytest.raises(UserError, match=r"which value is positive.*grade"):
        guess_roles(read_table(aptos(tmp_path)), open_source(tmp_path), label="diagnosis")


@pytest.mark.parametrize("make", [row[0] for row in LAYOUTS], ids=lambda v: v.__name__)
def test_each_is_recognised_by_itself(tmp_path: Path, make):
    columns = list(read_table(make(tmp_path)).columns)
    layout = recognised(columns)
    assert layout is not None and layout.name == make.__name__.replace("_", "-").replace("mimic", "mimic-cxr")
    (finding,) = layout_finding(columns)
    assert layout.licence in finding.message and "traps" in finding.message


def test_every_layout_is_tested_and_no_other_table_is_taken_for_one():
    assert len(KNOWN) == len(LAYOUTS)
    assert recognised(["patient_id", "sex", "age", "label"]) is None


def test_columns_that_repeat_the_label_are_no_inputs_unless_they_are_named(tmp_path: Path):
    path = isic(tmp_path)
    table = read_table(path).assign(benign_malignant=[("benign", "malignant")[v] for v in BINARY])
    source = open_source(tmp_path)
    guess = guess_roles(table, source)
    assert "benign_malignant" in guess.roles.dropped and "says the label in other words" in guess.reasons["benign_malignant"]
    named = [Modality("values", "tabular", ("age_approx", "benign_malignant"))]
    assert "benign_malignant" in guess_roles(table, source, modalities=named).roles.feature_columns
    assert "benign_malignant" in guess_roles(table, source, label="sex", positive="female", layout="isic").roles.dropped
    assert "benign_malignant" in guess_roles(table, source, label="sex", positive="female").roles.feature_columns, "it repeats target, not sex"
    with pytest.raises(UserError, match="--layout nih: the table has no column 'Image Index'"):
        guess_roles(table, source, layout="nih")
    with pytest.raises(UserError, match="known are chexpert"):
        guess_roles(table, source, layout="mnist")


def test_a_column_of_names_that_are_not_there_leaves_the_files_to_another(tmp_path: Path):
    """Fitzpatrick17k's official table also has the names that the pictures had on the web (url_alphanum)."""
    path = fitzpatrick17k(tmp_path)
    table = read_table(path).assign(url_alphanum=[f"httpatlas{i}.jpg" for i in range(N)])
    guess = guess_roles(table, open_source(tmp_path), label="three_partition_label")
    assert [m.columns for m in guess.roles.modalities if m.kind == "image"] == [("md5hash",)]
    assert "none of which is there" in guess.reasons["url_alphanum"]


@pytest.mark.parametrize(
    ("names", "column", "words"),
    [
        ([f"RET{i // 2:03d}{('OD', 'OS')[i % 2]}.jpg" for i in range(N)], "side in file", ["right", "left"]),
        ([f"{i // 2}_{('left', 'right')[i % 2]}.png" for i in range(N)], "side in file", ["left", "right"]),
        ([f"p{i // 2}/study1/view{i % 2 + 1}_{('frontal', 'lateral')[i % 2]}.jpg" for i in range(N)], "view in file", ["frontal", "lateral"]),
        ([f"scan{i}.png" for i in range(N)], None, []),
        ([f"RET{i:03d}OD.jpg" for i in range(N)], None, []),
        (["OD", "OS"] * (N // 2), None, []),
    ],
)
def test_sides_and_views_that_only_the_files_name_are_columns(names: list[str], column: str | None, words: list[str]):
    table = prepared(pd.DataFrame({"file": names, "label": BINARY}))
    added = [c for c in table.columns if c.startswith(("side in ", "view in "))]
    assert added == ([column] if column else [])
    if column:
        assert table[column].tolist() == words * (N // 2)
        guess = guess_roles(table.assign(label=table["label"].astype(str)), attributes=[column], label="label")
        assert guess.roles.attributes == (column,)
        assert column in guess_roles(table.assign(label=table["label"].astype(str)), label="label").roles.dropped
        assert not [c for c in prepared(table.assign(laterality="x", view="x").drop(columns=column)).columns if c == column], "the table's own column is enough"


def test_siblings_are_only_what_answers_the_same_question():
    table = pd.DataFrame({"label": ["1", "0", "1"], "smoker": ["1", "0", "0"], "age": ["40", "50", "60"]})
    assert sibling_findings(table, "label") == frozenset()
    assert sibling_findings(table.assign(label=["1", "0", "-1"], edema=["0", "-1", "1"]), "label") == {"edema"}
    one_hot = pd.DataFrame({"a": ["1", "0", "0"], "b": ["0", "1", "0"], "c": ["0", "0", "1"]})
    assert sibling_findings(one_hot, "a") == {"b", "c"}
