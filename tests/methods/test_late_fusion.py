"""Late fusion: mean rule."""

from __future__ import annotations

import torch

from tests.methods.support import Bench, batch


def test_logits_are_the_mean_over_present_modalities() -> None:
    bench = Bench("late-fusion")
    step = bench.forward(batch(missing=True))
    first = step.modality_logits
    torch.testing.assert_close(step.fused.logits[1], first[1].mean(0))
    torch.testing.assert_close(step.fused.logits[0], first[0, 1])
    assert step.fused.last_input is None


def test_independent_training_sends_no_gradient_between_modalities() -> None:
    bench = Bench("late-fusion", {"independent": True})
    step = bench.forward(batch())
    torch.testing.assert_close(bench.method.loss(step), step.modality_losses().sum())
    together = Bench("late-fusion", {"independent": False})
    step = together.forward(batch())
    torch.testing.assert_close(together.method.loss(step), step.fused_loss())


def test_fusion_network_is_left_alone() -> None:
    bench = Bench("late-fusion")
    bench.gradients(batch())
    assert all(p.grad is None for p in bench.network.fusion.parameters())
