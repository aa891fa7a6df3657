"""Uncertainty of the fairness summaries: intervals from the bootstrap, and what chance alone would give.

A gap between the best and the worst group cannot be negative, so the percentiles of its replicates
exclude 0 even when there is no gap, and sit above it. Here the groups' own deviations are resampled
instead: the range of x and the range of y differ by at most the range of x - y, so the observed gap plus
or minus the 95 % quantile of the range of the deviations covers the true gap with at least 95 %
confidence. The same bound serves the worst group, ratios (on the log scale) and ES-AUC's sum.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr

from core.audit.estimates.group_estimates import GroupCounts, MetricTable
from core.audit.estimates.scored import Scored
from core.audit.estimates.summaries import Summary
from core.audit.inference.pairwise import compared_pairs
from core.audit.options import AuditOptions
from core.metrics.bootstrap import AucReplicates, bootstrap_aucs
from core.metrics.bootstrap_rates import bootstrap_confusion
from core.metrics.catalogue import CATALOGUE, RATE_SUMMARIES, RATIO_SUMMARIES
from core.metrics.permutation import AucNull, NullTest, permute_aucs, permute_pairs
from core.metrics.rate_permutation import permute_rates
from core.metrics.rates import SUMMARIES, rate

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Interval = tuple[float, float]

# Scores are resampled at this many levels with the ranking inside a level kept: standard errors differ from DeLong's by
# less than the noise of 40,000 replicates (.4 %), at AUCs from .76 to .95 and prevalences of .05 and .3.
LEVELS = 32
# Pairs with as many of each class in both groups are left to DeLong's test, which needs no permutations then.
FEW = 100
MAX_PERMUTED_PAIRS = 45
SAME = 1e-9


def with_uncertainty(
    summaries: tuple[Summary, ...], data: Scored, codes: Ints, tables: Mapping[str, MetricTable], overall: float, options: AuditOptions
) -> tuple[Summary, ...]:
    """Every summary with its interval and beside what chance alone would give."""
    count = tables["auc"].value.size
    if count == 0:
        return summaries
    null = auc_null(data, codes, count, tables["auc"], options)
    return with_null(with_intervals(summaries, data, codes, tables, overall, options), null, rate_null(data, codes, count, tables, options))


def with_intervals(
    summaries: tuple[Summary, ...], data: Scored, codes: Ints, tables: Mapping[str, MetricTable], overall: float, options: AuditOptions
) -> tuple[Summary, ...]:
    """Bootstrap intervals for every summary; whole patients are drawn where patients repeat."""
    count = tables["auc"].value.size
    if not options.bootstrap or count < 2 or not (codes >= 0).any():
        return summaries
    intervals: dict[str, Interval] = {}
    if int(tables["auc"].judged.sum()) >= 2:
        replicates = bootstrap_aucs(
            data.y, data.score, codes, count, replicates=options.bootstrap, seed=options.seed, cluster=data.cluster, weight=data.weight, max_levels=LEVELS
        )
        intervals |= auc_intervals(replicates, overall, tables["auc"].judged_values, options.alpha)
    if data.decision is not None:
        drawn = bootstrap_confusion(
            data.y, data.decision, codes, count, replicates=options.bootstrap, seed=options.seed, cluster=data.cluster, weight=data.weight
        )
        intervals |= rate_intervals(drawn, {name: tables[name].judged_values for name in ("tpr", "fpr", "selection_rate")}, options.alpha)
    return tuple(_with(summary, intervals.get(summary.metric)) for summary in summaries)


def _with(summary: Summary, interval: Interval | None) -> Summary:
    if interval is None or summary.value is None or not np.isfinite(interval).all():
        return summary
    return replace(summary, low=float(interval[0]), high=float(interval[1]))


def auc_intervals(replicates: AucReplicates, overall: float, groups: Floats, alpha: float) -> dict[str, Interval]:
    """Intervals of the AUC summaries from replicates (R,) and (R, G)."""
    known = np.isfinite(groups)
    value, moves = groups[known], replicates.groups[:, known] - groups[known]
    gap, reach = float(np.ptp(value)), _quantile(np.ptp(moves, axis=1), 1 - alpha)
    worst = float(value.min())
    above, below = _quantile(moves.max(axis=1), 1 - alpha / 2), _quantile(moves.min(axis=1), alpha / 2)
    overall_moves = replicates.overall - overall
    spread = float(np.abs(value - overall).sum())
    drift = _quantile(np.abs(moves - overall_moves[:, None]).sum(axis=1), 1 - alpha)
    es_auc = overall / (1 + spread)
    up, down = _quantile(overall_moves, 1 - alpha / 2), _quantile(overall_moves, alpha / 2)
    low = es_auc - np.hypot(es_auc - overall / (1 + spread + drift), up / (1 + spread))
    high = es_auc + np.hypot(overall / (1 + max(spread - drift, 0.0)) - es_auc, down / (1 + spread))
    return {
        "max_gap": (max(gap - reach, 0.0), min(gap + reach, 1.0)),
        "worst_group_auc": (max(worst - above, 0.0), min(worst - below, 1.0)),
        "es_auc": (max(float(low), 0.0), min(float(high), 1.0)),
    }


def rate_intervals(drawn: Floats, observed: Mapping[str, Floats], alpha: float) -> dict[str, Interval]:
    """Intervals of differences and ratios of rates from confusion tables (R, G, 4)."""
    result = {}
    for name in RATE_SUMMARIES:
        kind, metrics = "ratio" if name in RATIO_SUMMARIES else "difference", CATALOGUE[name].of
        sizes, reaches = [], []
        for metric in metrics:
            value, replicates = observed[metric], rate(drawn, metric)
            if kind == "ratio":
                with np.errstate(divide="ignore", invalid="ignore"):
                    value, replicates = np.log(value), np.log(replicates)
            known = np.isfinite(value)
            if int(known.sum()) < 2 or (kind == "ratio" and np.isneginf(value).any()):
                break
            sizes.append(float(np.ptp(value[known])))
            with np.errstate(invalid="ignore"):
                # A rate of 0 in a replicate has no logarithm; such replicates count as undefined.
                reaches.append(np.ptp(replicates[:, known] - value[known], axis=1))
        else:
            size, reach = max(sizes), _quantile(np.max(reaches, axis=0), 1 - alpha)
            low, high = max(size - reach, 0.0), size + reach
            result[name] = (low, min(high, 1.0)) if kind == "difference" else (float(np.exp(-high)), float(np.exp(-low)))
    return result


def _quantile(values: Floats, share: float) -> float:
    """Quantile over the defined replicates; NaN where more than a tenth are undefined."""
    known = values[np.isfinite(values)]
    return float(np.quantile(known, share)) if known.size >= 0.9 * values.size else float("nan")


def auc_null(data: Scored, codes: Ints, count: int, table: MetricTable, options: AuditOptions) -> AucNull | None:
    """The permutation null of one attribute's AUCs; None with fewer than two groups, or when not asked for.

    The groups that are judged take part, so that the null is that of the summaries as shown.
    """
    usable = table.judged
    if not options.permutations or int(usable.sum()) < 2:
        return None
    return permute_aucs(
        data.y,
        data.score,
        codes,
        count,
        permutations=options.permutations,
        seed=options.seed,
        cluster=data.cluster,
        weight=data.weight,
        usable=usable,
        max_levels=LEVELS,
    )


def permuted_pairs(
    data: Scored, codes: Ints, counts: GroupCounts, table: MetricTable, options: AuditOptions, reference: int | None = None
) -> dict[tuple[int, int], float]:
    """p-values of AUC differences by studentized permutation, for compared pairs of groups of which one has few patients.

    With `FEW` or more of each class in both groups DeLong's test and the permutation agree, and the pair is left out.
    """
    varied = table.judged & (table.se > 0)
    small = np.minimum(counts.n_pos, counts.n_neg) < FEW
    pairs = [(a, b) for a, b in compared_pairs(table, reference)[0] if varied[a] and varied[b] and (small[a] or small[b])]
    if not options.permutations or not pairs or len(pairs) > MAX_PERMUTED_PAIRS:
        return {}
    found = permute_pairs(
        data.y, data.score, codes, pairs, table.value.size, permutations=options.permutations, seed=options.seed, cluster=data.cluster, weight=data.weight
    )
    resolution = 1 / (1 + options.permutations)
    return {pair: beyond_resolution(float(p), float(z), resolution) for pair, p, z in zip(pairs, found.p, found.z, strict=True) if np.isfinite(p)}


def beyond_resolution(p: float, z: float, resolution: float) -> float:
    """A permutation p-value; where no permutation came near, the normal tail goes on below what they can resolve."""
    return min(p, 2 * float(ndtr(-abs(z)))) if p <= 1.5 * resolution and np.isfinite(z) else p


def rate_null(data: Scored, codes: Ints, count: int, tables: Mapping[str, MetricTable], options: AuditOptions) -> dict[str, NullTest]:
    """The permutation null of the summaries of rates, by their short names; none without decisions or permutations."""
    usable = np.all([tables[name].judged for name in ("tpr", "fpr", "selection_rate")], axis=0)
    if not options.permutations or data.decision is None or int(usable.sum()) < 2:
        return {}
    found = permute_rates(
        data.y, data.decision, codes, count, permutations=options.permutations, seed=options.seed, cluster=data.cluster, weight=data.weight, usable=usable
    )
    return {short: found[name] for name, short in zip(SUMMARIES, RATE_SUMMARIES, strict=True)}


def with_null(summaries: tuple[Summary, ...], null: AucNull | None, rates: Mapping[str, NullTest]) -> tuple[Summary, ...]:
    """The summaries beside their nulls."""
    tests = dict(rates)
    if null is not None:
        tests |= {"es_auc": null.es_auc, "max_gap": null.max_gap, "worst_group_auc": null.worst_group}
    return tuple(_beside(summary, tests.get(summary.metric)) for summary in summaries)


def _beside(summary: Summary, test: NullTest | None) -> Summary:
    if test is None or test.value is None or summary.value is None or test.p is None:
        return summary
    if summary.metric in RATE_SUMMARIES and abs(test.value - summary.value) > SAME:
        return summary  # a group lacks one rate but not the others: the null would be that of other groups
    known = test.null[np.isfinite(test.null)]
    return replace(summary, p_null=test.p, null_median=test.null_median, null_q95=test.null_q95, null=tuple(known.tolist()))
