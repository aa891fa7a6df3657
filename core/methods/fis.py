"""FIS: scale each sample's loss by its own share and its group's share of the loss."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from core.methods.arithmetic import group_means
from core.methods.base import Card, Method, SearchSpace, Step, register
from core.models.batch import cross_entropy


@register
class FIS(Method):
    """w_i = N [(1 - c) l_i^p / sum_j l_j^p + c L_g(i)^p / sum_j L_g(j)^p], detached; L = mean(w_i l_i).

    l is the sample's cross-entropy, L_g its group's mean in the batch, p the temperature
    (0: all weights 1, plain training). A sample of unknown group takes the batch mean as
    its group's loss. The weights average 1, so the step size does not change.
    """

    name = "fis"
    card = Card(
        title="Fair identity scaling",
        family="fairness",
        paper="Luo et al., FairVision: Equitable Deep Learning for Eye Disease Screening via Fair Identity Scaling, 2023",
        summary="Gives more weight to patients, and to groups, with a higher loss.",
        limits="weights mislabelled patients up as well",
    )
    search_space: ClassVar[SearchSpace] = {"c": (0.3, 0.5, 0.8), "temperature": (0.5, 1.0)}

    @dataclass(frozen=True)
    class Settings(Method.Settings):
        c: float = 0.5
        """Share of the group part."""
        temperature: float = 1.0
        """p."""

    def weights(self, losses: Tensor, group: Tensor) -> Tensor:
        """(N,) weights with mean 1 from detached losses (N,)."""
        losses = losses.clamp_min(torch.finfo(losses.dtype).tiny)
        means, _ = group_means(losses, group, max(len(self.context.groups), 1))
        of_group = torch.where(group >= 0, means[group.clamp_min(0)], losses.mean())
        own, shared = losses**self.settings.temperature, of_group**self.settings.temperature
        return (1 - self.settings.c) * own / own.mean() + self.settings.c * shared / shared.mean()

    def loss(self, step: Step) -> Tensor:
        losses = cross_entropy(step.fused.logits, step.batch.y)
        weights = self.weights(losses.detach(), step.batch.group)
        self._by_group = group_means(weights, step.batch.group, max(len(self.context.groups), 1))[0]
        return (weights * losses).mean()

    def series(self) -> dict[str, Tensor]:
        return {"weight_by_group": self._by_group}
