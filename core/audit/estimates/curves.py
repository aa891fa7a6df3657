"""Curves per group as tidy tables: reliability, net benefit, and every rate as the threshold slides."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from core.audit.estimates.scored import Scored
from core.audit.options import AuditOptions
from core.metrics.calibration import reliability
from core.metrics.net_benefit import decision_curve, tables_at
from core.metrics.rates import rate, rate_counts

RELIABILITY = ["group", "bin_low", "bin_high", "n", "predicted", "observed", "low", "high"]
DECISION = ["group", "threshold", "net_benefit", "treat_all", "treat_none"]
SLIDING = ["group", "threshold", "tpr", "fpr", "ppv", "npv", "selection_rate", "accuracy", "selected"]
RATES = ("tpr", "fpr", "ppv", "npv", "selection_rate", "accuracy")
STEPS = 101


@dataclass(frozen=True)
class Curves:
    """Tidy frames of one attribute; empty where the scores do not allow them.

    reliability : `RELIABILITY`, one row per group and bin of ten rows or more (common bins, Wilson intervals).
    decision : `DECISION`, thresholds .01 to .99.
    sliding : `SLIDING`, rates at thresholds over the range of the scores; tpr against fpr is the ROC curve.
    """

    reliability: pd.DataFrame
    decision: pd.DataFrame
    sliding: pd.DataFrame


def curves(data: Scored, codes: NDArray[np.int64], groups: tuple[str, ...], options: AuditOptions) -> Curves:
    """All curves of the groups of one attribute."""
    sliding = sliding_frame(data, codes, groups)
    if data.no_probability:
        return Curves(pd.DataFrame(columns=pd.Index(RELIABILITY)), pd.DataFrame(columns=pd.Index(DECISION)), sliding)
    return Curves(reliability_frame(data, codes, groups, options), decision_frame(data, codes, groups), sliding)


def reliability_frame(data: Scored, codes: NDArray[np.int64], groups: tuple[str, ...], options: AuditOptions) -> pd.DataFrame:
    curve = reliability(data.y, data.score, codes, len(groups), bins=options.bins, weight=data.weight, cluster=data.cluster, level=1 - options.alpha)
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


def decision_frame(data: Scored, codes: NDArray[np.int64], groups: tuple[str, ...]) -> pd.DataFrame:
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
    columns = {name: rate(table, name).ravel() for name in RATES}
    selected, _ = rate_counts(table, "selection_rate")
    return pd.DataFrame({"group": np.repeat(groups, cuts.size), "threshold": np.tile(cuts, len(groups)), **columns, "selected": selected.ravel()})
