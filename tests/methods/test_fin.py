"""FIN: normalisation by hand, and what unknown groups get."""

from __future__ import annotations

import pytest
import torch

from core.methods.fin import GroupNormaliser
from tests.methods.support import Bench, batch


def test_starts_as_the_identity() -> None:
    x = torch.randn(4, 3)
    torch.testing.assert_close(GroupNormaliser(2, 3, 0.3, "identity", torch.Generator())(x, torch.tensor([0, 1, -1, 0])), x)


def test_published_start_is_random() -> None:
    normaliser = GroupNormaliser(200, 50, 0.3, "published", torch.Generator().manual_seed(0))
    assert float(normaliser.mean.detach().std()) == pytest.approx(0.001, rel=0.05)
    assert float(normaliser.raw_scale.detach().std()) == pytest.approx(0.1, rel=0.05)


def test_by_hand() -> None:
    normaliser = GroupNormaliser(2, 1, 0.25, "identity", torch.Generator())
    with torch.no_grad():
        normaliser.mean[1] = 2.0
        normaliser.raw_scale[1] = torch.tensor(4.0).expm1().log()  # softplus of it is 4
    found = normaliser(torch.tensor([[6.0], [6.0], [6.0]]), torch.tensor([1, 0, -1]))
    torch.testing.assert_close(found, torch.tensor([[0.25 * 6 + 0.75 * 1.0], [6.0], [6.0]]))


def test_scores_depend_on_the_group_after_training() -> None:
    bench = Bench("fin", {"momentum": 0.3})
    bench.run(5)
    data = batch()
    features = bench.network.encode(data.inputs, data.present)
    first = bench.method.fused(bench.network, features, data.present, torch.zeros(16, dtype=torch.int64))
    second = bench.method.fused(bench.network, features, data.present, torch.ones(16, dtype=torch.int64))
    assert not torch.allclose(first.logits, second.logits)
    torch.testing.assert_close(first.logits, bench.network.fusion.head(first.last_input))
    assert "sensitive attribute" in type(bench.method).card.inference_needs
