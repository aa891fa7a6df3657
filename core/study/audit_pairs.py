"""Size and power of the comparisons of two groups, beside the tests that are best known where they hold their size.

All cohorts of a setting are simulated at once: those of `repetitions` cohorts of two groups are so many groups of one. The settings are
apart from those on which the constants of core.metrics.auc_comparisons and rate_comparisons were set. The rivals: DeLong's
(clustered: Obuchowski's) normal test for AUCs; for rates the score test, which Newcombe's interval inverts, of single rows, and the normal test of the
linearised ratio otherwise; for means Welch's test (of patients' sums). That groups are alike says nothing of how good both are, so a rival is
valid where its size is at most .07 both where both groups are as good as the better one and where both are as the worse one. Power is compared
at one size: a valid rival that rejects more than 5 % of groups alike is held to the level at which it rejects 5 % of both.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr, stdtr

from core.audit.estimates.linearised import linearise_ratio
from core.audit.input.predictions import Predictions
from core.metrics.auc_comparisons import auc_estimates
from core.metrics.comparisons import GroupEstimates, compare_pairs
from core.metrics.delong import group_delong
from core.metrics.rate_comparisons import group_mean_estimates, group_rate_estimates
from core.metrics.rates import CELLS, FN, FP, TN, TP
from core.study.audit_cohorts import CohortSettings, simulate_cohort
from core.study.audit_exceptions import stated_exception
from core.study.audit_promises import COVERAGE, LEVEL, SIZE, Line, line, not_below_best
from core.study.audit_truths import truths

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

FEWEST = 5
RATES = ("tpr", "fpr", "ppv", "selection_rate", "accuracy")
AT = 0.4


@dataclass(frozen=True)
class Compared:
    """One metric in the pairs that can be judged, arrays (T,): p of the audit's test and of the rival's, and the audit's interval."""

    p: Floats
    rival: Floats
    low: Floats
    high: Floats


@dataclass(frozen=True)
class PairSetting:
    """Two groups alike (`cohort`); `worse` : the second group's AUC where they differ."""

    name: str
    cohort: CohortSettings
    worse: float

    def run(self, rng: np.random.Generator, repetitions: int) -> list[Line]:
        """Share of p < .05 without a difference, coverage of the difference's 95 % interval with one, and power less the rival's."""
        good = float(self.cohort.areas()[0])
        nulls = {self.name: self.cohort, f"{self.name}, both {self.worse:g}": replace(self.cohort, auc=self.worse)}
        alike = {name: _compared(_many(rng, cohort, repetitions), AT) for name, cohort in nulls.items()}
        unlike = replace(self.cohort, auc=(good, self.worse))
        differing, true = _compared(_many(rng, unlike, repetitions), AT), truths(unlike, AT).groups
        lines = []
        for metric, own in differing.items():
            same = {name: found[metric] for name, found in alike.items() if metric == "auc" or _equal(nulls[name], metric)}
            for name, found in same.items():
                lines.append(line(f"size of a pair: {metric}", name, found.p < LEVEL, *SIZE, stated_exception(nulls[name], AT, metric)))
                lines.append(line(f"rival's size of a pair: {metric}", name, found.rival < LEVEL))
            why = stated_exception(unlike, AT, metric)
            if metric in true:
                truth = float(true[metric][0] - true[metric][1])
                lines.append(line(f"coverage of a pair: {metric}", self.name, (own.low <= truth) & (truth <= own.high), *COVERAGE, why))
            if same:
                lines.append(line(f"power of a pair: {metric}", self.name, own.p < LEVEL))
                if all(float((found.rival < LEVEL).mean()) <= SIZE[1] for found in same.values()):
                    level = min(LEVEL, *(float(np.quantile(found.rival, LEVEL)) for found in same.values()))
                    part = f"power less the best valid test's: {metric}"
                    lines.append(not_below_best(part, self.name, own.p < LEVEL, own.rival < level, why or self._why(metric)))
        return lines

    def _why(self, metric: str) -> str | None:
        """Exceptions hold for the power where they hold for the size of one of the two nulls."""
        worse = replace(self.cohort, auc=self.worse)
        return stated_exception(self.cohort, AT, metric) or stated_exception(worse, AT, metric)


def _equal(cohort: CohortSettings, metric: str) -> bool:
    known = truths(cohort, AT).groups
    return metric in known and abs(known[metric][0] - known[metric][1]) < 1e-12


def _many(rng: np.random.Generator, settings: CohortSettings, repetitions: int) -> Predictions:
    """`repetitions` cohorts of two groups as one cohort of twice as many groups."""

    def each(values: object) -> tuple[object, ...]:
        return (values if isinstance(values, tuple) else (values, values)) * repetitions

    rows = settings.rows
    by_group = rows if isinstance(rows, tuple) and isinstance(rows[0], tuple) else (rows, rows)
    many = replace(settings, sizes=settings.sizes * repetitions, prevalence=each(settings.prevalence), auc=each(settings.auc), rows=by_group * repetitions)  # type: ignore[arg-type]
    return simulate_cohort(rng, many)


def _compared(made: Predictions, threshold: float) -> dict[str, Compared]:
    """Every metric in every pair (2 t, 2 t + 1) of groups with enough positives and negatives to be judged."""
    group = made.attributes["group"]
    y, score, codes, count = made.y, made.scores["model 1"], group.codes, len(group.names)
    result = group_delong(y, score, codes, count, cluster=made.patient, weight=made.weights)
    enough = (result.pos.n >= FEWEST) & (result.neg.n >= FEWEST) & (result.pos.clusters > 1) & (result.neg.clusters > 1)
    first = np.arange(0, enough.size, 2)
    first = first[enough[first] & enough[first + 1]]
    pairs = np.stack([first, first + 1], axis=1)
    found = {"auc": _one(auc_estimates(result), pairs, _normal_p(result.auc, np.diagonal(result.covariance), pairs))}
    decided = score >= threshold
    more: dict[str, Any] = {"cluster": made.patient, "weight": made.weights}
    for name in RATES:
        found[name] = _one(group_rate_estimates(y, decided, codes, count, name, **more), pairs, _rate_rival(made, decided, name, pairs))
    benefit: Floats = decided.astype(np.float64) * np.where(y == 1, 1.0, -threshold / (1 - threshold))
    kinds = np.where(decided, np.where(y == 1, 1, 2), 0)
    means: tuple[tuple[str, Floats, Ints, float], ...] = (("brier", np.square(score - y), y.astype(np.int64), 0.0), ("net_benefit", benefit, kinds, -np.inf))
    for name, values, stratum, low in means:
        estimates = group_mean_estimates(values, codes, count, stratum=stratum, low=low, high=1.0, **more)
        found[name] = _one(estimates, pairs, _mean_rival(made, values, pairs))
    return found


def _one(estimates: GroupEstimates, pairs: Ints, rival: Floats) -> Compared:
    found = compare_pairs(estimates, pairs)
    known = np.isfinite(found.p)
    low, high = found.interval(1 - LEVEL)
    return Compared(found.p[known], np.nan_to_num(rival[known], nan=1.0), low[known], high[known])


def _normal_p(value: Floats, variance: Floats, pairs: Ints) -> Floats:
    """The test that takes the standard error for known."""
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.asarray(2 * ndtr(-np.abs(value[pairs[:, 0]] - value[pairs[:, 1]]) / np.sqrt(variance[pairs].sum(axis=1))))


def _rate_rival(made: Predictions, decided: NDArray[np.bool_], name: str, pairs: Ints) -> Floats:
    group = made.attributes["group"]
    codes, count = group.codes, len(group.names)
    cell = np.where(made.y == 1, np.where(decided, TP, FN), np.where(decided, FP, TN))
    top, bottom = (np.isin(np.arange(4), cells)[cell] for cells in CELLS[name])
    if made.patient is not None or made.weights is not None:
        ratio = linearise_ratio(top.astype(float), bottom.astype(float), codes, count, made.weights, made.patient)
        return _normal_p(ratio.value, ratio.se() ** 2, pairs)
    k, n = np.bincount(codes[top], minlength=count)[pairs], np.bincount(codes[bottom], minlength=count)[pairs]
    with np.errstate(invalid="ignore", divide="ignore"):
        pooled = k.sum(axis=1) / n.sum(axis=1)
        se = np.sqrt(pooled * (1 - pooled) * (1 / n).sum(axis=1))
        return np.asarray(2 * ndtr(-np.abs(k[:, 0] / n[:, 0] - k[:, 1] / n[:, 1]) / se))


def _mean_rival(made: Predictions, values: Floats, pairs: Ints) -> Floats:
    group = made.attributes["group"]
    count = len(group.names)
    mean = linearise_ratio(values, np.ones(values.size), group.codes, count, made.weights, made.patient)
    units = group.codes if made.patient is None else group.codes[np.unique(made.patient, return_index=True)[1]]
    variance, df = (mean.se() ** 2)[pairs], (np.bincount(units, minlength=count) - 1.0)[pairs]
    with np.errstate(invalid="ignore", divide="ignore"):
        welch = variance.sum(axis=1) ** 2 / (variance**2 / df).sum(axis=1)
        statistic = np.abs(mean.value[pairs[:, 0]] - mean.value[pairs[:, 1]]) / np.sqrt(variance.sum(axis=1))
        return np.asarray(2 * stdtr(welch, -statistic))


PAIRS: tuple[PairSetting, ...] = (
    PairSetting("210 and 190", CohortSettings((210, 190), 0.3, 0.8), 0.67),
    PairSetting("900 and 70", CohortSettings((900, 70), 0.3, 0.88), 0.74),
    PairSetting("900 and 70, the small one better", CohortSettings((900, 70), 0.3, 0.72), 0.88),
    PairSetting("90 and 90, AUC .93, 10 % positive", CohortSettings((90, 90), 0.1, 0.93), 0.7),
    PairSetting("prevalence .03 and .4", CohortSettings((400, 400), (0.03, 0.4), 0.85), 0.68),
    PairSetting("prevalence .05 and .3, AUC .95", CohortSettings((300, 300), (0.05, 0.3), 0.95), 0.85),
    PairSetting("1500 and 50, AUC .97", CohortSettings((1500, 50), (0.08, 0.15), 0.97), 0.85),
    PairSetting("positives spread 1.6 times as far", CohortSettings((700, 90), 0.3, 0.85, spread=1.6), 0.7),
    PairSetting("1 and 3 rows", CohortSettings((80, 80), 0.35, 0.85, rows=((1, 1), (3, 3))), 0.65),
    PairSetting("1 to 4 rows", CohortSettings((120, 60), 0.35, 0.82, rows=(1, 4)), 0.62),
    PairSetting("8 patients of 20 rows", CohortSettings((8, 8), 0.4, 0.82, rows=20, label_per_row=True), 0.66),
    PairSetting("15 and 60 patients of 1 to 20 rows", CohortSettings((15, 60), 0.4, 0.82, rows=(1, 20), label_per_row=True), 0.7),
    PairSetting("30 patients of 12 rows, labels per patient", CohortSettings((30, 30), 0.4, 0.85, rows=12), 0.6),
    PairSetting("weights", CohortSettings((250, 80), 0.3, 0.87, weighted=True), 0.7),
    PairSetting("weights, 1 to 3 rows", CohortSettings((200, 100), 0.3, 0.87, rows=(1, 3), weighted=True), 0.7),
    PairSetting("1200 and 900", CohortSettings((1200, 900), 0.28, 0.84), 0.78),
)
