"""Seeds that are trained as one program get what each gets alone, dropout and telemetry included."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch

from core.methods import names
from core.training import together, train
from core.training.evaluate import Evaluator
from core.training.presets import make_spec
from core.training.questions import Run
from core.training.spec import TrainSpec
from core.training.stacked import StackedNetwork
from core.training.stacked_evaluation import StackedEvaluator
from core.training.together import Member, alike, can_join, train_together
from tests.training.synthetic import ListSink, SyntheticCohort

TOLERANCE = 2e-4
"""Of values and scores: sums of single precision in another order, over 30 steps."""
SEEDS = (3, 1, 2)


@pytest.fixture
def cohort(monkeypatch: pytest.MonkeyPatch) -> SyntheticCohort:
    """A table with missing values, and features as a frozen encoder gives them."""
    made = SyntheticCohort(n=110, kinds={"features": "image", "labs": "tabular"})
    rng = np.random.default_rng(5)
    features = (rng.normal(size=(110, 12)) + made.table["y"].to_numpy()[:, None]).astype(np.float32)

    def prepared(cohort: Any, spec: Any, modalities: tuple[str, ...], *_: Any) -> dict[str, Any]:
        return {name: features if name == "features" else cohort.array(name, 0) for name in modalities}

    monkeypatch.setattr(train, "prepare", prepared)
    monkeypatch.setattr(together, "prepare", prepared)
    return made


def specs(method: str, **settings: Any) -> list[TrainSpec]:
    given = {"epochs": 3, "batch_size": 8, "width": 16, "bootstrap": 5, "telemetry.probe_every": 3, **settings}
    given |= {"modality": "features"} if method == "unimodal" else {}
    return [make_spec(method, attribute="site", seed=seed, settings=given) for seed in SEEDS]


def alone(cohort: SyntheticCohort, spec: TrainSpec, **options: Any) -> ListSink:
    torch.set_num_threads(1)
    sink = ListSink()
    train.train(cohort, spec, sink, device="cpu", **options)
    return sink


def joined(cohort: SyntheticCohort, chosen: list[TrainSpec], **options: Any) -> tuple[list[ListSink], list[str] | None]:
    torch.set_num_threads(1)
    sinks = [ListSink() for _ in chosen]
    members = [Member(spec, sink, lambda: False) for spec, sink in zip(chosen, sinks, strict=True)]
    return sinks, train_together(cohort, members, device="cpu", **options)


def scores(sink: ListSink) -> pd.Series:
    assert sink.frame is not None
    return sink.frame["score"]


def telemetry(sink: ListSink) -> pd.DataFrame:
    return pd.concat([pd.DataFrame(event["rows"]).assign(epoch=event["epoch"]) for event in sink.of("telemetry")], ignore_index=True)


def assert_same(one: ListSink, other: ListSink) -> None:
    assert np.abs(scores(one) - scores(other)).max() < TOLERANCE
    kinds = [[event["event"] for event in sink.events if event["event"] != "progress"] for sink in (one, other)]
    assert kinds[0] == kinds[1]
    left, right = telemetry(one), telemetry(other)
    named = ["name", "modality", "group", "stat", "epoch", "n"]
    pd.testing.assert_frame_equal(left[named], right[named])
    # An AUC moves by whole pairs, when two patients whose scores are equal to the last digits change places.
    ranked = left["name"].str.contains("auc|contribution|accuracy", regex=True)
    assert (left["value"] - right["value"])[~ranked].abs().max() < 10 * TOLERANCE
    assert (left["value"] - right["value"])[ranked].abs().max() < 0.05
    assert left["value"].isna().equals(right["value"].isna())


@pytest.mark.parametrize("method", ["agm", "erm", "g-blending", "group-dro", "multifair", "ogm-ge", "opm", "swa", "unimodal"])
def test_together_equals_alone(cohort: SyntheticCohort, method: str) -> None:
    chosen = specs(method)
    sinks, ends = joined(cohort, chosen)
    assert ends == ["done"] * 3
    for spec, sink in zip(chosen, sinks, strict=True):
        assert_same(alone(cohort, spec), sink)
    assert not np.allclose(scores(sinks[0]), scores(sinks[1]), atol=1e-3), "seeds differ"


@pytest.mark.slow
@pytest.mark.parametrize("method", names())
def test_every_method_that_can_join_equals_itself_alone(cohort: SyntheticCohort, method: str) -> None:
    chosen = specs(method)
    sinks, ends = joined(cohort, chosen)
    assert (ends is None) is not can_join(chosen[0], torch.device("cpu"))
    for spec, sink in zip(chosen, sinks, strict=True):
        if ends is not None:
            assert_same(alone(cohort, spec), sink)


def test_who_cannot_join_is_left_untouched(cohort: SyntheticCohort) -> None:
    for chosen in (specs("mmpareto"), specs("erm", clip=1.0), [specs("erm")[0], specs("erm", lr=0.1)[1]], [specs("erm")[0]] * 2):
        sinks, ends = joined(cohort, chosen)
        assert ends is None and all(not sink.events for sink in sinks)
    assert alike(specs("erm")) and not can_join(specs("erm")[0], torch.device("cuda"))


def test_questions_that_differ_are_answered_by_each_alone(cohort: SyntheticCohort) -> None:
    """What one network is asked, or all of them, gives what it gives alone."""
    engines = [train.Engine(train.as_data(cohort, spec, torch.device("cpu")), spec) for spec in specs("erm")]
    evaluators = [Evaluator(engine.network, engine.method, engine.data, "fp32", 32) for engine in engines]
    rows = torch.arange(50)
    expected = [evaluator.run(rows) for evaluator in evaluators]
    stack = StackedNetwork([engine.network for engine in engines], [torch.Generator() for _ in engines])
    stacked = StackedEvaluator(stack, evaluators)
    for answers in (stacked.answer(dict.fromkeys(range(3), Run(rows))), stacked.answer({2: Run(rows)}), stacked.answer({0: Run(rows), 1: Run(rows[:9])})):
        for s, found in answers.items():
            n = len(found.rows)
            for name in ("features", "logits", "modality_logits", "present", "y", "group"):
                torch.testing.assert_close(getattr(found, name), getattr(expected[s], name)[:n], atol=1e-5, rtol=1e-4)


def test_no_training_loads_torchs_compiler(cohort: SyntheticCohort, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "torch._dynamo", None)
    for optimizer in ("adamw", "sgd"):
        for wrapped in vars(torch.optim.Optimizer).values():
            bare = getattr(wrapped, "__wrapped__", None)
            assert bare is None or getattr(bare, "__dynamo_disable", bare) is bare
        spec = specs("erm", epochs=1, optimizer=optimizer)[0]
        engine = train.Engine(train.as_data(cohort, spec, torch.device("cpu")), spec)
        engine.step(engine.epoch_order()[:8], 0, measure_update=True)
        engine.load_state(engine.state())


def test_pixels_are_not_trained_together() -> None:
    sinks, ends = joined(SyntheticCohort(n=110), specs("erm"))
    assert ends is None and all(not sink.events for sink in sinks)


def test_one_is_cancelled_and_goes_on_alone_from_its_checkpoint(cohort: SyntheticCohort, tmp_path: Path) -> None:
    chosen = specs("multifair")
    sinks, paths = [ListSink() for _ in chosen], [tmp_path / f"{spec.seed}.pt" for spec in chosen]
    members = [
        Member(spec, sink, (lambda: len(sinks[1].of("epoch")) >= 2) if s == 1 else (lambda: False), path)
        for s, (spec, sink, path) in enumerate(zip(chosen, sinks, paths, strict=True))
    ]
    assert train_together(cohort, members, device="cpu") == ["done", "cancelled", "done"]
    for s in (0, 2):
        assert_same(alone(cohort, chosen[s]), sinks[s])
    assert paths[1].stat().st_size < 2 * len(chosen) * paths[0].stat().st_size, "a checkpoint holds one network, not all"
    rest, whole = alone(cohort, chosen[1], resume=paths[1]), alone(cohort, chosen[1])
    assert np.abs(scores(rest) - scores(whole)).max() < TOLERANCE


def test_one_that_fails_leaves_the_others_alone(cohort: SyntheticCohort) -> None:
    chosen = specs("erm")
    sinks = [ListSink() for _ in chosen]

    class Broken(ListSink):
        def predictions(self, frame: pd.DataFrame) -> None:
            from core.errors import UserError

            raise UserError("no room")

    members = [Member(spec, Broken() if s == 0 else sinks[s], lambda: False) for s, spec in enumerate(chosen)]
    assert train_together(cohort, members, device="cpu") == ["no room", "done", "done"]
    assert_same(alone(cohort, chosen[2]), sinks[2])
