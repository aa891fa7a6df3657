"""ReconBoost: modalities are trained by turns, each on what the others get wrong, and then corrected together."""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil
from typing import TYPE_CHECKING, ClassVar

import torch
from torch import Tensor, nn

from core.methods.base import Context, Method, SearchSpace, Step, register
from core.methods.card import Card
from core.methods.mla import linear_heads
from core.models.batch import Fused

if TYPE_CHECKING:
    from core.models.network import Network


def boosting_loss(own: Tensor, others: Tensor, y: Tensor, agreement: float, reconcilement: float) -> Tensor:
    """(N,) -(agreement - reconcilement p_others(y)) log p_own(y) from logits (N, K): a sample that the others know teaches less."""
    truth = own.log_softmax(1).gather(1, y[:, None]).squeeze(1)
    known = others.detach().softmax(1).gather(1, y[:, None]).squeeze(1)
    return -(agreement - reconcilement * known) * truth


@register
class ReconBoost(Method):
    """Epochs by turns: one for modality m alone on `boosting_loss` + memory MSE(p_m, p of the modality before), one for all on CE(z).

    z is the sum of the modalities' own classifiers over what a patient has. The cycle has 2 M epochs, and there
    are so many that every encoder takes part in as many as in plain training.
    """

    name = "reconboost"
    card = Card(
        title="ReconBoost",
        family="balance",
        paper="Hua et al., ReconBoost: Boosting Can Achieve Modality Reconcilement, ICML 2024",
        summary="Trains one modality at a time on the errors of the others, and between the turns all of them together.",
        limits="late fusion: modalities cannot interact; takes longer than plain training; knows nothing of the sensitive attribute",
        departures="a classifier per modality instead of one in a common space; the memory term has a gradient (in the official program both of its "
        "sides are detached, so it trains nothing: memory=0); "
        "turns of 1 epoch instead of 4",
        order=117,
        colour=("#3F6F9F", "#86B4DF"),
    )
    search_space: ClassVar[SearchSpace] = {"reconcilement": (0.0, 1.0, 2.5), "memory": (0.0, 0.5)}

    @dataclass(frozen=True)
    class Settings(Method.Settings):
        agreement: float = 5.0
        reconcilement: float = 1.0
        memory: float = 0.5

    def __init__(self, settings: Method.Settings, context: Context) -> None:
        super().__init__(settings, context)
        # Modules of their own, because a turn must leave the other modalities' weights as they are.
        self._heads = nn.ModuleList(linear_heads(context, len(context.modalities)))

    def extra_modules(self) -> nn.Module | None:
        return self._heads

    def total_epochs(self, epochs: int) -> int:
        count = len(self.context.modalities)
        return ceil(epochs * 2 * count / (1 + count))

    def fused(self, network: Network, features: Tensor, present: Tensor, group: Tensor) -> Fused:
        experts = torch.stack([head(features[:, m]) for m, head in enumerate(self._heads)], 1) * present[..., None]
        return Fused(experts.sum(1), None, experts)

    def loss(self, step: Step) -> Tensor:
        experts, settings = step.fused.experts, self.settings
        assert experts is not None
        turn, together = divmod(step.epoch, 2)
        if together:
            return step.fused_loss()
        m = turn % len(self.context.modalities)
        here = step.batch.present[:, m].to(experts.dtype)
        others = experts.sum(1) - experts[:, m]
        losses = boosting_loss(experts[:, m], others, step.batch.y, settings.agreement, settings.reconcilement)
        if turn:
            before = experts[:, m - 1].detach().softmax(1)
            losses = losses + settings.memory * (experts[:, m].softmax(1) - before).square().mean(1)
        return (losses * here).sum() / here.sum().clamp_min(1)
