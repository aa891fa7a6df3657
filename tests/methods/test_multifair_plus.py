"""MultiFair-plus: the mixing, its fit on validation, and what reaches the encoders."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from core.methods.mixing import TELLS_APART, balanced_weights, fit_mixing, group_auc, mix
from core.models.batch import Fused
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


def _shown(logits: Tensor, y: Tensor, group: Tensor, group_logits: Tensor | None = None) -> Shown:
    """Held-out patients whose experts are these modality logits."""
    n = len(y)
    return Shown(torch.zeros(n, 2, 8), Fused(logits.mean(1), None, logits, group_logits), logits, torch.ones(n, 2, dtype=torch.bool), y, group)


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
    bench.method.fit(_shown(logits, y, group))
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
    bench.end_epoch(data)
    series = bench.method.series()
    assert float(series["group_head_auc"]) > 0.9 and series["mixing"].shape == (2, 2)


def test_a_head_that_cannot_tell_the_groups_apart_gives_everybody_the_same_weights() -> None:
    """It is judged on held-out patients: what it says of training patients it has seen does not count."""
    logits, y, group = _signals(800)
    bench = Bench(NAME)
    generator = torch.Generator().manual_seed(1)
    blind = torch.randn(800, 2, generator=generator)
    assert group_auc(blind, group) < TELLS_APART
    bench.method.fit(_shown(logits, y, group, blind))
    series = bench.method.series()
    assert series["mixing"].shape == (2,)
    torch.testing.assert_close(bench.method.state()["mixing"][0], bench.method.state()["mixing"][1], atol=1e-3, rtol=0)
    seeing = torch.nn.functional.one_hot(group, 2) * 4.0
    bench.method.fit(_shown(logits, y, group, seeing))
    assert bench.method.series()["mixing"].shape == (2, 2) and float(bench.method.series()["group_head_auc"]) == 1


def test_group_auc_is_the_mean_of_one_against_the_rest() -> None:
    from sklearn.metrics import roc_auc_score

    generator = torch.Generator().manual_seed(2)
    group = torch.randint(-1, 3, (300,), generator=generator)
    logits = torch.randn(300, 3, generator=generator) + torch.nn.functional.one_hot(group.clamp_min(0), 3)
    known = group >= 0
    expected = roc_auc_score(group[known], logits[known].softmax(1), multi_class="ovr", average="macro")
    assert group_auc(logits, group) == pytest.approx(expected)
    assert group_auc(logits[:4], torch.zeros(4, dtype=torch.int64)) != group_auc(logits[:4], torch.zeros(4, dtype=torch.int64))


def test_nothing_is_kept_on_the_method_between_two_calls() -> None:
    """What `loss` needs of `fused` travels in what `fused` returns."""
    bench = Bench(NAME, {"interaction": 1.0})
    before = dict(vars(bench.method))
    step = bench.forward(batch())
    bench.method.loss(step)
    after = vars(bench.method)
    assert after.keys() == before.keys() and all(after[key] is value for key, value in before.items())


def test_balanced_weights_by_hand() -> None:
    counts = torch.tensor([[30.0, 30.0], [10.0, 10.0]])
    weight = balanced_weights(torch.tensor([0, 1, -1]), counts, 1.0)
    assert weight.tolist() == pytest.approx([1 / (2 * 0.75), 1 / (2 * 0.25), 1.0])
    assert balanced_weights(torch.tensor([0, 1, -1]), counts, 0.0).tolist() == [1.0, 1.0, 1.0]


def test_no_fusion_tensor_gets_a_gradient() -> None:
    """The card says late fusion: that the fused network is not trained is seen here."""
    bench = Bench(NAME)
    bench.gradients(batch())
    fusion = [p for p in bench.network.fusion.parameters() if p.requires_grad]
    assert fusion and all(p.grad is None or not p.grad.any() for p in fusion)
    assert "not gradient modulation" in bench.method.card.limits


def test_one_group_is_plain_calibrated_late_fusion() -> None:
    logits, y, _ = _signals(400)
    bench = Bench(NAME, n_groups=1)
    bench.method.fit(_shown(logits, y, torch.zeros(400, dtype=torch.int64), torch.zeros(400, 1)))
    assert bench.method.state()["mixing"].shape == (1, 2)
