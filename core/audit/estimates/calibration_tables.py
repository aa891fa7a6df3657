"""Calibration of every group on common bins, with intervals and pairwise tests for the calibration error.

The plain ECE grows with noise, so a small group looks worse calibrated than a large one with the same
model. Its interval is therefore the basic bootstrap one, which takes the noise's share off again, and
groups are compared by their debiased errors.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr, stdtrit

from core.audit.estimates.group_estimates import MetricTable, group_counts
from core.audit.estimates.linearised import Linearised, linearise_ratio
from core.audit.estimates.scored import Scored
from core.audit.inference.pairwise import PairTest, compared_pairs
from core.audit.options import AuditOptions
from core.metrics.bootstrap import replicate_interval
from core.metrics.bootstrap_calibration import bootstrap_errors, calibration_cells, curves_of_cells
from core.metrics.calibration import Calibration, calibration, debiased_ece
from core.metrics.intervals import difference_interval, normal_quantile

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
CALIBRATION_METRICS = ("ece", "ece_debiased", "calibration_intercept", "calibration_slope", "balanced_brier")
MAX_SHUFFLED = 50_000_000


def calibration_tables(data: Scored, codes: Ints, count: int, lacking: Sequence[str | None], options: AuditOptions) -> list[MetricTable]:
    """ECE and debiased ECE (bootstrap), intercept and slope (Wald or sandwich), balanced Brier score (Student's t)."""
    if data.no_probability:
        return [MetricTable.undefined(name, count, data.no_probability) for name in CALIBRATION_METRICS]
    found = calibration(data.y, data.score, codes, count, bins=options.calibration_bins, weight=data.weight, cluster=data.cluster)
    low, high, se = _error_intervals(data, codes, count, found, options)
    wald, method = _wald(data, codes, count, options)
    return [
        _table("ece", found.ece, low, high, se, lacking, "basic bootstrap"),
        _table("ece_debiased", found.ece_debiased, low, high, se, lacking, "basic bootstrap of the plain error"),
        _table("calibration_intercept", found.intercept, found.intercept - wald * found.intercept_se, found.intercept + wald * found.intercept_se, found.intercept_se, lacking, method),
        _table("calibration_slope", found.slope, found.slope - wald * found.slope_se, found.slope + wald * found.slope_se, found.slope_se, lacking, method),
        _balanced(data, codes, count, found.brier_balanced, lacking, options),
    ]


def _wald(data: Scored, codes: Ints, count: int, options: AuditOptions) -> tuple[Floats, str]:
    """Quantile (C,) for coefficients over their standard errors: normal for independent rows, Student's where those are a sandwich's."""
    if data.simple:
        return np.full(count, normal_quantile(1 - options.alpha)), "Wald"
    units = np.maximum(group_counts(data, codes, count).patients - 1.0, 1.0)
    return stdtrit(units, 1 - options.alpha / 2), "sandwich by patient" if data.cluster is not None else "sandwich"


def _table(name: str, value: Floats, low: Floats, high: Floats, se: Floats, lacking: Sequence[str | None], method: str) -> MetricTable:
    undefined = "constant scores, perfectly separated classes or an absent class"
    reasons = tuple(why or (None if np.isfinite(v) else undefined) for v, why in zip(value, lacking, strict=True))
    return MetricTable(name, value, low, high, se, np.array([why is None for why in reasons]), reasons, method)


def _balanced(data: Scored, codes: Ints, count: int, value: Floats, lacking: Sequence[str | None], options: AuditOptions) -> MetricTable:
    """Mean of the two classes' Brier scores: each is a ratio of sums, and a row bears on one of them only."""
    square = (data.score - data.y) ** 2
    of_class = [linearise_ratio(square * own, own.astype(np.float64), codes, count, data.weight, data.cluster) for own in (data.y, ~data.y)]
    both = Linearised(value, (of_class[0].influence + of_class[1].influence) / 2, codes, data.cluster)
    se = both.se()
    se = np.where(se > 0, se, np.nan)
    inside = codes >= 0
    fewer = np.minimum(*(np.bincount(codes[inside & own], minlength=count) for own in (data.y, ~data.y)))
    half = stdtrit(np.maximum(fewer - 1.0, 1.0), 1 - options.alpha / 2) * se
    return _table("balanced_brier", value, np.maximum(value - half, 0.0), value + half, se, lacking, "Student's t")


def _error_intervals(data: Scored, codes: Ints, count: int, found: Calibration, options: AuditOptions) -> tuple[Floats, Floats, Floats]:
    if not options.bootstrap:
        nan = np.full(count, np.nan)
        return nan, nan, nan
    (replicates,) = bootstrap_errors(
        data.y, data.score, codes, count, bins=options.calibration_bins, replicates=options.bootstrap, seed=options.seed, cluster=data.cluster, weight=data.weight
    )
    low, high = replicate_interval(replicates, found.ece, level=1 - options.alpha, kind="basic")
    se = np.nanstd(replicates, axis=0, ddof=1) if np.isfinite(replicates).any() else np.full(count, np.nan)
    defined = np.isfinite(found.ece)
    return np.where(defined, np.maximum(low, 0.0), np.nan), np.where(defined, np.maximum(high, 0.0), np.nan), np.where(defined, se, np.nan)


def error_tests(
    data: Scored, codes: Ints, count: int, tables: Mapping[str, MetricTable], options: AuditOptions, reference: int | None = None
) -> tuple[tuple[PairTest, ...], int]:
    """Pairwise differences of the debiased error, tested by shuffling the groups among rows (or patients).

    Without permutations, or with weights, the bootstrap's standard error and a normal quantile take
    their place.
    """
    table = tables["ece_debiased"]
    pairs, comparisons = compared_pairs(table, reference)
    if not pairs:
        return (), 0
    null = _shuffled(data, codes, count, options)
    tests = []
    for a, b in pairs:
        difference = float(table.value[a] - table.value[b])
        low, high = difference_interval(table.value[a], table.low[a], table.high[a], table.value[b], table.low[b], table.high[b])
        if null is None:
            se = float(np.hypot(table.se[a], table.se[b]))
            p, method = (2 * float(ndtr(-abs(difference) / se)) if se > 0 else np.nan), "debiased error, bootstrap"
        else:
            drawn = np.abs(null[:, a] - null[:, b])
            beyond = int((drawn >= abs(difference) - 1e-12).sum())
            se = float(np.sqrt((drawn**2).mean()))
            p = (1 + beyond) / (1 + drawn.size)
            if beyond == 0 and se > 0:
                # Below the resolution of the shuffles the normal tail goes on.
                p = min(p, 2 * float(ndtr(-abs(difference) / se)))
            method = "debiased error, permutation"
        known = np.isfinite(low) and np.isfinite(high)
        tests.append(PairTest("ece", int(a), int(b), difference, float(low) if known else None, float(high) if known else None, se, p if np.isfinite(p) else None, None, method))
    return tuple(tests), comparisons


def judged_error(tables: Mapping[str, MetricTable]) -> MetricTable:
    """The table by which verdicts about `ece` are made: debiased values under the plain name."""
    return replace(tables["ece_debiased"], metric="ece")


def _shuffled(data: Scored, codes: Ints, count: int, options: AuditOptions) -> Floats | None:
    """Debiased errors (R, C) with group labels dealt out at random; None where that is not possible."""
    if not options.permutations or data.weight is not None:
        return None
    rng = np.random.default_rng([options.seed, 17])
    inside = codes >= 0
    group = codes[inside]
    cell, mean_score = calibration_cells(np.zeros_like(group), 1, data.y[inside], data.score[inside], options.calibration_bins)
    if data.cluster is None:
        tables = _random_tables(np.bincount(cell, minlength=mean_score.size), np.bincount(group, minlength=count), options.permutations, rng)
    elif group.size * options.permutations <= MAX_SHUFFLED:
        tables = _shuffled_patients(cell, mean_score.size, group, count, data.cluster[inside], options.permutations, rng)
    else:
        return None
    curve = curves_of_cells(tables.reshape(tables.shape[0], -1), np.tile(mean_score, count), options.calibration_bins)
    return debiased_ece(curve).reshape(-1, count)


def _random_tables(cells: Ints, groups: Ints, replicates: int, rng: np.random.Generator) -> Floats:
    """Random tables (R, C, K) with both margins fixed: what shuffling labels gives, without shuffling."""
    remaining = np.tile(cells, (replicates, 1))
    result = np.zeros((replicates, groups.size, cells.size))
    for g, size in enumerate(groups):
        wanted = np.full(replicates, size)
        others = remaining.sum(axis=1)
        for k in range(cells.size):
            others = others - remaining[:, k]
            drawn = rng.hypergeometric(remaining[:, k], others, wanted)
            result[:, g, k] = drawn
            remaining[:, k] -= drawn
            wanted = wanted - drawn
    return result


def _shuffled_patients(cell: Ints, n_cells: int, group: Ints, count: int, cluster: Ints, replicates: int, rng: np.random.Generator) -> Floats:
    """The same with whole patients: a patient takes the group of another one along for all rows."""
    _, first, member = np.unique(cluster, return_index=True, return_inverse=True)
    own = group[first]
    tables = np.empty((replicates, count, n_cells))
    for r in range(replicates):
        tables[r] = np.bincount(rng.permutation(own)[member] * n_cells + cell, minlength=count * n_cells).reshape(count, n_cells)
    return tables
