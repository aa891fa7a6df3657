"""Train, validation and test, made so that no patient is in two of them; a table's own test set is kept."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from core.errors import UserError
from core.tables.splits import SPLITS, are_splits, fold_number, folds, split_meanings

SHARES = (0.6, 0.2, 0.2)
VALIDATION_SHARE = 0.25
"""Of the training patients, where a table comes with training and test only."""


def parse_split(values: pd.Series, column: str) -> NDArray[np.object_]:
    """A table's own split as train/validation/test: its words, or the numbers of cross-validation folds.

    Of folds the last is the test set and the one before it validation. A split without validation
    is returned as it is (see `cut_validation`). Raises UserError naming the first row and value
    that say none of these, or the split that is empty.
    """
    numbers = None if are_splits(values.dropna().unique(), column) else folds(values.dropna().unique())
    if numbers is not None and values.notna().all():
        if len(numbers) < 3:
            raise UserError(
                f"column {column!r} holds {len(numbers)} folds; three are needed (training, validation, test): leave it out (--split '') to have splits made"
            )
        meant = {n: "test" if n == numbers[-1] else "validation" if n == numbers[-2] else "train" for n in numbers}
        return np.array([meant[fold_number(v) or 0] for v in values], dtype=np.object_)
    known = split_meanings(values.dropna().unique(), column)
    parsed = values.map(lambda v: known[str(v)] if isinstance(v, str) else None)
    if parsed.isna().any():
        row = int(np.flatnonzero(parsed.isna())[0])
        raise UserError(
            f"row {row + 2}, column {column!r}: {values.iloc[row]!r} is not a split; use train, validation and test, or leave the column "
            "out to have splits made"
        )
    for split in ("train", "test"):
        if not (parsed == split).any():
            raise UserError(f"column {column!r} puts no row into {split}; leave it out (--split '') to have splits made")
    return parsed.to_numpy(dtype=object)


def cut_validation(
    split: NDArray[np.object_], patients: Sequence[str], y: NDArray[np.int8], groups: Sequence[Sequence[str | None]], *, seed: int
) -> NDArray[np.object_]:
    """A validation set taken from the training patients of a split that has none; its test set stays as it is."""
    if "validation" in split:
        return split
    rows = np.flatnonzero(split == "train").tolist()
    share = (1 - VALIDATION_SHARE, VALIDATION_SHARE, 0.0)
    cut = split.copy()
    cut[rows] = make_split([patients[i] for i in rows], y[rows], [[g[i] for i in rows] for g in groups], seed=seed, shares=share)
    return cut


def connected(patients: Sequence[str], sets: Sequence[str | None]) -> list[str]:
    """Per row the name of the first patient that it hangs together with, by patients or by sets (None: in no set)."""
    parent: dict[tuple[str, str], tuple[str, str]] = {}

    def root(item: tuple[str, str]) -> tuple[str, str]:
        while parent.setdefault(item, item) != item:
            parent[item] = item = parent[parent[item]]
        return item

    for patient, name in zip(patients, sets, strict=True):
        if name is not None:
            parent[root(("set", str(name)))] = root(("patient", patient))
    first: dict[tuple[str, str], str] = {}
    return [first.setdefault(root(("patient", patient)), patient) for patient in patients]


def rows_of_test_patients(split: NDArray[np.object_], patients: Sequence[str] | NDArray[np.object_]) -> NDArray[np.int64]:
    """Rows of training or validation whose patient is also in the test set: a test set that was given is never changed."""
    names = np.asarray(patients, dtype=object)
    tested = set(names[split == "test"])
    return np.flatnonzero((split != "test") & np.array([p in tested for p in names], dtype=bool))


def make_split(
    patients: Sequence[str], y: NDArray[np.int8], groups: Sequence[Sequence[str | None]], *, seed: int, shares: Sequence[float] = SHARES
) -> NDArray[np.object_]:
    """A split per row, shape (n,): patients whole, strata (label and groups) in proportion.

    A patient belongs to the stratum of their rows' highest label and first group
    values. Within a stratum patients are shuffled and dealt so that the running
    shares are kept across strata, which keeps small strata represented.
    """
    return np.array([SPLITS[i] for i in deal(patients, y, groups, shares, seed=seed)], dtype=object)


def deal(patients: Sequence[str], y: NDArray[np.int8], groups: Sequence[Sequence[str | None]], shares: Sequence[float], *, seed: int) -> NDArray[np.int8]:
    """Part of each row, int8 (n,), from 0 to len(shares) - 1, as `make_split` deals."""
    first: dict[str, int] = {}
    label: dict[str, int] = {}
    weight: dict[str, int] = {}
    for row, patient in enumerate(patients):
        first.setdefault(patient, row)
        label[patient] = max(label.get(patient, 0), int(y[row]))
        weight[patient] = weight.get(patient, 0) + 1
    strata: dict[tuple[int | str, ...], list[str]] = {}
    for patient, row in first.items():
        strata.setdefault((label[patient], *(str(g[row]) for g in groups)), []).append(patient)
    generator = np.random.default_rng(seed)
    order = [p for key in sorted(strata) for p in generator.permutation(sorted(strata[key]))]
    target = np.asarray(shares, dtype=float) / np.sum(shares)
    taken = np.zeros(len(target))
    chosen: dict[str, int] = {}
    for patient in order:
        # The split that lags furthest behind its share takes the next patient.
        lag = target * (taken.sum() + weight[patient]) - taken
        pick = int(np.argmax(lag))
        taken[pick] += weight[patient]
        chosen[str(patient)] = pick
    return np.array([chosen[p] for p in patients], dtype=np.int8)
