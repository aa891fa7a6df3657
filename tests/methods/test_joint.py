"""Joint unimodal losses."""

from __future__ import annotations

import torch

from tests.methods.support import Bench, batch


def test_loss_is_fused_plus_weighted_sum() -> None:
    bench = Bench("joint", {"weight": 0.5})
    step = bench.forward(batch())
    expected = step.fused_loss() + 0.5 * (step.modality_losses()[0] + step.modality_losses()[1])
    torch.testing.assert_close(bench.method.loss(step), expected)


def test_modality_loss_reaches_its_encoder() -> None:
    bench = Bench("joint")
    step = bench.forward(batch())
    assert step.modality_losses()[1].requires_grad
    step.modality_losses()[1].backward()
    assert bench.network.encoder_parameters(1)[1].grad.abs().sum() > 0
    assert bench.network.encoder_parameters(0)[1].grad.abs().sum() == 0
