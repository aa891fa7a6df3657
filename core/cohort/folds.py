"""Cross-validation: parts of a cohort that are each judged once, by a model that was not trained on them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from core.cohort.splits import deal
from core.errors import UserError
from core.tables.splits import fold_number, folds

FEWEST, MOST = 3, 20
NO_FOLD = -1
"""Of the rows of a test set that stays locked."""
LOCKED = "locked"
"""What stands as the split of these rows while folds are trained: no model is fitted, selected or judged on them."""


def made_folds(
    units: Sequence[str], y: NDArray[np.int8], groups: Sequence[Sequence[str | None]], k: int, locked: NDArray[np.bool_], *, seed: int
) -> NDArray[np.int8]:
    """Fold of each row, int8 (n,), from 0 to k - 1; `NO_FOLD` where `locked`. Units (patients, sites) stay whole, label and groups are in proportion.

    Raises UserError where there are fewer units than folds.
    """
    check_number(k)
    free = np.flatnonzero(~locked).tolist()
    there = len({units[i] for i in free})
    if there < k:
        raise UserError(f"--folds {k}: there are only {there} patients (or sites) to divide; use at most {there}")
    found = np.full(len(units), NO_FOLD, np.int8)
    found[free] = deal([units[i] for i in free], y[free], [[g[i] for i in free] for g in groups], [1.0] * k, seed=seed)
    return found


def given_folds(values: pd.Series, column: str, units: Sequence[str], locked: NDArray[np.bool_]) -> tuple[NDArray[np.int8], int]:
    """The table's own folds, int8 (n,) from 0 on, and how many rows were moved so that a unit lies in one fold: the one that has most of its rows.

    Raises UserError for values that are no numbers of folds.
    """
    free = np.flatnonzero(~locked).tolist()
    known = values.iloc[free]
    numbers = folds(known.dropna().unique())
    if numbers is None or known.isna().any() or len(numbers) < FEWEST:
        raise UserError(
            f"column {column!r}: the numbers of {FEWEST} to {MOST} folds are expected in every row, such as 1 to 5; it holds "
            f"{', '.join(map(str, known.unique()[:6]))}"
        )
    place = {number: index for index, number in enumerate(numbers)}
    own = pd.Series([place[fold_number(v) or 0] for v in known])
    of_unit = pd.Series([units[i] for i in free])
    usual = own.groupby(of_unit).agg(lambda part: part.mode().iloc[0])
    settled = of_unit.map(usual).to_numpy(dtype=np.int8)
    found = np.full(len(units), NO_FOLD, np.int8)
    found[free] = settled
    return found, int((settled != own.to_numpy()).sum())


def check_number(k: int) -> None:
    """Raises UserError for a number of folds that training, validation and test cannot be made of."""
    if not FEWEST <= k <= MOST:
        raise UserError(f"--folds {k}: use {FEWEST} to {MOST} folds; each run needs one for validation and one for test")


def split_of_fold(fold: NDArray[np.int8], k: int) -> NDArray[np.object_]:
    """Per row the split under fold k: k is the test set, the next one validation, all others training; `LOCKED` for rows in no fold."""
    count = int(fold.max()) + 1
    split = np.full(len(fold), "train", dtype=object)
    split[fold == k] = "test"
    split[fold == (k + 1) % count] = "validation"
    split[fold == NO_FOLD] = LOCKED
    return split
