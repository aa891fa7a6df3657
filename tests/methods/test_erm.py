"""ERM: one hand-computed step of plain training, which every other method is measured against."""

from __future__ import annotations

import torch

from core.models.batch import cross_entropy
from tests.methods.support import Bench, batch


def test_one_step_descends_on_the_mean_cross_entropy_and_nothing_else() -> None:
    bench, data = Bench("erm", optimizer="sgd"), batch(12, missing=True)
    network = bench.network
    parameters = network.main_parameters()
    loss = cross_entropy(network.fuse(network.encode(data.inputs, data.present), data.present).logits, data.y).mean()
    gradients = torch.autograd.grad(loss, parameters, allow_unused=True)
    expected = [p.detach() - 0.01 * g if g is not None else p.detach().clone() for p, g in zip(parameters, gradients, strict=True)]
    step = bench.step(data)
    torch.testing.assert_close(step.cache["loss"], loss.detach())
    for parameter, value in zip(parameters, expected, strict=True):
        torch.testing.assert_close(parameter.detach(), value)


def test_probes_learn_without_being_felt() -> None:
    """The modality classifiers follow their own losses; how they start changes no other weight."""
    first, second = Bench("erm"), Bench("erm")
    with torch.no_grad():
        second.network.classifier_weight.mul_(-3)
    before = first.network.classifier_weight.detach().clone()
    torch.testing.assert_close(first.run(3), second.run(3), rtol=0, atol=0)
    assert not torch.equal(first.network.classifier_weight, before)
