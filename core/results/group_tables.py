"""The audit of finished runs as tidy tables, one row per mark that a page draws. Nothing is estimated here."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from core.audit.engine import audit
from core.audit.estimates.curves import roc_frame, threshold_frame
from core.audit.estimates.group_estimates import GroupCounts, MetricTable
from core.audit.input.predictions import Predictions
from core.audit.result import AttributeAudit, ModelAudit
from core.metrics.estimate import finite_or_none
from core.metrics.intervals import wilson
from core.results.cache import per_run
from core.results.predictions import from_run, group_names
from core.results.run_audits import OPTIONS, attribute_audit, run_audit
from core.store import Store

FAIRNESS = ("es_auc", "worst_group_auc", "max_gap")
NULL_BIN = 0.005
GRID = tuple(round(step / 100, 2) for step in range(1, 100))
"""Thresholds for which consequences are known beforehand, so that the slider answers at once."""
SHOWN_RATES = ("tpr", "fpr", "ppv", "selection_rate")


def estimate_rows(table: MetricTable, counts: GroupCounts, names: Sequence[str | None]) -> list[dict[str, Any]]:
    """Estimates of a metric, a row per group: group, value, low, high, observed, n_pos, n_neg, reason.

    A group that is not judged has no value, but a reason; `observed` is what its rows give nevertheless.
    """
    low, high = (np.where(table.judged, ends, np.nan) for ends in (table.low, table.high))
    return [
        {
            "group": name, "value": finite_or_none(table.judged_values[i]), "low": finite_or_none(low[i]), "high": finite_or_none(high[i]),
            "observed": finite_or_none(table.value[i]), "n_pos": int(counts.n_pos[i]), "n_neg": int(counts.n_neg[i]), "reason": table.reason[i],
        }
        for i, name in enumerate(names)
    ]  # fmt: skip


def auc_rows(model: ModelAudit, attribute: AttributeAudit | None) -> list[dict[str, Any]]:
    """AUC of everybody (group None) and of each group."""
    rows = estimate_rows(model.tables["auc"], model.counts, (None,))
    return rows if attribute is None else rows + estimate_rows(attribute.tables["auc"], attribute.counts, attribute.groups)


def group_performance(store: Store, run_ids: Iterable[str], attribute: str) -> pd.DataFrame:
    """AUC of everybody and of each group on the test split.

    Columns: run_id, group (missing: everybody), value, low, high, observed, n_pos, n_neg, reason.
    """

    def compute(run_id: str) -> list[dict[str, Any]]:
        model = run_audit(store, run_id, attribute)
        return auc_rows(model, model.attribute(attribute))

    return per_run(store, "groups", run_ids, attribute, compute)


def modality_performance(store: Store, run_ids: Iterable[str], attribute: str) -> pd.DataFrame:
    """AUC per group of each modality alone, and of the model with each modality taken away.

    Columns: run_id, kind ("unimodal", "without", or "all": nothing taken away), modality
    (missing for "all"), group (missing: everybody), value, low, high, observed, n_pos, n_neg, reason.
    """

    def compute(run_id: str) -> list[dict[str, Any]]:
        model = run_audit(store, run_id, attribute)
        found = [{"kind": "all", "modality": None, **row} for row in auc_rows(model, model.attribute(attribute))]
        own = from_run(store, run_id, attribute, ("test",))
        for (kind, modality), part in store.modality_scores(run_id, "test").groupby(["kind", "modality"], sort=False):
            score = pd.Series(own.sample_id).map(part.set_index("sample_id")["score"]).to_numpy(dtype=np.float64)
            known = np.isfinite(score)
            if known.any():
                partial = _scored_otherwise(own, known, score)
                found += [{"kind": kind, "modality": modality, **row} for row in auc_rows(partial, partial.attribute(attribute))]
        return found

    return per_run(store, "modalities", run_ids, attribute, compute)


def _scored_otherwise(own: Predictions, known: NDArray[np.bool_], score: NDArray[np.float64]) -> ModelAudit:
    """The audit of other scores for the same samples."""
    part = own.take(known)
    other = Predictions(
        sample_id=part.sample_id,
        y=part.y,
        scores={"model": score[known]},
        attributes=part.attributes,
        patient=part.patient,
        weights=part.weights,
        split=part.split,
        source=part.source,
    )
    return audit(other, OPTIONS).model()


def summaries(store: Store, run_ids: Iterable[str], attribute: str) -> pd.DataFrame:
    """Overall AUC, ES-AUC, worst-group AUC and gap with their intervals.

    Columns: run_id, metric ("auc" | "es_auc" | "worst_group_auc" | "max_gap"), value, low, high,
    excluded (groups that are not judged, with their counts, empty where there is none), reason.
    """

    def compute(run_id: str) -> list[dict[str, Any]]:
        model = run_audit(store, run_id, attribute)
        (head,) = estimate_rows(model.tables["auc"], model.counts, (None,))
        found = [{"metric": "auc", "value": head["value"], "low": head["low"], "high": head["high"], "excluded": "", "reason": head["reason"]}]
        own = {s.metric: s for s in model.attribute(attribute).summaries}
        return found + [
            {
                "metric": m,
                "value": finite_or_none(own[m].value),
                "low": finite_or_none(own[m].low),
                "high": finite_or_none(own[m].high),
                "excluded": own[m].left_out or "",
                "reason": own[m].reason,
            }
            for m in FAIRNESS
        ]

    return per_run(store, "summaries", run_ids, attribute, compute)


def gap_null(store: Store, run_ids: Iterable[str], attribute: str) -> pd.DataFrame:
    """Histogram of the gap that chance alone gives, beside the gap observed.

    Columns: run_id, left, right, share (of draws), observed, p, q95, draws (how many).
    """

    def compute(run_id: str) -> list[dict[str, Any]]:
        gap = attribute_audit(store, run_id, attribute).summary("max_gap")
        null = np.asarray(gap.null)
        if null.size == 0 or gap.value is None:
            return []
        edges = np.arange(0, float(null.max()) + 2 * NULL_BIN, NULL_BIN)
        counts, _ = np.histogram(null, edges)
        return [
            {
                "left": float(a),
                "right": float(b),
                "share": float(c / null.size),
                "observed": gap.value,
                "p": gap.p_null,
                "q95": gap.null_q95,
                "draws": null.size,
            }
            for a, b, c in zip(edges[:-1], edges[1:], counts, strict=True)
        ]

    return per_run(store, "gap-null", run_ids, attribute, compute)


def roc(store: Store, run_ids: Iterable[str], attribute: str) -> pd.DataFrame:
    """ROC curve of each judged group, thinned to what a screen can show: run_id, group, fpr, tpr, n_pos, n_neg."""
    return per_run(store, "roc", run_ids, attribute, lambda run_id: _rows(roc_frame(attribute_audit(store, run_id, attribute))))


def calibration(store: Store, run_ids: Iterable[str], attribute: str) -> pd.DataFrame:
    """Smooth calibration curve per group, and its observed over expected events.

    Columns: run_id, group, predicted, value, low, high, reason (a group without a curve has one row, without numbers), oe, oe_low, oe_high
    (missing where not estimable), n_pos, n_neg. Runs whose scores are no probabilities have no rows.
    """

    def compute(run_id: str) -> list[dict[str, Any]]:
        own = attribute_audit(store, run_id, attribute)
        if own.curves is None or own.curves.smooth.empty:
            return []
        ratios = pd.DataFrame(estimate_rows(own.tables["oe_ratio"], own.counts, own.groups))
        ratios = ratios.rename(columns={"value": "oe", "low": "oe_low", "high": "oe_high"}).drop(columns=["observed", "reason"])
        return _rows(own.curves.smooth.rename(columns={"observed": "value"}).merge(ratios, on="group"))

    return per_run(store, "smooth-calibration", run_ids, attribute, compute)


def consequences(store: Store, run_ids: Iterable[str], attribute: str) -> pd.DataFrame:
    """What each threshold of GRID does to each group.

    Columns: run_id, threshold, group, metric ("tpr" | "fpr" | "ppv" | "selection_rate"), value,
    low, high, selected (samples), n, reason.
    """
    return per_run(
        store, "consequences", run_ids, attribute, lambda run_id: _rows(threshold_frame(attribute_audit(store, run_id, attribute), GRID, SHOWN_RATES))
    )


def cross_group(store: Store, run_ids: Iterable[str], attribute: str) -> pd.DataFrame:
    """P(positive of `positive` scores above negative of `negative`) for every two groups, with its interval.

    Columns: run_id, positive, negative, value, low, high, n_pos, n_neg, reason.
    """

    def compute(run_id: str) -> list[dict[str, Any]]:
        from core.audit.output.document import cross_group_rows

        own = attribute_audit(store, run_id, attribute)
        rows = [] if own.cross_group is None else cross_group_rows(own.cross_group, own.groups)
        return [
            {**{name: value for name, value in row.items() if name != "ci"}, **dict(zip(("low", "high"), row["ci"] or (None, None), strict=True))}
            for row in rows
        ]

    return per_run(store, "cross-group", run_ids, attribute, compute)


def availability(store: Store, cohort_id: str, attribute: str, present: NDArray[np.bool_], modalities: Sequence[str]) -> pd.DataFrame:
    """Share of each group that has each modality, with Wilson's interval: modality, group, value, low, high, n.

    `present` (n, M) in cohort row order.
    """
    values = store.attributes(cohort_id, attribute)["value"].to_numpy(dtype=object)
    found = []
    for group in group_names(store, cohort_id, attribute):
        chosen = values == group
        for m, modality in enumerate(modalities):
            n, have = int(chosen.sum()), int(present[chosen, m].sum())
            low, high = wilson([have], [n])
            found.append(
                {
                    "modality": modality,
                    "group": group,
                    "value": have / n if n else None,
                    "low": finite_or_none(low[0]),
                    "high": finite_or_none(high[0]),
                    "n": n,
                    "present": have,
                }
            )
    return pd.DataFrame(found)


def _rows(frame: pd.DataFrame) -> list[dict[str, Any]]:
    """JSON-ready rows: missing values as None."""
    return [{str(k): finite_or_none(v) if isinstance(v, float) else v for k, v in row.items()} for row in frame.to_dict("records")]
