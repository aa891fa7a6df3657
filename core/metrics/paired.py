"""Two models on the same patients: differences of every fairness summary, by bootstrap replicates that they share."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from core.metrics import validate
from core.metrics.auc import auc, group_aucs
from core.metrics.bootstrap import AucReplicates, bootstrap_models, bootstrap_pair_confusion, replicate_interval
from core.metrics.levels import MAX_LEVELS
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


def _paired(value_a: float, value_b: float, a: Floats, b: Floats, level: float) -> PairedSummary:
    """Difference of one summary from its replicates (R,) under both models."""
    shown_a, shown_b = (float(v) if np.isfinite(v) else None for v in (value_a, value_b))
    if shown_a is None or shown_b is None:
        return PairedSummary(shown_a, shown_b, None, None, None, None, UNDEFINED)
    gap, observed = a - b, shown_a - shown_b
    low, high = replicate_interval(gap, observed, level=level, kind="basic")
    if not np.isfinite(low):
        return PairedSummary(shown_a, shown_b, observed, None, None, None, UNSTABLE)
    known = gap[np.isfinite(gap)]
    side = min(int((known <= 2 * observed).sum()), int((known >= 2 * observed).sum()))
    p = min(1.0, 2 * (1 + side) / (1 + known.size))
    return PairedSummary(shown_a, shown_b, observed, float(low), float(high), p, None)


def compare_aucs(
    y: ArrayLike,
    score_a: ArrayLike,
    score_b: ArrayLike,
    group: ArrayLike,
    n_groups: int | None = None,
    *,
    replicates: int = 1000,
    seed: int = 0,
    cluster: ArrayLike | None = None,
    weight: ArrayLike | None = None,
    usable: ArrayLike | None = None,
    level: float = 0.95,
    max_levels: int = MAX_LEVELS,
    workers: int | None = None,
) -> dict[str, PairedSummary]:
    """Paired differences of "auc", "es_auc", "max_gap", "worst_group" between two models.

    usable : (G,) bool, groups that enter the summaries. Parameters otherwise as in `bootstrap.bootstrap_aucs`.
    """
    labels = validate.labels(y)
    index, count = validate.groups(group, labels.size, n_groups)
    keep = index >= 0
    chosen = np.ones(count, dtype=bool) if usable is None else np.asarray(usable, dtype=bool)
    w = validate.weights(weight, labels.size)
    scores = np.stack([validate.scores(s, labels.size) for s in (score_a, score_b)])
    drawn = bootstrap_models(
        labels, scores, index, count,
        replicates=replicates, seed=seed, cluster=cluster, weight=w, max_levels=max_levels, workers=workers,
    )  # fmt: skip
    seen = [
        AucReplicates(
            np.array([auc(labels[keep], s[keep], None if w is None else w[keep])]),
            np.where(chosen, group_aucs(labels, s, index, count, w), np.nan)[None],
        ).summaries()
        for s in scores
    ]
    reps = [AucReplicates(r.overall, np.where(chosen, r.groups, np.nan)).summaries() for r in drawn]
    return {
        name: _paired(float(seen[0][name][0]), float(seen[1][name][0]), reps[0][name], reps[1][name], level)
        for name in seen[0]
    }


def compare_rates(
    y: ArrayLike,
    prediction_a: ArrayLike,
    prediction_b: ArrayLike,
    group: ArrayLike,
    n_groups: int | None = None,
    *,
    replicates: int = 1000,
    seed: int = 0,
    cluster: ArrayLike | None = None,
    weight: ArrayLike | None = None,
    usable: ArrayLike | None = None,
    level: float = 0.95,
    workers: int | None = None,
) -> dict[str, PairedSummary]:
    """Paired differences of every summary in `rates.SUMMARIES` between two models' decisions."""
    labels = validate.labels(y)
    index, count = validate.groups(group, labels.size, n_groups)
    chosen = np.ones(count, dtype=bool) if usable is None else np.asarray(usable, dtype=bool)
    tables = bootstrap_pair_confusion(
        labels, prediction_a, prediction_b, index, count,
        replicates=replicates, seed=seed, cluster=cluster, weight=weight, workers=workers,
    )  # fmt: skip
    seen = [
        rate_summaries(confusion(labels, decided, index, count, weight)[chosen])
        for decided in (prediction_a, prediction_b)
    ]
    reps = [rate_summaries(table[:, chosen]) for table in tables]
    return {
        name: _paired(float(seen[0][name]), float(seen[1][name]), reps[0][name], reps[1][name], level)
        for name in seen[0]
    }
