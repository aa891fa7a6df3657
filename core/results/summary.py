"""A finished run in a few numbers: its test split, by the groups of one attribute."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from core.metrics.auc import auc, group_aucs
from core.metrics.equity import equity, max_gap
from core.metrics.estimate import MinimumCounts, finite_or_none
from core.metrics.rates import confusion, rate, rate_counts
from core.store.store import Store

THRESHOLD = 0.5
VERSION = "2"
"""Part of the cache key: raise it when a number changes its meaning."""


def test_summary(store: Store, run_id: str, attribute: str | None = None) -> dict[str, Any]:
    """AUC, ES-AUC, worst-group AUC, gap, DPD and DEOdds on the test split, from the cache or computed now.

    `attribute` defaults to the one that the run was trained with. Keys: auc, es_auc,
    worst_group_auc, max_gap, dpd, deodds, group_auc {group: value}, threshold (null where
    the method fitted a decision of its own), n, n_pos, not_estimable {group: reason}.
    ES-AUC is of the samples whose group is known.
    What is undefined, or rests on too few samples, is null. Raises KeyError for an
    unknown run.
    """
    named = store.folder(run_id).read_spec()["spec"]
    chosen = attribute or named["attribute"]
    key = "|".join((VERSION, run_id, store.mark(run_id), chosen or ""))
    value = store.cached("test-summary", key, lambda: _compute(store, run_id, str(named["cohort_id"]), chosen))
    assert isinstance(value, dict)
    return value


test_summary.__test__ = False  # type: ignore[attr-defined]  # a summary of the test split, not a test


def _compute(store: Store, run_id: str, cohort_id: str, attribute: str | None) -> dict[str, Any]:
    frame = store.predictions(run_id, "test")
    y, score = frame["y"].to_numpy(np.int8), frame["score"].to_numpy(np.float64)
    decided = bool(len(frame)) and bool(frame["prediction"].notna().all())
    prediction = frame["prediction"].to_numpy(np.int8) if decided else (score >= THRESHOLD).astype(np.int8)
    names, code = _groups(store, cohort_id, attribute, frame["sample_id"])
    whole = auc(y, score) if len(frame) else float("nan")
    positive = np.bincount(code[(code >= 0) & (y == 1)], minlength=len(names))
    negative = np.bincount(code[(code >= 0) & (y == 0)], minlength=len(names))
    least = MinimumCounts()
    reasons = {name: why for name, p, q in zip(names, positive, negative, strict=True) if (why := least.lacking(int(p), int(q))) is not None}
    parts = group_aucs(y, score, code, len(names)) if names and len(frame) else np.full(len(names), np.nan)
    parts = np.where([name in reasons for name in names], np.nan, parts)
    # ES-AUC sets groups against the patients that they are made of: those of unknown group are in AUC alone.
    known = code >= 0
    fair = equity(auc(y[known], score[known]) if known.any() else float("nan"), parts, names)
    dpd, deodds = _rate_gaps(y, prediction, code, len(names), least.samples) if names and len(frame) else (None, None)
    return {
        "auc": finite_or_none(whole),
        "es_auc": fair.es_auc,
        "worst_group_auc": fair.worst_value,
        "max_gap": fair.max_gap,
        "dpd": dpd,
        "deodds": deodds,
        "group_auc": {name: finite_or_none(value) for name, value in zip(names, parts, strict=True)},
        "threshold": None if decided else THRESHOLD,
        "n": len(frame),
        "n_pos": int(y.sum()),
        "not_estimable": reasons,
    }


def _groups(store: Store, cohort_id: str, attribute: str | None, sample_id: pd.Series) -> tuple[tuple[str, ...], NDArray[np.int64]]:
    """Groups of the whole cohort, and per sample the index of its own, -1 where unknown."""
    if attribute is None:
        return (), np.full(len(sample_id), -1, np.int64)
    values = store.attributes(cohort_id, attribute).set_index("sample_id")["value"]
    names = tuple(sorted(map(str, values.dropna().unique())))
    return names, pd.Categorical(sample_id.map(values), categories=list(names)).codes.astype(np.int64)


def _rate_gaps(y: NDArray[np.int8], prediction: NDArray[np.int8], code: NDArray[np.int64], n_groups: int, least: int) -> tuple[float | None, float | None]:
    """DPD and DEOdds over the groups that have at least `least` samples in the rate's denominator."""
    table = confusion(y, prediction, code, n_groups)
    gaps = {}
    for name in ("selection_rate", "tpr", "fpr"):
        _, trials = rate_counts(table, name)
        gaps[name] = float(max_gap(np.where(trials >= least, rate(table, name), np.nan)))
    return finite_or_none(gaps["selection_rate"]), finite_or_none(float(np.maximum(gaps["tpr"], gaps["fpr"])))
