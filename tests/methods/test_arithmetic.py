"""Closed-form gradients and aggregates against autograd and hand computation."""

from __future__ import annotations

import pytest
import torch

from core.methods import arithmetic
from core.models.batch import cross_entropy


def test_last_layer_gradient_equals_autograd() -> None:
    torch.manual_seed(0)
    x, y = torch.randn(7, 4, dtype=torch.float64), torch.tensor([0, 1, 2, 1, 0, 2, 2])
    layer = torch.nn.Linear(4, 3).double()
    logits = layer(x)
    cross_entropy(logits, y).mean().backward()
    torch.testing.assert_close(arithmetic.last_layer_gradient(logits, y, x), layer.weight.grad)


def test_last_layer_gradient_with_modality_axis_and_weights_equals_autograd() -> None:
    torch.manual_seed(0)
    x, y = torch.randn(6, 2, 4, dtype=torch.float64), torch.tensor([0, 1, 1, 1, 0, 0])
    weight = torch.tensor([[1.0, 1], [0, 1], [1, 1], [1, 0], [1, 1], [0, 1]], dtype=torch.float64)
    w = torch.randn(2, 2, 4, dtype=torch.float64, requires_grad=True)
    logits = torch.einsum("nmd,mkd->nmk", x, w)
    losses = torch.stack([cross_entropy(logits[:, m], y) for m in (0, 1)], 1)
    ((losses * weight).sum(0) / weight.sum(0)).sum().backward()
    torch.testing.assert_close(arithmetic.last_layer_gradient(logits, y, x, weight), w.grad)


def test_last_layer_gradient_can_be_differentiated() -> None:
    torch.manual_seed(0)
    x = torch.randn(3, 4, dtype=torch.float64, requires_grad=True)
    w = torch.randn(2, 4, dtype=torch.float64, requires_grad=True)
    y = torch.tensor([0, 1, 1])
    assert torch.autograd.gradcheck(lambda a, b: arithmetic.last_layer_gradient(a @ b.T, y, a), (x, w))


def test_group_means_by_hand() -> None:
    means, counts = arithmetic.group_means(torch.tensor([1.0, 3.0, 5.0, 100.0]), torch.tensor([0, 0, 2, -1]), 3)
    assert means.tolist() == [2.0, 0.0, 5.0]
    assert counts.tolist() == [2.0, 0.0, 1.0]


def test_true_class_confidence_leaves_absent_modalities_out() -> None:
    even, sure = [0.0, 0.0], [0.0, 100.0]
    logits = torch.tensor([[even, sure], [sure, even]])
    present = torch.tensor([[True, True], [False, True]])
    confidence = arithmetic.true_class_confidence(logits, torch.tensor([1, 1]), present)
    torch.testing.assert_close(confidence, torch.tensor([0.5, 0.75]))


def test_over_smallest_other_by_hand() -> None:
    ratio = arithmetic.over_smallest_other(torch.tensor([0.2, 0.8, 0.4]))
    torch.testing.assert_close(ratio, torch.tensor([0.5, 4.0, 2.0]))


@pytest.mark.parametrize(
    ("change", "expected"),
    [([0.1, 0.3], [0.75, 0.25]), ([0.0, 0.0], [0.5, 0.5]), ([0.1, 0.1, 0.2], [0.75, 0.75, 0.5]), ([-0.3, 0.1], [0.5, 0.5])],
)
def test_balancing_factors_by_hand(change: list[float], expected: list[float]) -> None:
    torch.testing.assert_close(arithmetic.balancing_factors(torch.tensor(change)), torch.tensor(expected))


def test_noise_generator_depends_on_the_source_alone() -> None:
    first = arithmetic.noise_generator(torch.Generator().manual_seed(3), torch.device("cpu"))
    second = arithmetic.noise_generator(torch.Generator().manual_seed(3), torch.device("cpu"))
    assert torch.equal(torch.randn(4, generator=first), torch.randn(4, generator=second))


@pytest.mark.parametrize("limit", [0.8, 100.0])
def test_clipping_equals_torchs(limit: float) -> None:
    generator = torch.Generator().manual_seed(0)
    ours, theirs = ([torch.zeros(3, 4), torch.zeros(5), torch.zeros(2)] for _ in range(2))
    for a, b in zip(ours[:2], theirs[:2], strict=True):  # the third one has no gradient
        a.grad = torch.randn(a.shape, generator=generator)
        b.grad = a.grad.clone()
    arithmetic.clip_gradients(ours, limit)
    torch.nn.utils.clip_grad_norm_(theirs, limit)
    for a, b in zip(ours[:2], theirs[:2], strict=True):
        torch.testing.assert_close(a.grad, b.grad, rtol=0, atol=0)
    arithmetic.clip_gradients([torch.zeros(2)], limit)  # nothing to clip
