"""What runs decide, and whether deciding by them helps: 2 x 2 tables at the operating point, net benefit, how the scores lie. Of each run's own audit."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import pandas as pd

from core.audit.estimates.group_estimates import GroupCounts
from core.metrics.estimate import finite_or_none
from core.results.cache import per_run
from core.results.run_audits import attribute_audit, run_audit
from core.store import Store

CURVES = {"decision": "decision-curve", "scores": "score-distribution"}
"""Curves of `core.audit.estimates.curves.Curves` by group, and the names they are kept under."""


def two_by_two(store: Store, run_ids: Iterable[str], attribute: str) -> pd.DataFrame:
    """Rows by outcome and decision on the test split.

    Columns: run_id, group (missing: everybody), threshold, tp, fp, fn, tn. Groups without an operating point have no row.
    """

    def compute(run_id: str) -> list[dict[str, Any]]:
        model = run_audit(store, run_id, attribute)
        own = model.attribute(attribute)
        return [*_cells(model.counts, (None,), model.point.threshold), *_cells(own.counts, own.groups, own.point.threshold)]

    return per_run(store, "two-by-two", run_ids, attribute, compute)


def _cells(counts: GroupCounts, names: Iterable[str | None], threshold: float | None) -> list[dict[str, Any]]:
    if counts.true_positives is None or counts.false_positives is None:
        return []
    rows = zip(names, counts.true_positives, counts.false_positives, counts.n_pos, counts.n_neg, strict=True)
    return [
        {"group": name, "threshold": finite_or_none(threshold), "tp": int(tp), "fp": int(fp), "fn": int(pos) - int(tp), "tn": int(neg) - int(fp)}
        for name, tp, fp, pos, neg in rows
    ]


def curve(store: Store, run_ids: Iterable[str], attribute: str, kind: str) -> pd.DataFrame:
    """One of CURVES of every run, as `core.audit.estimates.curves.Curves` has it, with run_id; no rows where the scores do not allow it."""

    def compute(run_id: str) -> list[dict[str, Any]]:
        found = attribute_audit(store, run_id, attribute).curves
        if found is None:
            return []
        frame: pd.DataFrame = getattr(found, kind)
        return [{str(k): finite_or_none(v) if isinstance(v, float) else v for k, v in row.items()} for row in frame.to_dict("records")]

    return per_run(store, CURVES[kind], run_ids, attribute, compute)
