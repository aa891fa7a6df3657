"""From files to a saved cohort: same content, same name; nothing lost, nothing slipped in."""

from __future__ import annotations

import shutil
import sys
import zipfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from core.cohort import cohort as cohorts
from core.cohort import ingest, list_cohorts, load
from core.cohort.schema import Modality
from core.errors import UserError
from core.tables.splits import SPLITS
from core.workspace import Workspace
from tests.cohort.helpers import png, roles, write_cohort


def edit(path: Path, change) -> Path:
    table = pd.read_csv(path, dtype=str)
    change(table)
    table.to_csv(path, index=False)
    return path


def test_everything_is_guessed_and_kept(workspace: Workspace, tmp_path: Path):
    cohort = ingest(workspace, write_cohort(tmp_path / "clinic"))
    assert cohort.name == "clinic"
    assert cohort.modality_kinds == {"photo": "image", "clinical": "tabular"}
    assert cohort.roles.attributes == ("sex",)
    assert (cohort.n, cohort.n_patients) == (40, 20)
    assert list(cohort.table.columns[:5]) == ["sample_id", "patient_id", "y", "split", "sex"]
    assert cohort.table["y"].dtype == np.int8
    assert set(cohort.table["split"]) == set(SPLITS)
    assert cohort.present.all() and cohort.present.shape == (40, 2)
    assert len(cohort.cohort_id) == 12 and int(cohort.cohort_id, 16) >= 0
    assert {c["outcome"] for c in cohort.checks} <= {"passed", "failed", "not applicable"}


def test_arrays_hold_the_pictures_in_row_order(workspace: Workspace, tmp_path: Path):
    from core.cohort.images import decode_image

    cohort = ingest(workspace, write_cohort(tmp_path / "clinic"))
    images = cohort.arrays()["photo"]
    assert images.shape == (40, 3, 16, 16) and images.dtype == np.uint8 and isinstance(images, np.memmap)
    assert all(np.array_equal(images[i], decode_image(png(i), size=None, channels=3)) for i in range(40))
    assert cohort.arrays(8)["photo"].shape == (40, 3, 8, 8)
    assert cohort.arrays(32)["photo"].shape == (40, 3, 32, 32)
    with pytest.raises(UserError, match="size 4000"):
        cohort.arrays(4000)
    with pytest.raises(ValueError, match="read-only"):
        images[0] = 0


def test_a_larger_size_goes_back_to_the_files_and_says_when_they_are_gone(workspace: Workspace, tmp_path: Path):
    path = write_cohort(tmp_path / "clinic", size=64)
    cohort = ingest(workspace, path, size=16)
    assert cohort.array("photo", 64).std() > cohort.array("photo").std()
    shutil.rmtree(path.parent / "pictures")
    with pytest.raises(UserError, match="40 files that were readable at ingestion no longer are"):
        cohort.array("photo", 48)


def test_the_same_content_answers_at_once_and_any_change_makes_another_cohort(workspace: Workspace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    path = write_cohort(tmp_path / "clinic")
    first = ingest(workspace, path)
    monkeypatch.setitem(ingest.__globals__, "_build", lambda *a, **k: pytest.fail("built again"))
    assert ingest(workspace, path).cohort_id == first.cohort_id
    copy = tmp_path / "copy"
    shutil.copytree(path.parent, copy)
    assert ingest(workspace, copy / "cohort.csv").cohort_id == first.cohort_id
    monkeypatch.undo()
    assert len(list_cohorts(workspace)) == 1
    (copy / "pictures" / "0.png").write_bytes(png(999))
    changed = ingest(workspace, copy / "cohort.csv")
    other_roles = ingest(workspace, path, roles=roles(modalities=(Modality("photo", "image", ("photo",)),)))
    other_seed = ingest(workspace, path, seed=1)
    assert len({c.cohort_id for c in (first, changed, other_roles, other_seed)}) == 4
    assert len({c.name for c in list_cohorts(workspace)}) == 4


def test_a_cohort_is_found_by_id_by_name_and_by_a_further_name(workspace: Workspace, tmp_path: Path):
    path = write_cohort(tmp_path / "clinic")
    cohort = ingest(workspace, path)
    ingest(workspace, path, name="second name")
    for key in (cohort.cohort_id, cohort.cohort_id[:6], "clinic", "second name"):
        assert load(workspace, key).cohort_id == cohort.cohort_id
    with pytest.raises(UserError, match=rf"no cohort 'none'; known cohorts: clinic \({cohort.cohort_id}\)"):
        load(workspace, "none")


def test_rows_that_cannot_be_used_are_set_aside_and_reported(workspace: Workspace, tmp_path: Path):
    path = write_cohort(tmp_path / "clinic")
    (tmp_path / "secret.png").write_bytes(png(12345))
    (path.parent / "pictures" / "link.png").symlink_to(tmp_path / "secret.png")
    (path.parent / "pictures" / "3.png").write_bytes(png(3)[:100])
    (path.parent / "pictures" / "4.png").write_bytes(b"GIF89a nonsense")

    def change(table: pd.DataFrame) -> None:
        table.loc[0, "photo"] = "../secret.png"
        table.loc[1, "photo"] = str(tmp_path / "secret.png")
        table.loc[2, "photo"] = "pictures/link.png"
        table.loc[5, "photo"] = "pictures/none.png"
        table.loc[6, "label"] = ""
        table.loc[7, "id"] = "s8"
        table.loc[9, "photo"] = ""

    cohort = ingest(workspace, edit(path, change))
    assert [(s["row"], s["code"]) for s in cohort.set_aside] == [
        *((i, "unusable-file") for i in (1, 2, 3, 4, 5, 6)),
        (7, "label-missing"),
        (9, "duplicate-id"),
    ]
    assert cohort.n == 32
    by_code = {f.code: f for f in cohort.findings}
    assert by_code["unusable-file"].rows == 6
    assert by_code["duplicate-id"].rows == 1
    assert by_code["label-missing"].rows == 1
    # A row without a picture stays, and says so.
    row = cohort.table["sample_id"].tolist().index("s9")
    assert not cohort.present[row, 0] and cohort.array("photo")[row].max() == 0
    # No pixel of the file outside can be in the cohort, and rows still match their pictures.
    from core.cohort.images import decode_image

    secret = decode_image(png(12345), size=None, channels=3)
    assert not any(np.array_equal(p, secret) for p in cohort.array("photo"))
    last = cohort.table["sample_id"].tolist().index("s39")
    assert np.array_equal(cohort.array("photo")[last], decode_image(png(39), size=None, channels=3))


def test_strict_refuses_and_leaves_nothing_behind(workspace: Workspace, tmp_path: Path):
    path = write_cohort(tmp_path / "clinic")
    (path.parent / "pictures" / "3.png").write_bytes(png(3)[:100])
    for _ in range(2):
        with pytest.raises(UserError, match=r"1 rows cannot be used, the first is row 5 \(s3\)"):
            ingest(workspace, path, strict=True)
    assert list_cohorts(workspace) == []
    assert ingest(workspace, path).n == 39
    with pytest.raises(UserError, match="--strict"):
        ingest(workspace, path, strict=True)


def test_pictures_may_lie_in_a_zip_with_a_folder_around_them(workspace: Workspace, tmp_path: Path):
    path = write_cohort(tmp_path / "clinic")
    with zipfile.ZipFile(tmp_path / "photos.zip", "w") as archive:
        for i in range(40):
            archive.write(path.parent / "pictures" / f"{i}.png", f"export 2026/pictures/{i}.png")
        archive.writestr("../evil.png", b"x")
    table = tmp_path / "alone" / "cohort.csv"
    table.parent.mkdir()
    shutil.copy(path, table)
    assert ingest(workspace, table, tmp_path / "photos.zip").n == 40
    assert not (tmp_path / "evil.png").exists()


def test_no_usable_file_at_all_names_the_first(workspace: Workspace, tmp_path: Path):
    path = write_cohort(tmp_path / "clinic")
    shutil.rmtree(path.parent / "pictures")
    with pytest.raises(UserError, match=r"column 'photo': no file can be used; the first, row 2: 'pictures/0.png': file not found. Say where"):
        ingest(workspace, path)


def test_an_interrupted_ingestion_leaves_no_cohort_and_goes_on_later(workspace: Workspace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    from core.cohort import decode

    path = write_cohort(tmp_path / "clinic")
    monkeypatch.setattr(decode, "CHUNK", 10)
    read: list[str] = []
    original = cohorts.file_array.__globals__["decode_image"]

    def counted(data: bytes, **options):
        read.append("x")
        if len(read) == 25:
            raise KeyboardInterrupt
        return original(data, **options)

    monkeypatch.setattr("core.cohort.arrays.decode_image", counted)
    with pytest.raises(KeyboardInterrupt):
        ingest(workspace, path)
    assert list_cohorts(workspace) == []
    before = len(read)
    cohort = ingest(workspace, path)
    assert len(read) - before <= 20, "the first chunks were decoded twice"
    assert np.array_equal(cohort.array("photo")[39], original(png(39), size=None, channels=3))


def test_a_given_split_is_kept_with_patients_whole(workspace: Workspace, tmp_path: Path):
    path = write_cohort(tmp_path / "clinic")

    def change(table: pd.DataFrame) -> None:
        table["set"] = ["Training"] * 20 + ["val"] * 10 + ["TEST"] * 10
        table.loc[1, "set"] = "TEST"

    cohort = ingest(workspace, edit(path, change))
    assert cohort.roles.split == "set"
    # The test set stays as it was given; the other row of its patient goes.
    assert (cohort.table["split"] == "test").sum() == 11
    assert [s["code"] for s in cohort.set_aside] == ["patient-in-two-splits"]
    assert cohort.table.groupby("patient_id")["split"].nunique().max() == 1
    assert [f.rows for f in cohort.findings if f.code == "patient-in-two-splits"] == [1]


def test_a_split_without_validation_keeps_its_test_set(workspace: Workspace, tmp_path: Path):
    def change(table: pd.DataFrame) -> None:
        table["set"] = ["train"] * 30 + ["test"] * 10

    cohort = ingest(workspace, edit(write_cohort(tmp_path / "clinic"), change))
    table = cohort.table
    assert cohort.roles.split == "set"
    assert table.index[table["split"] == "test"].tolist() == list(range(30, 40))
    assert set(table["split"]) == set(SPLITS)


def test_uncertain_and_blank_labels_mean_what_is_said(workspace: Workspace, tmp_path: Path):
    def change(table: pd.DataFrame) -> None:
        table["label"] = [(1, 0, -1, None)[i % 4] for i in range(40)]

    path = edit(write_cohort(tmp_path / "clinic"), change)
    left_out = ingest(workspace, path)
    assert left_out.n == 20 and {s["code"] for s in left_out.set_aside} == {"label-missing", "label-uncertain"}
    assert {"label-missing", "label-uncertain"} <= {f.code for f in left_out.findings}
    said = ingest(workspace, path, roles=replace(left_out.roles, uncertain="positive", blank="negative"))
    assert said.y.tolist() == [(1, 0, 1, 0)[i % 4] for i in range(40)]


def test_columns_with_reserved_names_do_not_collide(workspace: Workspace, tmp_path: Path):
    path = edit(write_cohort(tmp_path / "clinic"), lambda t: t.insert(0, "y", [str(i % 7) for i in range(40)]))
    cohort = ingest(workspace, path, roles=roles(modalities=(Modality("labs", "tabular", ("y", "age")),)))
    assert set(cohort.table["y"]) == {0, 1}
    assert cohort.table["y (column)"].tolist()[:3] == [0, 1, 2]
    assert cohort.array("labs")["values"].shape == (40, 2)


def test_groups_come_from_training_and_the_unseen_have_none(workspace: Workspace, tmp_path: Path):
    path = write_cohort(tmp_path / "clinic")

    def change(table: pd.DataFrame) -> None:
        table["split"] = ["train"] * 20 + ["validation"] * 10 + ["test"] * 10
        table.loc[38:, "sex"] = "other"
        table.loc[0, "sex"] = ""

    cohort = ingest(workspace, edit(path, change))
    assert cohort.groups("sex") == ("female", "male")
    index = cohort.group_index("sex")
    assert index.tolist()[:3] == [-1, 0, 1] and index[39] == -1
    assert cohort.table["sex"].iloc[0] is None
    with pytest.raises(UserError, match="no sensitive attribute 'race'; it has: sex"):
        cohort.groups("race")


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"label": "nope"}, "column 'nope' is not in the table; it has: id, patient"),
        ({"modalities": ()}, "no modality"),
        ({"modalities": (Modality("a", "tabular", ("age",)), Modality("a", "tabular", ("pressure",)))}, "two modalities are called 'a'"),
        ({"modalities": (Modality("a", "sound", ("age",)),)}, "kind 'sound'"),  # type: ignore[arg-type]
        ({"modalities": (Modality("../a", "tabular", ("age",)),)}, "modality name"),
        ({"modalities": (Modality("a", "tabular", ("label",)),)}, "is the label"),
        ({"attributes": ("label",)}, "is the label"),
        ({"split": "sex"}, "is not a split"),
    ],
)
def test_roles_that_do_not_fit_are_refused(workspace: Workspace, tmp_path: Path, changes: dict, reason: str):
    with pytest.raises(UserError, match=reason):
        ingest(workspace, write_cohort(tmp_path / "clinic"), roles=roles(**changes))
    assert list_cohorts(workspace) == []


def test_two_processes_may_save_the_same_cohort_at_once(workspace: Workspace, tmp_path: Path):
    import subprocess
    import sys

    path = write_cohort(tmp_path / "clinic")
    code = "import sys; from core.cohort import ingest; from core.workspace import Workspace; print(ingest(Workspace.open(sys.argv[1]), sys.argv[2]).cohort_id)"
    started = [subprocess.Popen([sys.executable, "-c", code, str(workspace.root), str(path)], stdout=subprocess.PIPE, text=True) for _ in range(2)]
    ids = {p.communicate()[0].strip() for p in started}
    assert {p.returncode for p in started} == {0}
    assert len(ids) == 1 and len(list_cohorts(workspace)) == 1


def test_what_is_interrupted_leaves_no_cohort_and_goes_on_to_the_same_one(tmp_path: Path, workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(0)
    rows = []
    for i in range(40):
        Image.fromarray(rng.integers(0, 256, (16, 16), dtype=np.uint8)).save(tmp_path / f"{i}.png")
        rows.append(f"p{i},{i}.png,{'FM'[i % 2]},{int(i % 3 == 0)}")
    (tmp_path / "t.csv").write_text("patient_id,image,sex,label\n" + "\n".join(rows) + "\n")

    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched, pytest.raises(KeyboardInterrupt):
        patched.setattr(sys.modules["core.cohort.ingest"], "run_checks", interrupt)
        ingest(workspace, tmp_path / "t.csv")
    assert not list_cohorts(workspace)
    again = ingest(workspace, tmp_path / "t.csv")
    assert [c.cohort_id for c in list_cohorts(workspace)] == [again.cohort_id]
    other = ingest(Workspace.open(tmp_path / "other"), tmp_path / "t.csv")
    assert np.array_equal(again.array("image"), other.array("image")) and again.table.equals(other.table)
    assert not [p for p in workspace.cohorts.iterdir() if p.name.startswith(".building")]
