"""Curves per group as tidy tables: calibration in bins and smooth, net benefit, and every rate as the threshold slides."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from core.audit.estimates.group_estimates import rate_tables
from core.audit.estimates.scored import Scored
from core.audit.options import AuditOptions
from core.metrics.calibration import reliability
from core.metrics.calibration_curve import calibration_curves
from core.metrics.catalogue import RATE_METRICS
from core.metrics.estimate import finite_or_none
from core.metrics.net_benefit import decision_curve, tables_at
from core.metrics.rates import rate, rate_counts

if TYPE_CHECKING:
    from core.audit.result import AttributeAudit

RELIABILITY = ["group", "bin_low", "bin_high", "n", "predicted", "observed", "low", "high"]
SMOOTH = ["group", "predicted", "observed", "low", "high", "reason"]
DECISION = ["group", "threshold", "net_benefit", "treat_all", "treat_none"]
SCORES = ["group", "outcome", "bin_low", "bin_high", "n", "share"]
SLIDING = ["group", "threshold", "tpr", "fpr", "ppv", "npv", "selection_rate", "accuracy", "selected"]
STEPS = 101
ROC_POINTS = 60
SCORE_BINS = 20


@dataclass(frozen=True)
class Curves:
    """Tidy frames of one attribute; empty where the scores do not allow them.

    reliability : `RELIABILITY`, one row per group and bin of ten rows or more (common bins, Wilson intervals).
    smooth : `SMOOTH`, a row per group and score of its smooth calibration curve with the pointwise band; a group without a curve has one row,
        without numbers but with the reason.
    decision : `DECISION`, thresholds .01 to .99.
    scores : `SCORES`, how the scores of positives (outcome 1) and negatives (0) lie, in `SCORE_BINS` bins.
    sliding : `SLIDING`, rates at thresholds over the range of the scores; tpr against fpr is the ROC curve.
    """

    reliability: pd.DataFrame
    smooth: pd.DataFrame
    decision: pd.DataFrame
    sliding: pd.DataFrame
    scores: pd.DataFrame


def curves(data: Scored, codes: NDArray[np.int64], groups: tuple[str, ...], too_few: Sequence[str | None], options: AuditOptions) -> Curves:
    """All curves of the groups of one attribute. `too_few`: per group, why it is too small to be judged, or None."""
    sliding = sliding_frame(data, codes, groups)
    scores = scores_frame(data, codes, groups)
    if data.no_probability:
        bins, smooth, benefit = (pd.DataFrame(columns=pd.Index(names)) for names in (RELIABILITY, SMOOTH, DECISION))
        return Curves(bins, smooth, benefit, sliding, scores)
    fitted = smooth_frame(data, codes, groups, too_few, options)
    return Curves(reliability_frame(data, codes, groups, options), fitted, decision_frame(data, codes, groups), sliding, scores)


def scores_frame(data: Scored, codes: NDArray[np.int64], groups: tuple[str, ...]) -> pd.DataFrame:
    """Rows of each outcome by score; probabilities in bins of equal width from 0 to 1, other scores over their range."""
    ends = (0.0, 1.0) if not data.no_probability else (float(data.score.min()), float(data.score.max()))
    edges = np.linspace(ends[0], ends[1] if ends[1] > ends[0] else ends[0] + 1.0, SCORE_BINS + 1)
    rows = []
    for g, group in enumerate(groups):
        for outcome in (1, 0):
            counts = np.histogram(data.score[(codes == g) & (data.y == bool(outcome))], edges)[0]
            total = counts.sum()
            rows += [(group, outcome, float(a), float(b), int(n), float(n / total)) for a, b, n in zip(edges, edges[1:], counts, strict=False) if n]
    return pd.DataFrame(rows, columns=pd.Index(SCORES))


def reliability_frame(data: Scored, codes: NDArray[np.int64], groups: tuple[str, ...], options: AuditOptions) -> pd.DataFrame:
    """Observed frequency by bins of the score, one row per group and bin, with counts and intervals of the frequencies; columns as `Curves.reliability`."""
    curve = reliability(
        data.y, data.score, codes, len(groups), bins=options.calibration_bins, weight=data.weight, cluster=data.cluster, level=1 - options.alpha
    )
    count, bins = curve.weight.shape
    frame = pd.DataFrame(
        {
            "group": np.repeat(groups, bins),
            "bin_low": np.tile(curve.edges[:-1], count),
            "bin_high": np.tile(curve.edges[1:], count),
            "n": curve.weight.ravel(),
            **{name: getattr(curve, name).ravel() for name in ("predicted", "observed", "low", "high")},
        }
    )
    return frame[curve.drawn.ravel()].reset_index(drop=True)


def smooth_frame(data: Scored, codes: NDArray[np.int64], groups: tuple[str, ...], too_few: Sequence[str | None], options: AuditOptions) -> pd.DataFrame:
    """Smooth calibration curves; see `Curves.smooth`."""
    found = calibration_curves(data.y, data.score, codes, len(groups), weight=data.weight, cluster=data.cluster)
    low, high = found.band(1 - options.alpha)
    parts = []
    for g, group in enumerate(groups):
        reason = too_few[g] or found.reason[g]
        points = (np.array([np.nan]),) * 4 if reason else (found.predicted[g], found.risk[g], low[g], high[g])
        parts.append(pd.DataFrame({"group": group, **dict(zip(SMOOTH[1:5], points, strict=True)), "reason": reason}))
    return pd.concat(parts, ignore_index=True)


def decision_frame(data: Scored, codes: NDArray[np.int64], groups: tuple[str, ...]) -> pd.DataFrame:
    """Net benefit of the model and of treating everybody, one row per group and threshold; columns as `Curves.decision`."""
    curve = decision_curve(data.y, data.score, None, codes, len(groups), data.weight)
    steps = curve.thresholds.size
    return pd.DataFrame(
        {
            "group": np.repeat(groups, steps),
            "threshold": np.tile(curve.thresholds, len(groups)),
            "net_benefit": curve.model.ravel(),
            "treat_all": curve.treat_all.ravel(),
            "treat_none": 0.0,
        }
    )


def sliding_frame(data: Scored, codes: NDArray[np.int64], groups: tuple[str, ...]) -> pd.DataFrame:
    """Thresholds at equal shares of the scores, so that the steep parts of every curve are drawn well, and the operating point's."""
    cuts = np.quantile(data.score, np.linspace(0, 1, STEPS))
    cuts = np.unique(cuts if data.threshold is None else np.append(cuts, data.threshold))
    # One more above the highest score, where nobody is selected and the ROC curve starts.
    cuts = np.append(cuts, np.nextafter(max(cuts[-1], float(data.score.max())), np.inf))
    table = tables_at(data.y, data.score, cuts, codes, len(groups), data.weight)
    columns = {name: rate(table, name).ravel() for name in RATE_METRICS}
    selected, _ = rate_counts(table, "selection_rate")
    return pd.DataFrame({"group": np.repeat(groups, cuts.size), "threshold": np.tile(cuts, len(groups)), **columns, "selected": selected.ravel()})


def roc_frame(found: AttributeAudit) -> pd.DataFrame:
    """ROC curve of each judged group, corners of the staircase thinned to ROC_POINTS: group, fpr, tpr, n_pos, n_neg."""
    parts = []
    for g in np.flatnonzero(found.tables["auc"].judged):
        inside = found.grouping.codes == g
        fpr, tpr = _roc(found.data.y[inside], found.data.score[inside], None if found.data.weight is None else found.data.weight[inside])
        parts.append(pd.DataFrame({"group": found.groups[g], "fpr": fpr, "tpr": tpr, "n_pos": int(found.counts.n_pos[g]), "n_neg": int(found.counts.n_neg[g])}))
    return pd.concat(parts, ignore_index=True) if parts else pd.DataFrame(columns=["group", "fpr", "tpr", "n_pos", "n_neg"])


def _roc(y: NDArray[np.bool_], score: NDArray[np.float64], weight: NDArray[np.float64] | None) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    order = np.argsort(-score, kind="stable")
    last = np.append(np.diff(score[order]) != 0, True)
    w = np.ones(y.size) if weight is None else weight[order]
    hits, alarms = np.cumsum(w * y[order])[last], np.cumsum(w * ~y[order])[last]
    tpr, fpr = np.append(0.0, hits / hits[-1]), np.append(0.0, alarms / alarms[-1])
    keep = np.unique(np.round(np.linspace(0, tpr.size - 1, ROC_POINTS)).astype(np.int64))
    return fpr[keep], tpr[keep]


def threshold_frame(found: AttributeAudit, thresholds: Sequence[float], metrics: Sequence[str]) -> pd.DataFrame:
    """What each threshold does to each group, with the intervals that the rates at the operating point have.

    Columns: threshold, group, metric, value, low, high, selected (rows), n, reason.
    """
    rows, codes, count, too_few = [], found.grouping.codes, len(found.groups), found.counts.too_few(found.options)
    for threshold in thresholds:
        decision = (found.data.score >= threshold).astype(np.int8)
        at = replace(found.data, decision=decision, no_decision=None, threshold=float(threshold))
        selected = np.bincount(codes[(codes >= 0) & (decision == 1)], minlength=count)
        for table in rate_tables(at, codes, count, too_few, found.options, tuple(metrics)):
            for g, group in enumerate(found.groups):
                ends = (table.value, table.low, table.high) if table.judged[g] else ()
                value, low, high = (finite_or_none(column[g]) for column in ends) if ends else (None, None, None)
                rows.append((float(threshold), group, table.metric, value, low, high, int(selected[g]), int(found.counts.n[g]), table.reason[g]))
    return pd.DataFrame(rows, columns=["threshold", "group", "metric", "value", "low", "high", "selected", "n", "reason"])
