"""Every known answer in oracles.json."""

from __future__ import annotations

import numpy as np
import pytest

from core.metrics.auc import auc, group_aucs
from core.metrics.auc_interval import auc_interval
from core.metrics.calibration import ece, reliability
from core.metrics.delong import delong, difference, group_delong
from core.metrics.equity import equity, es_auc, max_gap
from core.metrics.estimate import MinimumCounts
from core.metrics.intervals import wilson
from core.metrics.multiple_testing import benjamini_hochberg, holm
from core.metrics.rate_comparisons import group_rate_estimates
from core.metrics.rates import confusion, rate, rate_summaries
from tests.metrics.support import ORACLES, group_index


def test_delong_single() -> None:
    known = ORACLES["delong_single"]
    result = delong(known["y"], known["score"])
    assert result.auc[0] == pytest.approx(known["auc"])
    assert result.se[0] == pytest.approx(known["se"], abs=1e-6)
    half = 1.959964 * result.se[0]
    assert [result.auc[0] - half, min(1, result.auc[0] + half)] == pytest.approx(known["ci95"], abs=1e-5)
    low, high = auc_interval(result)
    assert 0 < low[0] < known["auc"] < high[0] < 1, "ours stays inside where the plain interval is cut at 1"


def test_delong_paired() -> None:
    known, one = ORACLES["delong_paired"], ORACLES["delong_single"]
    result = delong(one["y"], [one["score"], known["score_b"]])
    test = difference(result)
    assert result.auc[1] == pytest.approx(known["auc_b"])
    assert test.value == pytest.approx(known["delta"])
    assert test.se is not None and test.se**2 == pytest.approx(known["variance"], abs=1e-7)
    assert test.z == pytest.approx(known["z"], abs=1e-5)
    assert test.p == pytest.approx(known["p"], abs=1e-5)


def test_group_rates() -> None:
    known = ORACLES["group_rates"]
    index, names = group_index(known["group"])
    table = confusion(known["y"], known["pred"], index)
    for name in ("tpr", "fpr", "selection_rate", "accuracy"):
        assert rate(table, name) == pytest.approx([known[name][g] for g in names], abs=1e-6)
    summary = rate_summaries(table)
    for name in ("demographic_parity_difference", "demographic_parity_ratio", "equalized_odds_difference",
                 "equal_opportunity_difference"):  # fmt: skip
        assert float(summary[name]) == pytest.approx(known[name], abs=1e-6)


def test_wilson() -> None:
    for case in ORACLES["wilson95"]["cases"]:
        low, high = wilson(case["k"], case["n"])
        assert [float(low), float(high)] == pytest.approx(case["ci"], abs=6e-5)


def test_corrections() -> None:
    known = ORACLES["corrections"]
    assert benjamini_hochberg(known["p"]) == pytest.approx(known["benjamini_hochberg"], abs=1e-6)
    assert holm(known["p"]) == pytest.approx(known["holm"], abs=1e-9)


@pytest.mark.parametrize("name", ["es_auc_small", "es_auc_trap"])
def test_es_auc(name: str) -> None:
    known = ORACLES[name]
    index, names = group_index(known["group"])
    areas = group_aucs(known["y"], known["score"], index)
    assert areas == pytest.approx([known["group_auc"][g] for g in names])
    overall = auc(known["y"], known["score"])
    summary = equity(overall, areas, tuple(names))
    assert summary.overall == pytest.approx(known["auc"])
    assert summary.es_auc == pytest.approx(known["es_auc"])
    if "max_gap" in known:
        assert summary.max_gap == pytest.approx(known["max_gap"])


def test_es_auc_published() -> None:
    for row in ORACLES["es_auc_published"]["rows"]:
        for attribute in ("race", "gender", "ethnicity"):
            values = dict(row[attribute])
            published = values.pop("es_auc")
            assert float(es_auc(row["auc"], list(values.values()))) == pytest.approx(published, abs=3e-4)


def test_ece() -> None:
    known = ORACLES["ece"]
    curve = reliability(known["y"], known["p"])
    assert ece(curve)[0] == pytest.approx(known["ece"])


@pytest.mark.parametrize("positives", [0, 1])
def test_too_few_positives_are_not_estimable(positives: int) -> None:
    y = [1] * 10 + [0] * 10 + [1] * positives + [0] * 9
    score = np.linspace(0, 1, len(y))
    group = [0] * 20 + [1] * (len(y) - 20)
    areas = group_delong(y, score, group)
    low, high = auc_interval(areas)
    assert low[0] < high[0]
    assert np.isnan([low[1], high[1]]).all(), "no interval rather than one of width 0"
    assert np.isnan(areas.auc[1]) == (positives == 0)
    assert (areas.n_pos[1], areas.n_neg[1]) == (positives, 9)
    reason = MinimumCounts().too_few(positives, 9)
    assert reason is not None and str(positives) in reason
    tpr = group_rate_estimates(y, np.asarray(score) > 0.5, group, 2, "tpr").interval()[0]
    assert np.isfinite(tpr[0]) and np.isnan(tpr[1]) == (positives == 0)
    gap = max_gap([areas.auc[0], np.nan])
    assert np.isnan(gap)
