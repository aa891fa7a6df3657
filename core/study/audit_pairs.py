"""Size, coverage and power of the comparisons of two groups, setting by setting.

All cohorts of a setting are simulated at once: those of `repetitions` cohorts of two groups are so many groups of one. The settings are
apart from those on which the constants of core.metrics.auc_comparisons and rate_comparisons were set.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr

from core.audit.input.predictions import Predictions
from core.metrics.auc_comparisons import auc_estimates
from core.metrics.comparisons import GroupEstimates, compare_pairs
from core.metrics.delong import AucCovariance, group_delong
from core.metrics.rate_comparisons import group_mean_estimates, group_rate_estimates
from core.study.audit_cohorts import CohortSettings, simulate_cohort
from core.study.audit_promises import SIZE, Line, line

LEVEL, FEWEST = 0.05, 5
# Name, two groups without a difference, the second group's AUC where there is one.
SETTINGS: tuple[tuple[str, CohortSettings, float], ...] = (
    ("200 and 200", CohortSettings((200, 200), 0.3, 0.8), 0.66),
    ("900 and 70", CohortSettings((900, 70), 0.3, 0.88), 0.74),
    ("900 and 70, the small one better", CohortSettings((900, 70), 0.3, 0.72), 0.9),
    ("90 and 90, AUC .93, 10 % positive", CohortSettings((90, 90), 0.1, 0.93), 0.7),
    ("prevalence .03 and .4", CohortSettings((400, 400), (0.03, 0.4), 0.85), 0.68),
    ("prevalence .05 and .3, AUC .95", CohortSettings((300, 300), (0.05, 0.3), 0.95), 0.85),
    ("1500 and 50, AUC .97", CohortSettings((1500, 50), (0.08, 0.15), 0.97), 0.85),
    ("positives spread 1.6 times as far", CohortSettings((700, 90), 0.3, 0.85, spread=1.6), 0.7),
    ("1 and 3 rows", CohortSettings((80, 80), 0.35, 0.85, rows=((1, 1), (3, 3))), 0.65),
    ("1 to 4 rows", CohortSettings((120, 60), 0.35, 0.82, rows=(1, 4)), 0.62),
    ("8 patients of 20 rows", CohortSettings((8, 8), 0.4, 0.82, rows=20, label_per_row=True), 0.66),
    ("15 and 60 patients of 1 to 20 rows", CohortSettings((15, 60), 0.4, 0.82, rows=(1, 20), label_per_row=True), 0.7),
    ("30 patients of 12 rows, labels per patient", CohortSettings((30, 30), 0.4, 0.85, rows=12), 0.6),
    ("weights", CohortSettings((250, 80), 0.3, 0.87, weighted=True), 0.7),
    ("weights, 1 to 3 rows", CohortSettings((200, 100), 0.3, 0.87, rows=(1, 3), weighted=True), 0.7),
)


def pair_tests(rng: np.random.Generator, repetitions: int, progress: Callable[[str], None] = lambda message: None) -> list[Line]:
    """Share of p < .05 without a difference, coverage of the difference's 95 % interval with one, and power beside DeLong's."""
    found = []
    for name, settings, worse in SETTINGS:
        found += _without_difference(rng, name, settings, repetitions) + _with_difference(rng, name, settings, worse, repetitions)
        progress(f"pairs of groups: {name}")
    return found


def _many(rng: np.random.Generator, settings: CohortSettings, repetitions: int) -> Predictions:
    """`repetitions` cohorts of two groups as one cohort of twice as many groups."""

    def each(values: object) -> tuple[object, ...]:
        return (values if isinstance(values, tuple) else (values, values)) * repetitions

    rows = settings.rows
    by_group = rows if isinstance(rows, tuple) and isinstance(rows[0], tuple) else (rows, rows)
    many = replace(settings, sizes=settings.sizes * repetitions, prevalence=each(settings.prevalence), auc=each(settings.auc), rows=by_group * repetitions)  # type: ignore[arg-type]
    return simulate_cohort(rng, many)


def _aucs(made: Predictions) -> tuple[AucCovariance, NDArray[np.int64]]:
    """AUCs of all groups and the pairs (T, 2) of groups with enough positives and negatives to be judged."""
    group = made.attributes["group"]
    result = group_delong(made.y, made.scores["model 1"], group.codes, len(group.names), cluster=made.patient, weight=made.weights)
    enough = (result.pos.n >= FEWEST) & (result.neg.n >= FEWEST) & (result.pos.clusters > 1) & (result.neg.clusters > 1)
    first = np.arange(0, enough.size, 2)
    first = first[enough[first] & enough[first + 1]]
    return result, np.stack([first, first + 1], axis=1)


def _without_difference(rng: np.random.Generator, name: str, settings: CohortSettings, repetitions: int) -> list[Line]:
    made = _many(rng, settings, repetitions)
    result, pairs = _aucs(made)
    found = compare_pairs(auc_estimates(result), pairs)
    lines = [
        line("size of a pair: auc", name, found.p < LEVEL, None, SIZE[1]),
        line("size of a pair: auc by DeLong's normal test", name, _delong_p(result, pairs, found.difference) < LEVEL),
    ]
    if isinstance(settings.prevalence, tuple):
        return lines  # rates and means of all rows differ where prevalence does
    for metric, estimates in _others(made).items():
        lines.append(line(f"size of a pair: {metric}", name, compare_pairs(estimates, pairs).p < LEVEL, None, SIZE[1]))
    return lines


def _others(made: Predictions) -> dict[str, GroupEstimates]:
    score, group = made.scores["model 1"], made.attributes["group"]
    more: dict[str, Any] = {"cluster": made.patient, "weight": made.weights}
    threshold = float(np.quantile(score, 0.7))
    decided = score >= threshold
    rates = {name: group_rate_estimates(made.y, decided, group.codes, len(group.names), name, **more) for name in ("tpr", "fpr", "ppv", "selection_rate")}
    benefit = decided * np.where(made.y == 1, 1.0, -threshold / (1 - threshold))
    kinds = np.where(decided, np.where(made.y == 1, 1, 2), 0)
    return rates | {
        "brier": group_mean_estimates((score - made.y) ** 2, group.codes, len(group.names), stratum=made.y, low=0, high=1, **more),
        "net_benefit": group_mean_estimates(benefit, group.codes, len(group.names), stratum=kinds, high=1, **more),
    }


def _with_difference(rng: np.random.Generator, name: str, settings: CohortSettings, worse: float, repetitions: int) -> list[Line]:
    first = settings.auc if isinstance(settings.auc, float) else settings.auc[0]
    result, pairs = _aucs(_many(rng, replace(settings, auc=(first, worse)), repetitions))
    found = compare_pairs(auc_estimates(result), pairs)
    low, high = found.interval(1 - LEVEL)
    return [
        line("coverage of a pair: auc", name, (low <= first - worse) & (first - worse <= high), 0.93, None),
        line("power of a pair: auc", name, found.p < LEVEL),
        line("power of a pair: auc by DeLong's normal test, whatever its size", name, _delong_p(result, pairs, found.difference) < LEVEL),
    ]


def _delong_p(result: AucCovariance, pairs: NDArray[np.int64], difference: NDArray[np.float64]) -> NDArray[np.float64]:
    """The test that takes DeLong's (Obuchowski's) standard error for known."""
    variance = np.diagonal(result.covariance)[pairs].sum(axis=1)
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.asarray(2 * ndtr(-np.abs(difference) / np.sqrt(variance)))
