"""MBSD: where one modality knows better than another, their answers are drawn together."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations
from typing import ClassVar

import torch
from torch import Tensor

from core.methods.base import Method, SearchSpace, Step, register
from core.methods.card import Card


def distillation(first: Tensor, second: Tensor, y: Tensor, both: Tensor) -> Tensor:
    """Mean over patients of w (mean squared difference of the logits + p_w (log p_w - log p_s)), a scalar.

    first, second : logits (N, K); p_s and p_w the larger and the smaller probability of the true class; w = p_s - p_w,
    no gradient, where either modality is right, else 0. both : (N,) who has the two.
    """
    truth = torch.stack([one.log_softmax(1).gather(1, y[:, None]).squeeze(1) for one in (first, second)])
    right = (first.argmax(1) == y) | (second.argmax(1) == y)
    strong, weak = truth.amax(0), truth.amin(0)
    weight = (strong.exp() - weak.exp()).detach() * right * both
    apart = (first - second).square().mean(1) + weak.exp() * (weak - strong)
    return (weight * apart).sum() / both.sum().clamp_min(1)


@register
class MBSD(Method):
    """L = CE(z) + sum_m CE(z_m) + weight * mean over pairs of modalities of `distillation`."""

    name = "mbsd"
    card = Card(
        title="MBSD",
        family="balance",
        paper="MBSD as held in Xu et al., BalanceBenchmark, arXiv 2502.10816",
        summary="Lets the modality that knows a patient better teach the other one.",
        limits="a modality that cannot see the label in a group is taught to say it anyway; knows nothing of the sensitive attribute",
        departures="formulas as a public benchmark has them: squared differences of logits, not of probabilities, for any number of modalities",
        order=121,
        colour=("#70638C", "#AFA3CC"),
    )
    joint_classifiers = True
    search_space: ClassVar[SearchSpace] = {"weight": (0.3, 1.0)}

    @dataclass(frozen=True)
    class Settings(Method.Settings):
        weight: float = 1.0

    def loss(self, step: Step) -> Tensor:
        logits, present = step.modality_logits, step.batch.present
        pairs = [distillation(logits[:, a], logits[:, b], step.batch.y, present[:, a] & present[:, b]) for a, b in combinations(range(present.shape[1]), 2)]
        told = torch.stack(pairs).mean() if pairs else logits.new_zeros(())
        self._distance = told.detach()
        return step.fused_loss() + step.modality_losses().sum() + self.settings.weight * told

    def series(self) -> dict[str, Tensor]:
        return {"distance": self._distance}
