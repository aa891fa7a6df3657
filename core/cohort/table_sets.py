"""Tables that belong together, by the file names under which well-known cohorts are handed out."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from core.errors import UserError
from core.tables.finding import Finding, listed
from core.tables.reader import is_table


@dataclass(frozen=True)
class TableSet:
    """The first table of a cohort, and the tables that are joined to it, each with the id (patterns of whole file names without endings).

    needed : how many of the joined ones must be there before the set is recognised.
    """

    title: str
    first: str
    joined: tuple[tuple[str, str], ...]
    needed: int = 1


SETS = (
    TableSet("PAPILA", r"patient_data_od", ((r"patient_data_os", "ID"),)),
    TableSet(
        "MIMIC-CXR-JPG",
        r"mimic-cxr-[\d.]+-metadata",
        (
            (r"mimic-cxr-[\d.]+-split", "dicom_id"),
            (r"mimic-cxr-[\d.]+-chexpert", "study_id"),
            (r"(mimic-iv-)?patients", "subject_id"),
            (r"(mimic-iv-)?admissions", "subject_id"),
        ),
    ),
    TableSet("ISIC 2019", r"ISIC_2019_Training_Metadata", ((r"ISIC_2019_Training_GroundTruth", "image"),)),
    TableSet("CheXpert", r"train", ((r"(chexpert[ _-]?demo.*|demographics?.*)", "PATIENT"),)),
)
_TRAIN = re.compile(r"train(ing)?([_-]?(labels?|data|metadata|set))?$", re.IGNORECASE)
_NO_TRAIN = re.compile(r"(test|valid|val|validation|sample_?submission)([_-]?(labels?|data|metadata|set|list))?$", re.IGNORECASE)
"""Tables of a competition beside the one with the labels."""


@dataclass(frozen=True)
class Chosen:
    """The table to read, what is joined to it as `FILE:ID`, and what a reader must know about the choice."""

    table: Path
    join: tuple[str, ...] = ()
    findings: tuple[Finding, ...] = ()


def choose_table(where: str | Path) -> Chosen:
    """The table itself, or the one inside a folder with those that belong to it.

    In a folder: `cohort.csv`, the only table, the tables of a well-known cohort (also in folders of the
    folder, as they are handed out), or the training table of a competition. Raises UserError.
    """
    path = Path(where).expanduser()
    if not path.is_dir():
        return Chosen(path)
    if (path / "cohort.csv").is_file():
        return Chosen(path / "cohort.csv")
    own = _tables(path)
    for known in SETS:
        chosen = _chosen(known, [*own, *(table for folder in _folders(path) for table in _tables(folder))])
        if chosen is not None:
            return chosen
    if len(own) == 1:
        return Chosen(own[0])
    training = [t for t in own if _TRAIN.fullmatch(_stem(t))]
    if len(training) == 1 and all(t in training or _NO_TRAIN.fullmatch(_stem(t)) for t in own):
        others = listed([t.name for t in own if t not in training])
        message = f"{training[0].name} is read, not {others}, which are taken for rows without labels or for others to be judged on"
        return Chosen(training[0], findings=(Finding("table-chosen", "info", message, 0, "Name the table itself to read another."),))
    raise UserError(f"{where}: holds {len(own)} tables{f' ({listed([t.name for t in own])})' if own else ''}; name the one to ingest")


def files_beside(where: str | Path) -> Path:
    """The folder in which the files of a table are looked for when none is named: the one that was given, else the table's own."""
    path = Path(where).expanduser()
    return path if path.is_dir() else path.parent


def _chosen(known: TableSet, tables: list[Path]) -> Chosen | None:
    first = [t for t in tables if re.fullmatch(known.first, _stem(t), re.IGNORECASE)]
    found = [(t, on) for pattern, on in known.joined for t in tables if re.fullmatch(pattern, _stem(t), re.IGNORECASE)]
    if len(first) != 1 or len(found) < known.needed or len({t.name for t, _ in found}) < len(found):
        return None
    message = f"the tables of {known.title} are read together: {first[0].name} with {', '.join(f'{t.name} by {on}' for t, on in found)}"
    return Chosen(first[0], tuple(f"{t}:{on}" for t, on in found), (Finding("tables-together", "info", message, 0, "Name one table to read it alone."),))


def _tables(folder: Path) -> list[Path]:
    return sorted(p for p in folder.iterdir() if is_table(p.name) and not p.name.startswith(".") and p.is_file())


def _folders(path: Path) -> list[Path]:
    return sorted(p for p in path.iterdir() if p.is_dir() and not p.is_symlink() and not p.name.startswith("."))


def _stem(path: Path) -> str:
    return re.sub(r"(\.[A-Za-z]\w*)+$", "", path.name)
