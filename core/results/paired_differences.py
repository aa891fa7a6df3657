"""Paired differences of two methods on the same test patients, over the seeds that both have.

Patients and trainings are both random: the differences are those of `core.metrics.paired`, which takes the trainings of
each method together. Every measure of a pair is made in one go and kept in the store.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from core.audit.engine import audit
from core.audit.input.predictions import Predictions
from core.audit.result import ModelAudit
from core.metrics.catalogue import AUC_SUMMARIES
from core.metrics.estimate import finite_or_none
from core.metrics.paired import Pair, compare_aucs, compare_group_aucs
from core.metrics.summary_differences import PairedSummary
from core.results.cache import cached_in_store
from core.results.predictions import from_run
from core.results.run_audits import OPTIONS, run_audit
from core.store import Store

MEASURES = ("auc", *AUC_SUMMARIES)
NAMES_IN_METRICS = {"worst_group_auc": "worst_group"}
Trainings = tuple[str, ...]
"""Runs of one method, one per seed."""


def paired_differences(store: Store, pairs: Iterable[tuple[Trainings, Trainings]], attribute: str) -> list[dict[str, dict[str, Any]]]:
    """For each pair of methods, whose trainings stand in the same order of seeds: measure -> its difference.

    A difference has: value (mean of a - b over seeds), low, high, p, value_a, value_b (means), differences (one per
    seed), n_pos, n_neg (test samples of known group), reason. The same two methods have the same intervals and p in
    either order: the pair is computed in the order of its run ids, and turned.
    """
    found = []
    for a, b in pairs:
        first, second = sorted((a, b))
        measures = cached_in_store(store, "paired", [*first, *second], attribute, partial(_differences, store, first, second, attribute))
        found.append(measures if first == a else {measure: _turned(row) for measure, row in measures.items()})
    return found


def _turned(row: dict[str, Any]) -> dict[str, Any]:
    """The difference b - a of a row that says a - b."""
    minus = {name: None if row[name] is None else -row[name] for name in ("value", "low", "high")}
    turned = {"value": minus["value"], "low": minus["high"], "high": minus["low"], "value_a": row["value_b"], "value_b": row["value_a"]}
    return {**row, **turned, "differences": [None if d is None else -d for d in row["differences"]]}


def _differences(store: Store, a: Trainings, b: Trainings, attribute: str) -> dict[str, dict[str, Any]]:
    predictions = from_run(store, [*a, *b], attribute, ("test",))
    found = _audits(store, predictions, (*a, *b), attribute)
    first = found[0].attribute(attribute)
    codes, judged = first.grouping.codes, first.tables["auc"].judged
    score = np.stack([predictions.scores[run] for run in (*a, *b)])
    ours, theirs = score[: len(a)], score[len(a) :]
    cluster, weight, level = predictions.clusters, predictions.weights, 1 - OPTIONS.alpha
    everybody = np.zeros(len(predictions), dtype=np.int64)
    of_all = compare_group_aucs(Pair(predictions.y, ours, theirs, everybody, 1), level=level, cluster=cluster, weight=weight)[0]
    grouped = Pair(predictions.y, ours, theirs, codes, len(first.groups), judged)
    of_groups = compare_aucs(grouped, level=level, cluster=cluster, weight=weight) if judged.any() else {}
    known = codes >= 0
    counts = {"n_pos": int(predictions.y[known].sum()), "n_neg": int((predictions.y[known] == 0).sum())}
    values = _values(found, attribute)
    return {
        measure: {**_row(of_all if measure == "auc" else of_groups.get(NAMES_IN_METRICS.get(measure, measure)), values[measure], len(a)), **counts}
        for measure in MEASURES
    }


def _audits(store: Store, predictions: Predictions, runs: Trainings, attribute: str) -> Sequence[ModelAudit]:
    """Of every run, kept for all the pairs that it is in; anew only where the runs have not all the same samples."""
    if any(finding.code == "unaligned" for finding in predictions.findings):
        return audit(predictions, OPTIONS).models
    return [run_audit(store, run, attribute) for run in runs]


def _values(found: Sequence[ModelAudit], attribute: str) -> dict[str, NDArray[np.float64]]:
    """Measure -> its value in every run, NaN where it is not estimable."""
    summaries = [{s.metric: s.value for s in model.attribute(attribute).point_summaries} for model in found]
    result = {measure: np.array([np.nan if own[measure] is None else own[measure] for own in summaries], dtype=np.float64) for measure in AUC_SUMMARIES}
    return {"auc": np.array([model.tables["auc"].judged_values[0] for model in found]), **result}


def _row(found: PairedSummary | None, values: NDArray[np.float64], seeds: int) -> dict[str, Any]:
    a, b = values[:seeds], values[seeds:]
    differences: Sequence[float | None] = [finite_or_none(d) for d in a - b]
    head = {"value_a": finite_or_none(a.mean()), "value_b": finite_or_none(b.mean()), "differences": differences, "value": finite_or_none((a - b).mean())}
    if found is None or found.difference is None or head["value"] is None:
        return {**head, "low": None, "high": None, "p": None, "reason": (found.reason if found else None) or "fewer than two groups can be judged"}
    return {**head, "low": finite_or_none(found.low), "high": finite_or_none(found.high), "p": finite_or_none(found.p), "reason": found.reason}
