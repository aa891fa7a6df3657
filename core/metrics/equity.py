"""Fairness summaries of group AUCs: ES-AUC, worst group, max-min gap.

ES-AUC = AUC / (1 + sum_g |AUC_g - AUC|) (Luo et al. 2024). It falls with the number of groups and
counts ranking between groups as unfairness: never show it without the group AUCs and the gap.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.float64]

TOO_FEW_GROUPS = "{n} group is estimable, a comparison needs 2"
NO_GROUP = "no group is estimable"
NO_OVERALL = "the overall AUC is not estimable"


@dataclass(frozen=True)
class Equity:
    """Summaries of one attribute; `excluded` names the groups that could not be estimated."""

    overall: float | None
    es_auc: float | None
    max_gap: float | None
    worst_value: float | None
    worst_group: str | None
    best_value: float | None
    best_group: str | None
    used: tuple[str, ...]
    excluded: tuple[str, ...]
    reason: str | None


def es_auc(overall: ArrayLike, groups: ArrayLike) -> Floats:
    """Equity-scaled AUC, shape (...,).

    overall : (...,) AUC of everybody. groups : (..., G) group AUCs, NaN where not estimable: such a
    group is left out, which inflates the result, so report it. NaN where nothing is estimable.
    """
    whole, parts = np.asarray(overall, dtype=np.float64), np.asarray(groups, dtype=np.float64)
    deviations = np.nansum(np.abs(parts - whole[..., None]), axis=-1)
    known = np.isfinite(parts).any(axis=-1)
    return np.where(known, whole / (1 + deviations), np.nan)


def max_gap(groups: ArrayLike) -> Floats:
    """Largest minus smallest, over the last axis; NaN unless two groups are estimable."""
    parts = np.asarray(groups, dtype=np.float64)
    known = np.isfinite(parts)
    high = np.where(known, parts, -np.inf).max(axis=-1, initial=-np.inf)
    low = np.where(known, parts, np.inf).min(axis=-1, initial=np.inf)
    return np.where(known.sum(axis=-1) >= 2, high - low, np.nan)


def min_ratio(groups: ArrayLike) -> Floats:
    """Smallest over largest, over the last axis; NaN unless two groups are estimable and the largest is above 0."""
    parts = np.asarray(groups, dtype=np.float64)
    known = np.isfinite(parts)
    high = np.where(known, parts, -np.inf).max(axis=-1, initial=-np.inf)
    low = np.where(known, parts, np.inf).min(axis=-1, initial=np.inf)
    usable = (known.sum(axis=-1) >= 2) & (high > 0)
    return np.divide(low, high, out=np.full(high.shape, np.nan), where=usable)


def worst(groups: ArrayLike) -> Floats:
    """Smallest over the last axis; NaN where no group is estimable."""
    parts = np.asarray(groups, dtype=np.float64)
    low = np.where(np.isfinite(parts), parts, np.inf).min(axis=-1, initial=np.inf)
    return np.where(np.isfinite(low), low, np.nan)


def equity(overall: float, groups: ArrayLike, names: tuple[str, ...]) -> Equity:
    """All summaries of one attribute from its group AUCs, (G,), NaN where not estimable."""
    parts = np.asarray(groups, dtype=np.float64)
    if parts.shape != (len(names),):
        raise ValueError(f"{parts.size} group values were given for {len(names)} group names")
    known = np.flatnonzero(np.isfinite(parts))
    used = tuple(names[i] for i in known)
    excluded = tuple(name for name in names if name not in used)
    whole = float(overall) if np.isfinite(overall) else None
    if known.size == 0:
        return Equity(whole, None, None, None, None, None, None, used, excluded, NO_GROUP)
    low, high = int(known[parts[known].argmin()]), int(known[parts[known].argmax()])
    several = known.size >= 2
    reason = None if several else TOO_FEW_GROUPS.format(n=known.size)
    return Equity(
        overall=whole,
        es_auc=float(es_auc(overall, parts)) if several and whole is not None else None,
        max_gap=float(parts[high] - parts[low]) if several else None,
        worst_value=float(parts[low]),
        worst_group=names[low],
        best_value=float(parts[high]),
        best_group=names[high],
        used=used,
        excluded=excluded,
        reason=reason or (NO_OVERALL if whole is None else None),
    )
