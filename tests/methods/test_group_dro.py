"""GroupDRO: weights and loss by hand."""

from __future__ import annotations

from dataclasses import replace

import torch

from core.models.batch import cross_entropy
from tests.methods.support import Bench, batch, take


def test_weights_and_loss_by_hand() -> None:
    bench = Bench("group-dro", {"rate": 0.5})
    step = bench.forward(batch())
    losses = cross_entropy(step.fused.logits, step.batch.y).detach()
    means = torch.stack([losses[step.batch.group == g].mean() for g in (0, 1)])
    q = 0.5 * torch.exp(0.5 * means)
    q = q / q.sum()
    loss = bench.method.loss(step)
    torch.testing.assert_close(bench.method.state()["q"], q)
    torch.testing.assert_close(loss.detach(), (q * means).sum())


def test_absent_group_is_not_raised() -> None:
    bench = Bench("group-dro", {"rate": 0.5})
    data = batch()
    step = bench.forward(take(data, (data.group == 0).nonzero().squeeze(1)))
    bench.method.loss(step)
    raised = torch.exp(0.5 * step.fused_loss().detach())
    torch.testing.assert_close(bench.method.state()["q"], torch.stack([raised, torch.tensor(1.0)]) / (raised + 1))


def test_batches_are_group_balanced_unless_asked_otherwise() -> None:
    bench = Bench("group-dro")
    group = torch.tensor([0] * 900 + [1] * 90 + [-1] * 10)
    bench.rebuild(replace(bench.context, train_group=group))
    drawn = group[bench.method.epoch_rows(0)]
    counts = torch.stack([(drawn == g).sum() for g in (0, 1, -1)]) / len(group)
    torch.testing.assert_close(counts, torch.tensor([0.495, 0.495, 0.01]), atol=0.05, rtol=0)
    assert Bench("group-dro", {"balanced": False}).method.epoch_rows(0) is None


def test_worse_group_gains_weight_over_time() -> None:
    bench = Bench("group-dro", {"rate": 0.1})
    data = batch()
    flipped = torch.where(data.group == 1, torch.randint(0, 2, data.y.shape, generator=torch.Generator().manual_seed(0)), data.y)
    for _ in range(60):
        step = bench.forward(data)
        step.fused.logits.data = torch.nn.functional.one_hot(data.y, 2) * 4.0
        step.batch.y.copy_(flipped)
        bench.method.loss(step)
        step.batch.y.copy_(torch.arange(16) % 2)
    assert bench.method.state()["q"][1] > 0.9
