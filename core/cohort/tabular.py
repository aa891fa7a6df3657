"""Value columns as numbers a network can take, with nothing learned from validation or test.

Absence itself can predict the label (a history taken only before surgery). Such
columns are filled from a random training patient and not marked as missing, so
that no model can read the label off a gap unless someone asks for it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from core.tables.numbers import to_number

MAX_LEVELS = 30
INFORMATIVE_P = 0.01
"""A column whose gaps differ this clearly between the classes in training is filled from donors.
Deliberately uncorrected for the number of columns: a needless donor costs little, a leak a lot."""
MIN_GAPS = 5
SAME_GAPS = 0.9
"""Two columns belong to one block when their gaps overlap this far (Jaccard index)."""


@dataclass(frozen=True)
class Encoded:
    """Shapes: n rows, F features."""

    values: NDArray[np.float32]
    """(n, F), mean 0 and standard deviation 1 over the training rows that have the value; 0 where missing."""
    missing: NDArray[np.bool_]
    """(n, F)"""
    names: tuple[str, ...]
    """`column`, or `column=level` for one-hot features."""
    donated: tuple[str, ...]
    """Columns whose gaps were filled from training donors."""


def encode(table: pd.DataFrame, columns: Sequence[str], y: NDArray[np.int8], train: NDArray[np.bool_], *, seed: int) -> Encoded:
    """Encode `columns` of `table`; means, levels and donors come from rows where `train` is true."""
    frame = table[list(columns)].astype(object).where(table[list(columns)].notna(), None)
    gaps = {c: frame[c].isna().to_numpy() for c in columns}
    informative = [c for c in columns if gap_predicts_label(gaps[c][train], y[train])]
    generator = np.random.default_rng(seed)
    for block in blocks_of_gaps({c: gaps[c] for c in informative}):
        frame = _donate(frame, block, train, generator)
    values: list[NDArray[np.float64]] = []
    names: list[str] = []
    for column in columns:
        for name, feature in _features(column, frame[column], train):
            names.append(name)
            values.append(feature)
    raw = np.stack(values, axis=1) if values else np.zeros((len(frame), 0))
    missing = np.isnan(raw)
    return Encoded(_standardise(raw, train), missing, tuple(names), tuple(informative))


def gap_predicts_label(gap: NDArray[np.bool_], y: NDArray[np.int8]) -> bool:
    """Whether rows with a gap have another share of positives (Fisher's exact test)."""
    if gap.sum() < MIN_GAPS or (~gap).sum() < MIN_GAPS:
        return False
    # Late: most trainings find the table encoded and never ask.
    from scipy.stats import fisher_exact

    counts = [[int(((gap == g) & (y == k)).sum()) for k in (0, 1)] for g in (True, False)]
    return float(fisher_exact(counts)[1]) < INFORMATIVE_P


def blocks_of_gaps(gaps: dict[str, NDArray[np.bool_]]) -> list[list[str]]:
    """Columns whose values are missing in (nearly) the same rows, in table order."""
    blocks: list[list[str]] = []
    for column, gap in gaps.items():
        for block in blocks:
            other = gaps[block[0]]
            union = int((gap | other).sum())
            if union and int((gap & other).sum()) >= SAME_GAPS * union:
                block.append(column)
                break
        else:
            blocks.append([column])
    return blocks


def _donate(frame: pd.DataFrame, block: list[str], train: NDArray[np.bool_], generator: np.random.Generator) -> pd.DataFrame:
    """Fill the block's gaps, each row from one complete training row, so that values that go together stay together."""
    part = frame[block].to_numpy(dtype=object, copy=True)
    gap = pd.isna(part)
    donors = np.flatnonzero(train & ~gap.any(axis=1))
    rows = np.flatnonzero(gap.any(axis=1))
    if not len(donors):
        return frame
    given = part[generator.choice(donors, size=len(rows))]
    part[rows] = np.where(gap[rows], given, part[rows])
    return frame.assign(**{c: part[:, i] for i, c in enumerate(block)})


def _features(column: str, values: pd.Series, train: NDArray[np.bool_]) -> list[tuple[str, NDArray[np.float64]]]:
    numbers = to_number(values)
    if numbers is not None:
        return [(column, numbers.to_numpy(dtype=float))]
    text = values.map(lambda v: None if v is None else str(v))
    gap = text.isna().to_numpy()
    counts = text[train].dropna().value_counts()
    levels = sorted(str(level) for level in counts.sort_index(kind="stable").nlargest(MAX_LEVELS).index)
    if len(levels) == 2:
        levels = levels[1:]
    return [(f"{column}={level}", np.where(gap, np.nan, (text == level).to_numpy(dtype=float))) for level in levels]


def _standardise(raw: NDArray[np.float64], train: NDArray[np.bool_]) -> NDArray[np.float32]:
    known = np.isfinite(raw) & train[:, None]
    n = np.maximum(known.sum(0), 1)
    mean = np.where(known, raw, 0).sum(0) / n
    spread = np.sqrt((np.where(known, raw - mean, 0) ** 2).sum(0) / n)
    scaled = (raw - mean) / np.where(spread > 1e-12, spread, 1)
    # A value far outside training (a unit mix-up in the test set) must not blow up the network.
    return np.where(np.isfinite(raw), np.clip(scaled, -10, 10), 0).astype(np.float32)
