"""Equal budgets: how many candidates, which first, and what decides."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from core.methods import get, names
from core.study.runner import Entry, Outcome
from core.study.search import LEARNING_RATES, candidates, tune


@pytest.mark.parametrize("name", names())
def test_defaults_come_first_and_nothing_is_tried_twice(name: str) -> None:
    found = candidates(name, 1e-3, 4)
    defaults = get(name).parse_settings({})
    space = get(name).searched("adamw")
    assert found[0] == {**{key: getattr(defaults, key) for key in space}, "lr": 1e-3, "classifier_lr": 2e-3}
    assert len(found) <= 4
    assert all(found.count(one) == 1 for one in found)
    for one in found:
        assert all(one[key] in values for key, values in space.items())


def test_methods_share_the_learning_rates() -> None:
    for name in ("erm", "joint", "multifair-plus", "group-dro"):
        assert [one["lr"] for one in candidates(name, 1e-3, 3)] == [1e-3 * m for m in LEARNING_RATES]


def test_same_seed_same_candidates() -> None:
    assert candidates("cggm", 1e-3, 5, seed=3) == candidates("cggm", 1e-3, 5, seed=3)


class _Runner:
    """Answers with a validation score that depends on the learning rate alone."""

    def __init__(self, scores: dict[float, float]) -> None:
        self.scores = scores
        self.asked: list[dict[str, Any]] = []

    def outcome(self, entry: Entry, seed: int, chosen: dict[str, Any]) -> Outcome:
        self.asked.append(chosen)
        return Outcome(entry, seed, chosen, np.zeros(1), 0.0, 0)

    def metrics(self, outcome: Outcome, split: str) -> dict[str, float]:
        assert split == "validation"
        return {"es_auc": self.scores[outcome.chosen["lr"]], "auc": 0.0}


def test_best_on_validation_is_kept_and_unknown_never_wins() -> None:
    runner = _Runner({1e-3: float("nan"), 5e-4: 0.8, 2e-3: 0.7})
    tuned = tune(runner, Entry("erm", "erm", {}), 1e-3, 3, 1, lambda message: None)  # type: ignore[arg-type]
    assert tuned.chosen["lr"] == 5e-4
    assert tuned.score == 0.8
    assert len(runner.asked) == len(tuned.tried) == 3
