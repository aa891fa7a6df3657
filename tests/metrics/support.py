"""Random cohorts for the metric tests, and the known answers."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

ORACLES: dict[str, Any] = json.loads((Path(__file__).parents[1] / "oracles.json").read_text(encoding="utf-8"))


def cohort(n: int, groups: int, seed: int = 0, *, decimals: int | None = None, missing: bool = False) -> tuple[NDArray, NDArray, NDArray]:
    """Labels (n,), probabilities (n,) with ties when rounded, and group indices (n,)."""
    rng = np.random.default_rng(seed)
    y = (rng.random(n) < 0.35).astype(int)
    score = 1 / (1 + np.exp(-(rng.normal(size=n) + 1.3 * y - 1)))
    if decimals is not None:
        score = score.round(decimals)
    return y, score, rng.integers(-1 if missing else 0, groups, n)


def group_index(names: list[str]) -> tuple[NDArray, list[str]]:
    """Indices of group names and the sorted names."""
    unique, index = np.unique(names, return_inverse=True)
    return index, unique.tolist()
