"""Train, validation and test, made so that no patient is in two of them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from core.errors import UserError

SPLITS = ("train", "validation", "test")
SHARES = (0.6, 0.2, 0.2)
WORDS = {
    "train": "train", "training": "train", "tr": "train", "fit": "train", "development": "train",
    "validation": "validation", "valid": "validation", "val": "validation", "dev": "validation", "tune": "validation",
    "test": "test", "testing": "test", "te": "test", "holdout": "test", "held-out": "test", "heldout": "test",
}  # fmt: skip


def parse_split(values: pd.Series, column: str) -> NDArray[np.object_]:
    """A table's own split as train/validation/test.

    Raises UserError naming the first row and value that say none of these, or
    the split that is empty.
    """
    parsed = values.map(lambda v: WORDS.get(str(v).strip().lower()) if v is not None else None)
    if parsed.isna().any():
        row = int(np.flatnonzero(parsed.isna())[0])
        raise UserError(f"row {row + 2}, column {column!r}: {values.iloc[row]!r} is not a split; use train, validation and test, or leave the column out to have splits made")
    for split in SPLITS:
        if not (parsed == split).any():
            raise UserError(f"column {column!r} puts no row into {split}; leave it out (--split '') to have splits made")
    return parsed.to_numpy(dtype=object)


def make_split(patients: Sequence[str], y: NDArray[np.int8], groups: Sequence[Sequence[str | None]], *, seed: int, shares: Sequence[float] = SHARES) -> NDArray[np.object_]:
    """A split per row, shape (n,): patients whole, strata (label and groups) in proportion.

    A patient belongs to the stratum of their rows' highest label and first group
    values. Within a stratum patients are shuffled and dealt so that the running
    shares are kept across strata, which keeps small strata represented.
    """
    first: dict[str, int] = {}
    label: dict[str, int] = {}
    weight: dict[str, int] = {}
    for row, patient in enumerate(patients):
        first.setdefault(patient, row)
        label[patient] = max(label.get(patient, 0), int(y[row]))
        weight[patient] = weight.get(patient, 0) + 1
    strata: dict[tuple, list[str]] = {}
    for patient, row in first.items():
        strata.setdefault((label[patient], *(str(g[row]) for g in groups)), []).append(patient)
    generator = np.random.default_rng(seed)
    order = [p for key in sorted(strata) for p in generator.permutation(sorted(strata[key]))]
    target = np.asarray(shares, dtype=float) / np.sum(shares)
    taken = np.zeros(len(SPLITS))
    chosen: dict[str, str] = {}
    for patient in order:
        # The split that lags furthest behind its share takes the next patient.
        lag = target * (taken.sum() + weight[patient]) - taken
        pick = int(np.argmax(lag))
        taken[pick] += weight[patient]
        chosen[str(patient)] = SPLITS[pick]
    return np.array([chosen[p] for p in patients], dtype=object)
