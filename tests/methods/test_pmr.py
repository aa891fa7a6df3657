"""PMR: prototypes and the extra loss."""

from __future__ import annotations

from math import exp

import pytest
import torch

from tests.methods.support import Bench, batch, take


def test_prototypes_are_exponential_means() -> None:
    bench = Bench("pmr", {"momentum": 0.2})
    first = bench.step(batch(8))
    mean = first.features.detach()[first.batch.y == 1].mean(0)
    torch.testing.assert_close(bench.method.state()["prototypes"][:, 1], mean)
    second = bench.step(batch(8, seed=1))
    moved = 0.2 * mean + 0.8 * second.features.detach()[second.batch.y == 1].mean(0)
    torch.testing.assert_close(bench.method.state()["prototypes"][:, 1], moved)


def test_absent_class_keeps_its_prototype() -> None:
    bench = Bench("pmr")
    data = batch(8)
    bench.step(data)
    before = bench.method.state()["prototypes"].clone()
    bench.step(take(data, (data.y == 1).nonzero().squeeze(1)))
    torch.testing.assert_close(bench.method.state()["prototypes"][:, 0], before[:, 0])


def test_only_the_slower_modality_is_pulled() -> None:
    bench = Bench("pmr", {"alpha": 3.0, "momentum": 1.0})
    data = batch(2, n_groups=1)
    prototypes = torch.zeros(2, 2, 8)
    prototypes[:, 1, 0] = 1.0
    bench.method.load_state({"prototypes": prototypes, "seen": torch.ones(2, 2, dtype=torch.bool)})
    step = bench.forward(data)
    features = torch.zeros(2, 2, 8)
    features[1, 0, 0] = 1.0  # modality 0 sits on its prototypes, modality 1 halfway
    features[:, 1, 0] = 0.5
    step.features = features
    lead, slow = 1 / (1 + exp(-1)), 0.5
    beta = lead / slow - 1
    expected = step.fused_loss().item() + 3.0 * beta * -torch.tensor(slow).log().item()
    assert bench.method.loss(step).item() == pytest.approx(expected, rel=1e-4)
    assert bench.method.series()["pull"].tolist() == pytest.approx([0.0, beta], rel=1e-4)
