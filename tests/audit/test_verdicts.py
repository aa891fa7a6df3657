"""Verdicts: a real gap is called, a pass needs data, and too little data is said."""

from __future__ import annotations

import re

import pytest

from core.audit import AuditOptions, audit
from core.audit.inference.verdicts import DISPARITY, NONE_FOUND, NOT_ENOUGH, Verdict
from tests.audit.cohorts import simulated

OPTIONS = AuditOptions(bootstrap=200, threshold=0.35)


def verdict(sizes: dict[str, int], auc: dict[str, float] | float, metric: str = "auc", options: AuditOptions = OPTIONS) -> Verdict:
    attribute = audit(simulated(sizes, auc), options).models[0].attributes[0]
    return next(v for v in attribute.verdicts if v.metric == metric)


def test_a_large_gap_is_a_disparity() -> None:
    found = verdict({"a": 1000, "b": 1000}, {"a": 0.9, "b": 0.7})
    assert found.verdict == DISPARITY
    assert found.reason.startswith("AUC is .") and "for a and" in found.reason and "tolerance of .050" in found.reason
    assert found.evidence is not None and found.evidence > 10


@pytest.mark.parametrize("metric", ["auc", "tpr", "fpr", "selection_rate", "ece"])
def test_much_data_without_a_gap_passes(metric: str) -> None:
    assert verdict({"a": 10_000, "b": 10_000}, 0.85, metric).verdict == NONE_FOUND


@pytest.mark.parametrize("metric", ["auc", "tpr", "fpr", "selection_rate"])
def test_little_data_never_passes(metric: str) -> None:
    found = verdict({"a": 60, "b": 60}, 0.85, metric)
    assert found.verdict == NOT_ENOUGH
    assert "no difference is shown" in found.reason


def test_a_group_too_small_to_judge_forbids_a_pass() -> None:
    found = verdict({"a": 10_000, "b": 10_000, "c": 6}, 0.85)
    assert found.verdict == NOT_ENOUGH
    assert "c:" in found.reason and "needed" in found.reason


def test_a_group_too_small_to_judge_does_not_hide_a_disparity() -> None:
    assert verdict({"a": 1000, "b": 1000, "c": 6}, {"a": 0.9, "b": 0.7, "c": 0.8}).verdict == DISPARITY


def test_a_real_gap_within_the_tolerance_is_no_disparity() -> None:
    options = AuditOptions(bootstrap=0, tolerance=0.2)
    assert verdict({"a": 10_000, "b": 10_000}, {"a": 0.9, "b": 0.85}, options=options).verdict == NONE_FOUND
    strict = AuditOptions(bootstrap=0, tolerance=0.2, tolerances={"auc": 0.02})
    assert verdict({"a": 10_000, "b": 10_000}, {"a": 0.9, "b": 0.85}, options=strict).verdict == DISPARITY


def test_one_group_has_nothing_to_compare() -> None:
    found = verdict({"a": 500}, 0.8)
    assert found.verdict == NOT_ENOUGH and "only one group" in found.reason


def test_power_promises_what_the_tolerance_and_the_counts_allow() -> None:
    attribute = audit(simulated({"a": 1000, "b": 200}, 0.85), AuditOptions(bootstrap=0, gap=0.08)).models[0].attributes[0]
    small = next(row for row in attribute.power if row.metric == "auc" and row.group == "b")
    assert small.detectable is not None and small.detectable > 0.08
    assert small.more_patients is not None and 10 < small.more_patients < 500
    # With so many more patients, as promised, the stated gap is within reach.
    grown = audit(simulated({"a": 1000, "b": 200 + small.more_patients}, 0.85), AuditOptions(bootstrap=0, gap=0.08)).models[0].attributes[0]
    enough = next(row for row in grown.power if row.metric == "auc" and row.group == "b")
    assert enough.detectable == pytest.approx(0.08, abs=0.02)


def test_power_says_what_no_number_of_patients_can_do() -> None:
    attribute = audit(simulated({"a": 40, "b": 30}, 0.85), AuditOptions(bootstrap=0, gap=0.06)).models[0].attributes[0]
    row = next(row for row in attribute.power if row.metric == "auc" and row.group == "b")
    assert row.more_patients is None and row.reason is not None and "both need more" in row.reason
    within = audit(simulated({"a": 400, "b": 300}, 0.85), AuditOptions(bootstrap=0, gap=0.04)).models[0].attributes[0]
    assert "within the tolerance" in str(within.power[0].reason)


def test_where_no_difference_is_shown_the_interval_that_is_quoted_holds_0() -> None:
    """Six groups: several pairs differ by their own interval, and not once all are counted."""
    said, against = [], 0
    for seed in range(6):
        attribute = audit(simulated(dict.fromkeys("abcdef", 60), 0.8, seed=seed), OPTIONS).models[0].attributes[0]
        for found in attribute.verdicts:
            quoted = re.search(r"no difference is shown, but .* from (\S+) to (\S+),", found.reason)
            if quoted is None or found.pair is None:
                continue
            low, high = (float(end.replace("−", "-")) for end in quoted.groups())
            assert low <= (1 if "the ratio of" in found.reason else 0) <= high, found.reason
            assert attribute.groups[found.pair.group_a] in found.reason, "the sentence is about the pair that the verdict rests on"
            against += found.pair.low is not None and found.pair.high is not None and not found.pair.low <= 0 <= found.pair.high
            said.append(found.metric)
    assert len(said) > 10 and against > 0, "the case is not met"
