"""Sinkhorn divergence against known values, geomloss, and its gradient."""

from __future__ import annotations

import pytest
import torch
from geomloss import SamplesLoss
from torch import Tensor

from core.methods.sinkhorn import sinkhorn_divergences, transport_cost
from tests.methods.support import Bench, batch


def divergence(x: Tensor, y: Tensor, epsilon: float = 0.05, iterations: int = 20) -> Tensor:
    """Between two samples, as the two halves of one."""
    a, b = torch.zeros(1, len(x) + len(y), dtype=x.dtype), torch.zeros(1, len(x) + len(y), dtype=x.dtype)
    a[:, : len(x)], b[:, len(x) :] = 1 / len(x), 1 / len(y)
    return sinkhorn_divergences(torch.cat([x, y]), a, b, epsilon, iterations)[0]


def uniform(n: int) -> Tensor:
    return torch.full((1, n), 1 / n, dtype=torch.float64)


def test_equal_samples_are_at_distance_zero() -> None:
    x = torch.randn(8, 1, dtype=torch.float64)
    assert float(divergence(x, x.flip(0), iterations=200)) == pytest.approx(0, abs=1e-6)


def test_shift_costs_its_square() -> None:
    x = torch.linspace(0, 1, 10, dtype=torch.float64)[:, None]
    assert float(divergence(x + 0.7, x, epsilon=0.05, iterations=500)) == pytest.approx(0.49, abs=1e-3)


def test_small_epsilon_is_exact_transport_in_one_dimension() -> None:
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(6, 1, generator=generator, dtype=torch.float64)
    y = torch.randn(6, 1, generator=generator, dtype=torch.float64) + 1
    exact = (x.sort(0).values - y.sort(0).values).square().mean()
    assert float(transport_cost((x - y.T).square(), uniform(6), uniform(6), 0.001, 3000)) == pytest.approx(float(exact), abs=0.01)


@pytest.mark.parametrize(("width", "epsilon"), [(1, 0.05), (1, 0.5), (3, 0.5)])
def test_converged_divergence_and_its_gradient_are_those_of_geomloss(width: int, epsilon: float) -> None:
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(32, width, generator=generator, dtype=torch.float64, requires_grad=True)
    y = (torch.randn(14, width, generator=generator, dtype=torch.float64) * 1.5 + 0.7).requires_grad_()
    # Its cost is half the squared distance, and its blur the root of its epsilon.
    reference = 2 * SamplesLoss("sinkhorn", p=2, blur=(epsilon / 2) ** 0.5, scaling=0.995, backend="tensorized")(x, y)
    found = divergence(x, y, epsilon, 500)
    assert float(found.detach()) == pytest.approx(float(reference.detach()), rel=2e-3)
    for own, other in zip(torch.autograd.grad(found, (x, y)), torch.autograd.grad(reference, (x, y)), strict=True):
        # Its own gradient is within a few per cent of the slope of its value; ours is checked below.
        assert float(torch.nn.functional.cosine_similarity(own.flatten(), other.flatten(), 0)) > 0.99


def test_gradient_is_the_slope_of_the_converged_value() -> None:
    x = torch.tensor([[0.0], [0.3], [0.8]], dtype=torch.float64)
    y = torch.tensor([[0.1], [0.9]], dtype=torch.float64)
    assert torch.autograd.gradcheck(lambda own: divergence(x, own, 0.3, 400), (y.requires_grad_(),), atol=1e-4)


def test_gradient_pulls_a_group_towards_everybody() -> None:
    x = torch.tensor([[0.0], [0.2], [0.4]], dtype=torch.float64)
    group = torch.tensor([[2.0], [2.1]], dtype=torch.float64, requires_grad=True)
    divergence(x, group, 0.05, 100).backward()
    assert group.grad is not None and bool((group.grad > 0).all())


def test_groups_at_once_are_the_groups_one_by_one() -> None:
    """A sample left out by its weight costs nothing, as if it were not there."""
    generator = torch.Generator().manual_seed(1)
    scores = torch.randn(20, 2, generator=generator, dtype=torch.float64)
    group = torch.randint(0, 3, (20,), generator=generator)
    weights = torch.stack([(group == g).double() / (group == g).sum() for g in range(3)])
    together = sinkhorn_divergences(scores, uniform(20), weights)
    alone = torch.stack([divergence(scores, scores[group == g]) for g in range(3)])
    torch.testing.assert_close(together, alone)


def test_loss_adds_the_weighted_distance_of_the_groups_that_are_there() -> None:
    bench, plain = Bench("sinkhorn", {"weight": 0.5}, n_groups=3), Bench("sinkhorn", {"weight": 0.0}, n_groups=3)
    data = batch(n_groups=3)
    data.group[data.group == 2] = -1
    data.group[0] = 2  # a group of one is not compared
    step = bench.forward(data)
    loss, reference = bench.method.loss(step), plain.method.loss(plain.forward(data))
    torch.testing.assert_close(loss - reference, 0.5 * bench.method.series()["distance"])
    scores = (step.fused.logits[:, 1:] - step.fused.logits[:, :1]).detach()
    scores = (scores / scores.std(correction=0)).double()
    by_hand = torch.stack([divergence(scores, scores[data.group == g]) for g in (0, 1)]).mean()
    torch.testing.assert_close(bench.method.series()["distance"], by_hand.float(), rtol=1e-4, atol=1e-6)
