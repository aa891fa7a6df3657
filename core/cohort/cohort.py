"""A cohort as it lies in the workspace: immutable, named by the hash of its content."""

from __future__ import annotations

from datetime import UTC, datetime
from functools import cached_property
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from core.cohort import tabular, text
from core.cohort.arrays import MIN_SIZE, file_array, load_array
from core.cohort.folds import split_of_fold
from core.cohort.guess import column_roles
from core.cohort.schema import RESERVED, Finding, Modality, Roles, stored_name
from core.cohort_folders import (
    CohortSummary,
    add_alias,
    damaged_file,
    find_cohort,
    free_name,
    in_short,
    list_cohorts,
    read_manifest,
    summary_of,
)
from core.errors import UserError
from core.json_reading import read_json
from core.tables.crossing import crossed_parts, crossed_values
from core.workspace import Workspace

Arrays = dict[str, Any]

__all__ = ["Cohort", "CohortSummary", "add_alias", "free_name", "list_cohorts", "load", "now"]


class Cohort:
    """One saved cohort. Everything is read when first asked for."""

    def __init__(self, folder: Path) -> None:
        """Raises DamagedFile when the folder's manifest is not what it should be."""
        self.folder = folder
        self.manifest: dict[str, Any] = read_manifest(folder)
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
        return self._said[0]

    @cached_property
    def checks(self) -> list[dict[str, Any]]:
        """Every check that was made: code, title, outcome (passed, failed, not applicable), reason."""
        return self._said[1]

    @cached_property
    def columns(self) -> list[dict[str, str]]:
        """Every column of the user's table: column, role, why; cohorts saved by earlier versions have no reasons."""
        kept = self.manifest.get("columns")
        return list(kept) if kept is not None else column_roles(pd.DataFrame(columns=self._table_columns()), self.roles, {})

    def _table_columns(self) -> list[str]:
        named = [
            self.roles.sample_id,
            self.roles.patient_id,
            self.roles.label,
            self.roles.split,
            *self.roles.attributes,
            *self.roles.feature_columns,
            *self.roles.dropped,
        ]
        return list(dict.fromkeys(c for c in named if c is not None))

    @cached_property
    def set_aside(self) -> list[dict[str, Any]]:
        """Rows of the user's table that are not in the cohort: row (1-based, below the header), sample_id, reason."""
        return self._said[2]

    @cached_property
    def _said(self) -> tuple[list[Finding], list[dict[str, Any]], list[dict[str, Any]]]:
        """Findings, checks and rows set aside, as the cohort was saved with them."""
        try:
            value = read_json(self.folder / "findings.json")
            checks, aside = list(value["checks"]), list(value["set_aside"])
            if not all(isinstance(item, dict) for item in (*checks, *aside)) or not all(isinstance(item.get("code"), str) for item in checks):
                raise ValueError("holds no list of checks")
            return [Finding.from_dict(f) for f in value["findings"]], checks, aside
        except (OSError, ValueError) as error:
            raise damaged_file(self.folder, "findings.json", in_short(error)) from None
        except (KeyError, TypeError, AttributeError):
            raise damaged_file(self.folder, "findings.json", "is not what ingestion has written") from None

    @cached_property
    def table(self) -> pd.DataFrame:
        """One row per sample: sample_id, patient_id, y (int8, the class), split, attributes (str or None), all other columns."""
        try:
            table = pd.read_parquet(self.folder / "table.parquet")
        except (OSError, ValueError) as error:
            raise damaged_file(self.folder, "table.parquet", f"cannot be read ({in_short(error)})") from None
        missing = [name for name in (*RESERVED, *self.roles.attributes) if name not in table.columns]
        if missing:
            raise damaged_file(self.folder, "table.parquet", f"has no column {missing[0]!r}")
        for attribute in self.roles.attributes:
            values = [str(v) if isinstance(v, str) else None for v in table[attribute]]
            # pandas would infer its own text type, in which None becomes NaN.
            table[attribute] = pd.Series(values, index=table.index, dtype="object")
        return table

    @cached_property
    def y(self) -> NDArray[np.int8]:
        """(n,) class of each sample: index into `classes` where there are some, else 1 positive and 0 not."""
        return self.table["y"].to_numpy(dtype=np.int8)

    @property
    def classes(self) -> tuple[str, ...]:
        """Names of three or more classes, the one without disease first; empty where the label is positive or not."""
        return self.roles.classes

    @property
    def positive(self) -> NDArray[np.int8]:
        """(n,) 1 where the label is positive (of several classes: any but the first), else 0."""
        return (self.y > 0).astype(np.int8)

    @cached_property
    def present(self) -> NDArray[np.bool_]:
        """(n, M): which modalities each sample has."""
        return load_array(self.folder, self.folder / "arrays" / "present.npy", (self.n, len(self.roles.modalities)))

    @property
    def n_folds(self) -> int:
        """Of cross-validation; 0 where the cohort has none."""
        return int(self.manifest.get("folds", 0))

    @cached_property
    def fold(self) -> NDArray[np.int8]:
        """(n,) fold of each sample, from 0; -1 for those of a locked test set."""
        return load_array(self.folder, self.folder / "arrays" / "fold.npy", (self.n,))

    def at_fold(self, fold: str | None) -> Cohort:
        """The cohort with the splits of one fold of its cross-validation: itself where None. Raises UserError for a fold that it does not have."""
        if fold is None:
            return self
        if not fold.isdecimal() or int(fold) >= self.n_folds:
            raise UserError(f"cohort {self.name!r} has no fold {fold!r}; it has {self.n_folds or 'none'}")
        view = Cohort(self.folder)
        # What is kept from training rows (features, vocabularies) differs from fold to fold.
        view.cohort_id = sha256(f"{self.cohort_id} fold {fold}".encode()).hexdigest()[: len(self.cohort_id)]
        view.__dict__["table"] = self.table.assign(split=split_of_fold(self.fold, int(fold)))
        return view

    def rows(self, split: str) -> NDArray[np.int64]:
        """Row numbers of one split."""
        return np.flatnonzero((self.table["split"] == split).to_numpy())

    def groups(self, attribute: str) -> tuple[str, ...]:
        """Sorted values of the attribute that occur in training."""
        train = (self.table["split"] == "train").to_numpy()
        return tuple(sorted({v for v, inside in zip(self.group_values(attribute), train, strict=True) if inside and v is not None}))

    def group_values(self, attribute: str) -> list[str | None]:
        """Per row the group; of several attributes ("sex × age") the intersection that the row is in."""
        parts = crossed_parts(attribute, self.roles.attributes)
        if not parts:
            known = ", ".join(self.roles.attributes) or "none"
            raise UserError(f"cohort {self.name!r} has no sensitive attribute {attribute!r}; it has: {known} (several at once: A,B)")
        return crossed_values([[v if isinstance(v, str) else None for v in self.table[part]] for part in parts])

    def group_index(self, attribute: str) -> NDArray[np.int64]:
        """Per row the index into `groups(attribute)`; -1 where missing, or never seen in training."""
        index = {g: i for i, g in enumerate(self.groups(attribute))}
        return np.array([-1 if v is None else index.get(v, -1) for v in self.group_values(attribute)], np.int64)

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

    @cached_property
    def sampling_weights(self) -> NDArray[np.float64] | None:
        """(n,) by which results are judged, in row order; None where the roles name no column of them."""
        column = self.roles.weights
        return None if column is None else self.table[stored_name(column)].to_numpy(dtype=np.float64)

    def array(self, name: str, size: int | None = None) -> Any:
        """One modality of `arrays`."""
        modality = self.modality(name)
        if modality.kind in ("image", "volume"):
            return file_array(self.folder, self.manifest["files"][name], name, size, self.n)
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

    def donated_columns(self, name: str) -> tuple[str, ...]:
        """Columns whose gaps predict the label and were therefore filled from training donors."""
        return self._tabular(name).donated

    def _tabular(self, name: str) -> tabular.Encoded:
        if name not in self._encoded:
            columns = [stored_name(c) for c in self.modality(name).columns]
            train = (self.table["split"] == "train").to_numpy()
            self._encoded[name] = tabular.encode(self.table, columns, self.positive, train, seed=int(self.cohort_id, 16) % 2**32)
        return self._encoded[name]

    def _tokenized(self, name: str) -> tuple[text.Tokenizer, Arrays]:
        if name not in self._tokens:
            notes = self.texts(name)
            tokenizer = text.fit([notes[i] for i in self.rows("train")])
            ids, mask = tokenizer.encode(notes)
            self._tokens[name] = tokenizer, {"ids": ids, "mask": mask}
        return self._tokens[name]

    def summary(self) -> CohortSummary:
        return summary_of(self.manifest)


def load(workspace: Workspace, id_or_name: str) -> Cohort:
    """The cohort with this id, name or unambiguous start of an id. UserError lists the known ones."""
    return Cohort(find_cohort(workspace, id_or_name))


def now() -> str:
    """The time in UTC, ISO 8601 to the second."""
    return datetime.now(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
