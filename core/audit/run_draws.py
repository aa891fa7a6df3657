"""Bootstrap replicates of each run's AUC and fairness summaries, drawing the same test patients for every run.

The draws depend on the patients, their groups and labels, and never on scores, so replicates of
runs that were kept one by one are paired: their differences are those of a joint bootstrap.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import reduce
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from core.audit.run_rows import Rows, cached, number, per_run, rows_of
from core.audit.run_views import REPLICATES, auc_rows
from core.metrics.auc import auc
from core.metrics.bootstrap import AucReplicates, bootstrap_models
from core.store import Store

NAMES = {"auc": "auc", "es_auc": "es_auc", "worst_group_auc": "worst_group", "max_gap": "max_gap"}
"""Our metrics -> their names in `AucReplicates.summaries`."""
DIGITS = 6

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Draws:
    """One run and metric: value, and replicates (R,), NaN where undefined."""

    value: float
    replicates: Floats


def draws(store: Store, run_ids: Sequence[str], attribute: str, metric: str) -> dict[str, Draws]:
    """Paired draws of the runs on the test samples that all of them scored and whose group is known.

    A run without an estimate has NaN throughout, or is left out.
    """
    table = per_run(store, "draws", run_ids, attribute, lambda run_id: _rows(rows_of(store, run_id, attribute)))
    if table.empty:
        return {}
    table = table[table["metric"] == metric]
    known = table[table["value"].notna()]
    if known["samples"].nunique() > 1:
        ids = sorted(known["run_id"])
        together = cached(store, "draws-together", ids, attribute, lambda: _together(store, ids, attribute))
        return {run: _read(next(row for row in part if row["metric"] == metric)) for run, part in together.items()}
    return {str(row["run_id"]): _read(row) for row in table.to_dict("records")}


def _read(row: Mapping[Any, Any]) -> Draws:
    return Draws(np.nan if pd.isna(row["value"]) else float(row["value"]), np.array([np.nan if d is None else d for d in row["draws"]], dtype=np.float64))


def _together(store: Store, run_ids: Sequence[str], attribute: str) -> dict[str, list[dict[str, Any]]]:
    """The runs on the samples that they share."""
    rows = {run: rows_of(store, run, attribute) for run in run_ids}
    shared = reduce(np.intersect1d, [own.sample.astype(str) for own in rows.values()])
    return {run: _rows(own.take(np.isin(own.sample.astype(str), shared))) for run, own in rows.items()}


def _rows(rows: Rows) -> list[dict[str, Any]]:
    known = rows.take(rows.code >= 0)
    mark = hashlib.sha256("\n".join(map(str, known.sample)).encode()).hexdigest()[:12]
    judged = np.array([row["value"] is not None for row in auc_rows(rows)[1:]], dtype=bool)
    if known.y.size == 0 or known.y.min() == known.y.max() or not judged.any():
        return [{"metric": metric, "samples": mark, "value": None, "draws": [None] * REPLICATES} for metric in NAMES]
    count = len(rows.groups)
    drawn = bootstrap_models(known.y, known.score, known.code, count, replicates=REPLICATES, cluster=known.patient, workers=1)[0]
    areas = np.array([_auc(known, g) if judged[g] else np.nan for g in range(count)])
    seen = AucReplicates(np.array([auc(known.y, known.score)]), areas[None]).summaries()
    found = AucReplicates(drawn.overall, np.where(judged, drawn.groups, np.nan)).summaries()
    if judged.sum() < 2:
        # One group has no gap, and ES-AUC of one group would look like perfect fairness.
        seen, found = ({name: part if name == "auc" else np.full_like(part, np.nan) for name, part in table.items()} for table in (seen, found))
    return [
        {"metric": metric, "samples": mark, "value": number(float(seen[name][0])), "draws": [number(round(float(d), DIGITS)) for d in found[name]]}
        for metric, name in NAMES.items()
    ]


def _auc(rows: Rows, group: int) -> float:
    own = rows.take(rows.code == group)
    return float(auc(own.y, own.score))
