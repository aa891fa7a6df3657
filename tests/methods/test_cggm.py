"""CGGM: size and direction on hand-computed steps."""

from __future__ import annotations

import pytest
import torch
from torch.nn.functional import cosine_similarity

from core.methods.arithmetic import last_layer_gradient
from core.models.batch import cross_entropy
from tests.methods.support import Bench, batch


def _with_accuracy(bench: Bench, correct: tuple[int, int]):
    """A step whose modality classifiers get this many of 8 right."""
    data = batch(8)
    step = bench.forward(data)
    logits = torch.zeros_like(step.modality_logits)
    for m, right in enumerate(correct):
        shown = torch.where(torch.arange(8) < right, data.y, 1 - data.y)
        logits[torch.arange(8), m, shown] = 1.0
    step.modality_logits = logits
    return step


def test_factors_by_hand() -> None:
    bench = Bench("cggm", {"rho": 1.3})
    step = _with_accuracy(bench, (4, 4))
    assert bench.method.feature_gradient_factors(step).tolist() == pytest.approx([1.3 * 0.5] * 2)
    bench.method.after_step(step)
    # Accuracies rise by 1/8 and 3/8: B = (3/4, 1/4).
    step = _with_accuracy(bench, (5, 7))
    assert bench.method.feature_gradient_factors(step).tolist() == pytest.approx([1.3 * 0.75, 1.3 * 0.25])


def test_falling_accuracies_give_neutral_and_bounded_factors() -> None:
    bench = Bench("cggm", {"rho": 1.0, "bound": 2.0})
    bench.method.after_step(_prepared(bench, (6, 6)))
    assert bench.method.feature_gradient_factors(_with_accuracy(bench, (4, 5))).tolist() == pytest.approx([0.5, 0.5])
    # Changes of -1/8 and 2/8: S = 1/8, B = (2, -1), kept in [0, 2].
    assert bench.method.feature_gradient_factors(_with_accuracy(bench, (5, 8))).tolist() == pytest.approx([2.0, 0.0])


def _prepared(bench: Bench, correct: tuple[int, int]):
    step = _with_accuracy(bench, correct)
    bench.method.feature_gradient_factors(step)
    return step


def test_direction_term_turns_the_fused_gradient_to_last_steps_modality_gradients() -> None:
    bench = Bench("cggm", {"weight": 0.2})
    first = _prepared(bench, (5, 5))
    torch.testing.assert_close(bench.method.loss(first), first.fused_loss())
    bench.method.after_step(first)
    direction = last_layer_gradient(first.modality_logits, first.batch.y, first.features.detach())
    step = bench.forward(batch(8, seed=1))
    weight = bench.network.head_weight
    gradient = torch.autograd.grad(cross_entropy(step.fused.logits, step.batch.y).mean(), weight, retain_graph=True)[0]
    cosines = cosine_similarity(gradient.flatten()[None], direction.flatten(1))
    expected = step.fused_loss() + 0.2 * (0.5 - 0.5 * cosines).mean()
    loss = bench.method.loss(step)
    torch.testing.assert_close(loss, expected)
    (loss - step.fused_loss()).backward()
    assert bench.network.encoder_parameters(0)[1].grad.abs().sum() > 0


def test_the_factor_shown_is_the_factor_applied() -> None:
    bench = Bench("cggm", {"rho": 1.3})
    step = bench.step(batch(8))
    torch.testing.assert_close(bench.method.series()["factor"], step.cache["factors"])
