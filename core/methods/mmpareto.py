"""MMPareto: combine each encoder's fused and unimodal gradients so that neither is sacrificed.

TorchJD has the min-norm step (MGDA), not MMPareto's exception, rescaling or per-encoder split: it is the tests' oracle.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from core.methods.arithmetic import give_gradients, take_gradients
from core.methods.base import Method, SearchSpace, Step, register
from core.methods.card import Card


def pareto_direction(fused: Tensor, unimodal: Tensor) -> tuple[Tensor, Tensor]:
    """The common descent direction of two flat gradients, and its share of `fused`.

    Equal shares when they agree (cosine above 0), else the convex combination of least
    norm; either way with the norm of the plain sum.
    """
    total = fused + unimodal
    difference = fused - unimodal
    tiny = torch.finfo(fused.dtype).tiny
    least = (-(unimodal * difference).sum() / difference.square().sum().clamp_min(tiny)).clamp(0, 1)
    share = torch.where((fused * unimodal).sum() > 0, torch.full_like(least, 0.5), least)
    direction = share * fused + (1 - share) * unimodal
    norm = direction.norm()
    # Exactly opposed gradients of one size: no common direction exists, and none is taken.
    scale = torch.where(norm > 0, total.norm() / norm.clamp_min(tiny), torch.zeros_like(norm))
    return scale * direction, share


@register
class MMPareto(Method):
    """Encoder gradient = magnify * (Pareto direction of grad CE(z) and grad CE(z_m)).

    The two gradients are taken by two separate backward passes. (A public benchmark reads
    both after all backward passes, when they are the same numbers.)
    """

    name = "mmpareto"
    card = Card(
        title="MMPareto",
        family="balance",
        paper="Wei and Hu, MMPareto: Boosting Multimodal Learning with Innocent Unimodal Assistance, ICML 2024",
        summary="Trains encoders on the fused and on their own loss, in a direction that hurts neither, with enlarged steps.",
        limits="two backward passes a step; magnify changes nothing under AdamW, which divides a constant factor out (it does under optimizer=sgd); "
        "knows nothing of the sensitive attribute",
        order=110,
        colour=("#AA4499", "#DB84CB"),
    )
    joint_classifiers = True
    search_space: ClassVar[SearchSpace] = {"magnify": (1.0, 1.5, 2.0)}
    inert_under_adamw = ("magnify",)

    @dataclass(frozen=True)
    class Settings(Method.Settings):
        magnify: float = 1.5

    def loss(self, step: Step) -> Tensor:
        fused, unimodal = step.fused_loss(), step.modality_losses().sum()
        step.cache["mmpareto"] = (fused, unimodal)
        return fused + unimodal

    def backward(self, step: Step, loss: Tensor) -> None:
        fused, unimodal = step.cache.pop("mmpareto")
        fused.backward(retain_graph=True)
        encoders = [step.network.encoder_parameters(m) for m in range(len(self.context.modalities))]
        of_fused = [take_gradients(parameters) for parameters in encoders]
        unimodal.backward()
        shares = []
        for parameters, first in zip(encoders, of_fused, strict=True):
            if not parameters:
                shares.append(torch.full((), 0.5, device=self.context.device))
                continue
            second = take_gradients(parameters)
            direction, share = pareto_direction(first, second)
            give_gradients(parameters, self.settings.magnify * direction)
            shares.append(share)
        self._share = torch.stack(shares)

    def series(self) -> dict[str, Tensor]:
        return {"fused_share": self._share}
