"""What the columns are taken for, and why."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from core.cohort.guess import guess_roles, propose_roles
from core.cohort.sample import sample_folder
from core.cohort.schema import Modality
from core.cohort.sources import FolderSource
from core.errors import UserError
from core.tables.reader import read_table
from tests.cohort.helpers import plain_columns, text_table


def test_the_sample_is_understood_without_a_word():
    guess = guess_roles(read_table(sample_folder() / "cohort.csv"))
    roles = guess.roles
    assert (roles.sample_id, roles.patient_id, roles.label, roles.positive, roles.split) == ("id", "patient_id", "label", "1", None)
    assert roles.attributes == ("sex", "age_band", "fitzpatrick")
    assert [(m.name, m.kind) for m in roles.modalities] == [("image", "image"), ("clinical", "tabular")]
    assert {"clinical_record_missing", "lesion_id", "license", "fold"} <= set(roles.dropped)
    assert not {"sex", "age_band"} & set(roles.feature_columns)
    # Nothing is taken away unasked: what gives the label away is said with the column, and by the checks as an error.
    assert "may reveal the label" in guess.reasons["biopsed"]
    assert set(guess.reasons) == set(guess.parts) == set(read_table(sample_folder() / "cohort.csv").columns)


def test_every_kind_of_modality_is_recognised():
    n = 60
    words = np.random.default_rng(0).choice(["eye", "left", "right", "pressure", "normal", "cup", "disc"], (n, 6))
    table = text_table(
        plain_columns(n)
        | {
            "fundus_path": [f"f/{i}.jpg" for i in range(n)],
            "oct file": [f"o/{i}.npy" for i in range(n)],
            "note": [f"Seen {i}: " + " ".join(w) for i, w in enumerate(words)],
            "Partition": ["train", "val", "test"] * 20,
        }
    )
    roles = guess_roles(table).roles
    assert [(m.name, m.kind) for m in roles.modalities] == [("fundus", "image"), ("oct", "volume"), ("note", "text"), ("clinical", "tabular")]
    assert roles.split == "Partition"
    assert guess_roles(table, split="").roles.split is None


def test_what_is_given_stays_and_the_rest_is_guessed():
    table = text_table(plain_columns(60) | {"race": ["a", "b", "c"] * 20, "photo": [f"{i}.png" for i in range(60)]})
    roles = guess_roles(table, attributes=["race"], modalities=[Modality("labs", "tabular", ("age",))], dropped=["pressure"]).roles
    assert roles.attributes == ("race",)
    assert [(m.name, m.columns) for m in roles.modalities] == [("labs", ("age",)), ("photo", ("photo",))]
    assert "pressure" in roles.dropped


def test_the_positive_value_is_found_by_its_word_or_asked_for():
    columns = plain_columns(60)
    words = text_table(columns | {"label": ["malignant" if v else "benign" for v in columns["label"]]})
    assert guess_roles(words).roles.positive == "malignant"
    unclear = text_table(columns | {"label": ["A" if v else "B" for v in columns["label"]]})
    with pytest.raises(UserError, match=r"2 values \('A', 'B'\); which value is positive\? Say so with --positive VALUE"):
        guess_roles(unclear)
    assert guess_roles(unclear, positive="B").roles.positive == "B"


def test_no_label_is_asked_for():
    columns = plain_columns(60)
    columns["result"] = columns.pop("label")
    with pytest.raises(UserError, match="--label COL"):
        guess_roles(text_table(columns))
    with pytest.raises(UserError, match="column 'nope' is not in the table"):
        guess_roles(text_table(columns), label="nope")


def test_an_age_that_is_also_the_name_of_a_file_is_no_picture(tmp_path):
    for i in range(60):
        (tmp_path / f"{i}.png").write_bytes(b"x")
    table = text_table({"age": [20 + i % 40 for i in range(60)], "visit": range(60), "sex": ["f", "m"] * 30, "label": [i // 2 % 2 for i in range(60)]})
    (modality,) = [m for m in guess_roles(table, FolderSource(tmp_path)).roles.modalities if m.kind == "image"]
    assert modality.columns == ("visit",)


def test_a_column_that_is_lost_says_why():
    table = text_table(
        plain_columns(60)
        | {
            "weight": [f"{50 + i} {'kg' if i % 2 else 'lb'}" for i in range(60)],
            "scan": [f"{i}.mha" for i in range(60)],
            "link": [f"https://example.org/{i}" for i in range(60)],
        }
    )
    guess = guess_roles(table)
    assert {"weight", "scan", "link"} <= set(guess.roles.dropped)
    assert "looks like numbers" in guess.reasons["weight"] and ".mha" in guess.reasons["scan"] and "web addresses" in guess.reasons["link"]


def test_all_but_the_label_is_guessed_without_one():
    guess = propose_roles(text_table(plain_columns(60) | {"label": ["x"] * 60}))
    assert guess.question is not None and "which column is the label" in guess.question
    assert guess.roles.patient_id == "patient" and guess.roles.attributes == ("sex",)
    assert [m.columns for m in guess.roles.modalities] == [("age", "pressure")]


def test_a_history_of_skin_cancer_is_no_skin_type():
    table = text_table(plain_columns(60) | {"skin_cancer_history": ["yes", "no"] * 30})
    assert "skin_cancer_history" not in guess_roles(table).roles.attributes


def test_pictures_named_by_patients_are_found(tmp_path: Path) -> None:
    table = pd.DataFrame({"patient_id": [f"P{i:03d}" for i in range(40)], "sex": ["F", "M"] * 20, "label": ["0", "1", "1", "0"] * 10})
    for patient in table["patient_id"]:
        (tmp_path / f"{patient}.png").write_bytes(b"\x89PNG\r\n\x1a\n")
    roles = guess_roles(table, FolderSource(tmp_path)).roles
    assert roles.patient_id == "patient_id" and roles.modalities[0] == Modality("patient", "image", ("patient_id",))


def test_a_height_in_centimetres_is_the_patients_and_one_in_pixels_is_the_files() -> None:
    rng = np.random.default_rng(0)
    table = pd.DataFrame({"patient_id": range(60), "height": rng.normal(170, 9, 60).round(), "label": [0, 1] * 30, "x": rng.normal(size=60)}).astype(str)
    assert "height" in guess_roles(table).roles.feature_columns
    assert "height" not in guess_roles(table.assign(height=["1024", "512"] * 30)).roles.feature_columns


def test_the_column_of_matched_sets_is_no_feature() -> None:
    table = pd.DataFrame({"set": [str(i // 3) for i in range(90)], "case": ["1", "0", "0"] * 30, "crp": [f"{i % 17}.5" for i in range(90)]})
    guess = guess_roles(table, label="case")
    assert guess.roles.feature_columns == ("crp",) and "matched" in guess.reasons["set"]
