"""Simulated cohorts have the properties that the study of the audit takes for known."""

from __future__ import annotations

import numpy as np
import pytest

from core.metrics.auc import auc, group_aucs
from core.metrics.calibration_fit import calibration_fit
from core.study.audit_cohorts import CohortSettings, simulate_cohort


@pytest.mark.parametrize("spread", [1.0, 2.0])
def test_every_group_has_its_auc_and_prevalence(spread: float) -> None:
    settings = CohortSettings((40_000, 30_000), (0.1, 0.4), (0.92, 0.75), spread=spread, models=2)
    made = simulate_cohort(np.random.default_rng(1), settings)
    group = made.attributes["group"].codes
    for score in made.scores.values():
        assert group_aucs(made.y, score, group) == pytest.approx([0.92, 0.75], abs=0.01)
    assert [made.y[group == g].mean() for g in (0, 1)] == pytest.approx([0.1, 0.4], abs=0.01)


def test_scores_are_calibrated_in_every_group_unless_shifted() -> None:
    made = simulate_cohort(np.random.default_rng(2), CohortSettings((40_000, 40_000), (0.1, 0.4), shift=(0.0, 0.5)))
    fit = calibration_fit(made.y, made.scores["model 1"], made.attributes["group"].codes, 2)
    assert fit.slope.value == pytest.approx([1, 1], abs=0.05)
    assert fit.intercept.value == pytest.approx([0, -0.5], abs=0.05)


def test_rows_per_patient_differ_between_groups_as_asked() -> None:
    made = simulate_cohort(np.random.default_rng(3), CohortSettings((50, 50, 50), rows=(1, (2, 5), 30)))
    assert made.patient is not None
    group, rows = made.attributes["group"].codes, np.bincount(made.patient)
    owner = group[np.unique(made.patient, return_index=True)[1]]
    assert set(rows[owner == 0]) == {1} and set(rows[owner == 2]) == {30}
    assert rows[owner == 1].min() == 2 and rows[owner == 1].max() == 5
    labels = [np.unique(made.y[made.patient == k]).size for k in np.unique(made.patient)]
    assert max(labels) == 1, "labels are a patient's own"
    per_row = simulate_cohort(np.random.default_rng(3), CohortSettings((50,), rows=10, label_per_row=True))
    assert max(np.unique(per_row.y[per_row.patient == k]).size for k in range(50)) == 2


def test_further_attributes_and_weights_change_nothing() -> None:
    made = simulate_cohort(np.random.default_rng(4), CohortSettings((30_000,), attributes={"site": 3, "sex": 2}, weighted=True))
    assert made.weights is not None and made.weights.mean() == pytest.approx(1, abs=0.02)
    for name, count in (("site", 3), ("sex", 2)):
        assert group_aucs(made.y, made.scores["model 1"], made.attributes[name].codes) == pytest.approx([0.85] * count, abs=0.02)
    assert auc(made.y, made.scores["model 1"], made.weights) == pytest.approx(0.85, abs=0.02)


def test_models_err_alike() -> None:
    made = simulate_cohort(np.random.default_rng(5), CohortSettings((20_000,), models=3))
    ranks = np.corrcoef([np.log(s / (1 - s))[made.y == 0] for s in made.scores.values()])
    assert ranks[0, 1] == pytest.approx(0.8, abs=0.02)
