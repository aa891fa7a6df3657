"""MultiFair-plus: the mixing, its fit on validation, and what reaches the encoders."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from core.methods.base import EpochView
from core.methods.multifair_plus import fit_mixing, mix
from tests.methods.support import Bench, Shown, batch

NAME = "multifair-plus"


def _signals(n: int = 4000, seed: int = 0) -> tuple[Tensor, Tensor, Tensor]:
    """Logits of two modalities: the first informs about group 0 only, the second about both."""
    generator = torch.Generator().manual_seed(seed)
    y = torch.randint(0, 2, (n,), generator=generator)
    group = (torch.rand(n, generator=generator) < 0.2).long()
    sign = 2.0 * y - 1
    first = torch.where(group == 0, 1.5 * sign, 0.0) + torch.randn(n, generator=generator)
    second = 1.0 * sign + torch.randn(n, generator=generator)
    logits = torch.stack([torch.stack([-s, s], -1) for s in (first, second)], 1)
    return logits, y, group


def test_mix_by_hand() -> None:
    experts = torch.tensor([[[0.0, 2.0], [0.0, -1.0]]])
    probability = torch.tensor([[0.25, 0.75]])
    mixing = torch.tensor([[1.0, 1.0], [0.0, 2.0]])
    offset = torch.tensor([[0.0, 0.0], [0.0, 4.0]])
    # Weights (.25, 1.75): .25 * 2 - 1.75 + .75 * 4
    torch.testing.assert_close(mix(experts, probability, mixing, offset), torch.tensor([[0.0, 1.75]]))


def test_fit_trusts_each_modality_as_far_as_it_serves_the_group() -> None:
    logits, y, group = _signals()
    mixing, _ = fit_mixing(logits, torch.nn.functional.one_hot(group, 2).float(), y, torch.ones(len(y)), ridge=1.0)
    # The log-likelihood ratio is 2 * mean * score; logits (-s, s) halve it.
    torch.testing.assert_close(mixing, torch.tensor([[1.5, 1.0], [0.0, 1.0]]), atol=0.15, rtol=0)


def test_ridge_draws_groups_together() -> None:
    logits, y, group = _signals()
    mixing, _ = fit_mixing(logits, torch.nn.functional.one_hot(group, 2).float(), y, torch.ones(len(y)), ridge=1e6)
    torch.testing.assert_close(mixing[0], mixing[1], atol=1e-2, rtol=0)


def test_a_group_that_cannot_be_seen_gets_common_weights() -> None:
    logits, y, _ = _signals()
    mixing, _ = fit_mixing(logits, torch.full((len(y), 2), 0.5), y, torch.ones(len(y)), ridge=1.0)
    torch.testing.assert_close(mixing[0], mixing[1], atol=1e-3, rtol=0)


def test_epoch_end_fits_with_group_balanced_weights() -> None:
    logits, y, group = _signals(400)
    bench = Bench(NAME, {"group_weight": 0.0, "balance": 1.0})
    shown = Shown(torch.zeros(400, 2, 8), logits, torch.ones(400, 2, dtype=torch.bool), y, group)
    bench.method.on_epoch_end(EpochView(0, 0.0, torch.zeros(2), 0.0, torch.zeros(2), shown))
    share = bench.context.group_label_counts.sum(1) / bench.context.group_label_counts.sum()
    weight = (1 / (2 * share))[group]
    mixing, offset = fit_mixing(logits, torch.full((400, 2), 0.5), y, weight, ridge=1.0)
    torch.testing.assert_close(bench.method.state()["mixing"], mixing)
    torch.testing.assert_close(bench.method.state()["offset"], offset)


def test_every_modality_loss_reaches_its_encoder_and_mixing_does_not_train() -> None:
    bench = Bench(NAME, {"group_weight": 0.0})
    step = bench.forward(batch())
    torch.testing.assert_close(bench.method.loss(step), step.modality_losses().sum())
    bench.gradients(batch())
    for m in (0, 1):
        assert bench.network.encoder_parameters(m)[1].grad.abs().sum() > 0
    assert not any(value.requires_grad for value in bench.method.state().values())


def test_no_group_is_asked_for_at_inference() -> None:
    bench = Bench(NAME)
    bench.run(4)
    data = batch()
    features = bench.network.encode(data.inputs, data.present)
    scores = [bench.method.fused(bench.network, features, data.present, torch.full((16,), g)).logits for g in (-1, 0, 1)]
    torch.testing.assert_close(scores[0], scores[1], rtol=0, atol=0)
    torch.testing.assert_close(scores[0], scores[2], rtol=0, atol=0)
    assert bench.method.card.inference_needs == "the modalities"


def test_absent_modalities_are_left_out() -> None:
    bench = Bench(NAME)
    data = batch(missing=True)
    features = bench.network.encode(data.inputs, data.present)
    changed = features.clone()
    changed[~data.present] += 5.0
    first = bench.method.fused(bench.network, features, data.present, data.group).logits
    torch.testing.assert_close(bench.method.fused(bench.network, changed, data.present, data.group).logits, first)


def test_interaction_adds_the_fused_network_as_an_expert() -> None:
    bench = Bench(NAME, {"interaction": 0.5, "group_weight": 0.0})
    step = bench.forward(batch())
    plain = bench.network.fuse(step.features, step.batch.present).logits
    expected = step.modality_losses().sum() + 0.5 * torch.nn.functional.cross_entropy(plain, step.batch.y)
    torch.testing.assert_close(bench.method.loss(step), expected)
    torch.testing.assert_close(step.fused.logits, (step.modality_logits.sum(1) + plain) / 3)


@pytest.mark.parametrize("interaction", [0.0, 1.0])
def test_group_head_learns_what_the_features_show(interaction: float) -> None:
    bench = Bench(NAME, {"group_weight": 3.0, "interaction": interaction})
    data = batch(32)
    for parts in data.inputs.values():
        assert isinstance(parts, dict)
        parts["values"] += 3 * data.group[:, None]
    for _ in range(60):
        bench.step(data)
    assert float(bench.method.series()["group_head_accuracy"]) > 0.9


def test_one_group_is_plain_calibrated_late_fusion() -> None:
    logits, y, _ = _signals(400)
    bench = Bench(NAME, n_groups=1)
    shown = Shown(torch.zeros(400, 2, 8), logits, torch.ones(400, 2, dtype=torch.bool), y, torch.zeros(400, dtype=torch.int64))
    bench.method.on_epoch_end(EpochView(0, 0.0, torch.zeros(2), 0.0, torch.zeros(2), shown))
    assert bench.method.state()["mixing"].shape == (1, 2)
