"""The layouts of FairVision and FairVLMed, on tiny files of noise in the same shape."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from core.cli import main
from core.cohort.fairvision import _decoded, _vision_row, ingest_fairvision, ingest_fairvlmed, recognised_folder
from core.errors import UserError
from core.workspace import Workspace

SPLITS = {"Training": 24, "Validation": 8, "Test": 8}


def fields(i: int, disease: str) -> dict[str, Any]:
    generator = np.random.default_rng(i)
    label = i % 2
    common = {
        "race": i % 3,
        "male": (i // 2) % 2,
        "hispanic": -1 if i % 5 == 0 else i % 2,
        "language": 0,
        "maritalstatus": i % 5,
        "age": 50.0 + i,
        "md": -10.0 * label - 0.5,
    }
    pictures = {"slo_fundus": generator.integers(0, 256, (20, 20)).astype(np.float64), "oct_bscans": generator.integers(0, 256, (12, 20, 20), dtype=np.uint8)}
    kind: dict[str, Any] = {
        "Glaucoma": {"glaucoma": label},
        "AMD": {"amd_condition": ("no.amd.diagnosis", "early.dry", "not.in.icd.table", "wet.amd")[i % 4]},
        "DR": {"dr_subtype": ("no.dr.diagnosis", "pdr", "mild.npdr", "severe.npdr")[i % 4]},
    }[disease]
    return common | pictures | kind


def write(root: Path, make, splits: dict[str, int] = SPLITS) -> Path:
    number = 0
    for split, n in splits.items():
        (root / split).mkdir(parents=True)
        for _ in range(n):
            number += 1
            np.savez_compressed(root / split / f"data_{number:05d}.npz", **make(number))
    return root


@pytest.mark.parametrize("disease", ["Glaucoma", "AMD", "DR"])
def test_fairvision(disease: str, tmp_path: Path, workspace: Workspace):
    write(tmp_path / disease, lambda i: fields(i, disease))
    cohort = ingest_fairvision(workspace, tmp_path, disease)
    assert cohort.name == f"FairVision {disease}"
    assert cohort.modality_kinds == {"fundus": "image", "oct": "volume"}
    assert cohort.table["split"].value_counts().to_dict() == {"train": 24, "validation": 8, "test": 8}
    assert cohort.y.tolist() == [i % 2 for i in range(1, 41)]
    assert cohort.roles.attributes == ("race", "gender", "ethnicity", "maritalstatus")
    assert cohort.groups("race") == ("Asian", "Black", "White")
    assert cohort.table["race"].tolist()[:3] == ["Black", "White", "Asian"]
    assert cohort.table["gender"].tolist()[1] == "male" and cohort.table["ethnicity"].iloc[4] is None
    arrays = cohort.arrays()
    assert arrays["fundus"].shape == (40, 1, 20, 20) and arrays["oct"].shape == (40, 10, 20, 20)
    assert np.array_equal(arrays["fundus"][2, 0], fields(3, disease)["slo_fundus"])
    assert np.array_equal(arrays["oct"][2, -1], fields(3, disease)["oct_bscans"][-1])


def test_the_visual_field_is_kept_away_and_named_as_a_leak(tmp_path: Path, workspace: Workspace):
    write(tmp_path / "Glaucoma", lambda i: fields(i, "Glaucoma"))
    cohort = ingest_fairvision(workspace, tmp_path, "Glaucoma")
    assert "md" in cohort.roles.dropped
    assert ("md",) in [f.columns for f in cohort.findings if f.code == "label-leakage"]


def test_a_pickled_or_damaged_record_is_set_aside(tmp_path: Path, workspace: Workspace):
    write(tmp_path / "AMD", lambda i: fields(i, "AMD"))
    (tmp_path / "AMD" / "Training" / "data_00001.npz").write_bytes(b"PK\x03\x04 nonsense")
    np.savez_compressed(tmp_path / "AMD" / "Training" / "data_00002.npz", **(fields(2, "AMD") | {"amd_condition": np.array("early.dry", dtype=object)}))
    np.savez_compressed(tmp_path / "AMD" / "Training" / "data_00003.npz", **(fields(3, "AMD") | {"oct_bscans": np.array([None, {}], dtype=object)}))
    cohort = ingest_fairvision(workspace, tmp_path, "AMD")
    assert cohort.n == 37
    assert [s["sample_id"] for s in cohort.set_aside] == [f"Training/data_0000{i}" for i in (1, 2, 3)]
    assert "pickled" in cohort.set_aside[2]["reason"]


def test_short_folder_names_and_a_limit(tmp_path: Path, workspace: Workspace):
    write(tmp_path / "DR", lambda i: fields(i, "DR"), {"train": 20, "val": 10, "test": 10})
    cohort = ingest_fairvision(workspace, tmp_path, "DR", limit=8)
    assert cohort.table["split"].value_counts().to_dict() == {"train": 8, "validation": 8, "test": 8}


def vlmed(i: int) -> dict[str, Any]:
    note = f"patient {i} has a cup to disc ratio of {'0.8' if i % 2 else '0.3'}"
    return {
        "slo_fundus": np.random.default_rng(i).integers(0, 256, (24, 20), dtype=np.uint8),
        "md": -10.0 * (i % 2), "tds": np.zeros(52), "age": 50.0, "gender": i % 2, "race": i % 3, "ethnicity": 0, "language": 0, "maritalstatus": 1,
        "glaucoma": i % 2, "note": note, "note_extra": f"A black woman. {note}",
    }  # fmt: skip


def test_fairvlmed(tmp_path: Path, workspace: Workspace):
    write(tmp_path, vlmed)
    cohort = ingest_fairvlmed(workspace, tmp_path)
    assert cohort.modality_kinds == {"fundus": "image", "note": "text"}
    assert cohort.texts("note")[0] == "patient 1 has a cup to disc ratio of 0.8"
    assert not any("black" in t.lower() for t in cohort.texts("note"))
    assert not {"md", "tds", "note_extra"} & set(cohort.roles.feature_columns)
    assert cohort.roles.attributes == ("race", "gender")


def test_fairvlmed_words_and_summaries_come_from_its_tables(tmp_path: Path, workspace: Workspace):
    write(tmp_path, vlmed)
    names = [f"data_{i:05d}.npz" for i in range(1, 41)]
    pd.DataFrame({"filename": names, "race": ["white", "black"] * 20, "gender": ["female"] * 40}).to_csv(tmp_path / "data_summary.csv", index=False)
    pd.DataFrame({"filename": names, "gpt4_summary": [f"summary {n}" for n in names]}).to_csv(tmp_path / "gpt4_summarized_notes.csv", index=False)
    cohort = ingest_fairvlmed(workspace, tmp_path, summaries=True)
    assert cohort.groups("race") == ("Black", "White")
    assert cohort.texts("note")[0] == "summary data_00001.npz"


def test_what_is_not_there_is_said_plainly(tmp_path: Path, workspace: Workspace):
    with pytest.raises(UserError, match="choose one of: AMD, DR, Glaucoma"):
        ingest_fairvision(workspace, tmp_path, "Cataract")
    with pytest.raises(UserError, match="no such folder"):
        ingest_fairvision(workspace, tmp_path, "DR")
    (tmp_path / "DR" / "Training").mkdir(parents=True)
    with pytest.raises(UserError, match=r"no \.npz files for train"):
        ingest_fairvision(workspace, tmp_path, "DR")
    write(tmp_path / "notes", vlmed)
    with pytest.raises(UserError, match="no summarised notes"):
        ingest_fairvlmed(workspace, tmp_path / "notes", summaries=True)


def test_the_folders_are_recognised_and_told_apart(tmp_path: Path) -> None:
    write(tmp_path / "fv" / "AMD", lambda i: fields(i, "AMD"), {"Training": 2, "Test": 1})
    write(tmp_path / "vl", lambda i: {**fields(i, "Glaucoma"), "note": "a note"}, {"Training": 2, "Test": 1})
    for named in ("fv", "fv/AMD"):
        assert recognised_folder(tmp_path / named) == ("fairvision", tmp_path / "fv", "AMD")
    assert recognised_folder(tmp_path / "vl") == ("fairvlmed", tmp_path / "vl", None)
    assert recognised_folder(tmp_path) is None
    write(tmp_path / "fv" / "DR", lambda i: fields(i, "DR"), {"Training": 2, "Test": 1})
    with pytest.raises(UserError, match="AMD, DR of FairVision; which one"):
        recognised_folder(tmp_path / "fv")


def test_ingest_takes_the_folder_with_and_without_its_layout(tmp_path: Path, workspace: Workspace, capsys: pytest.CaptureFixture[str]) -> None:
    write(tmp_path / "AMD", lambda i: fields(i, "AMD"))
    ids = []
    for more in ([], ["--layout", "fairvision"]):
        assert main(["ingest", str(tmp_path / "AMD"), *more, "--json", "--workspace", str(workspace.root)]) == 0
        ids.append(json.loads(capsys.readouterr().out)["cohort_id"])
    assert ids == [ingest_fairvision(workspace, tmp_path, "AMD").cohort_id] * 2
    assert main(["ingest", str(tmp_path / "AMD"), "--layout", "fairvlmed", "--workspace", str(workspace.root)]) == 2
    assert "has the layout of fairvision" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("field", "text", "group"),
    [
        ("race", "BLACK", "Black"), ("race", "Caucasian", "White"), ("race", "2.0", "White"), ("race", "-1", None), ("race", "Unknown", None),
        ("race", "Declined", None), ("race", "Native American", "Native American"), ("male", "F", "female"), ("male", "Male", "male"), ("male", "1", "male"),
        ("hispanic", "Non-Hispanic", "not hispanic"), ("hispanic", "Hispanic or Latino", "hispanic"), ("hispanic", "no", "not hispanic"),
        ("language", "ENGLISH", "English"), ("language", "Other", "other"), ("maritalstatus", "Legally Separated", "legally separated"),
        ("maritalstatus", "Never married", "single"), ("maritalstatus", "9", None),
    ],
)  # fmt: skip
def test_groups_have_one_name_whatever_word_or_number_stands_for_them(field: str, text: str, group: str | None):
    assert _decoded(field, text) == group


@pytest.mark.parametrize(
    ("disease", "word", "label"),
    [
        ("DR", "PDR", "1"), ("DR", "Severe NPDR", "1"), ("DR", "moderate.npdr", "0"), ("DR", "No DR diagnosis", "0"), ("DR", "ungradable", None),
        ("AMD", "No AMD diagnosis", "0"), ("AMD", "Not in ICD table", "0"), ("AMD", "early.dry", "1"), ("AMD", "unknown", None),
    ],
)  # fmt: skip
def test_a_disease_is_read_however_it_is_written_and_unknown_words_are_no_disease(disease: str, word: str, label: str | None):
    assert _vision_row({"amd_condition" if disease == "AMD" else "dr_subtype": np.array(word)}, disease)["label"] == label
