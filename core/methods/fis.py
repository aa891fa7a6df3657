"""FIS: scale each sample's loss by its own share and its group's share of the loss."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from core.methods.arithmetic import group_means, group_membership
from core.methods.base import Context, Method, SearchSpace, Step, register
from core.methods.card import Card
from core.methods.sinkhorn import FEWEST, sinkhorn_divergences
from core.models.batch import cross_entropy


@register
class FIS(Method):
    """w_i = (1 - c) softmax_i(p l_i) N + c a_g(i), detached and then divided by their mean; L = mean(w_i l_i).

    l is the sample's cross-entropy and p the temperature (0: all weights 1, plain training). The group
    part a_g = C softmax_g(p d_g) comes from d_g, the Sinkhorn distance between the losses of everybody
    and those of the group (`group_part` = sinkhorn, as published), or from d_g = its mean loss
    (`mean`). A group with fewer than two samples in the batch, and a sample of unknown group, weigh
    like an average group. The weights average 1, so the step size does not change.
    """

    name = "fis"
    card = Card(
        title="Fair identity scaling",
        family="fairness",
        paper="Luo et al., FairVision: Equitable Deep Learning for Eye Disease Screening via Fair Identity Scaling, 2023",
        summary="Gives more weight to patients, and to groups, with a higher loss.",
        limits="weights mislabelled patients up as well",
        departures="groups are compared within the training batch; the official program draws a further batch of each group at every step, without gradients",
        order=180,
        colour=("#53789E", "#8FB4DA"),
    )
    search_space: ClassVar[SearchSpace] = {"c": (0.3, 0.5, 0.8), "temperature": (0.5, 1.0)}

    @dataclass(frozen=True)
    class Settings(Method.Settings):
        c: float = 0.5
        """Share of the group part."""
        temperature: float = 1.0
        """p."""
        group_part: str = "sinkhorn"
        """`sinkhorn` or `mean`."""
        blur: float = 0.1
        """Scale of the Sinkhorn distance's smoothing, in units of loss (epsilon = blur^2)."""

    def __init__(self, settings: Method.Settings, context: Context) -> None:
        super().__init__(settings, context)
        if self.settings.group_part not in ("sinkhorn", "mean"):
            raise ValueError(f"fis: group_part is 'sinkhorn' or 'mean', not {self.settings.group_part!r}")

    def group_distances(self, losses: Tensor, group: Tensor) -> tuple[Tensor, Tensor]:
        """d (C,) and which groups have enough samples to have one."""
        count = max(len(self.context.groups), 1)
        member = group_membership(group, count).T.to(losses.dtype)
        size = member.sum(1, keepdim=True)
        seen = size[:, 0] >= FEWEST
        if self.settings.group_part == "mean":
            return (member @ losses) / size[:, 0].clamp_min(1), seen
        everybody = torch.full_like(losses, 1 / len(losses))[None]
        weights = torch.where(seen[:, None], member / size.clamp_min(1), everybody)
        return sinkhorn_divergences(losses[:, None], everybody, weights, epsilon=self.settings.blur**2), seen

    def weights(self, losses: Tensor, group: Tensor) -> Tensor:
        """(N,) weights with mean 1 from detached losses (N,)."""
        temperature, c = self.settings.temperature, self.settings.c
        distance, seen = self.group_distances(losses, group)
        share = (temperature * distance).masked_fill(~seen, -torch.inf).softmax(0) * seen.sum()
        # A batch without any group that is seen gives 0 / 0 above.
        share = torch.where(seen, share, torch.ones_like(share))
        of_group = torch.where(group >= 0, share[group.clamp_min(0)], torch.ones_like(losses))
        weights = (1 - c) * (temperature * losses).softmax(0) * len(losses) + c * of_group
        return weights / weights.mean()

    def loss(self, step: Step) -> Tensor:
        losses = cross_entropy(step.fused.logits, step.batch.y)
        weights = self.weights(losses.detach(), step.batch.group)
        self._by_group = group_means(weights, step.batch.group, max(len(self.context.groups), 1))[0]
        return (weights * losses).mean()

    def series(self) -> dict[str, Tensor]:
        return {"weight_by_group": self._by_group}
