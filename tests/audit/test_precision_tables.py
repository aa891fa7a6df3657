"""Intervals of average precision, AUPRG and the balanced Brier score."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import average_precision_score

from core.audit import AuditOptions, audit
from core.audit.estimates import precision_tables as precision_module
from core.audit.estimates.calibration_tables import calibration_tables
from core.audit.estimates.precision_tables import precision_tables
from core.audit.estimates.scored import Scored
from core.metrics.precision_recall import auprg, average_precision
from tests.audit.cohorts import simulated


def scored(rng: np.random.Generator, count: int, n: int) -> tuple[Scored, np.ndarray]:
    """`count` cohorts of `n` calibrated rows each, prevalence about a third."""
    y = rng.random(count * n) < 0.35
    ratio = 1.3 * (rng.normal(size=y.size) + 1.3 * y - 0.65)
    score = 1 / (1 + np.exp(-(ratio + np.log(0.35 / 0.65))))
    return Scored("m", y, score, (score >= 0.5).astype(np.int8), None, None, 0.5, None), np.repeat(np.arange(count), n)


@pytest.mark.parametrize("n", [150, 600])
def test_intervals_cover(n: int) -> None:
    rng = np.random.default_rng(n)
    data, codes = scored(rng, 200, n)
    large, all_one = scored(rng, 1, 400_000)
    truths = {"average_precision": average_precision(large.y, large.score, all_one, 1)[0], "auprg": auprg(large.y, large.score, all_one, 1)[0]}
    square = (large.score - large.y) ** 2
    truths["balanced_brier"] = (square[large.y].mean() + square[~large.y].mean()) / 2
    options = AuditOptions(bootstrap=150)
    found = [*precision_tables(data, codes, 200, [None] * 200, options), *calibration_tables(data, codes, 200, [None] * 200, AuditOptions(bootstrap=0))]
    for table in found:
        if table.metric in truths:
            covered = np.mean((table.low <= truths[table.metric]) & (truths[table.metric] <= table.high))
            assert 0.95 - 0.05 <= covered <= 0.995, (table.metric, covered)


def test_the_standard_error_is_the_plain_bootstraps() -> None:
    rng = np.random.default_rng(1)
    data, codes = scored(rng, 1, 400)
    table = precision_tables(data, codes, 1, [None], AuditOptions(bootstrap=1000))[0]
    draws = [rng.integers(0, 400, 400) for _ in range(800)]
    plain = np.std([average_precision_score(data.y[d], data.score[d]) for d in draws], ddof=1)
    assert table.se[0] == pytest.approx(plain, rel=0.1)


def test_without_replicates_there_is_a_value_and_no_interval() -> None:
    tables = audit(simulated({"a": 100, "b": 100}), AuditOptions(bootstrap=0)).models[0].tables
    for name in ("average_precision", "auprg"):
        assert np.isfinite(tables[name].value[0]) and np.isnan(tables[name].low[0]) and tables[name].method == "none"


def test_limits_enclose_the_value_and_stay_possible() -> None:
    attribute = audit(simulated({"a": 200, "b": 30}, {"a": 0.97, "b": 0.6}), AuditOptions(bootstrap=200)).models[0].attributes[0]
    for name, least in (("average_precision", 0.0), ("auprg", -np.inf), ("balanced_brier", 0.0)):
        table = attribute.tables[name]
        assert np.all((least <= table.low) & (table.low < table.value) & (table.value < table.high) & (table.high <= 1)), name


def test_repeated_patients_are_drawn_whole() -> None:
    options = AuditOptions(bootstrap=400)
    once, thrice = (audit(simulated({"a": 200, "b": 200}, images=k), options).models[0].attributes[0].tables for k in (1, 3))
    assert thrice["average_precision"].se == pytest.approx(once["average_precision"].se, rel=0.15)
    for name in ("calibration_intercept", "calibration_slope", "oe_ratio"):
        width = [table[name].high - table[name].low for table in (once, thrice)]
        assert width[1] == pytest.approx(width[0], rel=1e-6), "three images of a patient are no three patients"


def test_an_area_without_a_lower_bound_is_not_shown_below_zero() -> None:
    rng = np.random.default_rng(5)
    y = np.repeat([True, False, True, False], [60, 140, 8, 60])
    score = np.where(np.arange(y.size) < 200, rng.random(y.size) - 0.6 * y, rng.random(y.size) + 0.12 * y)
    codes = np.repeat([0, 1], [200, 68])
    data = Scored("m", y, score, None, "none", "none", None)
    ap, area = precision_tables(data, codes, 2, [None, None], AuditOptions(bootstrap=200))
    assert auprg(y[:200], score[:200])[0] < 0
    assert np.isnan([area.value[0], area.low[0], area.high[0], area.se[0]]).all() and not area.judged[0]
    assert area.reason[0] is not None and "worse than calling everybody positive" in area.reason[0]
    assert np.isfinite(ap.value).all() and ap.reason == (None, None), "average precision is bounded and always shown"
    assert area.reason[1] == "its interval reaches below -1: too few positives for this measure" and np.isnan(area.value[1])
    shown = precision_tables(data, codes, 2, [None, None], AuditOptions(bootstrap=0))[1]
    assert np.isnan(shown.value[0]) and np.isfinite(shown.value[1]), "without an interval only the value itself is judged"


def test_a_gain_area_of_exactly_0_is_shown_and_below_it_is_not() -> None:
    assert precision_module._not_shown("auprg", 0.0, -0.4) is None
    assert precision_module._not_shown("auprg", -1e-9, -0.4) == precision_module.BELOW_ZERO
    assert precision_module._not_shown("auprg", 0.2, -1.2) == precision_module.TOO_WIDE
    assert precision_module._not_shown("average_precision", 0.2, -1.2) is None
