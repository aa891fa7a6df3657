"""Calibration and prevalence of an audit's groups: what the tables hold, and small cohorts of the kinds that once went wrong."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy.special import expit

from core.audit.engine import audit
from core.audit.estimates.calibration_tables import calibration_tables
from core.audit.estimates.group_estimates import MetricTable, group_counts
from core.audit.estimates.scored import Scored
from core.audit.input.predictions import Predictions
from core.audit.options import AuditOptions
from core.audit.result import Tables
from core.metrics.calibration import debiased_ece, ece, reliability
from core.metrics.calibration_fit import calibration_fit
from core.metrics.catalogue import CALIBRATION
from core.metrics.prevalence import STANDARDISED, Standardised, standardise
from core.report.audit_summary import summary_section
from core.report.audit_tables import verdicts_table

OPTIONS = AuditOptions(bootstrap=0)


def scored(y: np.ndarray, score: np.ndarray, cluster: np.ndarray | None = None, weight: np.ndarray | None = None) -> Scored:
    return Scored("m", y, score, (score >= 0.5).astype(np.int8), None, None, 0.5, cluster, weight)


def cohort(seed: int, sizes: tuple[int, ...], centres: tuple[float, ...], shifts: tuple[float, ...]) -> tuple[Scored, np.ndarray]:
    """Groups whose true logit lies `shift` above that of their scores."""
    rng = np.random.default_rng(seed)
    group = np.repeat(np.arange(len(sizes)), sizes)
    x = np.array(centres)[group] + rng.normal(size=group.size)
    return scored(rng.random(group.size) < expit(x + np.array(shifts)[group]), expit(x)), group


def tables(data: Scored, group: np.ndarray, options: AuditOptions = OPTIONS) -> dict[str, MetricTable]:
    count = int(group.max()) + 1
    return {table.metric: table for table in calibration_tables(data, group, count, [None] * count, options)}


def test_values_and_intervals_are_those_of_the_metrics() -> None:
    data, group = cohort(1, (300, 200), (-1.0, 0.0), (0.3, 0.0))
    found = tables(data, group, replace(OPTIONS, alpha=0.1))
    curve, fit = reliability(data.y, data.score, group, 2), calibration_fit(data.y, data.score, group, 2)
    assert found["ece"].value == pytest.approx(ece(curve)) and found["ece_debiased"].value == pytest.approx(debiased_ece(curve))
    low, high = fit.log_oe.interval(0.9)
    assert (found["oe_ratio"].value == np.exp(fit.log_oe.value)).all()
    assert found["oe_ratio"].low == pytest.approx(np.exp(low)) and found["oe_ratio"].high == pytest.approx(np.exp(high))
    assert found["oe_ratio"].se == pytest.approx(np.exp(fit.log_oe.value) * fit.log_oe.se)
    assert (found["calibration_slope"].low == fit.slope.interval(0.9)[0]).all() and (found["calibration_intercept"].value == fit.intercept.value).all()
    for table in found.values():
        assert ((table.low <= table.value) & (table.value <= table.high)).all(), table.metric


def test_groups_that_cannot_be_fitted_keep_the_reason() -> None:
    data, group = cohort(2, (60, 60), (-1.0, 0.0), (0.0, 0.0))
    data = replace(data, y=data.y & (group == 1))
    found = tables(data, group)
    for name in ("calibration_slope", "calibration_intercept", "oe_ratio"):
        assert found[name].reason[0] == "no events" and not found[name].judged[0] and np.isnan(found[name].value[0]) and found[name].judged[1]
    assert tables(replace(data, no_probability="scores reach to 3"), group)["oe_ratio"].reason == ("scores reach to 3",) * 2


def test_a_rare_disease_predicted_three_times_too_often_has_another_ratio() -> None:
    """At a prevalence of about 1 % the errors differ by .02, which a tolerance of .05 waves through."""
    data, group = cohort(3, (20_000, 20_000), (-5.0, -5.0), (0.0, -1.1))
    ratio = tables(data, group)["oe_ratio"]
    assert ratio.low[0] < 1 < ratio.high[0] and ratio.high[1] < 0.5


def test_errors_of_calibrated_groups_of_different_spread_are_not_called_different() -> None:
    """Their plain errors differ much, because the small group's is mostly noise; the verdict rests on O:E and the slope."""
    apart, found = [], []
    for seed in range(40):
        data, group = cohort(seed, (1500, 80), (-3.2, 0.0), (0.0, 0.0))
        attribute = audit(Predictions.build(data.y, data.score, {"g": group}), OPTIONS).models[0].attributes[0]
        apart.append(np.ptp(attribute.tables["ece"].value))
        found.append(attribute.verdict("ece").verdict)
    assert np.median(apart) > 0.05 and found.count("disparity") <= 5


def test_the_gap_of_the_calibration_error_is_its_own_and_not_that_of_the_part_which_decides() -> None:
    """It was the slope's: .425 where the groups' errors differ by .052."""
    data, group = cohort(7, (900, 700), (-1.0, -1.0), (0.0, 0.4))
    attribute = audit(Predictions.build(data.y, data.score, {"g": group}), OPTIONS).models[0].attributes[0]
    error, slope = attribute.tables["ece"].value, attribute.tables["calibration_slope"].value
    found = attribute.verdict("ece")
    assert found.gap == pytest.approx(np.ptp(error)) and abs(np.ptp(error) - np.ptp(slope)) > 0.01
    assert (found.group_low, found.group_high) == tuple(attribute.groups[int(i)] for i in (np.argmin(error), np.argmax(error)))
    assert [attribute.verdict(part).gap for part in CALIBRATION] == pytest.approx([np.ptp(attribute.tables[part].value) for part in CALIBRATION])


def test_calibration_is_listed_once_as_the_parts_that_it_is_judged_by() -> None:
    data, group = cohort(7, (900, 700), (-1.0, -1.0), (0.0, 0.4))
    document = audit(Predictions.build(data.y, data.score, {"g": group}), replace(OPTIONS, primary_metrics=("ece",))).to_dict()
    table = verdicts_table(document)
    assert "ece" in document["attributes"]["g"]["verdicts"] and "ece" not in set(table["metric"])
    assert set(table.loc[table["primary"], "metric"]) == set(CALIBRATION), "who declares calibration declares its parts"
    rows = dict(summary_section(document, "", "").blocks[0].display.to_numpy().tolist())
    assert "Asked beforehand of calibration;" in rows["Question"]


def test_raw_metrics_are_those_of_the_audit_and_prevalence_is_the_whole_sets() -> None:
    data, group = cohort(5, (400, 400), (-1.5, 0.5), (0.0, 0.0))
    rng = np.random.default_rng(0)
    data = replace(data, weight=rng.integers(1, 4, 800).astype(float), cluster=rng.integers(0, 300, 800))
    own = Tables(data, group, ("a", "b"), group_counts(data, group, 2), OPTIONS)
    for name in STANDARDISED:
        found = _standardised(name, data, group)
        assert found.raw == pytest.approx(own[name].value), name
        assert found.prevalence == pytest.approx(np.average(data.y, weights=data.weight))


def _standardised(name: str, data: Scored, group: np.ndarray) -> Standardised:
    value = data.score if name == "brier" else data.decision
    assert value is not None
    threshold = data.threshold if name == "net_benefit" else None
    return standardise(name, data.y, value, group, 2, threshold=threshold, weight=data.weight, cluster=data.cluster)


def test_equal_roc_and_unequal_prevalence_is_explained() -> None:
    """Prevalences of .1 and .4, the same likelihood ratios: every raw metric differs, and nothing remains at one prevalence."""
    rng = np.random.default_rng(7)
    group = np.repeat([0, 1], [20_000, 20_000])
    y = rng.random(40_000) < np.where(group == 1, 0.4, 0.1)
    score = expit(1.6 * (rng.normal(size=40_000) + 1.6 * y - 0.8) - 1.2)
    for name in STANDARDISED:
        found = _standardised(name, scored(y, score), group).differences()
        assert abs(found.raw[0]) > 4 * abs(found.standardised.difference[0]), name
        assert found.standardised.p[0] > 0.01 and found.explained[0] / found.raw[0] > 0.7
        assert found.verdicts(0.05) == ("explained",)


def test_a_difference_that_equal_prevalences_turn_round_is_said_to_turn_round() -> None:
    """The common disease is ranked worse: its PPV is the higher one as it stands, and the lower one at one prevalence."""
    rng = np.random.default_rng(3)
    group = np.repeat(["rare", "common"], [4000, 4000])
    y = rng.random(8000) < np.where(group == "common", 0.6, 0.05)
    chosen = rng.random(8000) < np.where(y, 0.7, np.where(group == "common", 0.3, 0.03))
    table = Predictions.build(y, np.where(chosen, 0.9, 0.1), {"g": group})
    attribute = audit(table, OPTIONS).models[0].attributes[0]
    assert "At equal prevalences the difference goes the other way" in attribute.verdict("ppv").reason
    assert "goes the other way" not in attribute.verdict("fpr").reason
