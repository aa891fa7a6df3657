"""OPM: who is dropped, and how often."""

from __future__ import annotations

from math import tanh

import pytest
import torch

from tests.methods.support import Bench, batch


def test_probability_by_hand() -> None:
    bench = Bench("opm", {"base": 0.4, "strength": 0.5})
    bench.method.load_state({"ratio": torch.tensor([2.0, 0.5])})
    assert bench.method.probabilities().tolist() == pytest.approx([0.4 * (1 + 0.5 * tanh(1.0)), 0.0])


def test_share_dropped_and_never_in_evaluation() -> None:
    bench = Bench("opm", {"base": 0.4, "strength": 0.0, "execution": 1.0})
    bench.method.load_state({"ratio": torch.tensor([2.0, 0.5])})
    features = torch.ones(4000, 2, 3)
    dropped = bench.method.transform(features, batch(), True)
    assert float((dropped[:, 0] == 0).all(1).float().mean()) == pytest.approx(0.4, abs=0.03)
    # theta is the mean of q = (.4, 0)
    torch.testing.assert_close(dropped[:, 1], features[:, 1] / (1 - 0.2))
    assert torch.equal(bench.method.transform(features, batch(), False), features)


def test_nothing_happens_in_the_share_of_batches_without_execution() -> None:
    bench = Bench("opm", {"base": 0.4, "execution": 0.7})
    bench.method.load_state({"ratio": torch.tensor([2.0, 0.5])})
    features = torch.ones(50, 2, 3)
    same = [torch.equal(bench.method.transform(features, batch(), True), features) for _ in range(1000)]
    assert sum(same) / 1000 == pytest.approx(0.3, abs=0.05)


def test_ratio_follows_the_classifiers() -> None:
    bench = Bench("opm")
    step = bench.step(batch())
    confidence = step.modality_logits.detach().softmax(-1)[torch.arange(16), :, step.batch.y].mean(0)
    expected = torch.stack([confidence[0] / confidence[1], confidence[1] / confidence[0]])
    torch.testing.assert_close(bench.method.state()["ratio"], expected)
