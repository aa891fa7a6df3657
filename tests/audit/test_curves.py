"""Curves hold what the estimates hold, and say what they lack."""

from __future__ import annotations

import numpy as np
import pytest

from core.audit import Audit, AuditOptions, Predictions, audit
from core.audit.estimates.curves import SMOOTH, threshold_frame
from tests.audit.cohorts import simulated


@pytest.fixture(scope="module")
def result() -> Audit:
    return audit(simulated({"a": 400, "b": 300, "c": 8}, {"a": 0.9, "b": 0.7, "c": 0.8}), AuditOptions(bootstrap=200, curves=True))


def test_whatever_is_undefined_has_its_reason(result: Audit) -> None:
    for table in result.models[0].attributes[0].tables.values():
        for value, judged, reason in zip(table.value, table.judged, table.reason, strict=True):
            assert np.isfinite(value) if judged else reason


def test_curves(result: Audit) -> None:
    curves = result.models[0].attributes[0].curves
    assert curves is not None
    sliding = curves.sliding[curves.sliding["group"] == "a"]
    assert sliding["tpr"].is_monotonic_decreasing and (sliding["tpr"].iloc[0], sliding["tpr"].iloc[-1]) == (1.0, 0.0)
    here = sliding[np.isclose(sliding["threshold"], 0.5, atol=1e-12)]
    for rate in ("tpr", "fpr", "selection_rate"):
        assert here[rate].iloc[0] == result.models[0].attributes[0].tables[rate].value[0], "the operating point is one of the thresholds"
    points = curves.reliability.groupby("group")["n"]
    assert list(points.groups) == ["a", "b"] and points.min().min() >= 10, "bins of fewer than ten rows are no points"
    assert points.sum()["a"] == 400 and 250 < points.sum()["b"] <= 300
    at = curves.decision[(curves.decision["group"] == "a") & np.isclose(curves.decision["threshold"], 0.5)]
    assert at["net_benefit"].iloc[0] == pytest.approx(result.models[0].attributes[0].tables["net_benefit"].value[0])


def test_smooth_calibration_follows_planted_risks_and_names_what_it_lacks() -> None:
    """Group b's events have twice the odds that its scores say; group c is too small, and has no curve but the reason."""
    rng = np.random.default_rng(4)
    group = np.repeat(["a", "b", "c"], [4000, 4000, 8])
    logit = rng.normal(-0.5, 1.2, group.size)
    y = rng.random(group.size) < 1 / (1 + np.exp(-(logit + np.log(2) * (group == "b"))))
    found = audit(Predictions.build(y.astype(int), 1 / (1 + np.exp(-logit)), {"group": group}), AuditOptions(bootstrap=0, curves=True))
    attribute = found.models[0].attributes[0]
    assert attribute.curves is not None
    smooth = attribute.curves.smooth
    assert list(smooth.columns) == SMOOTH
    for name, odds in (("a", 1.0), ("b", 2.0)):
        own = smooth[smooth["group"] == name]
        true = odds * own["predicted"] / (1 - own["predicted"] + odds * own["predicted"])
        assert np.abs(own["observed"] - true).max() < 0.06 and own["reason"].isna().all()
        assert ((own["low"] <= true) & (true <= own["high"])).mean() > 0.8
    least = smooth[smooth["group"] == "c"]
    assert len(least) == 1 and least["observed"].isna().all() and least["reason"].iloc[0] == attribute.tables["auc"].reason[2]
    written = found.to_dict()["models"][found.models[0].model]["attributes"]["group"]["curves"]["smooth"]
    assert len(written) == len(smooth)


def test_a_threshold_counts_the_rows_that_it_selects(result: Audit) -> None:
    attribute = result.models[0].attributes[0]
    frame = threshold_frame(attribute, [0.3, 0.7], ["tpr", "selection_rate"])
    for row in frame.to_dict("records"):
        inside = attribute.grouping.codes == attribute.groups.index(row["group"])
        selected = inside & (attribute.data.score >= row["threshold"])
        assert (row["selected"], row["n"]) == (int(selected.sum()), int(inside.sum()))
        if row["metric"] == "selection_rate" and np.isfinite(row["value"]):
            assert row["value"] == pytest.approx(selected.sum() / inside.sum())
