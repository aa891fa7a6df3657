"""AGM: Shapley logits and modulation factors."""

from __future__ import annotations

from math import exp

import pytest
import torch

from core.models.batch import Fused
from tests.methods.support import Bench, batch


def test_shapley_logits_for_two_modalities() -> None:
    bench = Bench("agm")
    step = bench.forward(batch())
    net, features, present = bench.network, step.features.detach(), step.batch.present
    both = net.fuse(features, present).logits
    only = [net.fuse(features, present & torch.tensor(mask)).logits for mask in ([True, False], [False, True])]
    logits = bench.method.shapley_logits(step)
    torch.testing.assert_close(logits[:, 0], (both - only[1] + only[0]) / 2)
    torch.testing.assert_close(logits[:, 1], (both - only[0] + only[1]) / 2)


def test_shapley_logits_of_three_modalities_sum_to_the_whole() -> None:
    bench = Bench("agm", n_modalities=3)
    step = bench.forward(batch(n_modalities=3))
    torch.testing.assert_close(bench.method.shapley_logits(step).sum(1), step.fused.logits, rtol=1e-4, atol=1e-5)


def test_an_additive_network_gives_each_modality_its_own_part(monkeypatch: pytest.MonkeyPatch) -> None:
    bench = Bench("agm", n_modalities=3)
    monkeypatch.setattr(bench.method, "fused", lambda net, f, p, g: Fused((f[..., :2] * p[..., None]).sum(1), None))
    step = bench.forward(batch(n_modalities=3))
    torch.testing.assert_close(bench.method.shapley_logits(step), step.features.detach()[..., :2], rtol=1e-4, atol=1e-6)


def test_factor_by_hand() -> None:
    bench = Bench("agm", {"alpha": 2.0, "cap": 0.1})
    bench.method.load_state({"mean_loss": torch.tensor([0.9, 0.6]), "steps": torch.tensor(4.0)})
    step = bench.forward(batch())
    loss = bench.method.losses(bench.method.shapley_logits(step), step.batch.y).tolist()
    factors = bench.method.feature_gradient_factors(step)
    for m, factor in enumerate(factors.tolist()):
        reference = exp((0.6 - 0.9) * (1 if m == 0 else -1))
        assert factor == pytest.approx(exp(2.0 * min(reference - exp(loss[1 - m] - loss[m]), 0.1)), rel=1e-4)
    torch.testing.assert_close(bench.method.state()["mean_loss"], torch.tensor([0.8 * 0.9 + 0.2 * loss[0], 0.8 * 0.6 + 0.2 * loss[1]]))


def test_the_reference_is_of_mean_losses_and_not_the_mean_of_strengths() -> None:
    """Losses (2, 0) and then (0, 2): their means are equal, so the reference is 1; the mean of exp(-2) and exp(2) would be 3.8."""
    bench = Bench("agm")
    means = torch.tensor([[2.0, 0.0], [0.0, 2.0]]).mean(0)
    torch.testing.assert_close(bench.method.strengths(means), torch.ones(2))
    assert bench.method.settings.cap == 10.0
