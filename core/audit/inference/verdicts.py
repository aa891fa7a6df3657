"""`disparity`, `no disparity found` or `not enough data`, each with its reason in one sentence.

disparity : a difference between two groups is shown (its corrected p is below alpha, which its simultaneous interval
    says too), and what was observed reaches the tolerance. The sentence says whether it is shown that the difference
    exceeds the tolerance (the whole simultaneous interval lies beyond it) or not. In data without any true difference
    at most a share of alpha of the primary families ends here, all attributes and models together.
no disparity found : every group is judged, and the pointwise interval of every pair lies within the tolerance. Each pair
    has to pass, so nothing is to be corrected for their number; little data makes wide intervals and can never end here.
not enough data : everything else, in words that say what is known and what is not.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from core.audit.estimates.group_estimates import MetricTable
from core.audit.estimates.grouping import Grouping
from core.audit.inference.pairwise import PairTest
from core.audit.options import AuditOptions
from core.audit.wording import chance, decimal, interval
from core.metrics.catalogue import title

DISPARITY = "disparity"
NONE_FOUND = "no disparity found"
NOT_ENOUGH = "not enough data"
VERDICTS = (DISPARITY, NONE_FOUND, NOT_ENOUGH)
FLOOR = 1e-300


@dataclass(frozen=True)
class Verdict:
    """One attribute and metric.

    primary : whether it was declared, so that its error is that of the whole primary family.
    pair : the test that it rests on, the best supported one; None without a test. p : its corrected p.
    exceeds : for a disparity, whether it is shown that the difference exceeds the tolerance.
    evidence : -log10 of p. gap : largest minus smallest value among the groups that are judged.
    """

    metric: str
    verdict: str
    reason: str
    primary: bool
    pair: PairTest | None = None
    exceeds: bool | None = None
    gap: float | None = None
    group_low: str | None = None
    group_high: str | None = None

    @property
    def p(self) -> float | None:
        return None if self.pair is None else self.pair.p_adjusted

    @property
    def evidence(self) -> float | None:
        return None if self.p is None else float(-np.log10(max(self.p, FLOOR)))


def not_comparable(metric: str, primary: bool) -> Verdict:
    """Of an attribute without any value, or an intersection without any cell that is large enough."""
    return Verdict(metric, NOT_ENOUGH, f"{title(metric)} cannot be compared: no group has enough rows.", primary)


def judge(table: MetricTable, tests: Sequence[PairTest], grouping: Grouping, options: AuditOptions, primary: bool) -> Verdict:
    """The verdict of one metric from its corrected tests."""
    groups, tolerance = grouping.groups, options.tolerance_of(table.metric)
    known = sorted((t for t in tests if t.p_adjusted is not None), key=lambda t: (t.p_adjusted, t.p, -abs(t.difference)))
    first = known[0] if known else None
    judged = np.flatnonzero(table.judged)
    gap, lowest, highest = None, None, None
    if judged.size >= 2:
        worst, best = judged[np.argmin(table.value[judged])], judged[np.argmax(table.value[judged])]
        gap, lowest, highest = float(table.value[best] - table.value[worst]), groups[worst], groups[best]

    def verdict(word: str, reason: str, pair: PairTest | None = first, exceeds: bool | None = None) -> Verdict:
        return Verdict(table.metric, word, f"{reason}{'' if primary else EXPLORATORY}", primary, pair, exceeds, gap, lowest, highest)

    shown = [t for t in known if t.p_adjusted is not None and t.p_adjusted < options.alpha]
    reaching = [t for t in shown if abs(t.difference) >= tolerance and not _within(t, tolerance)]
    if reaching:
        exceeds = _exceeds(reaching[0], tolerance)
        return verdict(DISPARITY, _disparity(table, groups, reaching, tolerance, exceeds), reaching[0], exceeds)
    unjudged = [(groups[g], why) for g, why in enumerate(table.reason) if why is not None]
    if judged.size < 2:
        return verdict(NOT_ENOUGH, _incomparable(table.metric, unjudged))
    wide = [t for t in tests if not _within(t, tolerance)]
    if wide:
        return verdict(NOT_ENOUGH, _open(table.metric, groups, wide, shown, tolerance))
    left_out = [f"{grouping.left_out_rows} rows are in groups too small to look at"] if grouping.left_out_rows else []
    if unjudged or left_out:
        names = "; ".join([f"{name}: {why}" for name, why in unjudged[:3]] + left_out)
        return verdict(NOT_ENOUGH, f"{title(table.metric)} differs by less than the tolerance between the groups that can be judged, but not all can be ({names}).")
    return verdict(NONE_FOUND, _equivalent(table, groups, tests, shown, tolerance, options))


EXPLORATORY = " (Exploratory: not among the declared questions.)"


def _within(test: PairTest, tolerance: float) -> bool:
    return test.low is not None and test.high is not None and -tolerance < test.low and test.high < tolerance


def _exceeds(test: PairTest, tolerance: float) -> bool:
    low, high = test.simultaneous
    return low is not None and high is not None and (low > tolerance or high < -tolerance)


def _disparity(table: MetricTable, groups: Sequence[str], pairs: Sequence[PairTest], tolerance: float, exceeds: bool) -> str:
    first = pairs[0]
    high, low = (first.group_a, first.group_b) if first.difference > 0 else (first.group_b, first.group_a)
    others = "" if len(pairs) == 1 else "; 1 more pair differs" if len(pairs) == 2 else f"; {len(pairs) - 1} more pairs differ"
    ends = _ends(first)
    size = interval(abs(first.difference), *ends)
    nearest = "" if exceeds or ends[0] is None else f" (it may be as small as {decimal(max(ends[0], 0.0))})"
    beyond = f"that it exceeds the tolerance of {decimal(tolerance)} is {'shown as well' if exceeds else 'not shown'}{nearest}"
    return (
        f"{title(table.metric)} is {decimal(table.value[high])} for {groups[high]} and {decimal(table.value[low])} for {groups[low]}: "
        f"a difference of {size} is shown (corrected p {chance(first.p_adjusted)}); {beyond}{others}."
    )


def _ends(test: PairTest) -> tuple[float | None, float | None]:
    """The simultaneous interval of the difference taken as positive."""
    low, high = test.simultaneous
    if low is None or high is None:
        return None, None
    return (low, high) if test.difference > 0 else (-high, -low)


def _incomparable(metric: str, unjudged: Sequence[tuple[str, str]]) -> str:
    if not unjudged:
        return f"{title(metric)}: there is only one group, so nothing to compare."
    shared = {why for _, why in unjudged}
    why = next(iter(shared)) if len(shared) == 1 else "; ".join(f"{name}: {why}" for name, why in unjudged[:3])
    return f"{title(metric)} cannot be compared: fewer than two groups can be judged ({why})."


def _open(metric: str, groups: Sequence[str], wide: Sequence[PairTest], shown: Sequence[PairTest], tolerance: float) -> str:
    """Neither a disparity nor its absence: which pair leaves it open."""
    if shown:
        first = shown[0]
        high, low = (first.group_a, first.group_b) if first.difference > 0 else (first.group_b, first.group_a)
        return (
            f"{title(metric)}: a difference between {groups[high]} and {groups[low]} of {interval(abs(first.difference), *_ends(first))} is shown "
            f"(corrected p {chance(first.p_adjusted)}), but whether a gap exceeds the tolerance of {decimal(tolerance)} is not known."
        )
    widest = max(wide, key=lambda t: np.inf if t.low is None or t.high is None else max(-t.low, t.high))
    a, b = groups[widest.group_a], groups[widest.group_b]
    if widest.low is None or widest.high is None:
        return f"{title(metric)}: the difference between {a} and {b} has no interval with this data."
    return (
        f"{title(metric)}: no difference is shown, but that between {a} and {b} may lie anywhere from {decimal(widest.low, signed=True)} to "
        f"{decimal(widest.high, signed=True)}, so a gap beyond the tolerance of {decimal(tolerance)} is not ruled out."
    )


def _equivalent(table: MetricTable, groups: Sequence[str], tests: Sequence[PairTest], shown: Sequence[PairTest], tolerance: float, options: AuditOptions) -> str:
    largest = max(max(-t.low, t.high) for t in tests if t.low is not None and t.high is not None)
    real = f" A difference between {groups[shown[0].group_a]} and {groups[shown[0].group_b]} is shown, but it lies within that." if shown else ""
    return (
        f"{title(table.metric)}: every difference between groups is smaller than {decimal(largest)} with {1 - options.alpha:.0%} confidence, "
        f"within the tolerance of {decimal(tolerance)}.{real}"
    )
