"""The simulation study itself: small runs keep their promises, and a broken promise is seen."""

from __future__ import annotations

import json

import numpy as np
import pytest

from core.cli import main
from core.metrics.auc import auc
from core.study.audit_simulation import Line, cohorts, coverage, line, size_of_tests, study_cohort, verdicts_under_null


def test_the_simulated_truth_is_the_truth() -> None:
    data = cohorts(np.random.default_rng(0), 1, 20_000, 20_000, 0.85)
    assert auc(data.y, data.score) == pytest.approx(0.85, abs=0.006)
    cohort = study_cohort(np.random.default_rng(0), (20_000, 20_000), 0.85, 0.1)
    for group, area in ((0, 0.85), (1, 0.75)):
        rows = cohort.attributes["group"].codes == group
        assert auc(cohort.y[rows], cohort.scores["model"][rows]) == pytest.approx(area, abs=0.01)
    assert cohort.scores["model"].mean() == pytest.approx(cohort.y.mean(), abs=0.01), "calibrated"


def test_coverage_and_size_hold_in_a_small_study() -> None:
    lines = [*coverage(np.random.default_rng(4), 400), *size_of_tests(np.random.default_rng(2), 400)]
    broken = [found for found in lines if found.kept is False]
    assert len(broken) <= 1, broken  # one in twenty may stray by more than two Monte Carlo errors
    assert all(found.error < 0.02 for found in lines)


def test_no_false_verdicts_in_a_small_study() -> None:
    lines = verdicts_under_null(np.random.default_rng(3), 40, lambda message: None)
    assert {found.part.rpartition(" ")[2] for found in lines} >= {"auc", "tpr", "fpr", "selection_rate", "ece"}
    assert all(found.kept for found in lines)


def test_a_broken_promise_is_seen() -> None:
    assert line("coverage", "", np.arange(1000) < 800, 0.93, 0.97).kept is False
    assert line("coverage", "", np.arange(1000) < 950, 0.93, 0.97).kept is True
    assert Line("free", "", 0.5, 0.01, 100, None, None).kept is None


def test_the_command_refuses_too_few(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["study", "audit", "--repetitions", "3"]) == 2
    assert "10 repetitions" in capsys.readouterr().err


@pytest.mark.slow
def test_the_whole_study_keeps_its_promises(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["study", "audit", "--repetitions", "1000", "--cohorts", "200", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert sum(entry["kept"] is False for entry in found) <= 2
