"""Tables of a study against independent computation."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from core.study.runner import Entry, Outcome, Runner
from core.study.search import Tuned
from core.study.summary import candidates_tried, differences, tidy
from core.study.table import markdown

SEEDS = (1, 2, 3)


class FakeCohort:
    """Two groups, test rows only after the first hundred."""

    cohort_id = "planted"
    modality_names = ("a", "b")
    sampling_weights = None

    def __init__(self, n: int = 600) -> None:
        rng = np.random.default_rng(0)
        self.y = rng.integers(0, 2, n).astype(np.int8)
        self._group = rng.integers(0, 2, n)
        self.table = pd.DataFrame({"patient_id": [f"p{i}" for i in range(n)]})

    def rows(self, split: str) -> np.ndarray:
        return np.arange(100, len(self.y)) if split == "test" else np.arange(100)

    def groups(self, attribute: str) -> tuple[str, ...]:
        return ("f", "m")

    def group_index(self, attribute: str) -> np.ndarray:
        return self._group


def _auc(y: np.ndarray, s: np.ndarray) -> float:
    wins = (s[y == 1][:, None] > s[y == 0][None]).mean() + 0.5 * (s[y == 1][:, None] == s[y == 0][None]).mean()
    return float(wins)


@pytest.fixture
def made(tmp_path):
    cohort = FakeCohort()
    runner = Runner(cohort, "sex", {"lr": 1e-3}, tmp_path)  # type: ignore[arg-type]
    rng = np.random.default_rng(1)
    outcomes = {}
    for label, strength in (("erm", 0.5), ("joint", 1.5)):
        entry = Entry(label, label, {})
        outcomes[label] = [Outcome(entry, seed, {}, cohort.y * strength + rng.normal(size=len(cohort.y)), 1.0, 0) for seed in SEEDS]
    return cohort, runner, outcomes


def test_metrics_by_hand(made) -> None:
    cohort, runner, outcomes = made
    rows = cohort.rows("test")
    one = outcomes["joint"][0]
    y, s, g = cohort.y[rows], one.score[rows], cohort.group_index("sex")[rows]
    whole, parts = _auc(y, s), [_auc(y[g == k], s[g == k]) for k in (0, 1)]
    found = runner.metrics(one, "test")
    assert found["auc"] == pytest.approx(whole)
    assert found["es_auc"] == pytest.approx(whole / (1 + sum(abs(p - whole) for p in parts)))
    assert found["worst_group_auc"] == pytest.approx(min(parts))
    assert found["max_gap"] == pytest.approx(max(parts) - min(parts))
    assert found["auc[f]"] == pytest.approx(parts[0])


def test_es_auc_leaves_out_samples_of_unknown_group(made) -> None:
    """They count in the AUC; ES-AUC would else compare groups with people who are in none of them."""
    cohort, runner, outcomes = made
    cohort._group[::3] = -1
    rows = cohort.rows("test")
    one = outcomes["joint"][0]
    one.score[np.flatnonzero(cohort._group < 0)] *= -1  # ranked the wrong way round: seen in the AUC at once
    y, s, g = cohort.y[rows], one.score[rows], cohort.group_index("sex")[rows]
    known, parts = _auc(y[g >= 0], s[g >= 0]), [_auc(y[g == k], s[g == k]) for k in (0, 1)]
    found = runner.metrics(one, "test")
    assert found["auc"] == pytest.approx(_auc(y, s))
    assert found["es_auc"] == pytest.approx(known / (1 + sum(abs(p - known) for p in parts)))


def test_means_and_paired_differences(made) -> None:
    _, runner, outcomes = made
    table = tidy(runner, outcomes, {label: Tuned(found[0].entry, {"lr": 1e-3}, 0.9, (({}, 0.9),)) for label, found in outcomes.items()})
    own = np.array([runner.metrics(one, "test")["auc"] for one in outcomes["joint"]])
    reference = np.array([runner.metrics(one, "test")["auc"] for one in outcomes["erm"]])
    line = table[(table.label == "joint") & (table.metric == "auc")].iloc[0]
    assert line["mean"] == pytest.approx(own.mean())
    assert line["sd"] == pytest.approx(own.std(ddof=1))
    compared = differences(runner, outcomes, [("joint", "erm")], replicates=200)
    gap = compared[compared.metric == "auc"].iloc[0]
    assert gap.difference == pytest.approx((own - reference).mean())
    half = 4.302653 * (own - reference).std(ddof=1) / 3**0.5
    assert (gap.low, gap.high) == pytest.approx((gap.difference - half, gap.difference + half), rel=1e-4)
    assert gap.patients_low < gap.difference < gap.patients_high
    assert gap.patients_low > 0


def test_same_model_differs_by_nothing(made) -> None:
    _, runner, outcomes = made
    twice = {"erm": outcomes["erm"], "again": outcomes["erm"]}
    compared = differences(runner, twice, [("again", "erm")], replicates=50)
    assert (compared.difference == 0).all()
    assert (compared.patients_low == 0).all() and (compared.patients_high == 0).all()


def test_markdown_ranks_by_es_auc_and_marks_the_reference(made) -> None:
    _, runner, outcomes = made
    tuned = {label: Tuned(found[0].entry, {"lr": 1e-3, "weight": 0.3}, 0.9, ()) for label, found in outcomes.items()}
    text = markdown("Title", ["a condition"], tidy(runner, outcomes, tuned), differences(runner, outcomes, [("joint", "erm")], 50), "erm")
    lines = text.splitlines()
    rows = [line for line in lines if line.startswith("| ") and "---" not in line]
    assert rows[1].startswith("| joint ") and rows[2].startswith("| erm ")
    assert "reference" in rows[2] and "weight=0.3" in rows[1]
    assert "- a condition" in lines


def test_every_candidate_is_kept_with_its_score() -> None:
    first, second = {"weight": 1.0, "lr": 1e-3, "classifier_lr": 2e-3}, {"weight": 3.0, "lr": 5e-4, "classifier_lr": 1e-3}
    tuned = Tuned(Entry("joint", "joint", {}), second, 0.8, ((first, float("nan")), (second, 0.8)))
    table = candidates_tried({"joint": tuned})
    assert table.candidate.tolist() == ["weight=1 lr=0.001", "weight=3 lr=0.0005"]
    assert table.kept.tolist() == [False, True]
    assert np.isnan(table.validation_es_auc[0]) and table.validation_es_auc[1] == 0.8
