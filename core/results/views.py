"""What the analysis pages show of finished runs: tidy tables on the test split, cached per run.

Estimates are the audit's own (`core.audit.estimates.group_estimates`, `core.metrics`); here they are laid out
one row per mark. A value that the audit does not judge is left out, with the reason.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from core.audit.engine import audit
from core.audit.estimates.group_estimates import GroupCounts, MetricTable, auc_table, group_counts
from core.audit.estimates.operating_point import OperatingPoint
from core.audit.estimates.scored import scored
from core.audit.inference.pairwise import PairTest
from core.metrics.auc import auc
from core.metrics.bootstrap import bootstrap_models, replicate_interval
from core.metrics.calibration import reliability
from core.metrics.equity import es_auc, max_gap, worst
from core.metrics.intervals import wilson
from core.metrics.permutation import permute_aucs
from core.metrics.rates import confusion, rate_estimates
from core.results.rows import OPTIONS, Rows, group_names, number, per_run, rows_of
from core.store import Store

REPLICATES = 500
PERMUTATIONS = 1000
FAIRNESS = ("es_auc", "worst_group_auc", "max_gap")
NULL_BIN = 0.005
CURVE_POINTS = 60
GRID = tuple(round(step / 100, 2) for step in range(1, 100))
"""Thresholds for which consequences are known beforehand, so that the slider answers at once."""


def auc_rows(rows: Rows) -> list[dict[str, Any]]:
    """AUC of everybody (group None) and of each group: value, low, high, n_pos, n_neg, reason."""
    if rows.y.size == 0:
        return []
    data = scored(rows.predictions("group"), "model", OperatingPoint(None, "fixed", reason="not asked for"))
    found: list[dict[str, Any]] = []
    for codes, names in ((np.zeros(rows.y.size, dtype=np.int64), (None,)), (rows.code, rows.groups)):
        if names:
            counts = group_counts(data, codes, len(names))
            found += _estimates(auc_table(data, codes, len(names), counts.lacking(OPTIONS), OPTIONS), counts, names)
    return found


def _estimates(table: MetricTable, counts: GroupCounts, names: Sequence[str | None]) -> list[dict[str, Any]]:
    return [
        {
            "group": name, "value": number(table.value[i]) if table.judged[i] else None, "low": number(table.low[i]) if table.judged[i] else None,
            "high": number(table.high[i]) if table.judged[i] else None, "n_pos": int(counts.n_pos[i]), "n_neg": int(counts.n_neg[i]), "reason": table.reason[i],
        }
        for i, name in enumerate(names)
    ]  # fmt: skip


def group_performance(store: Store, run_ids: Iterable[str], attribute: str) -> pd.DataFrame:
    """AUC of everybody and of each group on the test split.

    Columns: run_id, group (missing: everybody), value, low, high, n_pos, n_neg, reason.
    """
    return per_run(store, "groups", run_ids, attribute, lambda run_id: auc_rows(rows_of(store, run_id, attribute)))


def modality_performance(store: Store, run_ids: Iterable[str], attribute: str) -> pd.DataFrame:
    """AUC per group of each modality alone, and of the model with each modality taken away.

    Columns: run_id, kind ("unimodal", "without", or "all": nothing taken away), modality
    (missing for "all"), group (missing: everybody), value, low, high, n_pos, n_neg, reason.
    """

    def compute(run_id: str) -> list[dict[str, Any]]:
        rows = rows_of(store, run_id, attribute)
        found = [{"kind": "all", "modality": None, **row} for row in auc_rows(rows)]
        for (kind, modality), part in store.modality_scores(run_id, "test").groupby(["kind", "modality"], sort=False):
            score = pd.Series(rows.sample).map(part.set_index("sample_id")["score"]).to_numpy(dtype=np.float64)
            known = np.isfinite(score)
            own = Rows(rows.y, score, rows.code, rows.groups, rows.patient, rows.sample).take(known)
            found += [{"kind": kind, "modality": modality, **row} for row in auc_rows(own)]
        return found

    return per_run(store, "modalities", run_ids, attribute, compute)


def verdicts(store: Store, run_ids: Iterable[str], attribute: str) -> pd.DataFrame:
    """The audit's verdict on the group AUCs of each run, as it stands alone (`core.results.multiplicity` corrects several).

    Columns: run_id, verdict, reason, gap, p (smallest Holm p of any pair), group_low, group_high, and pair: of those
    pairs of groups that differ by the tolerance or more the one with the smallest Holm p, a dictionary with
    difference, low, high, p, group_high, value_high, group_low, value_low; None where there is no such pair.
    """

    def compute(run_id: str) -> list[dict[str, Any]]:
        rows = rows_of(store, run_id, attribute)
        found = audit(rows.predictions(attribute), OPTIONS).model().attribute(attribute)
        verdict = next(v for v in found.verdicts if v.metric == "auc")
        return [{
            "verdict": verdict.verdict, "reason": verdict.reason, "gap": verdict.gap, "p": verdict.p, "group_low": verdict.group_low, "group_high": verdict.group_high,
            "pair": widest_pair(found.tests, found.tables["auc"], found.grouping.groups),
        }]  # fmt: skip

    return per_run(store, "verdicts", run_ids, attribute, compute)


def widest_pair(tests: Iterable[PairTest], table: MetricTable, groups: Sequence[str]) -> dict[str, Any] | None:
    """The pair of groups that a disparity of the AUC would rest on (see `verdicts`), as JSON."""
    known = [(t.p_holm, -abs(t.difference), t) for t in tests if t.metric == "auc" and t.p_holm is not None and abs(t.difference) >= OPTIONS.tolerance_of("auc")]
    if not known:
        return None
    p, size, test = min(known, key=lambda found: found[:2])
    high, low, sign = (test.group_a, test.group_b, 1) if test.difference > 0 else (test.group_b, test.group_a, -1)
    reach = (None, None) if test.low is None or test.high is None else sorted((sign * test.low, sign * test.high))
    return {
        "difference": -size, "low": reach[0], "high": reach[1], "p": p,
        "group_high": groups[high], "value_high": float(table.value[high]), "group_low": groups[low], "value_low": float(table.value[low]),
    }  # fmt: skip


def _points(rows: Rows, table: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Rows of `summaries` from those of `auc_rows`, with an interval for the AUC alone.

    ES-AUC sets the groups against the samples that they are made of, as in `core.audit.engine`:
    samples of unknown group count in the AUC of everybody alone.
    """
    excluded = ", ".join(row["group"] for row in table[1:] if row["value"] is None)
    head = table[0] if table else {"value": None, "low": None, "high": None, "reason": "no test rows"}
    found = [{"metric": "auc", "value": head["value"], "low": head["low"], "high": head["high"], "excluded": "", "reason": head["reason"]}]
    values = np.array([np.nan if row["value"] is None else row["value"] for row in table[1:]])
    if np.isfinite(values).sum() < 2 or head["value"] is None:
        reason = "fewer than two groups have enough positives and negatives"
        return found + [{"metric": m, "value": None, "low": None, "high": None, "excluded": excluded, "reason": reason} for m in FAIRNESS]
    known = rows.take(rows.code >= 0)
    exact = (es_auc(auc(known.y, known.score), values), worst(values), max_gap(values))
    return found + [{"metric": m, "value": number(float(v)), "low": None, "high": None, "excluded": excluded, "reason": None} for m, v in zip(FAIRNESS, exact, strict=True)]


def summaries(store: Store, run_ids: Iterable[str], attribute: str) -> pd.DataFrame:
    """Overall AUC, ES-AUC, worst-group AUC and gap with patient bootstrap intervals.

    Columns: run_id, metric ("auc" | "es_auc" | "worst_group_auc" | "max_gap"), value, low, high,
    excluded (groups that are not judged, comma separated), reason.
    """

    def compute(run_id: str) -> list[dict[str, Any]]:
        rows = rows_of(store, run_id, attribute)
        table = auc_rows(rows)
        found = _points(rows, table)
        if found[-1]["value"] is None:
            return found
        judged = np.array([row["value"] is not None for row in table[1:]], dtype=bool)
        # The draws of `core.results.paired_bootstrap`, so that Compare says the same of one seed.
        draws = bootstrap_models(rows.y, rows.score, rows.code, len(rows.groups), replicates=REPLICATES, cluster=rows.patient, workers=1)[0]
        areas = np.where(judged, draws.groups, np.nan)
        for row, replicates in zip(found[1:], (es_auc(draws.overall, areas), worst(areas), max_gap(areas)), strict=True):
            low, high = replicate_interval(replicates, row["value"], kind="bias-corrected")
            row |= {"low": number(float(low)), "high": number(float(high))}
        return found

    return per_run(store, "summaries", run_ids, attribute, compute)


def gap_null(store: Store, run_ids: Iterable[str], attribute: str) -> pd.DataFrame:
    """Histogram of the gap when group labels are shuffled, beside the gap observed.

    Columns: run_id, left, right, share (of shuffles), observed, p, q95, permutations.
    """

    def compute(run_id: str) -> list[dict[str, Any]]:
        rows = rows_of(store, run_id, attribute)
        values = np.array([np.nan if row["value"] is None else row["value"] for row in auc_rows(rows)[1:]])
        judged = np.isfinite(values)
        if judged.sum() < 2:
            return []
        # The null compares scores at fewer levels; the gap that is shown is the exact one.
        observed = float(max_gap(values))
        test = permute_aucs(rows.y, rows.score, rows.code, len(rows.groups), permutations=PERMUTATIONS, cluster=rows.patient, usable=judged, workers=1).max_gap
        null = test.null[np.isfinite(test.null)]
        if null.size == 0 or test.value is None:
            return []
        edges = np.arange(0, float(null.max()) + 2 * NULL_BIN, NULL_BIN)
        counts, _ = np.histogram(null, edges)
        return [
            {"left": float(a), "right": float(b), "share": float(c / null.size), "observed": observed, "p": test.p, "q95": test.null_q95, "permutations": test.permutations}
            for a, b, c in zip(edges[:-1], edges[1:], counts, strict=True)
        ]

    return per_run(store, "gap-null", run_ids, attribute, compute)


def roc(store: Store, run_ids: Iterable[str], attribute: str) -> pd.DataFrame:
    """ROC curve of each judged group, thinned to what a screen can show: run_id, group, fpr, tpr, n_pos, n_neg."""

    def compute(run_id: str) -> list[dict[str, Any]]:
        rows = rows_of(store, run_id, attribute)
        found = []
        for row in auc_rows(rows)[1:]:
            if row["value"] is None:
                continue
            chosen = rows.code == rows.groups.index(row["group"])
            fpr, tpr = _curve(rows.y[chosen], rows.score[chosen])
            found += [{"group": row["group"], "fpr": float(f), "tpr": float(t), "n_pos": row["n_pos"], "n_neg": row["n_neg"]} for f, t in zip(fpr, tpr, strict=True)]
        return found

    return per_run(store, "roc", run_ids, attribute, compute)


def _curve(y: NDArray[np.int8], score: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Corners of the ROC staircase from confusion counts at observed scores, at most CURVE_POINTS of them."""
    order = np.argsort(-score, kind="stable")
    last = np.append(np.diff(score[order]) != 0, True)
    hits, selected = np.cumsum(y[order])[last], (np.arange(y.size) + 1)[last]
    tpr = np.concatenate([[0.0], hits / max(int(y.sum()), 1)])
    fpr = np.concatenate([[0.0], (selected - hits) / max(int((1 - y).sum()), 1)])
    keep = np.unique(np.round(np.linspace(0, tpr.size - 1, CURVE_POINTS)).astype(np.int64))
    return fpr[keep], tpr[keep]


def calibration(store: Store, run_ids: Iterable[str], attribute: str) -> pd.DataFrame:
    """Reliability curve per group on ten common bins: run_id, group, predicted, value, low, high, n.

    Runs whose scores are no probabilities have no rows.
    """

    def compute(run_id: str) -> list[dict[str, Any]]:
        rows = rows_of(store, run_id, attribute)
        if rows.y.size == 0 or rows.score.min() < 0 or rows.score.max() > 1:
            return []
        curve = reliability(rows.y, rows.score, rows.code, len(rows.groups), bins=OPTIONS.bins, cluster=rows.patient)
        return [
            {"group": group, "predicted": float(curve.predicted[g, b]), "value": float(curve.observed[g, b]), "low": number(curve.low[g, b]), "high": number(curve.high[g, b]), "n": int(curve.weight[g, b])}
            for g, group in enumerate(rows.groups)
            for b in range(OPTIONS.bins)
            if curve.drawn[g, b]
        ]

    return per_run(store, "calibration", run_ids, attribute, compute)


def consequences(store: Store, run_ids: Iterable[str], attribute: str) -> pd.DataFrame:
    """What each threshold of GRID does to each group.

    Columns: run_id, threshold, group, metric ("tpr" | "fpr" | "ppv" | "selection_rate"), value,
    low, high, selected (patients' samples), n, reason.
    """

    def compute(run_id: str) -> list[dict[str, Any]]:
        rows = rows_of(store, run_id, attribute)
        found: list[dict[str, Any]] = []
        for threshold in GRID:
            table = confusion(rows.y, rows.score >= threshold, rows.code, len(rows.groups))
            for metric in ("tpr", "fpr", "ppv", "selection_rate"):
                for g, estimate in enumerate(rate_estimates(table, metric)):
                    found.append({
                        "threshold": threshold, "group": rows.groups[g], "metric": metric, "value": estimate.value, "low": estimate.low, "high": estimate.high,
                        "selected": int(table[g, 0] + table[g, 1]), "n": int(table[g].sum()), "reason": estimate.reason,
                    })  # fmt: skip
        return found

    return per_run(store, "consequences", run_ids, attribute, compute)


def cross_group(store: Store, run_ids: Iterable[str], attribute: str) -> pd.DataFrame:
    """P(positive of `positive` scores above negative of `negative`) for every two groups, with its interval.

    Columns: run_id, positive, negative, value, low, high, n_pos, n_neg, reason.
    """

    def compute(run_id: str) -> list[dict[str, Any]]:
        rows = rows_of(store, run_id, attribute)
        found = []
        for a, first in enumerate(rows.groups):
            for b, second in enumerate(rows.groups):
                pair = rows.take(((rows.code == a) & (rows.y == 1)) | ((rows.code == b) & (rows.y == 0)))
                estimate = auc_rows(pair)[0] if pair.y.size else {"value": None, "low": None, "high": None, "n_pos": 0, "n_neg": 0, "reason": "nobody of either group"}
                found.append({"positive": first, "negative": second, **{name: value for name, value in estimate.items() if name != "group"}})
        return found

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
            found.append({"modality": modality, "group": group, "value": have / n if n else None, "low": number(low[0]), "high": number(high[0]), "n": n, "present": have})
    return pd.DataFrame(found)
