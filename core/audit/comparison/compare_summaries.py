"""Paired differences of two models: fairness summaries, calibration errors, and precision-recall areas by resampling.

Every bootstrap replicate draws the same patients for both models.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Unpack

import numpy as np
from numpy.typing import ArrayLike, NDArray

from core.audit.estimates.scored import Scored
from core.audit.options import AuditOptions
from core.metrics.bootstrap import Resampling
from core.metrics.paired import Pair, compare_aucs, compare_errors, compare_rates
from core.metrics.paired_resampling import compare_precision
from core.metrics.rates import SUMMARIES
from core.metrics.summary_differences import PairedSummary

Ints = NDArray[np.int64]

# Resampled scores are compared at this many levels.
LEVELS = 32

# Names of core.metrics -> names of the audit's document.
AUC_NAMES: Mapping[str, str] = {"es_auc": "es_auc", "max_gap": "max_gap", "worst_group": "worst_group_auc"}
RATE_NAMES: Mapping[str, str] = dict(
    zip(SUMMARIES, ("dpd", "dp_ratio", "deodds", "eodds_ratio", "equal_opportunity_difference", "equal_opportunity_ratio"), strict=True)
)


def paired_summaries(
    a: Scored, b: Scored, codes: Ints, count: int, options: AuditOptions, judged: Mapping[str, ArrayLike] | None = None
) -> dict[str, PairedSummary]:
    """Every fairness summary of one attribute; none with fewer than two groups.

    judged : (C,) bool per metric ("auc", "tpr", "fpr", "selection_rate"), groups that enter its summaries; all that both
        models have a value for where None.
    """
    if count < 2 or not (codes >= 0).any():
        return {}
    level = 1 - options.alpha
    usable = None if judged is None else judged["auc"]
    of_aucs = compare_aucs(Pair(a.y, a.score, b.score, codes, count, usable), level=level, cluster=a.cluster, weight=a.weight)
    found = {short: of_aucs[name] for name, short in AUC_NAMES.items()}
    if a.decision is not None and b.decision is not None:
        decided = Pair(a.y, a.decision, b.decision, codes, count)
        of_rates = compare_rates(decided, level=level, cluster=a.cluster, weight=a.weight, judged=judged)
        found |= {short: of_rates[name] for name, short in RATE_NAMES.items()}
    return found


def paired_areas_and_errors(a: Scored, b: Scored, codes: Ints, count: int, options: AuditOptions) -> dict[str, tuple[PairedSummary, ...]]:
    """Average precision and AUPRG, which need replicates, and the debiased calibration error, one difference per group."""
    if not (codes >= 0).any():
        return {}
    level, pair = 1 - options.alpha, Pair(a.y, a.score, b.score, codes, count)
    found = compare_precision(pair, level=level, **_resampling(a, options, max_levels=LEVELS, by_label=False)) if options.bootstrap else {}
    if a.no_probability is None and b.no_probability is None:
        found["ece_debiased"] = compare_errors(pair, bins=options.calibration_bins, level=level, cluster=a.cluster, weight=a.weight)
    return found


def _resampling(data: Scored, options: AuditOptions, **more: Unpack[Resampling]) -> Resampling:
    return {"replicates": options.bootstrap, "seed": options.seed, "cluster": data.cluster, "weight": data.weight, **more}
