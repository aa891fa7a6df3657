"""The released program's arithmetic, and each of its defects shown at work."""

from __future__ import annotations

from dataclasses import replace
from math import exp, log

import numpy as np
import pytest
import torch
from torch import Tensor

from core.methods import get
from core.methods.multifair_released import batch_auc, surrogate_auc
from core.models.batch import cross_entropy
from tests.methods.support import Bench, batch, context, take

NAME = "multifair-released"
ALL = torch.ones(64, dtype=torch.bool)


def _auc(p: np.ndarray, y: np.ndarray) -> float:
    wins = [float(a > b) + 0.5 * float(a == b) for a in p[y == 1] for b in p[y == 0]]
    return float(np.mean(wins))


def _surrogate(p: np.ndarray, y: np.ndarray) -> float:
    pairs = [1 - log(1 + exp(-(a - b))) for a in p[y == 1] for b in p[y == 0]]
    return float(np.mean(pairs)) if pairs else 0.5


def _gradients(bench: Bench) -> dict[str, Tensor]:
    return {name: p.grad.clone() for name, p in bench.network.named_parameters() if p.grad is not None and not name.startswith("classifier")}


def test_one_step_equals_the_published_arithmetic() -> None:
    """Recomputed with plain loops: loss, factors, which tensors are scaled, clipping."""
    bench = Bench(NAME, {"clip": 0.05})
    bench.run(2)
    data = take(batch(15, seed=9), torch.arange(13))
    before = {key: value.clone() for key, value in bench.method.state().items()}
    bench.main.zero_grad()
    step = bench.gradients(data)
    found = _gradients(bench)

    y, group = data.y.numpy(), data.group.numpy()
    p = step.modality_logits.detach().softmax(-1)[..., 1].numpy()
    fused = step.fused.logits.detach().softmax(-1)[:, 1].numpy()
    delta = [abs(_auc(p[:, m], y) - float(before["auc"][m])) for m in (0, 1)]
    factors = []
    gap = abs(_auc(fused[group == 1], y[group == 1]) - _auc(fused[group == 0], y[group == 0]))
    for m in (0, 1):
        running = [0.9 * float(before["group_auc"][m, g]) + 0.1 * _surrogate(p[group == g, m], y[group == g]) for g in (0, 1)]
        f = sum((group == g).mean() * (1 + 0.3 * (np.mean(running) - running[g]) / 0.04) for g in (0, 1))
        factors.append(1.2 * (sum(delta) - delta[m]) / sum(delta) * (f if gap > 0.04 else 1.0))

    bench.main.zero_grad()
    plain = bench.forward(data)
    plain.fused_loss().backward()
    expected = _gradients(bench)
    for name, value in expected.items():
        for m in (0, 1):
            if name.startswith(f"encoders.{m}.backbone"):
                value.mul_(factors[m])
    norm = torch.sqrt(sum((value.square().sum() for value in expected.values()), torch.zeros(())))
    assert norm > 0.05
    for name, value in expected.items():
        torch.testing.assert_close(found[name], value * 0.05 / (norm + 1e-6), rtol=1e-4, atol=1e-7)


def test_defect_direction_term_trains_nothing() -> None:
    without, with_term = Bench(NAME, {"lam": 0.0}), Bench(NAME, {"lam": 10.0})
    torch.testing.assert_close(with_term.run(3), without.run(3), rtol=0, atol=0)


def test_defect_fairness_loss_is_a_plain_number() -> None:
    without, with_term = Bench(NAME, {"kappa": 0.0, "tau": 1e-6}), Bench(NAME, {"kappa": 10.0, "tau": 1e-6})
    torch.testing.assert_close(with_term.run(3), without.run(3), rtol=0, atol=0)
    data = batch(seed=5)
    assert with_term.gradients(data).cache["loss"] > without.gradients(data).cache["loss"]


def test_defect_group_factor_is_one_number_and_exactly_1_in_a_balanced_batch() -> None:
    bench = Bench(NAME, {"tau": 1e-6, "momentum": 0.0})
    bench.gradients(batch(16))
    assert bench.method.series()["gate"] == 1
    torch.testing.assert_close(bench.method.series()["fairness_factor"], torch.ones(2), rtol=0, atol=0.05)
    uneven = take(batch(16), torch.tensor([0, 1, 2, 3, 4, 5, 8, 9, 12, 13]))
    bench = Bench(NAME, {"momentum": 0.0})
    bench.gradients(uneven)
    group_auc, n = bench.method.state()["group_auc"], len(uneven)
    delta = (group_auc[:, 1] - group_auc[:, 0]) / 2
    share = (uneven.group == 0).sum() / n - (uneven.group == 1).sum() / n
    torch.testing.assert_close(bench.method.series()["fairness_factor"], 1 + 0.3 * delta * share / 0.04)


def test_defect_group_factor_is_not_clamped() -> None:
    bench = Bench(NAME, {"tau": 1e-4})
    bench.method.load_state({"auc": torch.full((2,), 0.5), "group_auc": torch.tensor([[0.3, 0.6], [0.6, 0.3]])})
    bench.gradients(take(batch(16), torch.tensor([0, 1, 2, 4, 5, 8, 9])))
    factor = bench.method.series()["fairness_factor"]
    assert factor.max() > 10 and factor.min() < -10


def test_defect_surrogate_calls_chance_a_third_and_an_absent_group_strong() -> None:
    y = torch.tensor([0, 1, 0, 1])
    assert float(surrogate_auc(torch.full((4,), 0.5), y, ALL[:4])) == pytest.approx(1 - log(2))
    assert float(surrogate_auc(y.float(), y, ALL[:4])) == pytest.approx(0.687, abs=1e-3)
    assert float(surrogate_auc(1 - y.float(), y, ALL[:4])) == pytest.approx(-0.313, abs=1e-3)
    assert float(surrogate_auc(torch.rand(4), torch.ones(4, dtype=torch.int64), ALL[:4])) == 0.5
    bench = Bench(NAME, {"momentum": 0.0})
    data = batch(16)
    bench.gradients(take(data, (data.group == 0).nonzero().squeeze(1)))
    seen, absent = bench.method.state()["group_auc"].T
    assert bool((absent > seen).all())


def test_gate_stays_closed_where_a_group_has_no_auc() -> None:
    """The published step compares the two groups' AUCs; an absent group has none, and at a 5 % minority most batches lack one."""
    bench = Bench(NAME, {"tau": 1e-6})
    data = batch(16)
    bench.gradients(take(data, (data.group == 0).nonzero().squeeze(1)))
    assert bench.method.series()["gate"] == 0
    bench.gradients(take(data, ((data.group == 0) | (data.y == 1)).nonzero().squeeze(1)))
    assert bench.method.series()["gate"] == 0
    bench.gradients(data)
    assert bench.method.series()["gate"] == 1


def test_defect_balance_wanders_and_the_gate_opens_without_a_gap() -> None:
    """Stationary classifiers, no difference between groups, batches of 32."""
    generator = torch.Generator().manual_seed(0)
    bench = Bench(NAME)
    step = bench.forward(batch(32))
    balances, gates = [], []
    for _ in range(300):
        y = torch.randint(0, 2, (32,), generator=generator)
        score = torch.randn(32, 3, generator=generator) + 1.5 * (2 * y[:, None] - 1) / 2
        step.batch.y.copy_(y)
        step.batch.group.copy_(torch.randint(0, 2, (32,), generator=generator))
        step.modality_logits = torch.stack([-score[:, :2], score[:, :2]], -1)
        step.fused = replace(step.fused, logits=torch.stack([-score[:, 2], score[:, 2]], -1))
        bench.method.loss(step)
        balances.append(float(bench.method.series()["balance"][0]))
        gates.append(float(bench.method.series()["gate"]))
    assert np.std(balances) > 0.2
    assert np.mean(gates) > 0.7


def test_defect_balance_sums_to_two_with_one_class() -> None:
    bench = Bench(NAME)
    data = batch(16)
    bench.gradients(data)
    assert float(bench.method.series()["balance"].sum()) == pytest.approx(1)
    bench.gradients(take(data, (data.y == 1).nonzero().squeeze(1)))
    assert bench.method.series()["balance"].tolist() == [1.0, 1.0]


def test_defect_third_group_is_ignored_and_the_first_two_are_read_as_sexes() -> None:
    factors = []
    for flip in (False, True):
        bench = Bench(NAME, {"tau": 1e-6}, n_groups=3)
        data = batch(24, n_groups=3)
        y = torch.where(data.group == 2, 1 - data.y, data.y) if flip else data.y
        step = bench.forward(replace(data, y=y))
        bench.method.loss(step)
        factors.append(bench.method.series()["fairness_factor"])
    torch.testing.assert_close(factors[0], factors[1], rtol=0, atol=0)


def test_defect_only_two_modalities_and_two_classes() -> None:
    cls = get(NAME)
    for shape in ({"n_modalities": 3}, {"n_classes": 3}):
        with pytest.raises(ValueError, match="exactly two modalities and two classes"):
            cls(cls.parse_settings({}), context(**shape))


def test_defect_fused_representation_is_the_first_modalitys_token() -> None:
    """Its own query decides what is read: exchanging the modalities changes the logits."""
    bench = Bench(NAME)
    data = batch()
    first = bench.forward(data).fused
    features = bench.network.encode(data.inputs, data.present)
    tokens = bench.network.fusion.layers(features + bench.network.fusion.modality)
    torch.testing.assert_close(first.last_input, bench.network.fusion.neck(tokens[:, 0]))
    bench.reorder_modalities(torch.tensor([1, 0]))
    swapped = replace(data, inputs={"m0": data.inputs["m1"], "m1": data.inputs["m0"]})
    assert not torch.allclose(bench.forward(swapped).fused.logits, first.logits, atol=1e-4)


def test_defect_adamw_divides_a_lasting_factor_out() -> None:
    """Ten times the gradient, from the first step on, moves the weights the same way."""
    moves = {}
    for optimizer in ("adamw", "sgd"):
        for scale in (1.0, 0.1):
            bench = Bench("erm", optimizer=optimizer)
            before = bench.weights()
            for t in range(3):
                bench.main.zero_grad()
                loss = bench.forward(batch(seed=t)).fused_loss()
                (scale * loss).backward()
                bench.main.step()
            moves[optimizer, scale] = bench.weights() - before
    adamw = torch.nn.functional.cosine_similarity(moves["adamw", 1.0], moves["adamw", 0.1], dim=0)
    assert float(adamw) > 0.98
    assert float(moves["adamw", 0.1].norm() / moves["adamw", 1.0].norm()) == pytest.approx(1, abs=0.05)
    assert float(moves["sgd", 0.1].norm() / moves["sgd", 1.0].norm()) < 0.3


def test_defect_clip_renormalises_rho() -> None:
    """Far above the clip norm, doubling rho does not double the encoders' gradient."""
    norms = {}
    for rho in (50.0, 100.0):
        bench = Bench(NAME, {"rho": rho})
        bench.gradients(batch())
        backbones = [p.grad for m in (0, 1) for p in bench.network.encoders[m].backbone.parameters()]
        norms[rho] = torch.stack([g.norm() for g in backbones]).norm()
    assert float(norms[100.0] / norms[50.0]) < 1.05


def test_projection_is_not_scaled() -> None:
    bench, plain = Bench(NAME, {"clip": 1e6}), Bench(NAME, {"clip": 1e6, "rho": 5.0})
    bench.gradients(batch())
    plain.gradients(batch())
    for m in (0, 1):
        for own, other in zip(bench.network.encoders[m].projection.parameters(), plain.network.encoders[m].projection.parameters(), strict=True):
            torch.testing.assert_close(own.grad, other.grad)


def test_memory_does_not_grow_as_in_the_released_program() -> None:
    bench = Bench(NAME)
    bench.run(3)
    assert not any(value.requires_grad for value in bench.method.state().values())


def test_batch_auc_against_loops() -> None:
    rng = np.random.default_rng(0)
    p, y = np.round(rng.random(30), 1), rng.integers(0, 2, 30)
    assert float(batch_auc(torch.tensor(p), torch.tensor(y), ALL[:30])) == pytest.approx(_auc(p, y))
    some = rng.random(30) < 0.6
    assert float(batch_auc(torch.tensor(p), torch.tensor(y), torch.tensor(some))) == pytest.approx(_auc(p[some], y[some]))
    assert float(surrogate_auc(torch.tensor(p), torch.tensor(y), torch.tensor(some))) == pytest.approx(_surrogate(p[some], y[some]))
    assert torch.isnan(batch_auc(torch.rand(3), torch.ones(3), ALL[:3]))


def test_loss_reports_cross_entropy_while_the_gate_is_closed() -> None:
    bench = Bench(NAME, {"tau": 2.0})
    step = bench.forward(batch())
    torch.testing.assert_close(bench.method.loss(step), cross_entropy(step.fused.logits, step.batch.y).mean())
