"""Going on from a checkpoint changes nothing, whichever the method: same weights, predictions and telemetry, bit for bit."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from core.errors import UserError
from core.methods import names
from core.training import checkpoint as checkpoints
from core.training.engine import Engine
from core.training.presets import make_spec
from core.training.spec import TrainSpec
from core.training.train import Training, as_data, train
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


def test_what_nothing_trains_is_not_kept_twice() -> None:
    """A large model behind low-rank adapters is built again from where it comes."""
    spec = make_spec("erm", attribute="site", settings={"width": 8})
    cohort = SyntheticCohort(n=60, kinds={"first": "tabular", "second": "tabular"})
    training = Training(cohort, Engine(as_data(cohort, spec, torch.device("cpu")), spec), ListSink(), lambda: False, None)
    network = training.engine.network
    network.encoders[0].requires_grad_(False)
    kept = training._weights()
    assert not any(name.startswith("encoders.0.") for name in kept["network"]) and "fusion.head.weight" in kept["network"]
    before = {name: value.clone() for name, value in network.state_dict().items()}
    with torch.no_grad():
        network.fusion.head.weight += 1
    training._load_weights(kept)
    assert all(torch.equal(value, before[name]) for name, value in network.state_dict().items())
    del kept["network"]["fusion.head.weight"]
    with pytest.raises(UserError, match="another network"):
        training._load_weights(kept)


@pytest.mark.filterwarnings("ignore:Detected pickle protocol:UserWarning")  # torch, of a damaged byte
def test_no_damage_to_a_checkpoint_is_more_than_a_line(tmp_path: Path) -> None:
    path, spec = tmp_path / "checkpoint.pt", make_spec("erm")
    checkpoints.save(path, spec, {"epoch": 1, "weights": {"a": torch.arange(20.0)}})
    whole = path.read_bytes()
    rng = np.random.default_rng(1)
    for turn in range(400):
        kind, raw = turn % 4, bytearray(whole)
        if kind == 0:
            raw = raw[: rng.integers(len(raw))]
        elif kind == 1:
            raw[int(rng.integers(len(raw)))] ^= int(rng.integers(1, 256))
        elif kind == 2:
            raw = bytearray(rng.bytes(int(rng.integers(1, 60))))
        else:
            raw = bytearray(b"torn" + bytes(rng.integers(32, 127, 20).tolist()))
        path.write_bytes(raw)
        try:
            checkpoints.load(path, spec)
        except UserError as error:
            assert "checkpoint.pt" in str(error) and "\n" not in str(error)
