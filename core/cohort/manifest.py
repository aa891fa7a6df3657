"""A cohort's description as a file beside its table: manifest.toml or manifest.json.

::

    name = "Clinic A"
    id = "image_id"
    patient = "patient_id"
    label = "malignant"
    positive = "1"
    attributes = ["sex"]
    drop = ["licence"]

    [[modality]]
    name = "photo"
    kind = "image"
    columns = ["path"]

    [titles]
    fitzpatrick = "skin type"
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import tomli_w

from core.cohort.schema import Modality, Roles
from core.errors import UserError
from core.json_reading import read_json

KEYS = (
    "name",
    "id",
    "patient",
    "label",
    "positive",
    "split",
    "attributes",
    "drop",
    "modality",
    "titles",
    "about",
    "uncertain",
    "blank",
    "merge",
    "bins",
    "classes",
    "cross",
    "folds",
    "fold",
    "site",
    "weights",
)


def read_manifest(path: Path) -> tuple[Roles, str | None]:
    """Roles and the cohort's name. Raises UserError naming the file and the wrong key."""
    try:
        if path.suffix.lower() == ".json":
            value = read_json(path)
        elif not path.is_file() and path.exists():
            raise ValueError("is no regular file")
        else:
            value = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise UserError(f"{path}: cannot be read ({error.strerror})") from error
    except RecursionError:
        raise UserError(f"{path}: is nested too deeply") from None
    except ValueError as error:
        raise UserError(f"{path}: not valid {path.suffix.lower().lstrip('.') or 'TOML'} ({error})") from error
    if not isinstance(value, dict):
        raise UserError(f'{path}: must be a table of keys, such as label = "y"')
    return _roles(value, path), value.get("name")


def write_manifest(path: Path, roles: Roles, name: str) -> None:
    """Write the roles as the TOML file that `read_manifest` reads."""
    value: dict[str, Any] = {"name": name}
    for key, column in (("id", roles.sample_id), ("patient", roles.patient_id), ("label", roles.label), ("positive", roles.positive), ("split", roles.split)):
        if column is not None:
            value[key] = column
    value["attributes"] = list(roles.attributes)
    value["drop"] = list(roles.dropped)
    value["modality"] = [{"name": m.name, "kind": m.kind, "columns": list(m.columns)} for m in roles.modalities]
    value |= {
        k: list(v) if isinstance(v, tuple) else v
        for k, v in roles.to_dict().items()
        if k in ("uncertain", "blank", "merge", "bins", "classes", "cross", "folds", "fold", "site", "weights")
    }
    if roles.titles:
        value["titles"] = dict(roles.titles)
    path.write_text(tomli_w.dumps(value), encoding="utf-8")


def _roles(value: Mapping[str, Any], path: Path) -> Roles:
    unknown = sorted(set(value) - set(KEYS))
    if unknown:
        raise UserError(f"{path}: unknown key {unknown[0]!r}; known keys: {', '.join(KEYS)}")
    for key in ("label", "positive"):
        if key not in value:
            raise UserError(f"{path}: key {key!r} is missing")
    modalities = []
    for entry in _list(value, "modality", path):
        if not isinstance(entry, dict) or not {"name", "kind", "columns"} <= set(entry):
            raise UserError(f"{path}: each [[modality]] needs name, kind and columns")
        if not isinstance(entry["columns"], list):
            raise UserError(f"{path}: columns of modality {entry['name']!r} must be a list")
        modalities.append(Modality(str(entry["name"]), entry["kind"], tuple(map(str, entry["columns"]))))
    titles = value.get("titles", {})
    if not isinstance(titles, dict):
        raise UserError(f'{path}: titles must be a table of column = "title"')
    positive = value["positive"]
    return Roles(
        sample_id=_column(value, "id", path),
        patient_id=_column(value, "patient", path),
        label=str(value["label"]),
        positive=str(positive),
        split=_column(value, "split", path),
        attributes=tuple(map(str, _list(value, "attributes", path))),
        modalities=tuple(modalities),
        dropped=tuple(map(str, _list(value, "drop", path))),
        titles={str(k): str(v) for k, v in titles.items()},
        uncertain=str(value.get("uncertain", "exclude")),
        blank=str(value.get("blank", "exclude")),
        merge=tuple(map(str, _list(value, "merge", path))),
        bins=tuple(map(str, _list(value, "bins", path))),
        classes=tuple(map(str, _list(value, "classes", path))),
        cross=tuple(map(str, _list(value, "cross", path))),
        folds=_whole_number(value, "folds", path),
        fold=_column(value, "fold", path),
        site=_column(value, "site", path),
        weights=_column(value, "weights", path),
    )


def _whole_number(value: Mapping[str, Any], key: str, path: Path) -> int:
    number = value.get(key, 0)
    if not isinstance(number, int) or isinstance(number, bool):
        raise UserError(f"{path}: {key} must be a whole number")
    return number


def _column(value: Mapping[str, Any], key: str, path: Path) -> str | None:
    column = value.get(key)
    if column is not None and not isinstance(column, str):
        raise UserError(f"{path}: {key} must be a column name")
    return column


def _list(value: Mapping[str, Any], key: str, path: Path) -> list[Any]:
    entries = value.get(key, [])
    if not isinstance(entries, list):
        raise UserError(f"{path}: {key} must be a list")
    return entries
