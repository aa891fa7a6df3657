"""FairGrad, MLA, ReconBoost, AMCo, LFM, MBSD, UMT, InfoReg and Relearning: formulas by hand and against TorchJD and scikit-learn."""

from __future__ import annotations

from dataclasses import replace
from math import exp, pi, sin

import numpy as np
import pytest
import torch
from sklearn.cluster import KMeans
from sklearn.metrics.cluster import contingency_matrix
from torchjd.aggregation import FairGrad as Oracle

from core.methods.amco import shares_of_decision
from core.methods.fairgrad import fair_weights
from core.methods.lfm import contrast
from core.methods.mbsd import distillation
from core.methods.mla import entropy_weights, kept_off
from core.methods.reconboost import boosting_loss
from core.methods.relearning import purity
from core.models.batch import cross_entropy
from tests.methods.support import Bench, batch, take


@pytest.mark.parametrize("alpha", [1.0, 2.0, 5.0])
def test_fair_weights_solve_their_equation_and_agree_with_torchjd(alpha: float) -> None:
    generator = torch.Generator().manual_seed(0)
    for size in (2, 3, 5):
        for scale in (1e-3, 1.0, 30.0):
            jacobian = scale * torch.randn(size, 12, generator=generator, dtype=torch.float64)
            gramian = jacobian @ jacobian.T
            w = fair_weights(gramian, alpha)
            assert bool((w > 0).all())
            torch.testing.assert_close(gramian @ w, w ** (-1 / alpha), rtol=1e-3, atol=0)
            if scale == 1.0:
                torch.testing.assert_close(w @ jacobian, Oracle(alpha)(jacobian), rtol=2e-2, atol=2e-2)


def test_fair_weights_of_opposed_gradients_stay_finite() -> None:
    gramian = torch.tensor([[1.0, -1.0], [-1.0, 1.0]])
    w = fair_weights(gramian, 1.0)
    assert bool(w.isfinite().all()) and float(w[0]) == pytest.approx(float(w[1]))


def test_fairgrad_gives_every_group_a_gain_and_leaves_out_who_is_not_there() -> None:
    bench = Bench("fairgrad", n_groups=3)
    data = batch(24, n_groups=3)
    data = take(data, (data.group != 1).nonzero().squeeze(1))
    bench.gradients(data)
    weights = bench.method.series()["weight_by_group"]
    assert float(weights[1]) == 0 and float(weights.sum()) == pytest.approx(1)
    direction = torch.cat([p.grad.flatten() for p in bench.network.main_parameters()])
    for g in (0, 2):
        step = bench.forward(data)
        own = cross_entropy(step.fused.logits, data.y)[data.group == g].mean()
        found = torch.autograd.grad(own, bench.network.main_parameters(), allow_unused=True)
        flat = torch.cat([torch.zeros(p.numel()) if f is None else f.flatten() for f, p in zip(found, bench.network.main_parameters(), strict=True)])
        assert float(flat @ direction) > 0


def test_mla_by_hand() -> None:
    projector, mean = torch.eye(3), torch.tensor([2.0, 0.0, 0.0])
    # Along the features 1 - 4 / (.5 + 4) = 1/9 is left; then the norm is brought back to sqrt(3).
    expected = torch.diag(torch.tensor([1 / 9, 1.0, 1.0]))
    torch.testing.assert_close(kept_off(projector, mean, 0.5), expected * 3**0.5 / expected.norm())
    logits = torch.tensor([[[0.0, 0.0], [8.0, -8.0]]])
    sure = entropy_weights(logits, torch.tensor([[True, True]]))
    # Entropies log 2 and nearly 0: shares 1/2 : 1.
    torch.testing.assert_close(sure, torch.tensor([[1 / 3, 2 / 3]]), atol=1e-4, rtol=0)
    torch.testing.assert_close(entropy_weights(logits, torch.tensor([[True, False]])), torch.tensor([[1.0, 0.0]]))


def test_modalities_take_turns() -> None:
    for name, turns in (("mla", (0, 1)), ("reconboost", (0, 2))):
        for m, turn in enumerate(turns):
            bench, data = Bench(name), batch(12)
            step = bench.forward(data)
            step = replace(step, index=turn) if name == "mla" else replace(step, epoch=turn)
            bench.method.loss(step).backward()
            reached = [any(p.grad is not None and bool(p.grad.any()) for p in bench.network.encoder_parameters(k)) for k in (0, 1)]
            assert reached == [k == m for k in (0, 1)]
    step = replace(bench.forward(data), epoch=1)
    torch.testing.assert_close(bench.method.loss(step), step.fused_loss())
    assert bench.method.total_epochs(6) == 8 and Bench("mla").method.total_epochs(6) == 12


def test_boosting_loss_by_hand() -> None:
    own, others, y = torch.tensor([[0.0, 0.0]]), torch.tensor([[0.0, torch.log(torch.tensor(3.0))]]), torch.tensor([1])
    assert float(boosting_loss(own, others, y, 5.0, 1.0)) == pytest.approx((5 - 0.75) * np.log(2))


def test_amco_by_hand() -> None:
    logits = torch.log(torch.tensor([[[1.0, 2.0], [3.0, 4.0]], [[1.0, 1.0], [1.0, 1.0]]]))
    torch.testing.assert_close(shares_of_decision(logits, torch.ones(2, 2, dtype=torch.bool)), torch.tensor([0.4, 0.6]))
    torch.testing.assert_close(shares_of_decision(logits, torch.tensor([[True, True], [True, False]])), torch.tensor([0.65, 0.35]))
    bench = Bench("amco", {"ramp": 10.0})
    bench.method.load_state({"depended": torch.tensor([True, False]), "progress": torch.tensor(5.0)})
    assert float(bench.method.masked_share()) == pytest.approx(sin(pi / 4))
    features = torch.ones(3, 2, 8)
    shown = bench.method.transform(features, batch(3), True)
    assert int((shown[:, 0] == 0).sum()) == 3 * int(8 * sin(pi / 4)) and bool((shown[:, 1] == 1).all())
    assert bench.method.transform(features, batch(3), False) is features


def test_contrast_by_hand() -> None:
    first, second = torch.tensor([[1.0, 0.0], [0.0, 2.0], [1.0, 1.0]]), torch.tensor([[3.0, 0.0], [1.0, 0.0], [0.0, 1.0]])
    both = torch.tensor([True, True, False])
    # Cosines of the first two: [[1, 1], [0, 0]]; temperature 1.
    rows = [-1 + np.log(2 * np.e), -0 + np.log(2)]
    columns = [-1 + np.log(np.e + 1), -0 + np.log(np.e + 1)]
    assert float(contrast(first, second, both, 1.0)) == pytest.approx(np.mean([*rows, *columns]), rel=1e-5)
    assert float(contrast(first, second, torch.zeros(3, dtype=torch.bool), 1.0)) == 0
    bench, data = Bench("lfm"), batch(8)
    step = replace(bench.forward(data), epoch=1)
    share = 1 - exp(-1 / 2)
    label = step.fused_loss() + step.modality_losses().sum()
    together = contrast(step.features[:, 0], step.features[:, 1], torch.ones(8, dtype=torch.bool), 0.1)
    torch.testing.assert_close(bench.method.loss(step), 2 * (share * together + (1 - share) * label))


def test_distillation_by_hand() -> None:
    first, second, y = torch.tensor([[0.0, np.log(3.0)], [0.0, 1.0]]), torch.zeros(2, 2), torch.tensor([1, 0])
    # First patient: p .75 and .5, the first modality is right. Second: argmax of equal logits is class 0, right as well.
    p = 1 / (1 + np.e)
    one = 0.25 * (np.log(3) ** 2 / 2 + 0.5 * np.log(0.5 / 0.75))
    two = (0.5 - p) * (0.5 + p * np.log(p / 0.5))
    assert float(distillation(first, second, y, torch.ones(2, dtype=torch.bool))) == pytest.approx((one + two) / 2, rel=1e-5)
    wrong = torch.tensor([[2.0, 0.0]])
    assert float(distillation(wrong, 2 * wrong, torch.tensor([1]), torch.ones(1, dtype=torch.bool))) == 0


def test_umt_draws_features_to_the_teachers_of_the_same_patients() -> None:
    bench = Bench("umt", {"weight": 2.0, "first": 0.5})
    method = bench.method
    assert method.total_epochs(3) == 5 and method.restarts(1) and not method.restarts(0)
    data = batch(8)
    torch.testing.assert_close(method.loss(bench.forward(data)), bench.forward(data).modality_losses().sum())
    for _ in range(2):
        bench.end_epoch(data)
    order = method.epoch_rows(2)
    assert sorted(order.tolist()) == list(range(bench.context.n_train))
    with torch.no_grad():
        teachers = bench.shown(bench.training).features[order[:8]]
    step = bench.forward(data)
    distance = (step.features - teachers).square().mean((0, 2)).sum()
    found = method.loss(step)
    torch.testing.assert_close(found, step.fused_loss() + step.modality_losses().sum() + 2.0 * distance)
    found.backward()
    assert bench.network.classifier_weight.grad.any()
    method.after_step(step)
    assert not torch.allclose(method.loss(bench.forward(data)), found)


def test_inforeg_holds_back_who_is_ahead_while_its_window_is_open() -> None:
    bench = Bench("inforeg", {"strength": 0.5})
    logits = torch.zeros(10, 2, 2)
    logits[:, 0, 1] = 2.0
    y, present = torch.ones(10, dtype=torch.long), torch.ones(10, 2, dtype=torch.bool)
    ahead = 10 * (1 / (1 + exp(-2.0)) - 0.5)
    torch.testing.assert_close(bench.method.strengths(logits, y, present), torch.tensor([0.5 * exp(np.tanh(ahead)), 0.0]))
    bench.run(2)
    data = batch(16)
    bench.step(data)
    start = [p.detach().clone() for p in bench.network.encoder_parameters(0)]
    plain = Bench("joint")
    plain.network.load_state_dict(bench.network.state_dict())
    bench.method._start = [[p.detach() - 1.0 for p in bench.network.encoder_parameters(m)] for m in (0, 1)]
    bench.method._open = torch.tensor([True, True])
    bench.main.zero_grad()
    bench.gradients(data)
    plain.gradients(data)
    beta = bench.method.series()["held"]
    assert int((beta > 0).sum()) == 1
    for m in (0, 1):
        for own, other in zip(bench.network.encoder_parameters(m), plain.network.encoder_parameters(m), strict=True):
            torch.testing.assert_close(own.grad, other.grad + beta[m], rtol=1e-4, atol=1e-5)
    assert all(torch.equal(a, b) for a, b in zip(start, bench.network.encoder_parameters(0), strict=True))
    bench.method.load_state({"open": torch.tensor([True, True]), "before": torch.tensor([1.0, 1.0]), "trace": torch.tensor([1.02, 2.0])})
    bench.method.on_epoch_end(None)
    assert bench.method.state()["open"].tolist() == [False, True]


def test_purity_as_with_scikit_learn() -> None:
    generator = np.random.default_rng(0)
    y = generator.integers(0, 3, 300)
    x = generator.normal(size=(300, 4)) + 4 * np.eye(3, 4)[y] * (generator.random(300) < 0.8)[:, None]
    scaled = 2 * (x - x.min(0)) / (x.max(0) - x.min(0)) - 1
    table = contingency_matrix(y, KMeans(3, n_init=10, random_state=0).fit_predict(scaled))
    own = purity(torch.tensor(x), torch.tensor(y), 3)
    assert float(own) == pytest.approx(table.max(0).sum() / 300, abs=0.03)
    order = torch.randperm(300, generator=torch.Generator().manual_seed(1))
    assert float(purity(torch.tensor(x)[order], torch.tensor(y)[order], 3)) == pytest.approx(float(own))


def test_relearning_takes_weights_back_by_the_gap() -> None:
    bench = Bench("relearning", {"every": 1, "times": 1, "strength": 3.0})
    first = [torch.cat([p.detach().flatten() for p in bench.network.encoder_parameters(m)]) for m in (0, 1)]
    data = batch(16)
    bench.step(data)
    bench.method._held_out = torch.tensor([0.5, 0.9])
    bench.method._purities = lambda seen: torch.tensor([0.7, 0.9])
    bench.method.fits_held_out = False
    bench.end_epoch(data)
    assert bench.method.state()["counts"].tolist() == [1, 1]
    before = [torch.cat([p.detach().flatten() for p in bench.network.encoder_parameters(m)]) for m in (0, 1)]
    bench.method.after_step(bench.forward(data))
    pull = np.tanh(3 * 0.2)
    for m, share in ((0, pull), (1, 0.0)):
        now = torch.cat([p.detach().flatten() for p in bench.network.encoder_parameters(m)])
        torch.testing.assert_close(now, before[m] + share * (first[m] - before[m]), rtol=1e-4, atol=1e-6)
    bench.end_epoch(data)
    assert bench.method.state()["counts"].tolist() == [1, 0]
