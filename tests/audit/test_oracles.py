"""The audit gives the known answers."""

from __future__ import annotations

import numpy as np
import pytest

from core.audit import AuditOptions, Predictions, audit
from core.audit.comparison.compare_models import compare
from core.audit.estimates.group_estimates import group_counts
from core.audit.estimates.scored import Scored
from core.audit.result import Tables
from core.metrics.delong import delong, difference
from core.metrics.equity import es_auc
from core.metrics.multiple_testing import adjust
from tests.audit import oracles

PLAIN = AuditOptions(bootstrap=0)
LENIENT = AuditOptions(bootstrap=0, min_positives=2, min_negatives=2, min_rows=2)
"""Known answers are of few rows, of which summaries would leave most groups out."""


def test_delong() -> None:
    document = audit(Predictions.build(oracles.Y8, oracles.SCORE8, {"g": ["all"] * 8}), PLAIN).to_dict()
    for found in (document["overall"], document["attributes"]["g"]["groups"]["all"]):
        assert found["auc"] == pytest.approx(oracles.DELONG["auc"])
        assert found["auc_se"] == pytest.approx(oracles.DELONG["se"], abs=1e-7)
        assert found["auc_ci"] == pytest.approx(oracles.DELONG["ci"], abs=1e-6)


def test_paired_delong() -> None:
    known = oracles.DELONG_PAIRED
    predictions = Predictions.build(oracles.Y8, {"a": oracles.SCORE8, "b": known["score_b"]}, {"g": ["all"] * 8})
    row = compare(predictions, "a", "b", LENIENT).rows[0]
    assert (row.value_b, row.difference) == (known["auc_b"], known["delta"])
    classic = difference(delong(oracles.Y8, np.stack([oracles.SCORE8, known["score_b"]])))
    assert classic.p == pytest.approx(known["p"], abs=1e-6)
    assert row.p is not None and known["p"] < row.p < 0.5  # eight rows: a reference with few degrees of freedom


def test_group_rates() -> None:
    y, score, group = (np.repeat(column, 2) for column in (oracles.RATES_Y, oracles.RATES_PREDICTION, oracles.RATES_GROUP))  # of one negative nothing is judged
    predictions = Predictions.build(y, score, {"g": group})
    found = audit(predictions, LENIENT).to_dict()["attributes"]["g"]
    for metric, values in oracles.RATES.items():
        for group, value in values.items():
            assert found["groups"][group][metric] == pytest.approx(value, abs=1e-7), (metric, group)
    for metric, value in oracles.RATE_SUMMARIES.items():
        assert found[metric] == pytest.approx(value, abs=1e-7), metric


@pytest.mark.parametrize(("counts", "ends"), oracles.WILSON.items())
def test_wilson(counts: tuple[int, int], ends: tuple[float, float]) -> None:
    k, n = counts
    score = np.r_[np.ones(k), np.zeros(n - k)]
    data = Scored("m", np.ones(n, dtype=bool), score, score.astype(np.int8), None, None, 0.5)
    everybody = np.zeros(n, dtype=np.int64)
    tables = Tables(data, everybody, ("all",), group_counts(data, everybody, 1), PLAIN)
    assert (tables["tpr"].low[0], tables["tpr"].high[0]) == pytest.approx(ends, abs=5e-5)


@pytest.mark.parametrize(("name", "known"), [("holm", oracles.HOLM), ("bh", oracles.BENJAMINI_HOCHBERG)])
def test_corrections(name: str, known: list[float]) -> None:
    assert adjust(oracles.P_VALUES, name).tolist() == pytest.approx(known, abs=1e-6)


def test_es_auc() -> None:
    known = oracles.ES_AUC_SMALL
    found = audit(Predictions.build(oracles.Y8, oracles.SCORE8, {"g": oracles.ES_AUC_GROUP}), LENIENT).to_dict()["attributes"]["g"]
    assert found["es_auc"] == pytest.approx(known["es_auc"])
    assert {name: group["auc"] for name, group in found["groups"].items()} == {"A": known["A"], "B": known["B"]}
    low, high = found["groups"]["B"]["auc_ci"]
    assert low < high == 1.0, "two positives ranked without fault: no interval of width zero"


def test_es_auc_trap() -> None:
    trap = oracles.TRAP
    y, score, group = (np.repeat(trap[name], 2) for name in ("y", "score", "group"))  # every row twice: groups of one pair cannot be judged
    document = audit(Predictions.build(y, score, {"g": group}), LENIENT).to_dict()
    found = document["attributes"]["g"]
    assert (document["overall"]["auc"], found["max_gap"], found["es_auc"]) == (trap["auc"], trap["max_gap"], trap["es_auc"])
    assert found["cross_group_auc"] == {"A": {"A": 1.0, "B": 1.0}, "B": {"A": 0.0, "B": 1.0}}, "the matrix shows why"


@pytest.mark.parametrize(("overall", "groups", "known"), oracles.PUBLISHED)
def test_published_es_auc(overall: float, groups: list[float], known: float) -> None:
    assert float(es_auc(overall, np.array(groups))) == pytest.approx(known, abs=0.0003)


def test_ece() -> None:
    document = audit(Predictions.build(oracles.ECE["y"], oracles.ECE["p"], {"g": ["all"] * 6}), PLAIN).to_dict()
    assert document["overall"]["ece"] == pytest.approx(oracles.ECE["ece"])
    assert document["attributes"]["g"]["groups"]["all"]["ece"] == pytest.approx(oracles.ECE["ece"])


def test_undefined_is_null_with_its_reason() -> None:
    """No positives: no AUC, no TPR. One positive: an AUC, but neither interval nor judgement."""
    y = [0] * 20 + [1] + [0] * 19 + [1, 0] * 20
    score = np.linspace(0.05, 0.95, 80)
    found = audit(Predictions.build(y, score, {"g": ["none"] * 20 + ["one"] * 20 + ["many"] * 40}), PLAIN).to_dict()["attributes"]["g"]
    none, one = found["groups"]["none"], found["groups"]["one"]
    assert none["auc"] is None and none["tpr"] is None and not none["estimable"]
    assert none["reason"] == "0 positives, 5 are needed"
    assert (one["n_pos"], one["n_neg"], one["estimable"], one["auc_ci"], one["auc_se"]) == (1, 19, False, None, None)
    assert found["excluded"] == ["none", "one"]
    assert found["summaries"]["es_auc"]["without"] == "without none (0+/20\u2212), one (1+/19\u2212)"
    assert found["verdicts"]["auc"]["verdict"] == "not enough data"


def test_no_gap_interval_passes_for_a_test() -> None:
    """Four groups of 100 without any gap: the interval of the gap holds 0, and the null explains the gap."""
    from tests.audit.cohorts import simulated

    held = rejected = 0
    for seed in range(20):
        predictions = simulated(dict.fromkeys("abcd", 100), 0.8, seed=seed)
        gap = audit(predictions, AuditOptions(bootstrap=200)).models[0].attributes[0].summary("max_gap")
        assert gap.low is not None and gap.p_null is not None
        held += gap.low == 0.0
        rejected += gap.p_null <= 0.05
    assert held >= 17
    assert rejected <= 4
