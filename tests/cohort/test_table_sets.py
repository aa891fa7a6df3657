"""Cohorts of several tables as they are handed out: one command, every file with its row. All values are generated."""

from __future__ import annotations

import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from core.cohort.guess import guess_roles
from core.cohort.ingest import ingest
from core.cohort.preparation import prepared
from core.cohort.sources import open_source
from core.cohort.table_sets import choose_table, files_beside
from core.errors import UserError
from core.json_reading import read_json
from core.tables import read
from core.tables.join import join_files
from core.workspace import Workspace
from tests.cohort.helpers import png

N = 24
_PARTS = {
    "[Content_Types].xml": '<Types xmlns="http://schemas.openxmlformats.org/package/2006/content-types"><Default Extension="rels" '
    'ContentType="application/vnd.openxmlformats-package.relationships+xml"/><Override PartName="/xl/workbook.xml" '
    'ContentType="application/vnd.openxmlformats-officedocument.spreadsheetml.sheet.main+xml"/><Override PartName="/xl/worksheets/sheet1.xml" '
    'ContentType="application/vnd.openxmlformats-officedocument.spreadsheetml.worksheet+xml"/></Types>',
    "_rels/.rels": '<Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships"><Relationship Id="a" '
    'Type="http://schemas.openxmlformats.org/officeDocument/2006/relationships/officeDocument" Target="xl/workbook.xml"/></Relationships>',
    "xl/workbook.xml": '<workbook xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main" '
    'xmlns:r="http://schemas.openxmlformats.org/officeDocument/2006/relationships"><sheets><sheet name="1" sheetId="1" r:id="b"/></sheets></workbook>',
    "xl/_rels/workbook.xml.rels": '<Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships"><Relationship Id="b" '
    'Type="http://schemas.openxmlformats.org/officeDocument/2006/relationships/worksheet" Target="worksheets/sheet1.xml"/></Relationships>',
}


def workbook(path: Path, rows: Sequence[Sequence[Any]]) -> Path:
    """A workbook of one sheet, texts and numbers as they are; None leaves a cell out, as merged ones do."""
    cells = "".join(
        f'<row r="{r}">'
        + "".join(
            f'<c r="{chr(65 + c)}{r}" t="inlineStr"><is><t>{v}</t></is></c>' if isinstance(v, str) else f'<c r="{chr(65 + c)}{r}"><v>{v}</v></c>'
            for c, v in enumerate(row)
            if v is not None
        )
        + "</row>"
        for r, row in enumerate(rows, start=1)
    )
    with zipfile.ZipFile(path, "w") as book:
        for name, text in _PARTS.items():
            book.writestr(name, text)
        sheet = f'<worksheet xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"><sheetData>{cells}</sheetData></worksheet>'
        book.writestr("xl/worksheets/sheet1.xml", sheet)
    return path


def papila(folder: Path, *, repeated: bool) -> Path:
    """The sheets of PAPILA: three header rows, the middle one with all names or with those below merged cells only, and `ID` in the third."""
    (folder / "ClinicalData").mkdir()
    names = ["Age", "Gender", "Diagnosis"]
    under = names if repeated else [None] * 3
    header = [
        [None, *names, "Refractive_Defect", None, "Pachymetry"],
        [None, *under, "dioptre_1", "dioptre_2", "Pachymetry" if repeated else None],
        ["ID", *[None] * 6],
    ]
    for shift, eye in enumerate(("od", "os")):
        rows = [[f"#{i + 1:03d}", 40 + i, i % 2, (i + shift) % 2, 0.25 * (i % 5) + shift, -0.5 * (i % 3), 540 + i % 7] for i in range(N)]
        workbook(folder / f"ClinicalData/patient_data_{eye}.xlsx", [*header, *rows])
    (folder / "FundusImages").mkdir()
    for i in range(N):
        for shift, eye in enumerate(("OD", "OS")):
            (folder / f"FundusImages/RET{i + 1:03d}{eye}.jpg").write_bytes(png(2 * i + shift, (8, 8)))
    return folder


@pytest.mark.parametrize("repeated", [True, False])
def test_papila_is_one_command(tmp_path: Path, workspace: Workspace, repeated: bool):
    folder = papila(tmp_path, repeated=repeated)
    cohort = ingest(workspace, folder)
    assert cohort.n == 2 * N and cohort.n_patients == N
    assert cohort.roles.label == "Diagnosis" and {"dioptre_1", "dioptre_2"} <= set(cohort.roles.feature_columns)
    (image,) = [m for m in cohort.roles.modalities if m.kind == "image"]
    for eye, patient, name in zip(cohort.table["table"], cohort.table["patient_id"], read_json(cohort.folder / "files.json")[image.name], strict=True):
        assert name == f"FundusImages/RET{patient.lstrip('#')}{eye[-2:].upper()}.jpg"


def test_one_eye_alone_gets_no_eye_by_chance(tmp_path: Path):
    """Both RET001OD and RET001OS fit an id: taking either would give some table the other eye."""
    folder = papila(tmp_path, repeated=True)
    table = prepared(read(folder / "ClinicalData/patient_data_os.xlsx").frame, source=open_source(folder))
    assert [m.kind for m in guess_roles(table, open_source(folder)).roles.modalities] == ["tabular"]


def test_a_plain_sheet_keeps_its_first_row_of_words(tmp_path: Path):
    path = workbook(tmp_path / "t.xlsx", [["id", "sex", "stage"], ["a", "F", "early"], ["b", "M", "late"], ["c", "F", "late"]])
    assert read(path).frame["stage"].tolist() == ["early", "late", "late"]


def test_two_levels_of_names_are_told_apart(tmp_path: Path):
    path = workbook(
        tmp_path / "t.xlsx", [[None, "right", None, "left", None], ["id", "iop", "cdr", "iop", "cdr"], ["a", 12, 0.3, 14, 0.4], ["b", 15, 0.5, 16, 0.6]]
    )
    assert read(path).names == ["id", "right iop", "right cdr", "left iop", "left cdr"]


def mimic(folder: Path) -> Path:
    ids, subject, study = [f"{i:08x}-{i * 7:08x}" for i in range(N)], [10000032 + i // 4 for i in range(N)], [50414267 + i // 2 for i in range(N)]
    pd.DataFrame({"dicom_id": ids, "subject_id": subject, "study_id": study, "ViewPosition": ["PA", "LATERAL"] * (N // 2)}).to_csv(
        folder / "mimic-cxr-2.0.0-metadata.csv.gz", index=False
    )
    split = ["train"] * 16 + ["validate"] * 4 + ["test"] * 4
    pd.DataFrame({"dicom_id": ids, "study_id": study, "subject_id": subject, "split": split}).to_csv(folder / "mimic-cxr-2.0.0-split.csv.gz", index=False)
    studies = pd.DataFrame({"subject_id": subject, "study_id": study}).drop_duplicates()
    marks = [(1.0, 0.0, -1.0, None)[i % 4] for i in range(len(studies))]
    studies.assign(Edema=[float(i % 2) for i in range(len(studies))], Fracture=marks).to_csv(folder / "mimic-cxr-2.0.0-chexpert.csv.gz", index=False)
    people = sorted(set(subject))
    pd.DataFrame({"subject_id": people, "gender": ["F", "M"] * (len(people) // 2)}).to_csv(folder / "patients.csv.gz", index=False)
    stays = pd.DataFrame({"subject_id": people * 2, "hadm_id": range(2 * len(people)), "race": ["WHITE", "ASIAN"] * len(people)})
    stays.loc[0, "race"] = "OTHER"
    stays.to_csv(folder / "admissions.csv.gz", index=False)
    for person, of, name in zip(subject, study, ids, strict=True):
        path = folder / f"files/p{str(person)[:2]}/p{person}/s{of}/{name}.jpg"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(png(int(name[:8], 16), (8, 8)))
    return folder


def test_the_tables_of_mimic_are_one_command(tmp_path: Path):
    chosen = choose_table(mimic(tmp_path))
    assert chosen.table.name == "mimic-cxr-2.0.0-metadata.csv.gz" and len(chosen.join) == 4
    joined = join_files(read(chosen.table), chosen.join)
    roles = guess_roles(prepared(joined.table.frame), open_source(files_beside(tmp_path)), label="Edema").roles
    assert (roles.patient_id, roles.split, roles.attributes) == ("subject_id", "split", ("gender", "race"))
    assert not [name for name in joined.table.names if "(" in name], "an id that two tables share is there once"
    told = {f.message for f in joined.table.findings if f.code == "joined-varies"}
    assert any("'hadm_id'" in m and "left out" in m for m in told) and any("race differs" in m and "1 id" in m for m in told)
    assert joined.table.frame.loc[joined.table.frame["subject_id"] == "10000032", "race"].isna().all()


def test_an_id_of_another_name_is_found_in_columns_and_paths(tmp_path: Path):
    paths = [f"train/patient{i:05d}/study1/view1.jpg" for i in range(N)]
    pd.DataFrame({"Path": paths, "MRN": [f"m{i}" for i in range(N)], "Edema": [i % 2 for i in range(N)]}).to_csv(tmp_path / "train.csv", index=False)
    pd.DataFrame({"PATIENT": [f"patient{i:05d}" for i in range(N)], "race": ["A", "B"] * (N // 2)}).to_csv(tmp_path / "demo.csv", index=False)
    pd.DataFrame({"number": [f"m{i}" for i in range(N)], "sex": ["F", "M"] * (N // 2)}).to_csv(tmp_path / "sex.csv", index=False)
    joined = join_files(read(tmp_path / "train.csv"), [f"{tmp_path}/demo.csv:PATIENT", f"{tmp_path}/sex.csv:number"])
    assert joined.table.frame["race"].tolist() == ["A", "B"] * (N // 2) and joined.table.frame["sex"].tolist() == ["F", "M"] * (N // 2)
    assert [f.code for f in joined.findings] == ["joined-by", "joined-by"]
    said = join_files(read(tmp_path / "train.csv"), [f"{tmp_path}/sex.csv:MRN=number"])
    assert said.table.frame["sex"].tolist() == ["F", "M"] * (N // 2) and not said.findings
    with pytest.raises(UserError, match=r"train\.csv has no column 'sex'"):
        join_files(read(tmp_path / "train.csv"), [f"{tmp_path}/sex.csv:sex"])


@pytest.mark.parametrize(
    ("names", "chosen"),
    [
        (["train.csv", "test.csv", "sample_submission.csv"], "train.csv"),
        (["only.csv"], "only.csv"),
        (["a.csv", "cohort.csv"], "cohort.csv"),
        (["a.csv", "b.csv"], None),
    ],
)
def test_which_table_of_a_folder(tmp_path: Path, names: list[str], chosen: str | None):
    for name in names:
        (tmp_path / name).write_text("id,label\n1,0\n", encoding="utf-8")
    if chosen is None:
        with pytest.raises(UserError, match=r"holds 2 tables \('a.csv', 'b.csv'\)"):
            choose_table(tmp_path)
    else:
        assert choose_table(tmp_path).table.name == chosen
