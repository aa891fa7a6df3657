"""FIS: weights by hand."""

from __future__ import annotations

import torch

from tests.methods.support import Bench, batch


def test_weights_by_hand_with_mean_losses() -> None:
    bench = Bench("fis", {"c": 0.5, "temperature": 1.0, "group_part": "mean"})
    losses, group = torch.tensor([1.0, 3.0, 4.0, 4.0]), torch.tensor([0, 0, 1, 1])
    own = 4 * losses.softmax(0)
    shared = 2 * torch.tensor([2.0, 4.0]).softmax(0)[group]
    expected = 0.5 * own + 0.5 * shared
    torch.testing.assert_close(bench.method.weights(losses, group), expected / expected.mean())


def test_group_distances_are_sinkhorn_distances_between_losses() -> None:
    """In one dimension and with little smoothing, half the squared quantile distance; the distances here: 0 for a group that is everybody's copy."""
    bench = Bench("fis", {"blur": 0.05})
    losses, group = torch.tensor([1.0, 2.0, 1.0, 2.0]), torch.tensor([0, 0, 1, 1])
    distance, seen = bench.method.group_distances(losses, group)
    torch.testing.assert_close(distance, torch.zeros(2), atol=1e-4, rtol=0)
    distance, seen = bench.method.group_distances(torch.tensor([0.0, 0.0, 2.0, 2.0]), group)
    # Everybody is half at 0 and half at 2: half of the mass moves by 2, squared cost 4.
    torch.testing.assert_close(distance, torch.full((2,), 2.0), atol=0.05, rtol=0)
    assert seen.all()


def test_the_group_with_other_losses_weighs_more() -> None:
    bench = Bench("fis", {"c": 1.0})
    losses, group = torch.tensor([0.1] * 6 + [2.0] * 2), torch.tensor([0] * 6 + [1] * 2)
    weights = bench.method.weights(losses, group)
    assert weights[-1] > 2 * weights[0]


def test_weights_average_one_and_unknown_groups_weigh_like_an_average_group() -> None:
    bench = Bench("fis", {"c": 1.0})
    losses = torch.tensor([1.0, 3.0, 4.0, 6.0, 8.0])
    weights = bench.method.weights(losses, torch.tensor([0, 0, 1, 1, -1]))
    torch.testing.assert_close(weights.mean(), torch.tensor(1.0))
    torch.testing.assert_close(weights[4], (weights[0] + weights[2]) / 2)


def test_weights_carry_no_gradient() -> None:
    bench = Bench("fis")
    step = bench.forward(batch())
    losses = torch.nn.functional.cross_entropy(step.fused.logits, step.batch.y, reduction="none")
    weights = bench.method.weights(losses.detach(), step.batch.group)
    expected = torch.autograd.grad((weights * losses).mean(), bench.network.head_weight, retain_graph=True)[0]
    found = torch.autograd.grad(bench.method.loss(step), bench.network.head_weight)[0]
    torch.testing.assert_close(found, expected)
