"""What a summary comes out at by chance where all groups are alike, each group with its own uncertainty.

Errors are drawn from the joint normal distribution of the groups' estimates, each with its own standard error (so with its
own size, prevalence and distribution of scores), around one common value. Nothing is shuffled between groups: shuffling
asks that scores be distributed alike, which groups of equal AUC and unequal prevalence are not, and rejected equal AUCs in
up to 14 % (gap), 51 % (ES-AUC) and 61 % (worst group) of cohorts at a nominal 5 %.

All summaries of one metric have one hypothesis, that the groups are alike, so they have one p: that of the most different
pair, corrected for all pairs (`summary_intervals.Family`), whose verdict it can never contradict. The chance gaps are the
largest of the pairs' standardised differences, on a scale on which the observed gap is as far out as its most different
pair: so the share of them beyond the observed gap is p. Ratios, ES-AUC and the worst group are drawn as they are: their
draws say what is usual among groups alike (the median), and `ChanceNull.p` is no share of them: they have no `null_q95`, which
would at times lie on the other side of the value than p says.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import ndtr, ndtri

from core.metrics.comparisons import GroupEstimates
from core.metrics.equity import es_auc, max_gap, min_ratio, worst
from core.metrics.max_statistics import correlated_draws, normal_draws
from core.metrics.summary_intervals import Family

Floats = NDArray[np.float64]

# Draws that are kept for the picture.
SHOWN = 1024
LARGEST_P, TINY = 0.999, 1e-300


@dataclass(frozen=True)
class ChanceNull:
    """A summary against what chance alone gives. `null` is (R,); value, p, median and q95 are None where undefined."""

    value: float | None
    p: float | None
    null_median: float | None
    null_q95: float | None
    null: Floats


def _common(estimates: GroupEstimates, places: NDArray[np.int64]) -> float:
    """Weighted mean of some of the estimates."""
    weight = 1 / estimates.se[places] ** 2
    return float((weight * estimates.value[places]).sum() / weight.sum())


def _drawn(estimates: GroupEstimates, places: NDArray[np.int64], centre: ArrayLike) -> Floats:
    """Draws (R, k) of some of the estimates around `centre`, (k,) or one for all; rates and areas stay in [0, 1]."""
    correlation = None if estimates.correlation is None else estimates.correlation[np.ix_(places, places)]
    errors = correlated_draws(correlation, places.size)[:SHOWN] * estimates.se[places]
    return np.clip(np.asarray(centre) + errors, 0.0, 1.0)


def chance_gaps(family: Family, gap: float) -> Floats:
    """Gaps among groups alike, (R,), of which the share p lies beyond the observed `gap`."""
    smallest = family.null.smallest if family.null.smallest.size else 2 * ndtr(-np.abs(normal_draws(1)[:, 0]))
    observed = float(-ndtri(min(family.smallest_p, LARGEST_P) / 2))
    drawn = -ndtri(np.clip(smallest, TINY, 1.0) / 2)
    every = max(drawn.size // SHOWN, 1)
    return np.asarray(np.sort(drawn)[every // 2 :: every] * gap / observed)


def auc_nulls(estimates: GroupEstimates, family: Family, judged: ArrayLike | None = None) -> dict[str, ChanceNull]:
    """Nulls of "max_gap", "es_auc" and "worst_group".

    Parameters
    ----------
    estimates : AUCs of G groups and, last, of everybody (`joint_estimates.joint_aucs` of one model)
    family : all pairs of the judged groups
    judged : (G,) bool, groups that enter; all that have a value where None
    """
    usable = np.isfinite(estimates.value) & np.isfinite(estimates.se)
    if judged is not None:
        usable[:-1] &= np.asarray(judged, dtype=bool)
    if int(usable[:-1].sum()) < 2 or not usable[-1]:
        return {}
    places = np.flatnonzero(usable)
    drawn = _drawn(estimates, places, np.append(np.full(places.size - 1, _common(estimates, places[:-1])), estimates.value[-1]))
    areas, whole = drawn[:, :-1], drawn[:, -1]
    seen = estimates.value[places[:-1]]
    return {
        "max_gap": _test(max_gap(seen), chance_gaps(family, float(max_gap(seen))), family.p),
        "es_auc": _test(es_auc(estimates.value[-1], seen), es_auc(whole, areas), family.p, share_is_p=False),
        "worst_group": _test(worst(seen), worst(areas), family.p, share_is_p=False),
    }


def rate_nulls(estimates: Mapping[str, GroupEstimates], families: Mapping[str, Family], judged: Mapping[str, ArrayLike]) -> dict[str, ChanceNull]:
    """Nulls of every summary in `rates.SUMMARIES`.

    Parameters
    ----------
    estimates : of "tpr", "fpr" and "selection_rate" in G groups
    families : of "demographic_parity", "equalized_odds" and "equal_opportunity"
    judged : (G,) bool per rate, groups that enter
    """
    drawn, seen = {}, {}
    for name, own in estimates.items():
        usable = np.isfinite(own.value) & np.isfinite(own.se) & np.asarray(judged[name], dtype=bool)
        if usable.sum() >= 2:
            places = np.flatnonzero(usable)
            drawn[name], seen[name] = _drawn(own, places, _common(own, places)), own.value[places]
    found = {}
    for title, names in {"demographic_parity": ("selection_rate",), "equalized_odds": ("tpr", "fpr"), "equal_opportunity": ("tpr",)}.items():
        if any(name not in drawn for name in names):
            continue
        p = families[title].p
        gap = float(max(max_gap(seen[name]) for name in names))
        ratio, ratios = (np.min([min_ratio(values[name]) for name in names], axis=0) for values in (seen, drawn))
        found[f"{title}_difference"] = _test(np.asarray(gap), chance_gaps(families[title], gap), p)
        found[f"{title}_ratio"] = _test(ratio, ratios, p, share_is_p=False)
    return found


def _test(value: Floats, null: Floats, p: float | None, share_is_p: bool = True) -> ChanceNull:
    """`share_is_p`: the share of draws beyond the value is p, so that a limit of 5 in 100 and p say the same; else there is no such limit."""
    known = null[np.isfinite(null)]
    if not np.isfinite(value) or p is None or known.size == 0:
        return ChanceNull(None, None, None, None, null)
    median, q95 = np.quantile(known, [0.5, 0.95])
    return ChanceNull(float(value), p, float(median), float(q95) if share_is_p else None, null)
