"""Other cohorts with the faults that tables of patients have: other words, languages and columns, the same mechanism. All values are generated."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from core.cohort.checks import check
from core.cohort.checks.leakage import divides_into_sets, matched_column
from core.cohort.composed_names import FILE_OF, add_composed_names
from core.cohort.guess import guess_roles, propose_roles
from core.cohort.ingest import ingest
from core.cohort.matching import match_files
from core.cohort.patients import add_path_patients, shared_beginnings
from core.cohort.preparation import prepared
from core.cohort.sources import FilesSource, open_source
from core.cohort.splits import parse_split
from core.errors import UserError
from core.workspace import Workspace
from tests.cohort.helpers import png, text_table

N = 40


def source(names: list[str]) -> FilesSource:
    return FilesSource({name: Path("nowhere") / name for name in names})


@pytest.mark.parametrize(
    ("files", "columns", "made", "second"),
    [
        ([f"IMG_{i:04d}.jpg" for i in range(N)], {"nr": range(N)}, "file of nr", "IMG_0001.jpg"),
        (
            [f"pics/ISIC_{7000 + i}_downsampled.jpg" for i in range(N)],
            {"bild": [f"ISIC_{7000 + i}" for i in range(N)]},
            "file of bild",
            "pics/ISIC_7001_downsampled.jpg",
        ),
        ([f"{2000 + i}/scan.png" for i in range(N)], {"studie": [2000 + i for i in range(N)]}, "file of studie", "2001/scan.png"),
        (
            [f"sub-{i // 2:02d}/ses-{i % 2 + 1}/face.png" for i in range(N)],
            {"participant": [f"sub-{i // 2:02d}" for i in range(N)], "session": [f"ses-{i % 2 + 1}" for i in range(N)]},
            "file of participant and session",
            "sub-00/ses-2/face.png",
        ),
        (
            [f"P{i // 2:03d}_{'RL'[i % 2]}.png" for i in range(N)],
            {"fall": [f"P{i // 2:03d}" for i in range(N)], "auge": ["R", "L"] * (N // 2)},
            "fall_auge",
            "P000_L",
        ),
    ],
)
def test_files_are_found_by_the_rule_of_their_names(files: list[str], columns: dict, made: str, second: str):
    found = add_composed_names(text_table({k: list(v) for k, v in columns.items()} | {"age": [20 + i % 50 for i in range(N)]}), source(files))
    assert found.columns[-1] == made and found[made].iloc[1] == second


def test_a_rule_that_would_give_one_file_to_two_rows_is_none():
    table = text_table({"nr": [i // 2 for i in range(N)], "age": list(range(N, 2 * N))})
    assert list(add_composed_names(table, source([f"x{i}.png" for i in range(N)])).columns) == ["nr", "age"]
    assert not FILE_OF.strip().endswith("_")


@pytest.mark.parametrize(
    ("file", "reference", "code"),
    [("p0.jpg", "p0.png", "ending-differs"), ("p0.png", "P-0.png", "names-alike"), ("x 0.png", "x%200.png", None), ("p0.npy", "p0.png", "names-alike")],
)
def test_names_that_nearly_fit_are_used_only_where_nothing_else_can_be_meant(file: str, reference: str, code: str | None):
    found = match_files(source([file]), [reference], "bild")
    assert (found.files[0].name is None) == (code == "names-alike")
    assert [f.code for f in found.findings] == ([code] if code else [])


def test_another_ending_never_takes_another_rows_file():
    found = match_files(source(["p0.jpg"]), ["p0.png", "p0.jpg"], "bild")
    assert [f.name for f in found.files] == [None, "p0.jpg"]


@pytest.mark.parametrize("cell", ["IM0;IM1", "IM0.png+IM1.png", "IM0.png & IM1.png", "['IM0.png', 'IM1.png']"])
def test_two_files_in_one_cell(cell: str):
    (found,) = match_files(source(["IM0.png", "IM1.png"]), [cell], "bild").files
    assert found.name is None and "names several files" in str(found.problem)


@pytest.mark.parametrize(
    ("words", "meant"),
    [
        (["train", "eval", "test"], ["train", "validation", "test"]),
        (["train", "train", "eval"], ["train", "train", "test"]),
        (["Training", "Validierung", "Test"], ["train", "validation", "test"]),
        (["entrenamiento", "validación", "prueba"], ["train", "validation", "test"]),
        (["训练", "验证", "测试"], ["train", "validation", "test"]),
        (["internal", "internal", "external"], ["train", "train", "test"]),
        (["trainval", "trainval", "test"], ["train", "train", "test"]),
    ],
)
def test_splits_in_other_words(words: list[str], meant: list[str]):
    assert parse_split(pd.Series(words), "Kohorte").tolist() == meant


def test_internal_alone_is_no_split():
    with pytest.raises(UserError, match="'internal' is not a split"):
        parse_split(pd.Series(["internal", "test"]), "Kohorte")


@pytest.mark.parametrize("name", ["quad", "Paar_Nr"])
def test_matched_sets_are_known_by_what_they_hold(name: str):
    sets, case = [i // 4 for i in range(200)], [int(i % 4 == 0) for i in range(200)]
    table = text_table({name: sets, "case": case, "bmi": np.random.default_rng(0).normal(25, 4, 200).round(1).tolist(), "ward": [s % 9 for s in sets]})
    y = np.array(case, dtype=float)
    assert matched_column(table, y, ("case",)) == name
    assert divides_into_sets(pd.Series(sets).astype(str), y) and not divides_into_sets(table["ward"], y)
    assert not divides_into_sets(pd.Series(sets).astype(str), np.random.default_rng(1).permutation(y))
    assert name in guess_roles(table, label="case").roles.dropped


def test_patients_in_file_names(tmp_path: Path, workspace: Workspace):
    names = [f"2019/Pat{i // 2}_scan{i % 2}.png" for i in range(N)]
    for i, name in enumerate(names):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(png(i, (8, 8)))
    pd.DataFrame({"bild": names, "sex": ["F", "M"] * (N // 2), "label": [i // 2 % 2 for i in range(N)]}).to_csv(tmp_path / "cohort.csv", index=False)
    cohort = ingest(workspace, tmp_path / "cohort.csv")
    assert cohort.n_patients == N // 2 and cohort.table.groupby("patient_id")["split"].nunique().max() == 1


def test_beginnings_that_may_be_patients_are_a_warning():
    table = text_table({"bild": [f"{i // 2:08d}_{i % 2:03d}" for i in range(N)]})
    assert list(add_path_patients(table).columns) == ["bild"]
    assert shared_beginnings(table["bild"]).nunique() == N // 2
    assert shared_beginnings(pd.Series([f"scan_{i}" for i in range(N)])) is None


def test_visits_in_the_names_of_samples_name_the_patient():
    table = add_path_patients(text_table({"sample_id": [f"{i // 2:03d}-V{i % 2 + 1}" for i in range(N)]}))
    assert table["patient in sample_id"].nunique() == N // 2


def test_a_wrong_folder_in_front_of_every_path_says_what_to_do(tmp_path: Path):
    (tmp_path / "x0.png").write_bytes(png())
    table = prepared(text_table({"bild": ["../img/x0.png"] * 3, "label": [0, 1, 0], "age": [1, 2, 3]}))
    with pytest.raises(UserError, match="Write the paths as they are below the folder"):
        ingest(Workspace.open(tmp_path / "home"), _csv(tmp_path, table), open_source(tmp_path))


def _csv(folder: Path, table: pd.DataFrame) -> Path:
    table.to_csv(folder / "t.csv", index=False)
    return folder / "t.csv"


@pytest.mark.parametrize("sign", ["//", "/", "、", "，", "；", " / ", "&"])
def test_two_files_divided_by_any_sign_are_several(sign: str):
    found = match_files(source(["IM0.png", "IM1.png"]), [f"IM0.png{sign}IM1.png"], "bild").files[0]
    assert found.name is None and "names several files" in str(found.problem)
    assert match_files(source(["IM0.png/IM1.png"]), ["IM0.png/IM1.png"], "bild").files[0].name == "IM0.png/IM1.png", "a folder may be called so"


@pytest.mark.parametrize(
    ("column", "values", "patients"),
    [
        ("Subject ID (anonymised)", [f"{i // 2}" for i in range(N)], N // 2),
        ("anon_patient", [f"h{i // 2 * 7919:x}" for i in range(N)], N // 2),
        ("id", [f"{i // 2}" for i in range(N)], N // 2),
        ("study_id", [f"{i // 2}" for i in range(N)], N // 2),
        ("eye_id", [f"{i // 2 + 100}{'RL'[i % 2]}" for i in range(N)], N // 2),
        ("record", [f"ABC{i // 4:03d}_m{i % 4 * 6:02d}" for i in range(N)], N // 4),
        ("befund", [f"{i // 2:03d}-{('pre', 'post')[i % 2]}" for i in range(N)], N // 2),
        ("patient_sex", ["F", "M"] * (N // 2), None),
        ("number_of_patients", [str(i % 9) for i in range(N)], None),
        ("ward_id", [f"W{i % 9}" for i in range(N)], None),
        ("code", [f"1{'RL'[i % 2]}" for i in range(N)], None),
    ],
)
def test_patients_are_known_by_other_names_and_by_what_repeats(column: str, values: list[str], patients: int | None):
    table = prepared(text_table({column: values, "age": [20 + i * 7 % 50 for i in range(N)], "label": [i // 2 % 2 for i in range(N)]}))
    found = guess_roles(table, label="label").roles.patient_id
    assert (found is None) == (patients is None) and (found is None or table[found].nunique() == patients)


def test_folders_that_several_paths_share_may_be_patients(tmp_path: Path, workspace: Workspace):
    names = [f"cohort/{i // 2:03d}/eye{i % 2}/img.png" for i in range(N)]
    for i, name in enumerate(names):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(png(i, (8, 8)))
    pd.DataFrame({"bild": names, "label": [i // 2 % 2 for i in range(N)]}).to_csv(tmp_path / "cohort.csv", index=False)
    said = {f.code: f for f in ingest(workspace, tmp_path / "cohort.csv").findings}
    assert said["no-patient-id"].severity == "warning" and "20 folders shared by several paths" in said["no-patient-id"].message


def test_an_age_by_which_rows_were_matched_is_no_set_and_stays_a_feature():
    age = [30 + i // 2 % 40 for i in range(400)]
    case = [1, 0] * 200
    assert not divides_into_sets(pd.Series(age, name="age").astype(str), np.array(case, dtype=float))
    table = text_table({"case": case, "age": age, "city": np.random.default_rng(0).choice(["a", "b"], 400).tolist()})
    assert "age" in guess_roles(table, label="case").roles.feature_columns


def test_codes_that_several_rows_share_may_be_patients_and_a_column_called_set_is_no_feature():
    base = {"age": [20 + i * 7 % 50 for i in range(N)], "label": [i // 2 % 2 for i in range(N)]}
    assert guess_roles(prepared(text_table({"pat": [f"IP_{i // 2}" for i in range(N)]} | base)), label="label").roles.patient_id == "pat"
    table = text_table({"proben_nr": [f"IP_{i // 2:04d}" for i in range(N)], "Set": ["A", "B"] * (N // 2)} | base)
    roles = guess_roles(prepared(table), label="label").roles
    assert roles.patient_id is None and "Set" in roles.dropped
    said = {f.code: f for f in check(table, roles)}
    assert said["no-patient-id"].severity == "warning" and "proben_nr has 20 values on several rows each" in said["no-patient-id"].message
    assert "Set seems to divide the data" in said["split-not-used"].message


@pytest.mark.parametrize(
    ("columns", "patient", "attribute", "label", "positive"),
    [
        ({"betegazonosító": "P", "nem": ("nő", "férfi"), "diagnózis": ("nem", "igen")}, "betegazonosító", "nem", "diagnózis", "igen"),
        ({"患者编号": "P", "性别": ("男", "女"), "诊断": ("阴性", "阳性")}, "患者编号", "性别", "诊断", "阳性"),
        ({"id_paciente": "P", "sexo": ("mujer", "varón"), "diagnostico": ("benigno", "maligno")}, "id_paciente", "sexo", "diagnostico", "maligno"),
        ({"Pat-ID": "P", "Geschlecht": ("w", "m"), "Diagnose": ("gutartig", "bösartig")}, "Pat-ID", "Geschlecht", "Diagnose", "bösartig"),
    ],
)
def test_roles_in_other_languages(columns: dict, patient: str, attribute: str, label: str, positive: str):
    made = {c: [f"P{i // 2}" if v == "P" else v[(i // 2 + (c == label)) % 2] for i in range(N)] for c, v in columns.items()}
    roles = guess_roles(prepared(text_table(made | {"crp": [round(i * 7 % 50 + 0.5, 1) for i in range(N)]}))).roles
    assert (roles.patient_id, roles.attributes, roles.label, roles.positive) == (patient, (attribute,), label, positive)
    assert roles.feature_columns == ("crp",) or set(roles.feature_columns) == {"crp"}


def test_a_column_that_names_the_patient_in_part_is_no_feature():
    table = prepared(
        text_table(
            {"kennung": [f"P{i // 2:03d}-V{i % 2 + 1}" for i in range(N)], "age": [i * 7 % 50 for i in range(N)], "label": [i // 2 % 2 for i in range(N)]}
        )
    )
    roles = guess_roles(table).roles
    assert roles.patient_id == "patient in kennung" and "kennung" in roles.dropped


def test_a_label_of_several_words_is_asked_about_and_is_no_feature():
    table = text_table({"diagnosis": [("none", "mild", "moderate", "severe")[i % 4] for i in range(N)], "age": [i * 7 % 50 for i in range(N)]})
    guess = propose_roles(prepared(table))
    assert guess.roles.label == "diagnosis" and "diagnosis" not in guess.roles.feature_columns
    assert guess.question is not None and "which value is positive" in guess.question and "--classes all" in guess.question
