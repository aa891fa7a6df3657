"""Which cohorts a workspace holds, from their manifests alone: no table or image is opened, no pandas imported."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any

from core.errors import DamagedFile, UserError, command
from core.json_reading import read_json
from core.workspace import Workspace, is_whole_parquet, read_json_remembered, write_json

ALIASES = "names.json"
MANIFEST = "manifest.json"
TABLE = "table.parquet"
FILE_KINDS = ("image", "volume")
"""Kinds of modality whose pixels lie in files of their own."""
SHORTEST_START = 4
"""Letters of a cohort's id that may stand for the whole."""


@dataclass(frozen=True)
class CohortSummary:
    """One line of a list of cohorts."""

    cohort_id: str
    name: str
    n: int
    n_patients: int
    created: str
    """ISO 8601, UTC."""
    modalities: tuple[str, ...]
    attributes: tuple[str, ...]


def list_cohorts(workspace: Workspace) -> list[CohortSummary]:
    """All whole cohorts, newest first; damaged ones are in `damaged_cohorts`."""
    found = []
    for folder in _folders(workspace):
        try:
            found.append(summary_of(read_manifest(folder)))
        except DamagedFile:
            continue
    return sorted(found, key=lambda c: (c.created, c.cohort_id), reverse=True)


def damaged_cohorts(workspace: Workspace) -> list[DamagedFile]:
    """Cohorts whose manifest or table is damaged, each with the file, what is wrong with it and what to do."""
    return list(damage_by_cohort(workspace).values())


def damage_by_cohort(workspace: Workspace) -> dict[str, DamagedFile]:
    """`damaged_cohorts` by the cohort's id."""
    found = {folder.name: damage_of(folder) for folder in _folders(workspace)}
    return {cohort_id: error for cohort_id, error in found.items() if error is not None}


def damage_of(folder: Path) -> DamagedFile | None:
    """What is wrong with a cohort's manifest or table; None for a whole one."""
    try:
        read_manifest(folder)
    except DamagedFile as error:
        return error
    return None if is_whole_parquet(folder / TABLE) else damaged_file(folder, TABLE, "is missing or cut off")


def find_cohort(workspace: Workspace, id_or_name: str) -> Path:
    """Folder of the cohort with this id, name or unambiguous start of an id. UserError lists the known ones."""
    names = _names(workspace)
    known = list_cohorts(workspace)
    exact = [c for c in known if c.cohort_id == id_or_name]
    named = [c for c in known if c.name == id_or_name or names.get(id_or_name) == c.cohort_id]
    start = [c for c in known if len(id_or_name) >= SHORTEST_START and c.cohort_id.startswith(id_or_name)]
    for found in (exact, named, start):
        if len(found) == 1:
            return workspace.cohorts / found[0].cohort_id
    for error in damaged_cohorts(workspace):
        if error.owner == f"cohort {id_or_name}":
            raise error
    listing = ", ".join(f"{c.name} ({c.cohort_id})" for c in known) or "none yet; make one with multifair ingest or multifair sample"
    raise UserError(f"no cohort {id_or_name!r}; known cohorts: {listing}")


def read_manifest(folder: Path) -> dict[str, Any]:
    """The folder's manifest with every part that a cohort is built from; nobody may write into it. Raises DamagedFile."""
    try:
        return read_json_remembered(folder / MANIFEST, partial(checked_manifest, folder=folder))
    except (OSError, ValueError) as error:
        raise damaged_file(folder, MANIFEST, in_short(error)) from None


def summary_of(manifest: Mapping[str, Any]) -> CohortSummary:
    """What lists of cohorts show, from a cohort's manifest.json."""
    roles = manifest["roles"]
    modalities = tuple(item["name"] for item in roles.get("modalities", ()))
    return CohortSummary(
        manifest["cohort_id"], manifest["name"], manifest["n"], manifest["n_patients"], manifest["created"], modalities, tuple(roles.get("attributes", ()))
    )


def damaged_file(folder: Path, file: str, why: str) -> DamagedFile:
    """The error for a file of a cohort's folder that cannot be used, with what to do about it."""
    return DamagedFile(f"cohort {folder.name}", file, why, f"delete it with {command('delete', 'cohort', name=folder.name)} and bring its table again")


def in_short(error: Exception) -> str:
    """What an error says, on one line."""
    return " ".join(str(error).split())[:160] or type(error).__name__


def free_name(workspace: Workspace, wanted: str) -> str:
    """`wanted`, or with a number when another cohort has that name."""
    taken = {c.name for c in list_cohorts(workspace)} | set(_names(workspace))
    name, number = wanted, 2
    while name in taken:
        name, number = f"{wanted} ({number})", number + 1
    return name


def add_alias(workspace: Workspace, name: str, cohort_id: str) -> None:
    """Let a cohort that exists already be found by a further name."""
    write_json(workspace.cohorts / ALIASES, _names(workspace) | {name: cohort_id})


def forget_aliases(workspace: Workspace, cohort_id: str) -> None:
    """Free the further names of a cohort that is gone for good."""
    known = _names(workspace)
    rest = {name: identity for name, identity in known.items() if identity != cohort_id}
    if rest != known:
        write_json(workspace.cohorts / ALIASES, rest)


def _names(workspace: Workspace) -> dict[str, str]:
    """Further names by cohort; a damaged list of them costs these names and no cohort."""
    try:
        value = read_json(workspace.cohorts / ALIASES)
    except (FileNotFoundError, ValueError):
        return {}
    return {name: identity for name, identity in value.items() if isinstance(identity, str)} if isinstance(value, dict) else {}


def _folders(workspace: Workspace) -> list[Path]:
    return [f for f in workspace.entries(workspace.cohorts) if not f.name.startswith(".") and (f / MANIFEST).exists()]


def checked_manifest(value: Any, folder: Path) -> dict[str, Any]:
    """`value` if it is the manifest of the cohort in this folder; ValueError says what is wrong."""
    _fields(value, {"cohort_id": str, "name": str, "created": str, "n": int, "n_patients": int, "roles": dict, "files": dict}, "")
    if value["cohort_id"] != folder.name:
        raise ValueError(f"belongs to another cohort ({value['cohort_id'][:40]!r})")
    try:
        datetime.fromisoformat(value["created"])
    except ValueError:
        raise ValueError("has no time as created") from None
    roles = value["roles"]
    _fields(roles, {"label": str, "positive": (str, int, float), "modalities": list}, "roles.")
    for name in ("sample_id", "patient_id", "split", "fold", "site", "weights"):
        if not isinstance(roles.get(name), (str, type(None))):
            raise ValueError(f"has no usable roles.{name}")
    for name in ("attributes", "dropped", "merge", "bins", "classes", "cross"):
        _texts(roles.get(name, []), f"roles.{name}")
    titles = roles.get("titles", {})
    _texts(list(titles.values()) if isinstance(titles, dict) else titles, "roles.titles")
    if not _is(roles.get("folds", 0), int) or not _is(value.get("folds", 0), int):
        raise ValueError("has no usable folds")
    _modalities(roles["modalities"], value["files"])
    columns = value.get("columns")
    if not isinstance(columns, (list, type(None))):
        raise ValueError("has no usable columns")
    for item in columns or ():
        _fields(item, {"column": str, "role": str, "why": str}, "columns.")
    return dict(value)


def _modalities(items: list[Any], files: dict[str, Any]) -> None:
    if not items:
        raise ValueError("has no modality")
    for item in items:
        _fields(item, {"name": str, "kind": str, "columns": list}, "roles.modalities.")
        _texts(item["columns"], "roles.modalities.columns")
        if item["kind"] in FILE_KINDS:
            if item["name"] not in files:
                raise ValueError(f"has no files of {item['name']!r}")
            _fields(files[item["name"]], {"kind": str, "size": int, "native": int, "source": dict}, "files.")


def _fields(value: Any, wanted: Mapping[str, type | tuple[type, ...]], path: str) -> None:
    if not isinstance(value, dict):
        raise ValueError(f"holds no object{f' as {path[:-1]}' if path else ''}")
    for key, kind in wanted.items():
        if not _is(value.get(key), kind):
            raise ValueError(f"has no {path}{key}")


def _texts(value: Any, path: str) -> None:
    if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
        raise ValueError(f"has no usable {path}")


def _is(value: Any, kind: type | tuple[type, ...]) -> bool:
    # True and False are whole numbers to Python, and to nobody else.
    return isinstance(value, kind) and not isinstance(value, bool)
