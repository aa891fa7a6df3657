"""Sinkhorn divergence against known values, and its gradient."""

from __future__ import annotations

import pytest
import torch
from geomloss import SamplesLoss

from core.methods.sinkhorn import sinkhorn_divergence, transport_cost
from tests.methods.support import Bench, batch


def test_equal_samples_are_at_distance_zero() -> None:
    x = torch.randn(8, 1, dtype=torch.float64)
    assert float(sinkhorn_divergence(x, x.flip(0), iterations=200)) == pytest.approx(0, abs=1e-6)


def test_shift_costs_its_square() -> None:
    x = torch.linspace(0, 1, 10, dtype=torch.float64)[:, None]
    assert float(sinkhorn_divergence(x + 0.7, x, epsilon=0.05, iterations=500)) == pytest.approx(0.49, abs=1e-3)


def test_small_epsilon_is_exact_transport_in_one_dimension() -> None:
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(6, 1, generator=generator, dtype=torch.float64)
    y = torch.randn(6, 1, generator=generator, dtype=torch.float64) + 1
    exact = (x.sort(0).values - y.sort(0).values).square().mean()
    assert float(transport_cost(x, y, 0.001, 3000)) == pytest.approx(float(exact), abs=0.01)


@pytest.mark.parametrize(("width", "epsilon"), [(1, 0.05), (1, 0.5), (3, 0.5)])
def test_converged_divergence_is_geomloss(width: int, epsilon: float) -> None:
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(32, width, generator=generator, dtype=torch.float64)
    y = torch.randn(14, width, generator=generator, dtype=torch.float64) * 1.5 + 0.7
    # Its cost is half the squared distance, and its blur the root of its epsilon.
    reference = 2 * SamplesLoss("sinkhorn", p=2, blur=(epsilon / 2) ** 0.5, scaling=0.995, backend="tensorized")(x, y)
    assert float(sinkhorn_divergence(x, y, epsilon, 500)) == pytest.approx(float(reference), rel=2e-3)


def test_gradient_pulls_a_group_towards_everybody() -> None:
    x = torch.tensor([[0.0], [0.2], [0.4]], dtype=torch.float64)
    group = torch.tensor([[2.0], [2.1]], dtype=torch.float64, requires_grad=True)
    sinkhorn_divergence(x, group, 0.05, 100).backward()
    assert group.grad is not None and bool((group.grad > 0).all())


def test_loss_adds_the_weighted_distance() -> None:
    bench, plain = Bench("sinkhorn", {"weight": 0.5}), Bench("sinkhorn", {"weight": 0.0})
    loss, reference = bench.method.loss(bench.forward(batch())), plain.method.loss(plain.forward(batch()))
    torch.testing.assert_close(loss - reference, 0.5 * bench.method.series()["distance"])
