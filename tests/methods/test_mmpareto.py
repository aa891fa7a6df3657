"""MMPareto: the direction by hand, and that the two gradients differ."""

from __future__ import annotations

import pytest
import torch
from torchjd.aggregation import MGDA

from core.methods.mmpareto import pareto_direction
from tests.methods.support import Bench, batch


def test_agreeing_gradients_are_summed() -> None:
    a, b = torch.tensor([1.0, 0.0]), torch.tensor([1.0, 1.0])
    direction, share = pareto_direction(a, b)
    torch.testing.assert_close(direction, a + b)
    assert float(share) == 0.5


def test_opposed_gradients_give_the_min_norm_direction_with_the_sums_norm() -> None:
    a, b = torch.tensor([2.0, 0.0]), torch.tensor([-1.0, 1.0])
    # s = b.(b - a) / |a - b|^2 = 4 / 10, and .4 a + .6 b = (.2, .6).
    direction, share = pareto_direction(a, b)
    assert float(share) == pytest.approx(0.4)
    assert float(direction.norm()) == pytest.approx(2**0.5)
    torch.testing.assert_close(direction, torch.tensor([0.2, 0.6]) * (2 / 0.4) ** 0.5)


def test_min_norm_direction_hurts_neither() -> None:
    generator = torch.Generator().manual_seed(0)
    for _ in range(50):
        a, b = torch.randn(2, 6, generator=generator)
        direction, share = pareto_direction(a, b)
        if 0 < float(share) < 1:
            assert float(direction @ a) >= -1e-5
            assert float(direction @ b) >= -1e-5


def test_conflicting_gradients_are_combined_as_torchjds_mgda_does() -> None:
    generator = torch.Generator().manual_seed(1)
    reference = MGDA(epsilon=1e-10, max_iters=1000)
    compared = 0
    for _ in range(60):
        a, b = torch.randn(2, 6, generator=generator, dtype=torch.float64)
        direction, share = pareto_direction(a, b)
        if a @ b > 0:
            continue  # not in conflict: MMPareto sums, where MGDA still takes the least norm
        compared += 1
        least = reference(torch.stack([a, b]))
        torch.testing.assert_close(share * a + (1 - share) * b, least)
        torch.testing.assert_close(direction, least * ((a + b).norm() / least.norm()))
    assert compared > 20


def test_exactly_opposed_gradients_stop() -> None:
    a = torch.tensor([1.0, -2.0])
    assert pareto_direction(a, -a)[0].tolist() == [0.0, 0.0]


def test_encoder_gradients_come_from_two_separate_passes() -> None:
    bench = Bench("mmpareto", {"magnify": 1.5})
    data = batch()
    step = bench.forward(data)
    parameters = bench.network.encoder_parameters(0)
    first = torch.cat([g.flatten() for g in torch.autograd.grad(step.fused_loss(), parameters, retain_graph=True)])
    second = torch.cat([g.flatten() for g in torch.autograd.grad(step.modality_losses().sum(), parameters)])
    assert not torch.allclose(first, second)
    bench.main.zero_grad()
    bench.gradients(data)
    found = torch.cat([p.grad.flatten() for p in parameters])
    torch.testing.assert_close(found, 1.5 * pareto_direction(first, second)[0])


def test_fusion_and_classifiers_get_their_plain_gradients() -> None:
    bench, joint = Bench("mmpareto"), Bench("joint")
    bench.gradients(batch())
    joint.gradients(batch())
    for own, other in ((bench.network.head_weight, joint.network.head_weight), (bench.network.classifier_weight, joint.network.classifier_weight)):
        torch.testing.assert_close(own.grad, other.grad)
