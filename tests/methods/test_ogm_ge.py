"""OGM-GE: factor and noise on one step."""

from __future__ import annotations

from math import log, tanh

import pytest
import torch

from tests.methods.support import Bench, batch


def _lopsided(bench: Bench):
    """A step in which modality 0 gives the true class .8 and modality 1 gives it .4."""
    data = batch(8)
    bench.main.zero_grad()
    step = bench.forward(data)
    step.fused_loss().backward()
    logits = torch.zeros_like(step.modality_logits)
    logits[torch.arange(8), 0, data.y] = log(4.0)
    logits[torch.arange(8), 1, data.y] = log(2 / 3)
    step.modality_logits = logits
    return step


def test_factor_by_hand() -> None:
    bench = Bench("ogm-ge", {"alpha": 0.3, "noise": False})
    coefficients = bench.method.coefficients(_lopsided(bench))
    assert coefficients.tolist() == pytest.approx([1 - tanh(0.3 * 2.0), 1.0])


def test_gradient_of_every_encoder_tensor_is_scaled_and_the_rest_is_not() -> None:
    bench = Bench("ogm-ge", {"alpha": 0.3, "noise": False})
    step = _lopsided(bench)
    before = {id(p): p.grad.clone() for p in bench.network.main_parameters() if p.grad is not None}
    bench.method.after_backward(step)
    first = {id(p) for p in bench.network.encoder_parameters(0)}
    for parameter in bench.network.main_parameters():
        if parameter.grad is not None:
            scale = 1 - tanh(0.6) if id(parameter) in first else 1.0
            torch.testing.assert_close(parameter.grad, scale * before[id(parameter)])


def test_noise_has_the_gradients_own_spread() -> None:
    bench = Bench("ogm-ge", {"alpha": 0.0})
    step = _lopsided(bench)
    weight = bench.network.encoder_parameters(0)[1]
    weight.grad = torch.arange(weight.numel(), dtype=torch.float32).view_as(weight)
    plain = weight.grad.clone()
    draws = []
    for _ in range(300):
        weight.grad = plain.clone()
        bench.method.after_backward(step)
        draws.append(weight.grad - plain)
    noise = torch.stack(draws)
    assert float(noise.std() / plain.std(correction=0)) == pytest.approx(1, abs=0.03)
    assert abs(float(noise.mean() / plain.std(correction=0))) < 0.03


def test_fused_confidence_is_the_fused_networks_with_one_modality_kept() -> None:
    bench = Bench("ogm-ge", {"confidence": "fused", "noise": False})
    step = bench.forward(batch())
    for m, kept in enumerate(([True, False], [False, True])):
        alone = bench.network.fuse(step.features.detach(), step.batch.present & torch.tensor(kept)).logits
        torch.testing.assert_close(bench.method.modality_logits(step)[:, m], alone)
