"""Adversarial debiasing: the gradient is reversed for the network and not for the head."""

from __future__ import annotations

import torch

from core.methods.adversarial import ReverseGradient, projected
from tests.methods.support import Bench, batch, table


def test_reversal() -> None:
    x = torch.tensor([2.0], requires_grad=True)
    y = ReverseGradient.apply(x, 0.25)
    (3 * y).sum().backward()
    assert y.item() == 2.0
    assert x.grad is not None and x.grad.item() == -0.75


def test_network_gets_minus_strength_times_the_heads_gradient() -> None:
    gradients = {}
    for strength in (0.0, 0.5, 1.0):
        bench = Bench("adversarial", {"strength": strength})
        bench.gradients(batch())
        gradients[strength] = bench.network.encoder_parameters(0)[1].grad.clone()
    torch.testing.assert_close(gradients[0.5] - gradients[0.0], (gradients[1.0] - gradients[0.0]) / 2, rtol=1e-3, atol=1e-6)
    assert not torch.allclose(gradients[1.0], gradients[0.0])


def test_head_learns_the_group_when_the_network_is_told_to_show_it() -> None:
    bench = Bench("adversarial", {"strength": -1.0})
    data = batch(32)
    inputs = {name: table(parts["values"] + 3 * data.group[:, None]) for name, parts in data.inputs.items()}
    for _ in range(80):
        bench.step(type(data)(inputs, data.present, data.y, data.group, data.index))
    assert float(bench.method.series()["group_head_accuracy"]) > 0.9


def test_making_the_head_draws_nothing_from_the_global_generator() -> None:
    torch.manual_seed(0)
    expected = torch.rand(1)
    torch.manual_seed(0)
    Bench("erm")
    bench = Bench("adversarial")
    torch.manual_seed(0)
    bench.rebuild(bench.context)
    assert torch.equal(torch.rand(1), expected)


def test_projection_by_hand() -> None:
    g, a = torch.tensor([3.0, 4.0]), torch.tensor([2.0, 0.0])
    found = projected(g, a, 0.5)
    torch.testing.assert_close(found, torch.tensor([0.0, 4.0]) - 0.5 * a)
    assert projected(g, None, 0.5) is g


def test_projected_step_never_helps_the_head_to_first_order() -> None:
    bench = Bench("adversarial", {"update": "projection", "strength": 0.1})
    data = batch()
    bench.main.zero_grad()
    step = bench.forward(data)
    loss = bench.method.loss(step)
    _, of_group = step.cache["adversarial"]
    network = bench.network.main_parameters()
    against = torch.autograd.grad(of_group, network, retain_graph=True, allow_unused=True)
    bench.method.backward(step, loss)
    for parameter, adversary in zip(network, against, strict=True):
        if adversary is not None and adversary.any():
            # Descending along the parameter's gradient raises the head's loss: their product is -strength |a|^2.
            torch.testing.assert_close((parameter.grad * adversary).sum(), -0.1 * adversary.square().sum(), rtol=1e-3, atol=1e-6)


def test_conditional_head_is_told_the_label() -> None:
    bench = Bench("adversarial", {"conditional": True, "strength": 0.0}, n_classes=3)
    head = bench.method.extra_modules()
    assert head[0].in_features == 8 + 3
    bench.run(2)
