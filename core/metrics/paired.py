"""Two models on the same patients: differences of every fairness summary, by bootstrap replicates that they share."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Unpack

import numpy as np
from numpy.typing import ArrayLike, NDArray

from core.metrics import validate
from core.metrics.auc import auc, group_aucs
from core.metrics.bootstrap import (
    AucReplicates,
    Resampling,
    bootstrap_model_statistic,
    bootstrap_models,
    replicate_interval,
)
from core.metrics.bootstrap_calibration import bootstrap_errors
from core.metrics.bootstrap_rates import bootstrap_pair_confusion
from core.metrics.calibration import BINS, debiased_ece, reliability
from core.metrics.precision_recall import auprg, average_precision, table_auprg, table_average_precision
from core.metrics.rates import confusion, rate_summaries

Floats = NDArray[np.float64]

UNDEFINED = "the summary is not estimable for both models"
UNSTABLE = "the summary is undefined in more than a tenth of the bootstrap replicates"
METHOD = "paired bootstrap"


@dataclass(frozen=True)
class PairedSummary:
    """A summary of models a and b and the difference a - b; None where undefined, `reason` says why.

    low, high : basic bootstrap interval, which takes off the bias that gaps of noisy groups have. p : two-sided, twice
    the share of replicates, mirrored about the difference, on the far side of 0.
    """

    value_a: float | None
    value_b: float | None
    difference: float | None
    low: float | None
    high: float | None
    p: float | None
    reason: str | None
    method: str = METHOD


@dataclass(frozen=True)
class Pair:
    """Scores, probabilities or decisions of models a and b for the same samples, and the groups these are compared in.

    y, a, b : (n,); group : (n,) indices, -1 left out; usable : (G,) groups that enter summaries, all where None.
    """

    y: ArrayLike
    a: ArrayLike
    b: ArrayLike
    group: ArrayLike
    n_groups: int | None = None
    usable: ArrayLike | None = None

    @property
    def count(self) -> int:
        return validate.groups(self.group, np.asarray(self.y).size, self.n_groups)[1]

    @property
    def chosen(self) -> NDArray[np.bool_]:
        return np.ones(self.count, dtype=bool) if self.usable is None else np.asarray(self.usable, dtype=bool)

    @property
    def both(self) -> Floats:
        """(2, n) values of both models."""
        return np.stack([np.asarray(self.a, dtype=np.float64), np.asarray(self.b, dtype=np.float64)])


def paired_summary(value_a: float, value_b: float, a: Floats, b: Floats, level: float) -> PairedSummary:
    """Difference of one summary from its replicates (R,) under both models."""
    shown_a, shown_b = (float(v) if np.isfinite(v) else None for v in (value_a, value_b))
    if shown_a is None or shown_b is None:
        return PairedSummary(shown_a, shown_b, None, None, None, None, UNDEFINED)
    with np.errstate(invalid="ignore"):
        gap, observed = a - b, shown_a - shown_b
    low, high = replicate_interval(gap, observed, level=level, kind="basic")
    if not np.isfinite(low):
        return PairedSummary(shown_a, shown_b, observed, None, None, None, UNSTABLE)
    known = gap[np.isfinite(gap)]
    side = min(int((known <= 2 * observed).sum()), int((known >= 2 * observed).sum()))
    p = min(1.0, 2 * (1 + side) / (1 + known.size))
    return PairedSummary(shown_a, shown_b, observed, float(low), float(high), p, None)


def compare_aucs(pair: Pair, *, level: float = 0.95, **how: Unpack[Resampling]) -> dict[str, PairedSummary]:
    """Paired differences of "auc", "es_auc", "max_gap", "worst_group" between two models' scores."""
    labels = validate.labels(pair.y)
    index, count = validate.groups(pair.group, labels.size, pair.n_groups)
    keep, chosen = index >= 0, pair.chosen
    w = validate.weights(how.get("weight"), labels.size)
    drawn = bootstrap_models(labels, pair.both, index, count, **how)
    seen = [
        AucReplicates(
            np.array([auc(labels[keep], s[keep], None if w is None else w[keep])]),
            np.where(chosen, group_aucs(labels, s, index, count, w), np.nan)[None],
        ).summaries()
        for s in pair.both
    ]
    reps = [AucReplicates(r.overall, np.where(chosen, r.groups, np.nan)).summaries() for r in drawn]
    return {
        name: paired_summary(float(seen[0][name][0]), float(seen[1][name][0]), reps[0][name], reps[1][name], level)
        for name in seen[0]
    }


def compare_rates(pair: Pair, *, level: float = 0.95, **how: Unpack[Resampling]) -> dict[str, PairedSummary]:
    """Paired differences of every summary in `rates.SUMMARIES` between two models' decisions."""
    tables = bootstrap_pair_confusion(pair.y, (pair.a, pair.b), pair.group, pair.n_groups, **how)
    weight = how.get("weight")
    seen = [
        rate_summaries(confusion(pair.y, decided, pair.group, pair.n_groups, weight)[pair.chosen])
        for decided in (pair.a, pair.b)
    ]
    reps = [rate_summaries(table[:, pair.chosen]) for table in tables]
    return {
        name: paired_summary(float(seen[0][name]), float(seen[1][name]), reps[0][name], reps[1][name], level)
        for name in seen[0]
    }


def compare_precision(pair: Pair, *, level: float = 0.95, **how: Unpack[Resampling]) -> dict[str, tuple[PairedSummary, ...]]:
    """Paired differences of "average_precision" and "auprg" in every group, (G,) each."""

    def areas(pos: Floats, neg: Floats) -> Floats:
        return np.stack([table_average_precision(pos, neg), table_auprg(pos, neg)], axis=-1)

    drawn = bootstrap_model_statistic(pair.y, pair.both, areas, pair.group, pair.n_groups, **how)
    found = {}
    for k, (name, area) in enumerate({"average_precision": average_precision, "auprg": auprg}.items()):
        seen = [area(pair.y, s, pair.group, pair.n_groups, how.get("weight")) for s in pair.both]
        found[name] = _by_group(seen, [replicates[..., k] for replicates in drawn], level)
    return found


def compare_errors(
    pair: Pair, *, bins: int = BINS, level: float = 0.95, **how: Unpack[Resampling]
) -> tuple[PairedSummary, ...]:
    """Paired differences of the debiased calibration error in every group, (G,). Scores must lie in [0, 1]."""
    weight = how.get("weight")
    drawn = bootstrap_errors(pair.y, pair.both, pair.group, pair.n_groups, bins=bins, error=debiased_ece, **how)
    cluster = how.get("cluster")
    seen = [debiased_ece(reliability(pair.y, s, pair.group, pair.n_groups, bins=bins, weight=weight, cluster=cluster)) for s in pair.both]
    return _by_group(seen, drawn, level)


def _by_group(seen: list[Floats], drawn: list[Floats] | tuple[Floats, ...], level: float) -> tuple[PairedSummary, ...]:
    """From values (G,) and replicates (R, G) of both models."""
    return tuple(
        paired_summary(float(seen[0][g]), float(seen[1][g]), drawn[0][:, g], drawn[1][:, g], level)
        for g in range(seen[0].size)
    )
