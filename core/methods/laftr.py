"""LAFTR: an adversary whose objective is a bound on the demographic parity or equalised odds gap."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor, nn

from core.methods.adversarial import ReverseGradient, group_head
from core.methods.base import Context, Method, SearchSpace, Step, register
from core.methods.card import Card


@register
class LAFTR(Method):
    """L = CE(z, y) + reversed(1 - mean over cells of the head's mean error in the cell): a cell is a group, or a group and label (`conditional`).

    The error of a sample is 1 minus the probability that the head gives its group; with two groups that is
    the paper's |h(x) - a|. Averaging cells instead of patients is what makes it bound the gap between groups.
    """

    name = "laftr"
    card = Card(
        title="LAFTR",
        family="fairness",
        paper="Madras et al., Learning Adversarially Fair and Transferable Representations, ICML 2018",
        summary="Hides the group from a head whose error counts every group the same, and every label in it.",
        limits="removes the group even where it carries medical information; training can oscillate",
        departures="one head, trained by gradient reversal at every step, instead of alternating steps; no decoder",
        order=165,
        colour=("#6D2C91", "#B47BD6"),
    )
    search_space: ClassVar[SearchSpace] = {"strength": (0.1, 0.3, 1.0), "conditional": (True, False)}

    @dataclass(frozen=True)
    class Settings(Method.Settings):
        strength: float = 0.3
        conditional: bool = True
        """Cells of group and label (equalised odds); False: of group (demographic parity)."""

    def __init__(self, settings: Method.Settings, context: Context) -> None:
        super().__init__(settings, context)
        self._head = group_head(context, context.feature_dim)
        self._error = torch.zeros((), device=context.device)

    def extra_modules(self) -> nn.Module | None:
        return self._head

    def loss(self, step: Step) -> Tensor:
        if step.fused.last_input is None:
            raise ValueError("laftr needs a fused network with a linear last layer")
        group, y = step.batch.group, step.batch.y
        logits = self._head(ReverseGradient.apply(step.fused.last_input, self.settings.strength))  # type: ignore[no-untyped-call]
        error = 1 - logits.softmax(1).gather(1, group.clamp_min(0)[:, None])[:, 0]
        labels = self.context.n_classes if self.settings.conditional else 1
        cell = group * labels + (y if self.settings.conditional else 0)
        count = max(len(self.context.groups), 1) * labels
        member = ((cell[:, None] == torch.arange(count, device=cell.device)) & (group >= 0)[:, None]).to(error.dtype)
        size = member.sum(0)
        mean = (error[:, None] * member).sum(0) / size.clamp_min(1)
        average = mean.sum() / (size > 0).sum().clamp_min(1)
        self._error = average.detach()
        return step.fused_loss() + average

    def series(self) -> dict[str, Tensor]:
        return {"adversary_loss": self._error}
