"""The known-group variant: the recorded group decides the weights, an unknown one gets the mean."""

from __future__ import annotations

import torch

from tests.methods.support import Bench, batch


def test_the_recorded_group_sets_the_weights() -> None:
    bench = Bench("multifair-plus-known")
    method = bench.method
    counts = method.context.group_label_counts.sum(1)
    q = method.group_probability(None, torch.tensor([1, 0, -1]))
    torch.testing.assert_close(q[0], torch.nn.functional.one_hot(torch.tensor(1), len(counts)).float())
    torch.testing.assert_close(q[1], torch.nn.functional.one_hot(torch.tensor(0), len(counts)).float())
    torch.testing.assert_close(q[2], counts.float() / counts.sum())


def test_logits_follow_the_group_and_nothing_else_of_it() -> None:
    """Same patient, another group: other logits once the groups' weights differ, the same where they agree."""
    bench = Bench("multifair-plus-known")
    method, network = bench.method, bench.network
    sample = batch(n=6)
    with torch.no_grad():
        features = network.encode(sample.inputs, sample.present)
        first, second = torch.zeros(6, dtype=torch.long), torch.ones(6, dtype=torch.long)
        same = [method.fused(network, features, sample.present, g).logits for g in (first, second)]
        torch.testing.assert_close(*same)
        method._mixing[1, 0] += 2.0
        other = [method.fused(network, features, sample.present, g).logits for g in (first, second)]
    assert not torch.allclose(*other)
