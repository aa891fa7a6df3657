"""GroupDRO: minimise the loss of the group that is worst off."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from core.methods.arithmetic import balanced_draw, group_means
from core.methods.base import Context, Method, SearchSpace, Step, register
from core.methods.card import Card
from core.models.batch import cross_entropy


@register
class GroupDRO(Method):
    """L = sum_g q_g L_g, with q_g <- q_g exp(rate L_g) / Z after every training batch of group-balanced draws.

    A group that is absent from a batch adds nothing to the loss and keeps its weight up to
    the normalisation. q is updated on training batches only, never on validation.
    """

    name = "group-dro"
    card = Card(
        title="GroupDRO",
        family="fairness",
        paper="Sagawa et al., Distributionally Robust Neural Networks for Group Shifts, ICLR 2020",
        summary="Moves weight to the group with the highest loss while training.",
        limits="patients of unknown group are not learned from (unless a whole batch is unknown); can overfit a small group; needs strong weight "
        "decay (its paper)",
        departures="groups are those of the sensitive attribute; the paper's are pairs of attribute and label. balanced=false draws batches as they come",
        order=150,
        colour=("#0E6E6E", "#49B5B5"),
    )
    search_space: ClassVar[SearchSpace] = {"rate": (0.003, 0.01, 0.03, 0.1)}

    @dataclass(frozen=True)
    class Settings(Method.Settings):
        rate: float = 0.01
        balanced: bool = True
        """Every group is drawn equally often, with replacement, as published."""

    def __init__(self, settings: Method.Settings, context: Context) -> None:
        super().__init__(settings, context)
        count = max(len(context.groups), 1)
        self._q = torch.full((count,), 1 / count, device=context.device)

    def loss(self, step: Step) -> Tensor:
        losses = cross_entropy(step.fused.logits, step.batch.y)
        means, counts = group_means(losses, step.batch.group, len(self._q))
        raised = self._q * torch.exp(self.settings.rate * means.detach())
        known = counts.sum() > 0
        self._q = torch.where(known, raised / raised.sum(), self._q)
        return torch.where(known, (self._q.to(means.dtype) * means).sum(), losses.mean())

    def epoch_rows(self, epoch: int) -> Tensor | None:
        if not self.settings.balanced or self.context.train_group is None:
            return None
        return balanced_draw(self.context.train_group, self.context.generator)

    def state(self) -> dict[str, Tensor]:
        return {"q": self._q}

    def load_state(self, state: Mapping[str, Tensor]) -> None:
        self._q = state["q"].to(self.context.device)

    def series(self) -> dict[str, Tensor]:
        return {"q_by_group": self._q}
