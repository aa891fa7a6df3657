"""Two models on the same patients: differences that need resampling, from bootstrap replicates that both models share."""

from __future__ import annotations

from typing import Unpack

import numpy as np
from numpy.typing import NDArray

from core.metrics.bootstrap import Resampling, bootstrap_model_statistic, replicate_interval
from core.metrics.paired import Pair
from core.metrics.precision_recall import auprg, average_precision, table_auprg, table_average_precision
from core.metrics.summary_differences import UNDEFINED, PairedSummary

Floats = NDArray[np.float64]

UNSTABLE = "the summary is undefined in more than a tenth of the bootstrap replicates"
BOOTSTRAP = "paired bootstrap"


def paired_summary(value_a: float, value_b: float, a: Floats, b: Floats, level: float) -> PairedSummary:
    """Difference of one estimate from its bootstrap replicates (R,) under both models."""
    shown_a, shown_b = (float(v) if np.isfinite(v) else None for v in (value_a, value_b))
    if shown_a is None or shown_b is None:
        return PairedSummary(shown_a, shown_b, None, None, None, None, UNDEFINED, BOOTSTRAP)
    with np.errstate(invalid="ignore"):
        gap, observed = a - b, shown_a - shown_b
    low, high = replicate_interval(gap, observed, level=level, kind="basic")
    if not np.isfinite(low):
        return PairedSummary(shown_a, shown_b, observed, None, None, None, UNSTABLE, BOOTSTRAP)
    known = gap[np.isfinite(gap)]
    side = min(int((known <= 2 * observed).sum()), int((known >= 2 * observed).sum()))
    p = min(1.0, 2 * (1 + side) / (1 + known.size))
    return PairedSummary(shown_a, shown_b, observed, float(low), float(high), p, None, BOOTSTRAP)


def compare_precision(pair: Pair, *, level: float = 0.95, **resampling: Unpack[Resampling]) -> dict[str, tuple[PairedSummary, ...]]:
    """Paired differences of "average_precision" and "auprg" in every group, (G,) each."""

    def areas(pos: Floats, neg: Floats) -> Floats:
        return np.stack([table_average_precision(pos, neg), table_auprg(pos, neg)], axis=-1)

    drawn = bootstrap_model_statistic(pair.y, pair.both, areas, pair.group, pair.n_groups, **resampling)
    found = {}
    for k, (name, area) in enumerate({"average_precision": average_precision, "auprg": auprg}.items()):
        seen = [area(pair.y, s, pair.group, pair.n_groups, resampling.get("weight")) for s in pair.both]
        found[name] = _by_group(seen, [replicates[..., k] for replicates in drawn], level)
    return found


def _by_group(seen: list[Floats], drawn: list[Floats] | tuple[Floats, ...], level: float) -> tuple[PairedSummary, ...]:
    """From values (G,) and replicates (R, G) of both models."""
    return tuple(paired_summary(float(seen[0][g]), float(seen[1][g]), drawn[0][:, g], drawn[1][:, g], level) for g in range(seen[0].size))
