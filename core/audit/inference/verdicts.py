"""`disparity`, `no disparity found` or `not enough data`, each with its reason in one sentence.

disparity : some pair of groups differs by at least the tolerance, and Holm's correction over all
    pairs of the attribute leaves less than alpha of chance. In data without any true difference at
    most alpha of the families (attribute by metric) end here.
no disparity found : every group is judged, and the interval of every pair lies within the
    tolerance. Little data makes wide intervals, so it can never end here.
not enough data : everything else.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from core.audit.estimates.group_estimates import MetricTable
from core.audit.inference.pairwise import PairTest
from core.audit.options import AuditOptions
from core.audit.wording import chance, decimal, interval

DISPARITY = "disparity"
NONE_FOUND = "no disparity found"
NOT_ENOUGH = "not enough data"
VERDICTS = (DISPARITY, NONE_FOUND, NOT_ENOUGH)

TITLES = {
    "auc": "AUC",
    "tpr": "sensitivity (TPR)",
    "fpr": "false positive rate",
    "ppv": "PPV",
    "npv": "NPV",
    "selection_rate": "selection rate",
    "accuracy": "accuracy",
    "brier": "Brier score",
    "ece": "calibration error",
    "net_benefit": "net benefit",
}
FLOOR = 1e-300


@dataclass(frozen=True)
class Verdict:
    """One attribute and metric. `evidence` is -log10 of the smallest Holm p, None without a test."""

    metric: str
    verdict: str
    reason: str
    evidence: float | None
    p: float | None
    gap: float | None
    group_low: str | None = None
    group_high: str | None = None


def judge(table: MetricTable, tests: Sequence[PairTest], groups: Sequence[str], options: AuditOptions, left_out: str | None = None) -> Verdict:
    """The verdict of one metric; `left_out` names rows that no group represents."""
    tolerance = options.tolerance_of(table.metric)
    title = TITLES.get(table.metric, table.metric)
    p_values = [test.p_holm for test in tests if test.p_holm is not None]
    smallest = min(p_values, default=None)
    evidence = None if smallest is None else float(-np.log10(max(smallest, FLOOR)))
    judged = np.flatnonzero(table.judged)
    gap, lowest, highest = None, None, None
    if judged.size >= 2:
        worst, best = judged[np.argmin(table.value[judged])], judged[np.argmax(table.value[judged])]
        gap, lowest, highest = float(table.value[best] - table.value[worst]), groups[worst], groups[best]

    def verdict(word: str, reason: str) -> Verdict:
        return Verdict(table.metric, word, reason, evidence, smallest, gap, lowest, highest)

    real = [t for t in tests if t.p_holm is not None and t.p_holm < options.alpha and abs(t.difference) >= tolerance]
    if real:
        first = max(real, key=lambda t: abs(t.difference))
        high, low = (first.group_a, first.group_b) if first.difference > 0 else (first.group_b, first.group_a)
        others = "" if len(real) == 1 else ", and 1 more pair differs" if len(real) == 2 else f", and {len(real) - 1} more pairs differ"
        return verdict(
            DISPARITY,
            f"{title} is {decimal(table.value[high])} for {groups[high]} and {decimal(table.value[low])} for {groups[low]}: "
            f"a difference of {_interval(abs(first.difference), first, high == first.group_a)}, beyond the tolerance of {decimal(tolerance)} "
            f"and not explained by chance (corrected p {chance(first.p_holm)}){others}.",
        )
    unjudged = [(groups[g], why) for g, why in enumerate(table.reason) if why is not None]
    if judged.size < 2:
        if not unjudged:
            return verdict(NOT_ENOUGH, f"{title}: there is only one group, so nothing to compare.")
        shared = {why for _, why in unjudged}
        why = next(iter(shared)) if len(shared) == 1 else "; ".join(f"{name}: {why}" for name, why in unjudged[:3])
        return verdict(NOT_ENOUGH, f"{title} cannot be compared: fewer than two groups can be judged ({why}).")
    wide = [t for t in tests if t.low is None or t.high is None or t.low < -tolerance or t.high > tolerance]
    if wide:
        widest = max(wide, key=lambda t: np.inf if t.low is None or t.high is None else max(-t.low, t.high))
        a, b = groups[widest.group_a], groups[widest.group_b]
        if widest.low is None or widest.high is None:
            return verdict(NOT_ENOUGH, f"{title}: the difference between {a} and {b} has no interval with this data.")
        known = " is real, but" if widest.p_holm is not None and widest.p_holm < options.alpha else ""
        return verdict(
            NOT_ENOUGH,
            f"{title}: the difference between {a} and {b}{known} may lie anywhere from {decimal(widest.low)} to {decimal(widest.high)}, "
            f"so a gap beyond the tolerance of {decimal(tolerance)} is neither shown nor ruled out.",
        )
    if unjudged or left_out:
        names = "; ".join([f"{name}: {why}" for name, why in unjudged[:3]] + ([left_out] if left_out else []))
        return verdict(NOT_ENOUGH, f"{title} differs by less than the tolerance between the groups that can be judged, but not all can be ({names}).")
    largest = max(max(-t.low, t.high) for t in tests if t.low is not None and t.high is not None)
    return verdict(NONE_FOUND, f"{title}: every difference between groups is smaller than {decimal(largest)} with {1 - options.alpha:.0%} confidence, within the tolerance of {decimal(tolerance)}.")


def _interval(size: float, test: PairTest, forward: bool) -> str:
    if test.low is None or test.high is None:
        return decimal(size)
    low, high = (test.low, test.high) if forward else (-test.high, -test.low)
    return interval(size, low, high)
