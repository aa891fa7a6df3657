"""No row is ever given another row's file; what does not fit, and what is left over, is said."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.cohort.matching import match_files, names_several, unused_files
from core.cohort.sources import FilesSource


def source(*names: str) -> FilesSource:
    """A source of files that are never opened."""
    return FilesSource({name: Path("nowhere") for name in names})


def found(files: list[str], references: list[str | None]) -> list[str | None]:
    return [r.name for r in match_files(source(*files), references, "path").files]


CHEXPERT = "CheXpert-v1.0-small/train"


@pytest.mark.parametrize(
    ("files", "references", "expected"),
    [
        # Another patient's file of the same end, with and without a row of its own.
        (
            [f"{CHEXPERT}/patient2/study9/view1.jpg"],
            [f"{CHEXPERT}/patient1/study9/view1.jpg", f"{CHEXPERT}/patient2/study9/view1.jpg"],
            [None, f"{CHEXPERT}/patient2/study9/view1.jpg"],
        ),
        ([f"{CHEXPERT}/patient2/study9/view1.jpg"], [f"{CHEXPERT}/patient1/study9/view1.jpg"], [None]),
        (["patient2/a.png", "patient3/b.png"], ["patient1/a.png", "patient3/b.png"], [None, "patient3/b.png"]),
        # Folders that stand in front of all files, or of all references.
        (["imgs/part1/a.png", "imgs/part2/b.png"], ["a.png", "b"], ["imgs/part1/a.png", "imgs/part2/b.png"]),
        (
            ["train/patient1/a.jpg", "train/patient2/a.jpg"],
            ["CheX/train/patient1/a.jpg", "CheX/train/patient2/a.jpg"],
            ["train/patient1/a.jpg", "train/patient2/a.jpg"],
        ),
        (["part1/a.png", "part2/b.png"], ["/data/old/a.png", "/data/old/b.png"], ["part1/a.png", "part2/b.png"]),
        # Absolute paths of other machines.
        (["a0.png", "a1.png"], ["C:\\Users\\me\\img\\a0.png", "/home/me/img/a1.png"], ["a0.png", "a1.png"]),
        # Names without ending, several that fit, other case.
        (["x/ISIC_1.JPG", "x/ISIC_2.jpg"], ["ISIC_1", "isic_2"], ["x/ISIC_1.JPG", "x/ISIC_2.jpg"]),
        (["x/1.png", "y/1.png"], ["1.png"], [None]),
        (["scans/7.nii.gz"], ["7"], ["scans/7.nii.gz"]),
        # Nothing there, nothing named.
        (["a.png"], [None, "b.png", "https://example.org/a.png", "../a.png"], [None, None, None, None]),
        (["a.png", "b.png"], ["a.png;b.png"], [None]),
    ],
)
def test_a_file_is_used_only_when_its_whole_path_fits(files: list[str], references: list[str | None], expected: list[str | None]):
    assert found(files, references) == expected


def test_a_file_that_two_rows_would_fit_belongs_to_the_one_that_names_it_in_full():
    matches = match_files(source("img/a.png"), ["img/a.png", "old/img/a.png"], "path").files
    assert [m.name for m in matches] == ["img/a.png", None]
    assert "another row" in (matches[1].problem or "")
    neither = match_files(source("img/a.png"), ["x/img/a.png", "y/img/a.png"], "path").files
    assert [m.name for m in neither] == [None, None]


def test_rows_that_name_the_same_file_are_said():
    (finding,) = match_files(source("a.png", "b.png"), ["a.png", "a.png", "b.png"], "path").findings
    assert (finding.code, finding.rows) == ("shared-file", 2)


def test_folders_that_are_left_out_are_said():
    (finding,) = match_files(source("part1/a.png", "part2/b.png"), ["/data/old/a.png", "/data/old/b.png"], "path").findings
    assert finding.code == "paths-shortened" and "data/old" in finding.message


@pytest.mark.parametrize(
    ("cell", "several"),
    [("a.png;b.png", True), ("['a.jpg', 'b.jpg']", True), ("x/a.png|x/b.png", True), ("a, b.png", False), ("a.b.png", False), ("a.png", False)],
)
def test_cells_that_name_several_files(cell: str, several: bool):
    assert names_several(cell) == several


def test_unused_files_are_said_when_nobody_uses_any_or_they_were_pointed_at():
    files = source("a.png", "b.png", "notes.txt")
    (none,) = unused_files(files, [], named=False)
    assert (none.code, none.severity) == ("unused-files", "warning") and "2 files" in none.message
    (some,) = unused_files(files, ["a.png"], named=True)
    assert some.severity == "info"
    assert unused_files(files, ["a.png"], named=False) == [] == unused_files(files, ["a.png", "b.png"], named=True)


PART = st.sampled_from(["p1", "p2", "s1", "s2", "a", "b"])
PATH = st.lists(PART, min_size=1, max_size=4).map(lambda parts: "/".join(parts) + ".png")


@settings(max_examples=300, deadline=None)
@given(st.sets(PATH, max_size=8), st.lists(PATH, max_size=8))
def test_whatever_is_found_ends_as_the_reference_does(files: set[str], references: list[str]):
    """Of the file and the reference (without folders that all references share) one ends the other, and no file has two owners."""
    taken: dict[str, str] = {}
    for reference, name in zip(references, found(sorted(files), references), strict=True):
        if name is None:
            continue
        cut = reference.split("/")
        ends = [f"/{reference}".endswith(f"/{name}"), f"/{name}".endswith(f"/{reference}")]
        tails = [f"/{name}".endswith("/" + "/".join(cut[i:])) for i in range(len(_common(references)) + 1)]
        assert any(ends) or any(tails)
        assert taken.setdefault(name, reference) == reference


def _common(references: list[str]) -> list[str]:
    """Folders that all references begin with."""
    folders = [r.split("/")[:-1] for r in set(references)]
    shared = []
    for level in zip(*folders, strict=False):
        if len(set(level)) > 1:
            break
        shared.append(level[0])
    return shared if len(folders) > 1 else []
