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

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Literal

import numpy as np

from core.audit.estimates.group_estimates import NEEDS, MetricTable
from core.audit.inference.pairwise import MAX_PAIRED_GROUPS, PairTest, widest_pair
from core.audit.inference.prevalence_notes import prevalence_note
from core.audit.inference.tolerances import Bound
from core.audit.wording import chance, decimal, digits_of, interval, sentence
from core.metrics.catalogue import title
from core.tables.group_names import group_label

if TYPE_CHECKING:
    from core.audit.result import AttributeAudit

Word = Literal["disparity", "no disparity found", "not enough data"]
DISPARITY: Word = "disparity"
NONE_FOUND: Word = "no disparity found"
NOT_ENOUGH: Word = "not enough data"
VERDICTS: tuple[Word, ...] = (DISPARITY, NONE_FOUND, NOT_ENOUGH)
FLOOR = 1e-300
# (Effective) rows under a rate below which its sentence says how few they are.
FEW_ROWS = 20.0


@dataclass(frozen=True)
class Verdict:
    """One attribute and metric.

    primary : whether it was declared, so that its error is that of the whole primary family.
    pair : the test that it rests on, the best supported one; None without a test. p : its corrected p.
    exceeds : for a disparity, whether it is shown that the difference exceeds the tolerance.
    evidence : -log10 of p. gap : largest minus smallest value among the groups that are judged.
    """

    metric: str
    verdict: Word
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
    return Verdict(metric, NOT_ENOUGH, f"{sentence(title(metric))} cannot be compared: no group has enough rows.", primary)


def judge(attribute: AttributeAudit, metric: str, tests: Sequence[PairTest], tolerance: Bound, primary: bool) -> Verdict:
    """The verdict of one metric from its corrected tests."""
    table, grouping = attribute.tables[metric], attribute.grouping
    groups = [group_label(attribute.name, group) for group in attribute.groups]
    known = sorted((t for t in tests if t.p_adjusted is not None and t.p is not None), key=lambda t: (t.p_adjusted, t.p, -abs(t.difference)))
    first = known[0] if known else None
    judged = np.flatnonzero(table.judged)
    gap, lowest, highest = _observed(attribute, metric)

    def verdict(word: Word, reason: str, pair: PairTest | None = first, exceeds: bool | None = None) -> Verdict:
        return Verdict(metric, word, f"{'' if primary else EXPLORATORY}{reason}", primary, pair, exceeds, gap, lowest, highest)

    unjudged = [(groups[g], why) for g, why in enumerate(table.reason) if why is not None]
    if judged.size < 2:
        return verdict(NOT_ENOUGH, _incomparable(metric, unjudged))
    if tolerance.value is None:
        return verdict(NOT_ENOUGH, f"{sentence(title(metric))} has no tolerance here: {tolerance.reason}.")
    shown = [t for t in known if t.p_adjusted is not None and t.p_adjusted < attribute.options.alpha]
    reaching = [t for t in shown if abs(t.difference) >= tolerance.value and not _within(t, tolerance.value)]
    if reaching:
        exceeds = _exceeds(reaching[0], tolerance.value)
        said = _disparity(table, groups, reaching, tolerance, exceeds)
        return verdict(DISPARITY, said + prevalence_note(attribute, metric, reaching[0], tolerance.value), reaching[0], exceeds)
    wide = [t for t in tests if not _within(t, tolerance.value)]
    if not wide and judged.size > MAX_PAIRED_GROUPS:
        # Not all pairs are listed, and those that are not must lie within the tolerance as well.
        furthest = widest_pair(attribute, metric)
        tests = [*tests, *([furthest] if furthest else [])]
        wide = [t for t in tests if not _within(t, tolerance.value)]
    if wide:
        supported = next((t for t in known if not _within(t, tolerance.value)), None)
        return verdict(NOT_ENOUGH, _open(metric, groups, wide, shown, tolerance, supported), first if shown else supported or first)
    left_out = [f"{grouping.left_out_rows} rows are in groups too small to look at"] if grouping.left_out_rows else []
    if unjudged or left_out:
        names = "; ".join([f"{name}: {why}" for name, why in unjudged[:3]] + left_out)
        return verdict(
            NOT_ENOUGH, f"{sentence(title(metric))} differs by less than the tolerance between the groups that can be judged, but not all can be ({names})."
        )
    return verdict(NONE_FOUND, _equivalent(metric, groups, tests, shown, tolerance, attribute.options.alpha))


def _observed(attribute: AttributeAudit, metric: str) -> tuple[float | None, str | None, str | None]:
    """(gap, lowest group, highest group) among the groups that are judged."""
    table = attribute.tables[metric]
    judged = np.flatnonzero(table.judged)
    if judged.size < 2:
        return None, None, None
    lowest, highest = judged[np.argmin(table.value[judged])], judged[np.argmax(table.value[judged])]
    return float(table.value[highest] - table.value[lowest]), attribute.groups[lowest], attribute.groups[highest]


def calibration_verdict(attribute: AttributeAudit, parts: Sequence[Verdict], primary: bool) -> Verdict:
    """Calibration as a whole, from the verdicts on O:E and on the slope: a disparity of either is one. Its gap is that of the calibration error."""
    gap, lowest, highest = _observed(attribute, "ece")
    whole = partial(replace, metric="ece", primary=primary, gap=gap, group_low=lowest, group_high=highest)
    for word in (DISPARITY, NOT_ENOUGH):
        found = [part for part in parts if part.verdict == word]
        if found:
            first = min(found, key=lambda part: 2.0 if part.p is None else part.p)
            return whole(first, reason=_of_calibration(first.reason))
    return whole(parts[0], reason=_of_calibration(" ".join(part.reason.removeprefix(EXPLORATORY) for part in parts), not primary))


EXPLORATORY = "Exploratory: "


def _of_calibration(reason: str, exploratory: bool = False) -> str:
    said = reason.removeprefix(EXPLORATORY)
    return f"{EXPLORATORY if exploratory or said != reason else ''}Calibration: {said}"


def _within(test: PairTest, tolerance: float) -> bool:
    return test.low is not None and test.high is not None and -tolerance < test.low and test.high < tolerance


def _exceeds(test: PairTest, tolerance: float) -> bool:
    low, high = test.simultaneous
    return low is not None and high is not None and (low > tolerance or high < -tolerance)


def _size(metric: str, value: float | None) -> str:
    """A difference in words: for O:E, which is compared as a ratio, how many times."""
    if value is None:
        return "unknown"
    return f"{math.exp(value):.2f} times" if metric == "oe_ratio" else decimal(value, digits_of(value))


def _spread(metric: str, size: float, ends: tuple[float | None, float | None]) -> str:
    low, high = ends
    if metric == "oe_ratio":
        return f"{math.exp(size):.2f} times" if low is None or high is None else f"{math.exp(size):.2f} times [{math.exp(low):.2f}, {math.exp(high):.2f}]"
    return interval(size, low, high, digits_of(size, low, high))


def _disparity(table: MetricTable, groups: Sequence[str], pairs: Sequence[PairTest], tolerance: Bound, exceeds: bool) -> str:
    first, metric = pairs[0], table.metric
    high, low = (first.group_a, first.group_b) if first.difference > 0 else (first.group_b, first.group_a)
    others = "" if len(pairs) == 1 else "; 1 more pair differs" if len(pairs) == 2 else f"; {len(pairs) - 1} more pairs differ"
    ends, digits = _ends(first), digits_of(first.difference)
    nearest = "" if exceeds or ends[0] is None else f" (it may be as small as {_size(metric, max(ends[0], 0.0))})"
    beyond = f"that it exceeds the tolerance of {tolerance.words} is {'shown as well' if exceeds else 'not shown'}{nearest}"
    return (
        f"{sentence(title(metric))} is {decimal(table.value[high], digits)} for {groups[high]} and {decimal(table.value[low], digits)} for {groups[low]}: "
        f"a difference of {_spread(metric, abs(first.difference), ends)} is shown (corrected p {chance(first.p_adjusted)}); {beyond}{others}."
        f"{_resting_on(table, groups, (high, low))}"
    )


def _trials(count: float, rows: str) -> str:
    """Rows as they are; where rows of one patient or unequal weights count for less, as how many independent ones."""
    return f"{count:.0f} {rows}" if math.isclose(count, round(count), abs_tol=1e-6) else f"{rows} that count as {count:.0f} independent ones"


def _resting_on(table: MetricTable, groups: Sequence[str], pair: Sequence[int]) -> str:
    """Of a rate, on how few rows the pair's rests, where they are few."""
    if table.trials is None:
        return ""
    few = [f"{groups[g]} has {_trials(float(table.trials[g]), NEEDS.get(table.metric, 'rows'))}" for g in pair if table.trials[g] < FEW_ROWS]
    return f" It rests on few rows: {' and '.join(few)}." if few else ""


def _ends(test: PairTest) -> tuple[float | None, float | None]:
    """The simultaneous interval of the difference taken as positive."""
    low, high = test.simultaneous
    if low is None or high is None:
        return None, None
    return (low, high) if test.difference > 0 else (-high, -low)


def _incomparable(metric: str, unjudged: Sequence[tuple[str, str]]) -> str:
    if not unjudged:
        return f"{sentence(title(metric))}: there is only one group, so nothing to compare."
    shared = {why for _, why in unjudged}
    why = next(iter(shared)) if len(shared) == 1 else "; ".join(f"{name}: {why}" for name, why in unjudged[:3])
    return f"{sentence(title(metric))} cannot be compared: fewer than two groups can be judged ({why})."


def _open(metric: str, groups: Sequence[str], wide: Sequence[PairTest], shown: Sequence[PairTest], tolerance: Bound, supported: PairTest | None = None) -> str:
    """Neither a disparity nor its absence: which pair leaves it open, the best `supported` one, else that whose interval reaches furthest.

    The interval quoted is the pair's own; where that leaves out 0, although no difference is shown once all comparisons are counted, it is the
    simultaneous one, which does not.
    """
    if shown:
        first = shown[0]
        high, low = (first.group_a, first.group_b) if first.difference > 0 else (first.group_b, first.group_a)
        return (
            f"{sentence(title(metric))}: a difference between {groups[high]} and {groups[low]} of "
            f"{_spread(metric, abs(first.difference), _ends(first))} is shown "
            f"(corrected p {chance(first.p_adjusted)}), but whether a gap exceeds the tolerance of {tolerance.words} is not known."
        )
    pair = supported or max(wide, key=lambda t: math.inf if t.low is None or t.high is None else max(-t.low, t.high))
    a, b = groups[pair.group_a], groups[pair.group_b]
    alone = pair.low is None or pair.high is None or pair.low <= 0 <= pair.high or None in pair.simultaneous
    lower, upper = (pair.low, pair.high) if alone else pair.simultaneous
    if lower is None or upper is None:
        return f"{sentence(title(metric))}: the difference between {a} and {b} has no interval with this data."
    least, most = (f"{math.exp(end):.2f}" if metric == "oe_ratio" else decimal(end, digits_of(lower, upper), signed=True) for end in (lower, upper))
    return (
        f"{sentence(title(metric))}: no difference is shown, but {'the ratio of' if metric == 'oe_ratio' else 'the difference between'} {a} and {b} "
        f"may lie anywhere from {least} to {most}, "
        f"so a gap beyond the tolerance of {tolerance.words} is not ruled out."
    )


def _equivalent(metric: str, groups: Sequence[str], tests: Sequence[PairTest], shown: Sequence[PairTest], tolerance: Bound, alpha: float) -> str:
    largest = max(max(-t.low, t.high) for t in tests if t.low is not None and t.high is not None)
    real = f" A difference between {groups[shown[0].group_a]} and {groups[shown[0].group_b]} is shown, but it lies within that." if shown else ""
    return (
        f"{sentence(title(metric))}: every difference between groups is smaller than {_size(metric, largest)} with {1 - alpha:.0%} confidence, "
        f"within the tolerance of {tolerance.words}.{real}"
    )
