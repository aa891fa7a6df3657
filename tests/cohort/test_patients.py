"""Patients that only paths and names tell apart, and one patient's id written in several ways."""

from __future__ import annotations

import numpy as np
import pytest

from core.cohort.patients import add_path_patients, same_patients
from tests.cohort.helpers import text_table


@pytest.mark.parametrize(
    ("column", "names", "patients"),
    [
        (
            "Path",
            ["CheX/train/patient1/study1/a.jpg", "CheX/train/patient1/study2/a.jpg", "CheX/train/patient22/study1/a.jpg"],
            ["patient1", "patient1", "patient22"],
        ),
        ("file", ["files/p10/p10000032/s5/a.jpg", "files/p10/p10000032/s6/a.jpg", "files/p11/p11000011/s7/a.jpg"], ["p10000032", "p10000032", "p11000011"]),
        ("scan", ["sub-01/ses-1/t1.nii.gz", "sub-01/ses-2/t1.nii.gz", "sub-02/ses-1/t1.nii.gz"], ["sub-01", "sub-01", "sub-02"]),
        ("ID", ["RET001OD", "RET001OS", "RET002OD", "RET002OS"], ["RET001", "RET001", "RET002", "RET002"]),
        ("image_id", ["7_left.png", "7_right.png", "9_left.png", "9_right.png"], ["7", "7", "9", "9"]),
    ],
)
def test_named_in_paths(column: str, names: list[str], patients: list[str]):
    table = add_path_patients(text_table({column: names}))
    assert table[f"patient in {column}"].tolist() == patients
    assert add_path_patients(table).equals(table)


@pytest.mark.parametrize(
    "columns",
    [
        {"Path": ["images/a.png", "images/b.png"]},
        {"Path": ["site1/a.png", "site2/b.png"]},
        {"patient_id": ["1", "2"], "Path": ["patient1/a.png", "patient2/a.png"]},
        {"ID": ["al", "er", "ol"]},
    ],
)
def test_nothing_is_read_out_of_other_names(columns: dict[str, list[str]]):
    table = text_table(columns)
    assert add_path_patients(table).equals(table)


def test_one_patient_in_several_ways_of_writing():
    assert same_patients(np.array(["0007", "7", "8", "7.0"], dtype=object)).tolist() == ["0007", "0007", "8", "0007"]
