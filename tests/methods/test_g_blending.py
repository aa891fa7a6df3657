"""G-Blending: weights by hand."""

from __future__ import annotations

import pytest
import torch

from core.methods.base import EpochView
from core.methods.g_blending import blend
from tests.methods.support import Bench, batch


def _view(epoch: int, train: list[float], validation: list[float]) -> EpochView:
    return EpochView(epoch, train[0], torch.tensor(train[1:]), validation[0], torch.tensor(validation[1:]))


def test_weights_by_hand() -> None:
    bench = Bench("g-blending", {"super_epoch": 1})
    bench.method.on_epoch_end(_view(0, [0.7, 0.7, 0.7], [0.7, 0.7, 0.7]))
    assert bench.method.state()["weights"].tolist() == pytest.approx([1 / 3] * 3)
    bench.method.on_epoch_end(_view(1, [0.4, 0.5, 0.4], [0.5, 0.6, 0.6]))
    # Delta-G = .2, .1, .1; Delta-O = .1, .1, .2: ratios 20, 10, 2.5.
    assert bench.method.state()["weights"].tolist() == pytest.approx([20 / 32.5, 10 / 32.5, 2.5 / 32.5], rel=1e-3)


def test_nothing_generalises() -> None:
    assert blend(torch.tensor([-0.1, -0.2]), torch.tensor([0.1, 0.1])).tolist() == [0.5, 0.5]


def test_no_overfitting_stays_finite() -> None:
    assert blend(torch.tensor([0.1, 0.1]), torch.tensor([0.0, 0.0])).tolist() == [0.5, 0.5]


def test_renewed_only_at_the_end_of_a_super_epoch() -> None:
    bench = Bench("g-blending", {"super_epoch": 2})
    bench.method.on_epoch_end(_view(0, [0.7, 0.7, 0.7], [0.7, 0.7, 0.7]))
    bench.method.on_epoch_end(_view(1, [0.4, 0.5, 0.4], [0.5, 0.6, 0.6]))
    renewed = bench.method.state()["weights"].tolist()
    assert renewed != pytest.approx([1 / 3] * 3)
    bench.method.on_epoch_end(_view(2, [0.1, 0.5, 0.4], [0.9, 0.6, 0.6]))
    assert bench.method.state()["weights"].tolist() == renewed


def test_loss_is_the_blend() -> None:
    bench = Bench("g-blending")
    step = bench.forward(batch())
    torch.testing.assert_close(bench.method.loss(step), (step.fused_loss() + step.modality_losses().sum()) / 3)
