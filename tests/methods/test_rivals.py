"""Resampling, DFR, DomainInd, recalibration per group, LAFTR: formulas by hand and against scikit-learn."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from sklearn.linear_model import LogisticRegression

from core.methods.arithmetic import balanced_draw
from core.methods.dfr import cell_balanced, retrain
from core.models.batch import Fused, cross_entropy
from tests.methods.support import Bench, Shown, batch


def test_balanced_draw_is_even_over_cells_and_leaves_the_unknown_their_share() -> None:
    cell = torch.tensor([0] * 600 + [1] * 300 + [2] * 60 + [-1] * 40)
    drawn = cell[balanced_draw(cell, torch.Generator().manual_seed(0))]
    shares = torch.stack([(drawn == value).float().mean() for value in (0, 1, 2, -1)])
    torch.testing.assert_close(shares, torch.tensor([0.32, 0.32, 0.32, 0.04]), atol=0.04, rtol=0)
    nobody = torch.full((5,), -1)
    assert sorted(balanced_draw(nobody, torch.Generator()).tolist()) == [0, 1, 2, 3, 4]


def test_cells_count_the_same() -> None:
    y, group = torch.tensor([0, 0, 0, 1, 0, 1]), torch.tensor([0, 0, 0, 0, 1, 1])
    weight = cell_balanced(y, group, 2)
    assert weight.tolist() == pytest.approx([0.5, 0.5, 0.5, 1.5, 1.5, 1.5])
    assert float(weight.mean()) == pytest.approx(1)


def test_retraining_is_scikit_learns_weighted_regression() -> None:
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(400, 3, generator=generator, dtype=torch.float64) * torch.tensor([1.0, 4.0, 0.2]) + torch.tensor([0.0, 5.0, -1.0])
    y = (x[:, 0] + 0.5 * torch.randn(400, generator=generator, dtype=torch.float64) > 0.3).long()
    weight = torch.rand(400, generator=generator, dtype=torch.float64) + 0.2
    coefficient, bias = retrain(x, y, weight, 2, ridge=5.0)
    standard = ((x - x.mean(0)) / x.std(0, correction=0)).numpy()
    # Two columns of logits with a penalty each are one margin with twice the penalty's scale.
    oracle = LogisticRegression(C=2 / 5.0, tol=1e-10, max_iter=1000).fit(standard, y.numpy(), sample_weight=weight.numpy())
    margin = (x @ (coefficient[1] - coefficient[0]) + bias[1] - bias[0]).numpy()
    np.testing.assert_allclose(margin, oracle.decision_function(standard), atol=2e-3)


def test_dfr_predicts_with_the_refitted_layer_and_trains_with_the_networks_own() -> None:
    bench = Bench("dfr")
    data = batch(32)
    shown = bench.shown(data)
    bench.method.fit(shown)
    again = bench.shown(data)
    state = bench.method.state()
    torch.testing.assert_close(again.fused.logits, shown.fused.last_input @ state["weight"].T + state["bias"])
    assert not torch.allclose(again.fused.logits, shown.fused.logits)
    step = bench.forward(data)
    torch.testing.assert_close(step.fused.logits, bench.network.fuse(step.features, data.present).logits)


def test_domain_independent_trains_ones_own_classifier_and_averages_for_everybody() -> None:
    bench = Bench("domain-independent")
    heads = bench.method.extra_modules()
    with torch.no_grad():
        heads.weight.normal_(generator=torch.Generator().manual_seed(1))
    data = batch(16)
    data.group[:4] = -1
    step = bench.forward(data)
    x = step.fused.last_input
    each = torch.stack([x @ (bench.network.head_weight + heads.weight[g]).T + bench.network.fusion.head.bias + heads.bias[g] for g in (0, 1)], 1)
    torch.testing.assert_close(step.fused.logits, each.mean(1))
    own = torch.where((data.group >= 0)[:, None], each[torch.arange(16), data.group.clamp_min(0)], each.mean(1))
    torch.testing.assert_close(bench.method.loss(step), cross_entropy(own, data.y).mean())


def test_recalibration_leaves_the_order_within_a_group_and_mends_its_calibration() -> None:
    generator = torch.Generator().manual_seed(0)
    group = (torch.arange(4000) % 2).long()
    truth = 1.5 * torch.randn(4000, generator=generator)
    y = (torch.rand(4000, generator=generator) < torch.sigmoid(truth)).long()
    # Group 1's scores are three times too steep and shifted.
    margin = torch.where(group == 1, 3 * truth + 2, truth)
    logits = torch.stack([-margin / 2, margin / 2], 1)
    bench = Bench("group-recalibration", {"ridge": 0.01})
    shown = Shown(torch.zeros(4000, 2, 8), Fused(logits, None, logits[:, None]), torch.zeros(4000, 2, 2), torch.ones(4000, 2, dtype=torch.bool), y, group)
    bench.method.fit(shown)
    state = bench.method.state()
    scale, offset = state["scale"][:, 0], state["offset"][:, 1] - state["offset"][:, 0]
    torch.testing.assert_close(scale, torch.tensor([1.0, 1 / 3]), atol=0.1, rtol=0)
    torch.testing.assert_close(offset, torch.tensor([0.0, -2 / 3]), atol=0.15, rtol=0)
    mended = scale[group] * margin + offset[group]
    for g in (0, 1):
        inside = group == g
        assert torch.equal(mended[inside].argsort(), margin[inside].argsort())


@pytest.mark.parametrize("conditional", [False, True])
def test_laftr_by_hand(conditional: bool) -> None:
    bench = Bench("laftr", {"conditional": conditional})
    data = batch(18, n_groups=2)
    data.group[0] = -1
    step = bench.forward(data)
    head = bench.method.extra_modules()
    probability = head(step.fused.last_input).softmax(1)
    error = 1 - probability[torch.arange(18), data.group.clamp_min(0)]
    known = data.group >= 0
    cells = data.group * 2 + data.y if conditional else data.group
    means = [error[known & (cells == cell)].mean() for cell in sorted(set(cells[known].tolist()))]
    torch.testing.assert_close(bench.method.loss(step), step.fused_loss() + torch.stack(means).mean())


def test_mmcosine_by_hand() -> None:
    bench = Bench("mmcosine", {"scale": 10.0})
    data = batch(6, missing=True)
    step = bench.forward(data)
    features, weight = step.features.detach().numpy(), bench.network.classifier_weight.detach().numpy()
    for i in range(6):
        for k in (0, 1):
            parts = [features[i, m] @ weight[m, k] / np.linalg.norm(features[i, m]) / np.linalg.norm(weight[m, k]) for m in (0, 1) if data.present[i, m]]
            assert float(step.fused.logits[i, k].detach()) == pytest.approx(10 * sum(parts), rel=1e-4, abs=1e-5)
    bench.gradients(data)
    assert bench.network.encoder_parameters(1)[1].grad.any() and bench.network.classifier_weight.grad.any()
