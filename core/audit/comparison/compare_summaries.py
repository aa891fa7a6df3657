"""Paired differences of two models that need resampling: fairness summaries, precision-recall areas, calibration error.

Every replicate draws the same patients for both models.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Unpack

import numpy as np
from numpy.typing import NDArray

from core.audit.estimates.scored import Scored
from core.audit.inference.summary_uncertainty import LEVELS
from core.audit.options import AuditOptions
from core.metrics.bootstrap import Resampling
from core.metrics.paired import Pair, PairedSummary, compare_aucs, compare_errors, compare_precision, compare_rates
from core.metrics.rates import SUMMARIES

Ints = NDArray[np.int64]

# Names of core.metrics -> names of the audit's document.
AUC_NAMES: Mapping[str, str] = {"es_auc": "es_auc", "max_gap": "max_gap", "worst_group": "worst_group_auc"}
RATE_NAMES: Mapping[str, str] = dict(
    zip(SUMMARIES, ("dpd", "dp_ratio", "deodds", "eodds_ratio", "equal_opportunity_difference", "equal_opportunity_ratio"), strict=True)
)


def paired_summaries(a: Scored, b: Scored, codes: Ints, count: int, options: AuditOptions) -> dict[str, PairedSummary]:
    """Every fairness summary of one attribute; none without replicates or with fewer than two groups."""
    if not options.bootstrap or count < 2 or not (codes >= 0).any():
        return {}
    level, how = 1 - options.alpha, _how(a, options, max_levels=LEVELS, by_label=True)
    of_aucs = compare_aucs(Pair(a.y, a.score, b.score, codes, count), level=level, **how)
    found = {short: of_aucs[name] for name, short in AUC_NAMES.items()}
    if a.decision is not None and b.decision is not None:
        of_rates = compare_rates(Pair(a.y, a.decision, b.decision, codes, count), level=level, **_how(a, options))
        found |= {short: of_rates[name] for name, short in RATE_NAMES.items()}
    return found


def paired_areas_and_errors(a: Scored, b: Scored, codes: Ints, count: int, options: AuditOptions) -> dict[str, tuple[PairedSummary, ...]]:
    """Average precision, AUPRG and the debiased calibration error, one difference per group; none without replicates."""
    if not options.bootstrap or not (codes >= 0).any():
        return {}
    level, how = 1 - options.alpha, _how(a, options, max_levels=LEVELS, by_label=False)
    pair = Pair(a.y, a.score, b.score, codes, count)
    found = compare_precision(pair, level=level, **how)
    if a.no_probability is None and b.no_probability is None:
        found["ece_debiased"] = compare_errors(pair, bins=options.calibration_bins, level=level, **how)
    return found


def _how(data: Scored, options: AuditOptions, **more: Unpack[Resampling]) -> Resampling:
    return {"replicates": options.bootstrap, "seed": options.seed, "cluster": data.cluster, "weight": data.weight, **more}
