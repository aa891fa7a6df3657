"""FIS: weights by hand."""

from __future__ import annotations

import torch

from tests.methods.support import Bench, batch


def test_weights_by_hand() -> None:
    bench = Bench("fis", {"c": 0.5, "temperature": 1.0})
    losses, group = torch.tensor([1.0, 3.0, 4.0, 4.0]), torch.tensor([0, 0, 1, 1])
    own = losses / 3.0
    shared = torch.tensor([2.0, 2.0, 4.0, 4.0]) / 3.0
    torch.testing.assert_close(bench.method.weights(losses, group), 0.5 * own + 0.5 * shared)


def test_weights_average_one_and_unknown_groups_take_the_batch_mean() -> None:
    bench = Bench("fis", {"c": 1.0})
    losses = torch.tensor([1.0, 3.0, 4.0, 8.0])
    weights = bench.method.weights(losses, torch.tensor([0, 0, 1, -1]))
    torch.testing.assert_close(weights.mean(), torch.tensor(1.0))
    torch.testing.assert_close(weights[3] / weights[2], torch.tensor(1.0))


def test_weights_carry_no_gradient() -> None:
    bench = Bench("fis")
    step = bench.forward(batch())
    losses = torch.nn.functional.cross_entropy(step.fused.logits, step.batch.y, reduction="none")
    weights = bench.method.weights(losses.detach(), step.batch.group)
    expected = torch.autograd.grad((weights * losses).mean(), bench.network.head_weight, retain_graph=True)[0]
    found = torch.autograd.grad(bench.method.loss(step), bench.network.head_weight)[0]
    torch.testing.assert_close(found, expected)
