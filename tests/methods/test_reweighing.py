"""Reweighing: weights by hand and the independence they make."""

from __future__ import annotations

from dataclasses import replace

import torch

from core.models.batch import cross_entropy
from tests.methods.support import Bench, batch


def test_weights_by_hand() -> None:
    bench = Bench("reweighing")
    bench.rebuild(replace(bench.context, group_label_counts=torch.tensor([[40.0, 40.0], [15.0, 5.0]])))
    # P(g=1) P(y=1) / P(1, 1) = .2 * .45 / .05 = 1.8
    torch.testing.assert_close(bench.method.weights, torch.tensor([[0.8 * 0.55 / 0.4, 0.8 * 0.45 / 0.4], [0.2 * 0.55 / 0.15, 1.8]]))


def test_label_and_group_become_independent() -> None:
    bench = Bench("reweighing")
    counts = bench.context.group_label_counts
    weighted = counts * bench.method.weights
    independent = weighted.sum(1, keepdim=True) * weighted.sum(0, keepdim=True) / weighted.sum()
    torch.testing.assert_close(weighted, independent)
    torch.testing.assert_close(weighted.sum(), counts.sum())


def test_loss_by_hand_with_an_unknown_group() -> None:
    bench = Bench("reweighing")
    data = batch(4)
    data = replace(data, group=torch.tensor([0, 1, -1, 1]))
    step = bench.forward(data)
    weight = torch.stack([bench.method.weights[0, data.y[0]], bench.method.weights[1, data.y[1]], torch.tensor(1.0), bench.method.weights[1, data.y[3]]])
    torch.testing.assert_close(bench.method.loss(step), (weight * cross_entropy(step.fused.logits, data.y)).mean())


def test_equal_prevalence_is_plain_training() -> None:
    bench, plain = Bench("reweighing"), Bench("erm")
    bench.rebuild(replace(bench.context, group_label_counts=torch.tensor([[40.0, 60.0], [4.0, 6.0]])))
    torch.testing.assert_close(bench.run(3), plain.run(3))
