"""MultiFair: its closed form against autograd, its estimates by hand, and that it trains."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from sklearn.metrics import roc_auc_score
from torch import Tensor

from core.methods.base import Context, Step
from core.methods.multifair import MultiFair, direction_loss
from core.methods.rolling import RollingScores, cell_weights, score_rows, surrogate_group_aucs
from core.models.batch import Batch
from core.models.network import Network, build
from core.models.spec import ModalityShape, NetworkSpec
from tests.methods.support import Bench, batch


def a_network(n_modalities: int) -> Network:
    torch.manual_seed(0)
    shapes = {f"m{i}": ModalityShape("tabular", (3,)) for i in range(n_modalities)}
    return build(NetworkSpec(width=8, heads=2, dropout=0.0), shapes, 2)


def a_context(n_modalities: int, n_groups: int) -> Context:
    return Context(
        modalities=tuple(f"m{i}" for i in range(n_modalities)),
        groups=tuple(f"g{i}" for i in range(n_groups)),
        n_classes=2,
        group_label_counts=torch.ones(n_groups, 2),
        n_train=64,
        steps_per_epoch=4,
        epochs=2,
        feature_dim=8,
        device=torch.device("cpu"),
        generator=torch.Generator(),
    )


def a_step(network: Network, y: Tensor, group: Tensor, present: Tensor | None = None) -> Step:
    count, n = len(network.modalities), len(y)
    generator = torch.Generator().manual_seed(n)
    inputs: dict[str, Tensor | dict[str, Tensor]] = {
        name: {"values": torch.randn(n, 3, generator=generator), "missing": torch.zeros(n, 3, dtype=torch.bool)} for name in network.modalities
    }
    here = torch.ones(n, count, dtype=torch.bool) if present is None else present
    batch = Batch(inputs, here, y, group, torch.arange(n))
    features = network.encode(inputs, here)
    return Step(network, batch, features, network.fuse(features, here), network.classify(features.detach()), 0, 0)


def by_double_backward(wf: Tensor, x: Tensor, wm: Tensor, h: Tensor, y: Tensor, balance: Tensor) -> Tensor:
    """L_gm with G from autograd, kept differentiable."""
    gradient_f = torch.autograd.grad(torch.nn.functional.cross_entropy(x @ wf.T, y), wf, create_graph=True)[0].flatten()
    total = torch.zeros((), dtype=x.dtype)
    for m in range(len(wm)):
        weight = wm[m].detach().requires_grad_()
        own = torch.autograd.grad(torch.nn.functional.cross_entropy(h[:, m] @ weight.T, y), weight, create_graph=True)[0].flatten()
        total = total + balance[m].abs() - balance[m] * torch.nn.functional.cosine_similarity(gradient_f, own, dim=0)
    return total / len(wm)


@pytest.mark.parametrize(("n_modalities", "n_classes"), [(2, 2), (3, 2), (3, 3)])
def test_direction_loss_equals_autograds_double_backward(n_modalities: int, n_classes: int) -> None:
    torch.manual_seed(1)
    y = torch.randint(0, n_classes, (12,))
    x, h = torch.randn(12, 6, dtype=torch.float64, requires_grad=True), torch.randn(12, n_modalities, 6, dtype=torch.float64, requires_grad=True)
    wf = torch.randn(n_classes, 6, dtype=torch.float64, requires_grad=True)
    wm = torch.randn(n_modalities, n_classes, 6, dtype=torch.float64)
    balance = torch.rand(n_modalities, dtype=torch.float64)
    present = torch.ones(12, n_modalities, dtype=torch.bool)
    closed = direction_loss(x @ wf.T, x, torch.einsum("nmd,mkd->nmk", h, wm), h, y, present, balance)
    reference = by_double_backward(wf, x, wm, h, y, balance)
    assert closed.item() == pytest.approx(reference.item(), abs=1e-10)
    for ours, theirs in zip(torch.autograd.grad(closed, (x, h, wf)), torch.autograd.grad(reference, (x, h, wf)), strict=True):
        torch.testing.assert_close(ours, theirs, atol=1e-6, rtol=0)


def test_direction_loss_passes_gradcheck_with_missing_modalities() -> None:
    torch.manual_seed(2)
    y = torch.tensor([0, 1, 1, 0, 1])
    present = torch.tensor([[1, 1], [1, 0], [0, 1], [1, 1], [1, 1]], dtype=torch.bool)
    balance = torch.tensor([0.3, 0.7], dtype=torch.float64)
    arguments = tuple(torch.randn(s, dtype=torch.float64, requires_grad=True) for s in ((5, 2), (5, 4), (5, 2, 2), (5, 2, 4)))
    assert torch.autograd.gradcheck(lambda a, b, c, d: direction_loss(a, b, c, d, y, present, balance), arguments)


def push(recent: RollingScores, score: Tensor, valid: Tensor, y: Tensor, group: Tensor) -> None:
    recent.push(score.T, cell_weights(valid, y, group, recent.cells.shape[2] - 1))


def test_rolling_aucs_by_hand_with_ties_and_missing() -> None:
    recent = RollingScores(6, 2, 2, torch.device("cpu"))
    score = torch.tensor([[3.0, 0.0], [2.0, 0.0], [2.0, 0.0], [1.0, 0.0], [5.0, 0.0]])
    y, group = torch.tensor([1, 1, 0, 0, 0]), torch.tensor([0, 0, 0, 1, -1])
    valid = torch.tensor([[1, 1], [1, 1], [1, 1], [1, 0], [0, 1]], dtype=torch.bool)
    push(recent, score, valid, y, group)
    aucs = recent.aucs()
    # Positives 3, 2 against negatives 2, 1: 3 wins twice, 2 ties once and wins once.
    assert aucs[0, 0].item() == pytest.approx(3.5 / 4)
    assert aucs[0, 1].item() == pytest.approx(1.5 / 2)
    assert aucs[0, 2].isnan()  # one class only
    assert aucs[1, 0].item() == 0.5  # all tied
    push(recent, torch.zeros(9, 2), torch.ones(9, 2, dtype=torch.bool), torch.tensor([0, 1] * 4 + [0]), torch.zeros(9, dtype=torch.int64))
    assert recent.aucs()[:, 0].tolist() == [0.5, 0.5]  # the old samples have left


def test_rolling_aucs_are_scikit_learns_of_the_last_samples() -> None:
    generator = torch.Generator().manual_seed(3)
    recent, seen = RollingScores(50, 2, 2, torch.device("cpu")), []
    for n in (7, 20, 20, 13, 50, 9):  # the ring wraps in the middle of a batch, and once a batch fills it
        score = (torch.randn(n, 2, generator=generator) * 4).round()
        y, group = torch.randint(0, 2, (n,), generator=generator), torch.randint(-1, 2, (n,), generator=generator)
        valid = torch.rand(n, 2, generator=generator) < 0.8
        push(recent, score, valid, y, group)
        seen.append((score, valid, y, group))
        score, valid, y, group = (torch.cat(part)[-50:] for part in zip(*seen, strict=True))
        aucs = recent.aucs()
        for r in (0, 1):
            for scope, rows in enumerate((torch.ones_like(y, dtype=torch.bool), group == 0, group == 1)):
                kept = rows & valid[:, r]
                if len(y[kept].unique()) == 2:
                    assert aucs[r, scope].item() == pytest.approx(roc_auc_score(y[kept], score[kept, r]), abs=1e-6)
                else:
                    assert aucs[r, scope].isnan()


def test_surrogate_is_half_for_equal_scores_and_uses_the_past() -> None:
    y, group = torch.tensor([1, 0]), torch.tensor([0, 1])
    cells = cell_weights(torch.ones(2, 1, dtype=torch.bool), y, group, 2)[:, :, 1:]
    nothing = torch.zeros(1, 0), torch.zeros(1, 2, 2, 0)
    assert not surrogate_group_aucs(torch.zeros(1, 2), cells, *nothing, 1.0)[1].any()  # each group has one class: no pair
    past = cell_weights(torch.ones(2, 1, dtype=torch.bool), torch.tensor([0, 0]), torch.tensor([0, 0]), 2)[:, :, 1:]
    value, known = surrogate_group_aucs(torch.zeros(1, 2), cells, torch.tensor([[0.0, -2.0]]), past, 1.0)
    assert value[0, 0].item() == pytest.approx((0.5 + torch.sigmoid(torch.tensor(2.0)).item()) / 2)
    assert known.tolist() == [[True, False]]


def test_surrogate_counts_every_pair_with_a_sample_of_the_batch_once() -> None:
    """Against loops over pairs, missing modalities included; pairs of two past samples carry no gradient and are left out."""
    generator = torch.Generator().manual_seed(5)
    n, p, rows, groups = 9, 14, 2, 2
    y, group = torch.randint(0, 2, (n + p,), generator=generator), torch.randint(-1, groups, (n + p,), generator=generator)
    valid = torch.rand(n + p, rows, generator=generator) < 0.7
    score = torch.randn(rows, n + p, generator=generator, dtype=torch.float64)
    own = score[:, :n].clone().requires_grad_()
    everything = torch.cat([own, score[:, n:]], 1)
    cells = cell_weights(valid, y, group, groups)[:, :, 1:].double()
    value, known = surrogate_group_aucs(own, cells[..., :n], score[:, n:], cells[..., n:], 0.7)
    for m in range(rows):
        for g in range(groups):
            terms = [
                torch.sigmoid((everything[m, i] - everything[m, j]) / 0.7)
                for i in range(n + p)
                for j in range(n + p)
                if (i < n or j < n) and y[i] == 1 and y[j] == 0 and group[i] == group[j] == g and valid[i, m] and valid[j, m]
            ]
            assert bool(known[m, g]) == bool(terms)
            if not terms:
                continue
            reference = torch.stack(terms).mean()
            torch.testing.assert_close(value[m, g], reference)
            ours, theirs = (torch.autograd.grad(x, own, retain_graph=True)[0] for x in (value[m, g], reference))
            torch.testing.assert_close(ours, theirs)


def test_factors_by_hand() -> None:
    method = MultiFair(MultiFair.Settings(smoothing=0.0, min_per_class=1), a_context(2, 2))
    method._auc = torch.tensor([0.6, 0.6])
    balance = method._balance(torch.tensor([0.7, 0.63]))
    torch.testing.assert_close(balance, torch.tensor([0.03 / 0.13, 0.10 / 0.13]), atol=1e-5, rtol=0)
    # Abar = .7; group 1 is .1 below; 3 of 4 samples are in group 0.
    f = method._group_factor(torch.tensor([[0.71, 0.69], [0.7, 0.7]]), torch.tensor([3.0, 1.0]))
    torch.testing.assert_close(f, torch.tensor([1 + 0.3 / 0.04 * (0.75 * -0.01 + 0.25 * 0.01), 1.0]), atol=1e-5, rtol=0)
    wild = method._group_factor(torch.tensor([[0.9, 0.1], [0.1, 0.9]]), torch.tensor([3.0, 1.0]))
    assert wild.tolist() == [0.5, 1.5]
    unknown = method._group_factor(torch.tensor([[0.71, torch.nan], [torch.nan, torch.nan]]), torch.tensor([3.0, 1.0]))
    assert unknown.tolist() == [1.0, 1.0]  # a group alone, and none at all, say nothing
    assert method._gate(torch.tensor([torch.nan, torch.nan])).item() == 0
    assert method._gate(torch.tensor([0.8, 0.75])).item() == 1
    assert method._gate(torch.tensor([0.8, 0.77])).item() == 0
    assert method._gate(torch.tensor([0.8, torch.nan])).item() == 0  # one group alone has no gap


@pytest.mark.parametrize(
    ("n_modalities", "n_groups", "y", "group"),
    [
        (3, 3, [0, 1, 1, 0, 1, 0], [0, 1, 2, 0, 1, 2]),
        (2, 3, [0, 1, 1, 0], [0, 0, 2, 2]),  # a group is missing
        (2, 2, [1, 1, 1], [0, 1, -1]),  # one class
        (2, 2, [1], [-1]),  # one sample of unknown group
        (1, 1, [1, 0], [0, 0]),
    ],
)
def test_any_batch_gives_a_finite_step(n_modalities: int, n_groups: int, y: list[int], group: list[int]) -> None:
    network = a_network(n_modalities)
    method = MultiFair(MultiFair.Settings(min_per_class=1), a_context(n_modalities, n_groups))
    for _ in range(3):
        step = a_step(network, torch.tensor(y), torch.tensor(group))
        loss = method.loss(step)
        factors = method.feature_gradient_factors(step)
        loss.backward()
        method.after_backward(step)
        assert loss.isfinite()
        assert factors is not None and factors.isfinite().all() and factors.shape == (n_modalities,)
        for parameter in network.main_parameters():
            assert parameter.grad is None or parameter.grad.isfinite().all()


@pytest.mark.parametrize(("tau", "gate"), [(0.01, 1), (0.9, 0)], ids=["gate open", "gate closed"])
def test_one_step_is_the_formula(tau: float, gate: int) -> None:
    """Loss and every gradient of a step, put together again from autograd and loops over pairs."""
    settings = {"tau": tau, "min_per_class": 2, "smoothing": 0.0, "lam": 0.3}
    bench, data = Bench("multifair", settings), batch(16, seed=1, missing=True)
    data = replace(data, group=(torch.arange(16) >= 11).long())  # with equal shares f is 1, whatever the AUCs
    bench.run(2)
    method, network = bench.method, bench.network
    assert isinstance(method, MultiFair)
    recent = method._recent
    # What the buffer holds of the 32 samples before, as plain lists per modality.
    past = [(recent.score[m, :32], recent.cells[m, :, 1:, :32]) for m in (0, 1)]
    main = network.main_parameters()
    features = network.encode(data.inputs, data.present)
    fused = network.fuse(features, data.present)
    logits = torch.einsum("nmd,mkd->nmk", features, network.classifier_weight.detach()) + network.classifier_bias.detach()
    deviations = []
    for m in (0, 1):
        margin = logits[:, m, 1] - logits[:, m, 0]
        areas = []
        for g in (0, 1):
            own = [[i for i in range(16) if data.y[i] == k and data.group[i] == g and data.present[i, m]] for k in (0, 1)]
            old = [past[m][1][k, g].nonzero().flatten().tolist() for k in (0, 1)]
            wins = [torch.sigmoid(margin[i] - margin[j]) for i in own[1] for j in own[0]]
            wins += [torch.sigmoid(margin[i] - past[m][0][j]) for i in own[1] for j in old[0]]
            wins += [torch.sigmoid(past[m][0][i] - margin[j]) for i in old[1] for j in own[0]]
            areas.append(torch.stack(wins).mean())
        deviations += [(a - sum(areas) / 2).abs() for a in areas]
    fairness = torch.stack(deviations).mean()
    step = bench.forward(data)
    loss = method.loss(step)
    series = method.series()
    assert series["gate"].item() == gate and series["fairness_factor"].ne(1).all() and fairness.item() > 0
    assert fused.last_input is not None
    direction = direction_loss(fused.logits, fused.last_input, logits, features, data.y, data.present, series["balance"])
    torch.testing.assert_close(series["fairness_loss"], fairness.detach())
    expected = torch.nn.functional.cross_entropy(fused.logits, data.y) + 0.3 * direction + gate * 0.5 * fairness
    torch.testing.assert_close(loss, expected)
    factor = 1.2 * series["balance"] * (series["fairness_factor"] if gate else 1)
    torch.testing.assert_close(method.feature_gradient_factors(step), factor)
    # Gradients: the encoders' are scaled by their factor; all are clipped together to .8.
    features.register_hook(lambda gradient: gradient * factor[:, None])
    gradients = torch.autograd.grad(expected, main, allow_unused=True)
    norm = torch.cat([g.flatten() for g in gradients if g is not None]).norm()
    fresh = Bench("multifair", settings)
    fresh.run(2)
    fresh.main.zero_grad()
    fresh.gradients(data)
    for parameter, gradient in zip(fresh.network.main_parameters(), gradients, strict=True):
        if gradient is not None:
            torch.testing.assert_close(parameter.grad, gradient * (0.8 / norm).clamp(max=1), rtol=1e-3, atol=1e-6)


def test_fairness_loss_reaches_the_encoders_and_not_the_classifiers() -> None:
    network = a_network(2)
    method = MultiFair(MultiFair.Settings(), a_context(2, 2))
    step = a_step(network, torch.tensor([0, 1] * 8), torch.tensor([0, 0, 1, 1] * 4))
    logits = network.classify(step.features, detach_weights=True)
    cells = cell_weights(step.batch.present, step.batch.y, step.batch.group, 2)
    method.fairness_loss(logits, cells).backward()
    assert sum(p.grad.abs().sum() for p in network.encoder_parameters(0) if p.grad is not None) > 0
    assert network.classifier_weight.grad is None


def test_relabelling_groups_changes_nothing() -> None:
    y, group = torch.tensor([0, 1] * 10), torch.tensor([0, 1, 2, 1, 0] * 4)
    losses = []
    for labels in (group, (group + 1) % 3):
        method = MultiFair(MultiFair.Settings(min_per_class=1), a_context(2, 3))
        network = a_network(2)
        losses.append([method.loss(a_step(network, y, labels)).item() for _ in range(3)])
    assert losses[0] == pytest.approx(losses[1], abs=1e-6)


def test_state_comes_back() -> None:
    network, context = a_network(2), a_context(2, 2)
    step = a_step(network, torch.tensor([0, 1] * 8), torch.tensor([0, 0, 1, 1] * 4))
    first = MultiFair(MultiFair.Settings(), context)
    first.loss(step)
    second = MultiFair(MultiFair.Settings(), context)
    second.load_state({name: value.clone() for name, value in first.state().items()})
    assert first.loss(step).item() == second.loss(step).item()


def test_three_classes_are_one_against_the_rest() -> None:
    """A_m and A_mg are scikit-learn's macro one-vs-rest AUCs over the buffer, here one batch."""
    bench = Bench("multifair", {"min_per_class": 2}, n_classes=3)
    data = batch(96, n_classes=3)
    step = bench.forward(data)
    bench.method.loss(step)
    probability = step.modality_logits.detach().softmax(-1).double()
    for m in (0, 1):
        whole = roc_auc_score(data.y, probability[:, m], multi_class="ovr", average="macro")
        assert float(bench.method.state()["auc"][m]) == pytest.approx(whole)
        for g in (0, 1):
            inside = data.group == g
            part = roc_auc_score(data.y[inside], probability[inside, m], multi_class="ovr", average="macro")
            assert float(bench.method.series()["group_auc"][m, g]) == pytest.approx(part)


def test_one_against_the_rest_with_two_classes_is_the_binary_margin() -> None:
    logits = torch.randn(6, 2, 2)
    torch.testing.assert_close(score_rows(logits), (logits[..., 1] - logits[..., 0]).T)
    three = torch.randn(6, 2, 3)
    odds = three.softmax(-1)
    torch.testing.assert_close(score_rows(three), (odds / (1 - odds)).log().flatten(1).T)
