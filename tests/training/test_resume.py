"""Going on from a checkpoint changes nothing, whichever the method: same weights, predictions and telemetry, bit for bit."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

from core.methods import names
from core.training.presets import make_spec
from core.training.spec import TrainSpec
from core.training.train import train
from tests.training.synthetic import ListSink, SyntheticCohort


def resumed_equals_whole(path: Path, cohort: SyntheticCohort, spec: TrainSpec) -> None:
    torch.set_num_threads(1)
    whole, first, second = ListSink(), ListSink(), ListSink()
    train(cohort, spec, whole, device="cpu")

    def stop_in_the_third_epoch() -> bool:
        return len(first.of("epoch")) == 3

    assert train(cohort, spec, first, should_stop=stop_in_the_third_epoch, checkpoint=path, device="cpu") == "cancelled"
    assert first.events[-1]["status"] == "cancelled" and first.frame is None
    torch.manual_seed(99)  # what the process drew in the meantime must not matter
    train(cohort, spec, second, resume=path, device="cpu")
    # A method in stages has more epochs than the budget names.
    assert [e["epoch"] for e in second.of("epoch")] == list(range(2, whole.of("start")[0]["epochs"]))
    assert whole.frame is not None and second.frame is not None
    assert whole.frame.equals(second.frame)
    assert whole.of("telemetry")[-1]["rows"] == second.of("telemetry")[-1]["rows"]


@pytest.mark.parametrize("method", names())
def test_every_method(tmp_path: Path, method: str) -> None:
    needed: dict[str, Any] = {"modality": "first"} if method == "unimodal" else {}
    spec = make_spec(method, attribute="site", settings={"epochs": 3, "width": 8, "bootstrap": 5, **needed})
    resumed_equals_whole(tmp_path / "checkpoint.pt", SyntheticCohort(n=120, kinds={"first": "tabular", "second": "tabular"}), spec)


@pytest.mark.parametrize("method", ["erm", "multifair"])
def test_images_with_augmentation(tmp_path: Path, method: str) -> None:
    spec = make_spec(method, attribute="site", settings={"epochs": 3, "width": 16, "bootstrap": 20, "augment": "flip"})
    resumed_equals_whole(tmp_path / "checkpoint.pt", SyntheticCohort(), spec)
