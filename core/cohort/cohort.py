"""A cohort as it lies in the workspace: immutable, named by the hash of its content."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from core.cohort import tabular, text
from core.cohort.arrays import MIN_SIZE, file_array
from core.cohort.guess import column_roles
from core.cohort.schema import RESERVED, Finding, Modality, Roles, stored_name
from core.errors import DamagedFile, UserError, command
from core.workspace import Workspace, read_json, write_json

ALIASES = "names.json"
Arrays = dict[str, Any]


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


class Cohort:
    """One saved cohort. Everything is read when first asked for."""

    def __init__(self, folder: Path) -> None:
        """Raises DamagedFile when the folder's manifest is not what it should be."""
        self.folder = folder
        self.manifest: dict[str, Any] = _manifest(folder)
        self.cohort_id: str = self.manifest["cohort_id"]
        self.name: str = self.manifest["name"]
        self.roles = Roles.from_dict(self.manifest["roles"])
        self._encoded: dict[str, tabular.Encoded] = {}
        self._tokens: dict[str, tuple[text.Tokenizer, Arrays]] = {}

    @property
    def n(self) -> int:
        return int(self.manifest["n"])

    @property
    def n_patients(self) -> int:
        return int(self.manifest["n_patients"])

    @property
    def modality_names(self) -> tuple[str, ...]:
        return tuple(m.name for m in self.roles.modalities)

    @property
    def modality_kinds(self) -> dict[str, str]:
        return {m.name: m.kind for m in self.roles.modalities}

    @cached_property
    def findings(self) -> list[Finding]:
        return [Finding.from_dict(f) for f in read_json(self.folder / "findings.json")["findings"]]

    @cached_property
    def checks(self) -> list[dict[str, Any]]:
        """Every check that was made: code, title, outcome (passed, failed, not applicable), reason."""
        return read_json(self.folder / "findings.json")["checks"]

    @cached_property
    def columns(self) -> list[dict[str, str]]:
        """Every column of the user's table: column, role, why; cohorts saved by earlier versions have no reasons."""
        kept = self.manifest.get("columns")
        return list(kept) if kept is not None else column_roles(pd.DataFrame(columns=self._table_columns()), self.roles, {})

    def _table_columns(self) -> list[str]:
        named = [self.roles.sample_id, self.roles.patient_id, self.roles.label, self.roles.split, *self.roles.attributes, *self.roles.feature_columns, *self.roles.dropped]
        return list(dict.fromkeys(c for c in named if c is not None))

    @cached_property
    def set_aside(self) -> list[dict[str, Any]]:
        """Rows of the user's table that are not in the cohort: row (1-based, below the header), sample_id, reason."""
        return read_json(self.folder / "findings.json")["set_aside"]

    @cached_property
    def table(self) -> pd.DataFrame:
        """One row per sample: sample_id, patient_id, y (int8), split, attributes (str or None), all other columns."""
        try:
            table = pd.read_parquet(self.folder / "table.parquet")
        except (OSError, ValueError) as error:
            raise _damaged(self.folder, "table.parquet", f"cannot be read ({_short(error)})") from None
        lacking = [name for name in (*RESERVED, *self.roles.attributes) if name not in table.columns]
        if lacking:
            raise _damaged(self.folder, "table.parquet", f"has no column {lacking[0]!r}")
        for attribute in self.roles.attributes:
            values = [str(v) if isinstance(v, str) else None for v in table[attribute]]
            # pandas would infer its own text type, in which None becomes NaN.
            table[attribute] = pd.Series(values, index=table.index, dtype="object")
        return table

    @cached_property
    def y(self) -> NDArray[np.int8]:
        return self.table["y"].to_numpy(dtype=np.int8)

    @cached_property
    def present(self) -> NDArray[np.bool_]:
        """(n, M): which modalities each sample has."""
        return np.load(self.folder / "arrays" / "present.npy", allow_pickle=False)

    def rows(self, split: str) -> NDArray[np.int64]:
        """Row numbers of one split."""
        return np.flatnonzero((self.table["split"] == split).to_numpy())

    def groups(self, attribute: str) -> tuple[str, ...]:
        """Sorted values of the attribute that occur in training."""
        self._known(attribute)
        values = self.table.loc[(self.table["split"] == "train").to_numpy(), attribute].dropna()
        return tuple(sorted(values.astype(str).unique()))

    def group_index(self, attribute: str) -> NDArray[np.int64]:
        """Per row the index into `groups(attribute)`; -1 where missing, or never seen in training."""
        index = {g: i for i, g in enumerate(self.groups(attribute))}
        return np.array([index.get(v, -1) if isinstance(v, str) else -1 for v in self.table[attribute]], np.int64)

    def modality(self, name: str) -> Modality:
        for modality in self.roles.modalities:
            if modality.name == name:
                return modality
        raise UserError(f"cohort {self.name!r} has no modality {name!r}; it has: {', '.join(self.modality_names)}")

    def arrays(self, size: int | None = None) -> Arrays:
        """Modality -> what `core.models.batch.Batch.inputs` describes, for all rows, as NumPy arrays.

        `size`: edge in pixels of images and volume slices; the size kept at
        ingestion when None. File arrays are read-only memory maps.
        """
        return {m.name: self.array(m.name, size) for m in self.roles.modalities}

    def array(self, name: str, size: int | None = None) -> Any:
        """One modality of `arrays`."""
        modality = self.modality(name)
        if modality.kind in ("image", "volume"):
            return file_array(self.folder, self.manifest["files"][name], name, size)
        if modality.kind == "text":
            return self._tokenized(name)[1]
        encoded = self._tabular(name)
        return {"values": encoded.values, "missing": encoded.missing}

    def native_size(self, name: str) -> int | None:
        """Longest edge in pixels of the modality's files; None for text and tables."""
        files = self.manifest["files"].get(name)
        return None if files is None else max(int(files["native"]), MIN_SIZE)

    def texts(self, name: str) -> list[str]:
        """The notes themselves, "" where there is none."""
        columns = [stored_name(c) for c in self.modality(name).columns]
        return ["\n".join(str(v) for v in row if isinstance(v, str) and v) for row in self.table[columns].to_numpy(dtype=object)]

    def tokenizer(self, name: str) -> text.Tokenizer:
        return self._tokenized(name)[0]

    def tabular_features(self, name: str) -> tuple[str, ...]:
        """Names of the columns of `array(name)["values"]`."""
        return self._tabular(name).names

    def donated_columns(self, name: str) -> tuple[str, ...]:
        """Columns whose gaps predict the label and were therefore filled from training donors."""
        return self._tabular(name).donated

    def _tabular(self, name: str) -> tabular.Encoded:
        if name not in self._encoded:
            columns = [stored_name(c) for c in self.modality(name).columns]
            train = (self.table["split"] == "train").to_numpy()
            self._encoded[name] = tabular.encode(self.table, columns, self.y, train, seed=int(self.cohort_id, 16) % 2**32)
        return self._encoded[name]

    def _tokenized(self, name: str) -> tuple[text.Tokenizer, Arrays]:
        if name not in self._tokens:
            notes = self.texts(name)
            tokenizer = text.fit([notes[i] for i in self.rows("train")])
            ids, mask = tokenizer.encode(notes)
            self._tokens[name] = tokenizer, {"ids": ids, "mask": mask}
        return self._tokens[name]

    def _known(self, attribute: str) -> None:
        if attribute not in self.roles.attributes:
            raise UserError(f"cohort {self.name!r} has no sensitive attribute {attribute!r}; it has: {', '.join(self.roles.attributes) or 'none'}")

    def summary(self) -> CohortSummary:
        return CohortSummary(self.cohort_id, self.name, self.n, self.n_patients, self.manifest["created"], self.modality_names, self.roles.attributes)


def load(workspace: Workspace, id_or_name: str) -> Cohort:
    """The cohort with this id, name or unambiguous start of an id. UserError lists the known ones."""
    names = _names(workspace)
    known = list_cohorts(workspace)
    exact = [c for c in known if c.cohort_id == id_or_name]
    named = [c for c in known if c.name == id_or_name or names.get(id_or_name) == c.cohort_id]
    start = [c for c in known if len(id_or_name) >= 4 and c.cohort_id.startswith(id_or_name)]
    for found in (exact, named, start):
        if len(found) == 1:
            return Cohort(workspace.cohorts / found[0].cohort_id)
    listing = ", ".join(f"{c.name} ({c.cohort_id})" for c in known) or "none yet; make one with multifair ingest or multifair sample"
    raise UserError(f"no cohort {id_or_name!r}; known cohorts: {listing}")


def list_cohorts(workspace: Workspace) -> list[CohortSummary]:
    """All whole cohorts, newest first."""
    found = []
    for folder in _folders(workspace):
        try:
            found.append(Cohort(folder).summary())
        except DamagedFile:
            continue
    return sorted(found, key=lambda c: (c.created, c.cohort_id), reverse=True)


def damaged_cohorts(workspace: Workspace) -> list[DamagedFile]:
    """Cohorts whose manifest or table cannot be read, each with the file, what is wrong with it and what to do."""
    found = []
    for folder in _folders(workspace):
        try:
            _ = Cohort(folder).table
        except DamagedFile as error:
            found.append(error)
    return found


def _folders(workspace: Workspace) -> list[Path]:
    return [f for f in workspace.entries(workspace.cohorts) if not f.name.startswith(".") and (f / "manifest.json").exists()]


def _manifest(folder: Path) -> dict[str, Any]:
    """The folder's manifest with every part that a cohort is built from. Raises DamagedFile."""
    try:
        value = read_json(folder / "manifest.json")
        if not isinstance(value, dict):
            raise ValueError("holds no object")
        wanted = {"cohort_id": str, "name": str, "created": str, "n": int, "n_patients": int, "roles": dict, "files": dict}
        for key, kind in wanted.items():
            if not isinstance(value.get(key), kind):
                raise ValueError(f"has no {key}")
        if value["cohort_id"] != folder.name:
            raise ValueError(f"belongs to another cohort ({value['cohort_id'][:40]!r})")
        Roles.from_dict(value["roles"])
    except (OSError, ValueError) as error:
        raise _damaged(folder, "manifest.json", _short(error)) from None
    except (KeyError, TypeError, AttributeError):
        raise _damaged(folder, "manifest.json", "has unusable roles") from None
    return value


def _damaged(folder: Path, file: str, why: str) -> DamagedFile:
    return DamagedFile(f"cohort {folder.name}", file, why, f"delete it with {command('delete', 'cohort', folder.name)} and bring its table again")


def _short(error: Exception) -> str:
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
    path = workspace.cohorts / ALIASES
    try:
        value = read_json(path)
    except (FileNotFoundError, ValueError):
        return {}
    return {name: identity for name, identity in value.items() if isinstance(identity, str)} if isinstance(value, dict) else {}


def now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
