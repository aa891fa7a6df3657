"""MultiFair-directed: the projection against TorchJD, the factors and the loss by hand."""

from __future__ import annotations

import pytest
import torch
from torchjd.aggregation import PCGrad

from core.methods.mixing import balanced_weights
from core.methods.multifair_directed import serving_factors, without_conflict
from core.models.batch import cross_entropy
from tests.methods.support import Bench, batch


@pytest.mark.parametrize("second", [[-3.0, 1.0, 0.5], [2.0, 1.0, 0.0], [-1.0, -2.0, -0.5]])
def test_conflicts_are_removed_as_torchjds_pcgrad_does(second: list[float]) -> None:
    one, two = torch.tensor([1.0, 2.0, 0.5]), torch.tensor(second)
    found, cosine = without_conflict(one, two)
    # PCGrad goes through the others at random; with two gradients there is only one order.
    torch.testing.assert_close(found, PCGrad()(torch.stack([one, two])))
    torch.testing.assert_close(cosine, torch.cosine_similarity(one, two, dim=0))
    assert found @ one >= -1e-5 and found @ two >= -1e-5


def test_a_group_teaches_the_modality_that_serves_it() -> None:
    factors = serving_factors(torch.tensor([[0.9, 0.5, torch.nan], [0.9, 0.9, 0.8]]), eta=4.0)
    torch.testing.assert_close(factors[:, 0], torch.ones(2))
    low, high = 2 / (1 + torch.tensor(1.6).exp()), 2 / (1 + torch.tensor(-1.6).exp())
    torch.testing.assert_close(factors[:, 1], torch.stack([low, high]))
    torch.testing.assert_close(factors[:, 2], torch.ones(2))


def test_loss_by_hand() -> None:
    bench = Bench("multifair-directed", {"unimodal": 2.0, "group_weight": 0.5, "balance": 1.0})
    data = batch(18, missing=True)
    data.group[0] = -1
    step = bench.forward(data)
    head = bench.method.extra_modules()
    weight = balanced_weights(data.group, bench.context.group_label_counts, 1.0)
    fused = (weight * cross_entropy(step.fused.logits, data.y)).mean()
    told = cross_entropy(head(step.fused.last_input)[1:], data.group[1:]).mean()
    torch.testing.assert_close(bench.method.loss(step), fused + 0.5 * told + 2 * step.modality_losses().sum())
    factors = bench.method.feature_gradient_factors(step)
    torch.testing.assert_close(factors[0], torch.ones(2))


def test_without_any_of_its_parts_it_is_joint() -> None:
    settings = {"eta": 0.0, "group_weight": 0.0, "balance": 0.0, "project": False}
    torch.testing.assert_close(Bench("multifair-directed", settings).run(4), Bench("joint", {"weight": 1.0}).run(4))


@pytest.mark.parametrize("optimizer", ["adamw", "sgd"])
def test_the_factors_move_the_weights_under_both_optimizers(optimizer: str) -> None:
    moved = []
    for eta in (0.0, 8.0):
        bench = Bench("multifair-directed", {"eta": eta, "buffer": 64, "min_per_class": 1, "group_weight": 0.0}, optimizer=optimizer)
        moved.append(bench.run(6))
    assert (moved[0] - moved[1]).abs().max() > 1e-5
