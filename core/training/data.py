"""A cohort's arrays as the loop reads them: on the device as stored, batches by index."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Protocol

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from core.errors import UserError
from core.models.batch import Batch
from core.models.spec import Kind, ModalityShape

Stored = Tensor | np.ndarray
SPLITS = ("train", "validation", "test")
HELD_OUT = "held out"
"""Training patients whom no gradient sees."""


class CohortLike(Protocol):
    """What training needs of a cohort; `core.cohort.Cohort` has it."""

    @property
    def cohort_id(self) -> str: ...
    @property
    def modality_names(self) -> tuple[str, ...]: ...
    @property
    def modality_kinds(self) -> Mapping[str, Any]: ...
    @property
    def table(self) -> pd.DataFrame: ...
    @property
    def present(self) -> np.ndarray: ...
    def groups(self, attribute: str) -> tuple[str, ...]: ...
    def group_index(self, attribute: str) -> np.ndarray: ...
    def array(self, name: str, size: int) -> Any: ...
    def native_size(self, name: str) -> int | None: ...
    def texts(self, modality: str) -> Any: ...


@dataclass(frozen=True)
class Data:
    """All samples of a cohort for one training.

    Arrays that fit lie on the device as stored (pixels as uint8); larger ones stay in
    their memory maps and are gathered batch by batch.
    """

    inputs: dict[str, dict[str, Stored]]
    """Per modality, its parts: {"": array} for images, volumes and vectors; "ids"/"mask" or
    "values"/"missing" for text and tables."""
    shapes: dict[str, ModalityShape]
    present: Tensor
    y: Tensor
    group: Tensor
    groups: tuple[str, ...]
    rows: dict[str, Tensor]
    """Row indices of each split, on the device."""
    patients: np.ndarray
    """(n,) patient index, for clustered resampling."""
    device: torch.device
    n_classes: int = 2
    """K: two, or one more than the largest class index."""

    def batch(self, index: Tensor) -> Batch:
        """The samples at `index` (int64, on the device)."""
        inputs: dict[str, Tensor | dict[str, Tensor]] = {}
        on_host: np.ndarray | None = None
        for name, parts in self.inputs.items():
            taken: dict[str, Tensor] = {}
            for part, stored in parts.items():
                if isinstance(stored, Tensor):
                    taken[part] = stored.index_select(0, index)
                else:
                    if on_host is None:
                        on_host = index.cpu().numpy()
                    taken[part] = torch.from_numpy(np.ascontiguousarray(stored[on_host])).to(self.device)
            inputs[name] = taken.get("", taken)  # type: ignore[arg-type]
        pick = index.to(self.device)
        return Batch(inputs, self.present[pick], self.y[pick], self.group[pick], pick)

    def without(self, positions: np.ndarray) -> Data:
        """The same with the training rows at `positions` in a split of their own, "held out"."""
        train = self.rows["train"]
        out = torch.zeros(len(train), dtype=torch.bool, device=train.device)
        out[torch.from_numpy(positions).to(train.device)] = True
        return replace(self, rows={**self.rows, "train": train[~out], HELD_OUT: train[out]})

    def label_counts(self, n_classes: int) -> Tensor:
        """(C, K) training samples per group and class; those of unknown group are in none."""
        rows = self.rows["train"]
        group, y = self.group[rows], self.y[rows]
        known = group >= 0
        flat = torch.bincount(group[known] * n_classes + y[known], minlength=len(self.groups) * n_classes)
        return flat.view(len(self.groups), n_classes)


ONE_GROUP = "all"


def load(
    cohort: CohortLike,
    arrays: Mapping[str, Any],
    modalities: tuple[str, ...],
    attribute: str | None,
    device: torch.device,
    room: float,
) -> Data:
    """`arrays` of the chosen modalities, on `device` where they fit into `room` bytes.

    Raises UserError when a split that training needs is empty or has one class only.
    """
    table = cohort.table
    split = table["split"].to_numpy(dtype=object)
    y = np.array(table["y"], dtype=np.int64)
    rows = {name: np.flatnonzero(split == name) for name in SPLITS}
    for name in ("train", "validation"):
        if len(np.unique(y[rows[name]])) < 2:
            raise UserError(
                f"cohort {cohort.cohort_id}: the {name} split has {len(rows[name])} samples and fewer than two classes; a model cannot be "
                "trained or selected on it"
            )
    groups: tuple[str, ...]
    if attribute is None:
        groups, group = (ONE_GROUP,), np.zeros(len(y), dtype=np.int64)
    else:
        groups, group = tuple(cohort.groups(attribute)), np.array(cohort.group_index(attribute), dtype=np.int64)
    column = [cohort.modality_names.index(name) for name in modalities]
    inputs: dict[str, dict[str, Stored]] = {}
    shapes: dict[str, ModalityShape] = {}
    for name in modalities:
        parts = arrays[name] if isinstance(arrays[name], Mapping) else {"": arrays[name]}
        shapes[name] = shape_of(parts, kind_of(cohort, name))
        inputs[name] = {}
        for part, array in parts.items():
            fits = array.nbytes <= room
            room -= array.nbytes if fits else 0
            inputs[name][part] = torch.from_numpy(np.array(array)).to(device) if fits else array
    patients = pd.factorize(table["patient_id"])[0]
    return Data(
        inputs=inputs,
        shapes=shapes,
        present=torch.from_numpy(np.array(cohort.present)[:, column]).to(device),
        y=torch.from_numpy(y).to(device),
        group=torch.from_numpy(group).to(device),
        groups=groups,
        rows={name: torch.from_numpy(index).to(device) for name, index in rows.items()},
        patients=patients,
        device=device,
        n_classes=max(2, int(y.max()) + 1),
    )


def kind_of(cohort: CohortLike, name: str) -> str:
    """image, volume, text or tabular."""
    kinds = cohort.modality_kinds
    return str(kinds[name]) if isinstance(kinds, Mapping) else str(kinds[cohort.modality_names.index(name)])


def shape_of(parts: Mapping[str, Any], kind: str) -> ModalityShape:
    """The shape of one sample; a two-dimensional array under an image or text name is frozen features."""
    if "ids" in parts:
        ids = parts["ids"]
        return ModalityShape("text", tuple(ids.shape[1:]), int(ids.max()) + 1 if ids.size else 1)
    if "values" in parts:
        return ModalityShape("tabular", tuple(parts["values"].shape[1:]))
    array = parts[""]
    known: dict[str, Kind] = {"image": "image", "volume": "volume"}
    return ModalityShape("vector" if array.ndim == 2 else known[kind], tuple(array.shape[1:]))
