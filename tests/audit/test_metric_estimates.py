"""Every compared metric of an audit as estimates of groups: the values are those that the audit shows."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from core.audit.estimates.group_estimates import estimate_groups
from core.audit.estimates.scored import Scored
from core.audit.inference.metric_estimates import COMPARED, metric_estimates
from core.audit.options import AuditOptions


def _scored(clustered: bool, weighted: bool) -> tuple[Scored, np.ndarray]:
    rng = np.random.default_rng(1)
    patient = np.repeat(np.arange(150), 2)
    y = rng.random(300) < 0.4
    score = 1 / (1 + np.exp(-(rng.normal(size=300) + 1.5 * y - 1)))
    weight = rng.gamma(3.0, size=150)[patient] if weighted else None
    decision = (score >= 0.4).astype(np.int8)
    return Scored("m", y, score, decision, None, None, 0.4, patient if clustered else None, weight), rng.integers(-1, 3, 300)


@pytest.mark.parametrize(("clustered", "weighted"), [(False, False), (True, False), (False, True), (True, True)])
def test_values_are_those_of_the_tables(clustered: bool, weighted: bool) -> None:
    data, codes = _scored(clustered, weighted)
    _, tables = estimate_groups(data, codes, 3, AuditOptions())
    for metric in COMPARED:
        found = metric_estimates(data, codes, 3, metric)
        assert found is not None
        assert found.value == pytest.approx(tables[metric].value, rel=1e-12), metric
        low, high = found.interval(0.95)
        assert np.all((low < found.value) & (found.value < high))
        assert found.influence is not None and found.influence.value.size == 300


def test_a_model_without_a_metric_has_no_estimates_of_it() -> None:
    data, codes = _scored(False, False)
    undecided = replace(data, decision=None, threshold=None)
    assert metric_estimates(undecided, codes, 3, "tpr") is None
    assert metric_estimates(undecided, codes, 3, "net_benefit") is None
    assert metric_estimates(replace(data, no_probability="scores reach to 3"), codes, 3, "brier") is None
    with pytest.raises(ValueError, match="ece"):
        metric_estimates(data, codes, 3, "ece")
