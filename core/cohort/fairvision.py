"""FairVision and FairVLMed as their owners ship them; none of their data is part of this project.

Both are folders of one NPZ file per patient. The table is made from the small
fields in these files; the pictures stay where they are.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pandas as pd

from core.cohort.cohort import Cohort
from core.cohort.decode import Progress, silent
from core.cohort.ingest import ingest_table
from core.cohort.schema import Modality, Roles
from core.cohort.sources import FolderSource, Unreadable
from core.cohort.volumes import read_fields
from core.errors import UserError
from core.tables.group_words import HISPANIC, NOT_HISPANIC, is_unknown, meaning, plain
from core.tables.reader import read_table
from core.tables.splits import SPLITS, split_word
from core.workspace import Workspace

DISEASES = ("AMD", "DR", "Glaucoma")
CODES: Mapping[str, Mapping[int, str]] = {
    "race": {0: "Asian", 1: "Black", 2: "White"},
    "male": {0: "female", 1: "male"},
    "hispanic": {0: "not hispanic", 1: "hispanic"},
    "language": {0: "English", 1: "Spanish", 2: "other"},
    "maritalstatus": {0: "married", 1: "single", 2: "divorced", 3: "widowed", 4: "legally separated"},
}
"""What the numbers in the files mean (the data set's README and its loader); any other number is unknown."""
MARITAL = {
    "married": "married", "single": "single", "never married": "single", "divorced": "divorced", "widowed": "widowed", "widow": "widowed",
    "leg sep": "legally separated", "legally separated": "legally separated", "separated": "legally separated",
}  # fmt: skip
LANGUAGES = {"english": "English", "eng": "English", "en": "English", "spanish": "Spanish", "español": "Spanish", "es": "Spanish", "others": "other"}
_NO_AMD = frozenset({"not.in.icd.table", "no.amd.diagnosis", "no.amd"})
_AMD = re.compile(r"\b(early|intermediate|advanced|late|dry|wet|atrophic|neovascular\w*|exudative|geographic|amd)\b")
_DR = frozenset({"severe.npdr", "pdr"})
_NO_DR = frozenset({"not.in.icd.table", "no.dr.diagnosis", "no.dr", "mild.npdr", "moderate.npdr"})
_FIELDS = ("race", "male", "hispanic", "language", "maritalstatus", "age", "md", "tds", "glaucoma", "amd_condition", "dr_subtype")
_NOTES = ("gpt-4_summarized_notes.csv", "gpt4_summarized_notes.csv")
_SUMMARY_FIELDS = {"gender": "male", "ethnicity": "hispanic"}
_ATTRIBUTES = ("race", "gender", "ethnicity", "language", "maritalstatus")


def ingest_fairvision(
    workspace: Workspace,
    root: str | Path,
    disease: str,
    *,
    name: str | None = None,
    limit: int | None = None,
    size: int | None = None,
    strict: bool = False,
    progress: Progress = silent,
) -> Cohort:
    """Save one disease of FairVision: fundus picture and OCT volume, label diseased or not.

    `root`: the folder that holds AMD, DR and Glaucoma. `limit`: at most so many
    patients per split. md, of which the glaucoma label is a threshold, is
    dropped. Raises UserError.
    """
    if disease not in DISEASES:
        raise UserError(f"no disease {disease!r} in FairVision; choose one of: {', '.join(DISEASES)}")
    folder = Path(root).expanduser() / disease
    if not folder.is_dir():
        raise UserError(f"{folder}: no such folder; name the folder that holds {', '.join(DISEASES)}")
    rows = _scan(folder, _FIELDS, lambda fields: _vision_row(fields, disease), limit, progress)
    modalities = (Modality("fundus", "image", ("fundus",)), Modality("oct", "volume", ("oct",)))
    table = pd.DataFrame([r | {"fundus": f"{r['id']}.npz#slo_fundus", "oct": f"{r['id']}.npz#oct_bscans"} for r in rows], dtype="object")
    return ingest_table(workspace, table, FolderSource(folder), _roles(table, modalities), name or f"FairVision {disease}", strict, progress, size=size)


def recognised_folder(root: str | Path) -> tuple[str, Path, str | None] | None:
    """`("fairvision", folder above the disease, disease)` or `("fairvlmed", folder, None)` for a folder of that layout; None for any other.

    Told apart by what the first file holds. Raises UserError for the folder of several diseases, which asks for one.
    """
    folder = Path(root).expanduser()
    if not folder.is_dir():
        return None
    first = _first_file(folder)
    if first is not None:
        try:
            fields = read_fields(first, ("note", "slo_fundus", "race", "glaucoma", "amd_condition", "dr_subtype"))
        except Unreadable:
            return None
        if "race" not in fields or "slo_fundus" not in fields:
            return None
        return ("fairvlmed", folder, None) if "note" in fields else ("fairvision", folder.resolve().parent, folder.resolve().name)
    diseases = [d for d in DISEASES if (folder / d).is_dir() and _first_file(folder / d) is not None]
    if len(diseases) > 1:
        raise UserError(f"{root}: holds {', '.join(diseases)} of FairVision; which one? Name its folder, for example {folder / diseases[0]}")
    return ("fairvision", folder, diseases[0]) if diseases else None


def _first_file(folder: Path) -> Path | None:
    """The first NPZ file of a folder with a folder for each split; None for any other folder."""
    inner = [f for f in sorted(folder.iterdir()) if f.is_dir() and split_word(f.name)]
    return next((p for f in inner for p in sorted(f.glob("*.npz"))), None) if len(inner) >= 2 else None


def ingest_fairvlmed(
    workspace: Workspace,
    root: str | Path,
    *,
    name: str | None = None,
    limit: int | None = None,
    size: int | None = None,
    summaries: bool = False,
    strict: bool = False,
    progress: Progress = silent,
) -> Cohort:
    """Save FairVLMed: fundus picture and clinical note, label glaucoma.

    `summaries`: the summarised notes of the CSV file beside the data instead of
    the original ones. The note with demographics in front (note_extra) is never
    used; md and tds, of which the label is a threshold, are dropped. Raises UserError.
    """
    folder = Path(root).expanduser()
    if not folder.is_dir():
        raise UserError(f"{folder}: no such folder")
    fields = ("race", "gender", "ethnicity", "language", "maritalstatus", "age", "glaucoma", *(() if summaries else ("note",)))
    rows = _scan(folder, fields, _vlmed_row, limit, progress)
    _from_summary(rows, folder, summaries)
    table = pd.DataFrame([r | {"fundus": f"{r['id']}.npz#slo_fundus"} for r in rows], dtype="object")
    modalities = (Modality("fundus", "image", ("fundus",)), Modality("note", "text", ("note",)))
    return ingest_table(workspace, table, FolderSource(folder), _roles(table, modalities), name or "FairVLMed", strict, progress, size=size)


def _roles(table: pd.DataFrame, modalities: tuple[Modality, ...]) -> Roles:
    attributes = tuple(a for a in _ATTRIBUTES if a in table and table[a].nunique() > 1)
    used = {"id", "label", "split", *attributes, *(c for m in modalities for c in m.columns)}
    return Roles("id", "id", "label", "1", "split", attributes, modalities, tuple(c for c in table.columns if c not in used))


def _scan(
    folder: Path, fields: tuple[str, ...], row: Callable[[dict[str, Any]], dict[str, Any]], limit: int | None, progress: Progress
) -> list[dict[str, Any]]:
    """One row per NPZ file, in order of split and name. Raises UserError when a split has no file or a file no label."""
    files: list[tuple[str, Path]] = []
    split_folders = {f: split_word(f.name) for f in sorted(folder.iterdir()) if f.is_dir()}
    for split in SPLITS:
        mine = [p for f, s in split_folders.items() if s == split for p in sorted(f.glob("*.npz"))]
        if not mine:
            raise UserError(f"{folder}: no .npz files for {split}; folders such as Training, Validation and Test are expected")
        files += [(split, p) for p in mine[:limit]]
    progress(f"reading the records of {len(files)} patients")

    def one(item: tuple[str, Path]) -> dict[str, Any]:
        split, path = item
        relative = path.relative_to(folder).with_suffix("").as_posix()
        try:
            values = row(read_fields(path, fields))
        except (Unreadable, ValueError) as error:
            # The row stays without a label and is set aside with all others that cannot be used.
            progress(f"{relative}.npz: {error}")
            values = {"label": None}
        return {"id": relative, "split": split, **values}

    with ThreadPoolExecutor(max_workers=min(8, os.cpu_count() or 1)) as pool:
        return list(pool.map(one, files))


def _vision_row(fields: dict[str, Any], disease: str) -> dict[str, Any]:
    values = {k: _scalar(v) for k, v in fields.items() if k != "tds"}
    label: int | None = None
    if disease == "Glaucoma":
        label = _yes_or_no(values.get("glaucoma"))
    elif disease == "AMD" and (word := _dotted(values.get("amd_condition"))) is not None:
        label = 0 if word in _NO_AMD else 1 if _AMD.search(word.replace(".", " ")) else None
    elif disease == "DR" and (word := _dotted(values.get("dr_subtype"))) is not None:
        label = 1 if word in _DR else 0 if word in _NO_DR else None
    coded = {k: _decoded(k, values.get(k)) for k in CODES}
    return {
        "label": None if label is None or label not in (0, 1) else str(label),
        "race": coded["race"],
        "gender": coded["male"],
        "ethnicity": coded["hispanic"],
        "language": coded["language"],
        "maritalstatus": coded["maritalstatus"],
        "age": values.get("age"),
        "md": values.get("md"),
    }


def _vlmed_row(fields: dict[str, Any]) -> dict[str, Any]:
    values = {k: _scalar(v) for k, v in fields.items()}
    label = _yes_or_no(values.get("glaucoma"))
    return {
        "label": None if label not in (0, 1) else str(label),
        "race": _decoded("race", values.get("race")),
        "gender": _decoded("male", values.get("gender")),
        "ethnicity": _decoded("hispanic", values.get("ethnicity")),
        "language": _decoded("language", values.get("language")),
        "maritalstatus": _decoded("maritalstatus", values.get("maritalstatus")),
        "age": values.get("age"),
        "note": values.get("note"),
    }


def _from_summary(rows: list[dict[str, Any]], folder: Path, summaries: bool) -> None:
    """Words of data_summary.csv take precedence over the numbers in the files; summarised notes when asked for."""
    by_file = {Path(r["id"]).name: r for r in rows}
    path = folder / "data_summary.csv"
    if path.is_file():
        table = read_table(path)
        for record in table.to_dict("records"):
            row = by_file.get(Path(str(record.get("filename", ""))).stem)
            for column in _ATTRIBUTES if row is not None else ():
                if record.get(column) is not None and row is not None:
                    row[column] = _decoded(_SUMMARY_FIELDS.get(column, column), str(record[column]))
    if not summaries:
        return
    notes = next((folder / n for n in _NOTES if (folder / n).is_file()), None)
    if notes is None:
        raise UserError(f"{folder}: no summarised notes; expected {' or '.join(_NOTES)}")
    table = read_table(notes)
    text = next((c for c in table.columns if "summar" in c.lower() or c.lower() in ("note", "notes")), None)
    file = next((c for c in table.columns if c.lower() in ("filename", "file", "id")), None)
    if text is None or file is None:
        raise UserError(f"{notes}: columns for the file name and the summary are expected; it has: {', '.join(table.columns)}")
    for name, note in zip(table[file], table[text], strict=True):
        if name is not None and (row := by_file.get(Path(name).stem)) is not None:
            row["note"] = note


def _scalar(value: Any) -> str | None:
    text = str(value.item() if getattr(value, "size", 0) == 1 else "").strip()
    return None if text.lower() in ("", "nan", "none") else text


def _number(text: str | None) -> int | None:
    try:
        return None if text is None else int(float(text))
    except ValueError:
        return None


def _yes_or_no(text: str | None) -> int | None:
    number = _number(text)
    return number if number is not None or text is None else {"yes": 1, "no": 0, "true": 1, "false": 0}.get(text.lower())


def _dotted(text: str | None) -> str | None:
    """`No AMD diagnosis` as `no.amd.diagnosis`; a word that is not known leaves its row without a label, which is said."""
    return None if text is None else re.sub(r"[^a-z0-9]+", ".", text.lower()).strip(".")


def _decoded(field: str, text: str | None) -> str | None:
    """A group under its one name, from its number or from any of its words; None where it is not known; other words as they are."""
    number = _number(text)
    if number is not None:
        return CODES[field].get(number)
    if text is None or is_unknown(text):
        return None
    word = plain(text)
    if field == "maritalstatus":
        return MARITAL.get(word, text)
    if field == "language":
        return LANGUAGES.get(word, "other" if word == "other" else text)
    if field == "hispanic":
        known = dict.fromkeys(map(plain, NOT_HISPANIC), "not hispanic") | dict.fromkeys(map(plain, HISPANIC), "hispanic")
        return (known | {"no": "not hispanic", "yes": "hispanic"}).get(word, text)
    family, names = ("sex", ("female", "male")) if field == "male" else ("race", ("White", "Black", "Asian"))
    place = meaning(text, family)
    return names[place] if place is not None and place < len(names) else text
