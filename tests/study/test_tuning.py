"""`multifair tune`: equal trials, resumption, pruning, and a search space without what has no effect."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pandas as pd
import pytest

from core.errors import UserError
from core.methods import get
from core.study import tuning
from core.study.tuning import Search, search

pytest.importorskip("optuna")


class Trainings:
    """Answers with a validation score that is best at lr = .002, epoch by epoch; counts what is asked for."""

    def __init__(self, epochs: int = 3) -> None:
        self.asked: list[Any] = []
        self.epochs = epochs

    def __call__(self, cohort: Any, spec: Any, sink: Any, should_stop: Any, device: str) -> str:
        self.asked.append(spec)
        for epoch in range(self.epochs):
            distance = abs(spec.budget.lr - 0.002)
            value = 0.9 - distance - 0.01 * (self.epochs - 1 - epoch)
            sink.event({"event": "epoch", "epoch": epoch, "validation_es_auc": value, "validation_auc": None})
            if should_stop():
                return "cancelled"
        return "done"


@pytest.fixture
def trainings(monkeypatch: pytest.MonkeyPatch) -> Trainings:
    made = Trainings()
    monkeypatch.setattr(tuning, "train", made)
    return made


def given(trials: int, **more: Any) -> Search:
    cohort = SimpleNamespace(cohort_id="c1", modality_names=("a", "b"), name="small")
    return Search(cohort, "sex", trials=trials, **more)  # type: ignore[arg-type]


def test_every_method_and_variant_gets_the_same_trials_and_all_are_kept(tmp_path: Path, trainings: Trainings) -> None:
    found = search(given(6), ("erm", "unimodal", "mmpareto"), tmp_path, lambda text: None)
    assert [(one.method, one.variant) for one in found] == [("erm", ""), ("unimodal", "a"), ("unimodal", "b"), ("mmpareto", "")]
    trials = pd.read_csv(tmp_path / "trials.csv")
    assert set(trials.groupby(["method", trials["variant"].fillna("")]).size()) == {6}
    assert len(trainings.asked) == 24
    for one in found:
        assert one.value is not None and one.settings["classifier_lr"] == pytest.approx(2 * one.settings["lr"])
    assert {spec.settings.get("modality") for spec in trainings.asked if spec.method == "unimodal"} == {"a", "b"}
    best = json.loads((tmp_path / "best.json").read_text())
    assert best[0]["command"].startswith("multifair train --cohort c1 --method erm") and best[0]["budget"] == 6


def test_the_defaults_are_the_first_trial_and_the_best_is_found(tmp_path: Path, trainings: Trainings) -> None:
    (one,) = search(given(12), ("group-dro",), tmp_path, lambda text: None)
    assert trainings.asked[0].budget.lr == 1e-3 and trainings.asked[0].settings["rate"] == get("group-dro").parse_settings({}).rate
    assert one.value == pytest.approx(0.9 - abs(one.settings["lr"] - 0.002))
    assert abs(one.settings["lr"] - 0.002) < abs(1e-3 - 0.002)


def test_a_stopped_search_goes_on_and_a_longer_one_adds_trials(tmp_path: Path, trainings: Trainings, monkeypatch: pytest.MonkeyPatch) -> None:
    search(given(3), ("erm",), tmp_path, lambda text: None)
    search(given(3), ("erm",), tmp_path, lambda text: None)
    assert len(trainings.asked) == 3
    search(given(5), ("erm",), tmp_path, lambda text: None)
    assert len(trainings.asked) == 5
    monkeypatch.setattr(tuning, "source_of", lambda name, encoders: "another text")
    search(given(2), ("erm",), tmp_path, lambda text: None)
    assert len(trainings.asked) == 7  # a changed method is another question


def test_hopeless_trials_are_pruned(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made = Trainings(epochs=6)
    monkeypatch.setattr(tuning, "train", made)
    (one,) = search(given(25), ("erm",), tmp_path, lambda text: None)
    states = pd.read_csv(tmp_path / "trials.csv")["state"]
    assert one.pruned == (states == "pruned").sum() > 0
    assert one.trials == 25


def test_what_has_no_effect_under_the_optimizer_is_not_searched(tmp_path: Path, trainings: Trainings) -> None:
    search(given(3), ("mmpareto",), tmp_path / "adamw", lambda text: None)
    assert "magnify" not in pd.read_csv(tmp_path / "adamw" / "trials.csv")
    search(given(3, settings={"optimizer": "sgd"}), ("mmpareto",), tmp_path / "sgd", lambda text: None)
    assert "magnify" in pd.read_csv(tmp_path / "sgd" / "trials.csv")
    search(given(3, settings={"lr": 0.01, "weight_decay": 0.1}), ("erm",), tmp_path / "fixed", lambda text: None)
    assert not {"lr", "weight_decay"} & set(pd.read_csv(tmp_path / "fixed" / "trials.csv"))


@pytest.mark.parametrize(("wrong", "said"), [({"criterion": "accuracy"}, "es_auc, auc"), ({"preset": "slow"}, "quick, standard")])
def test_bad_questions_name_what_there_is(wrong: dict[str, Any], said: str) -> None:
    with pytest.raises(UserError, match=said):
        given(3, **wrong)
    with pytest.raises(UserError, match="at least 1"):
        given(0)
