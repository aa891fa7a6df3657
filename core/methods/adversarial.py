"""Adversarial debiasing: the fused representation must not tell the group."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from core.methods.arithmetic import drawn_seed
from core.methods.base import Card, Context, Method, SearchSpace, Step, register
from core.models.batch import cross_entropy


class ReverseGradient(torch.autograd.Function):
    """Identity forward; the gradient is multiplied by -strength (Ganin et al., JMLR 2016)."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, strength: float) -> Tensor:
        ctx.strength = strength
        return x.view_as(x)

    @staticmethod
    def backward(ctx: Any, *gradients: Any) -> tuple[Tensor, None]:
        return -ctx.strength * gradients[0], None


@register
class Adversarial(Method):
    """L = CE(z, y) + CE(head(reverse(x)), g): x the last layer's input, g among C groups.

    The head descends on its loss with full force; `strength` scales only what is reversed
    into the network. Samples of unknown group are not shown to the head.
    """

    name = "adversarial"
    card = Card(
        title="Adversarial debiasing",
        family="fairness",
        paper="Zhang, Lemoine and Mitchell, Mitigating Unwanted Biases with Adversarial Learning, AIES 2018",
        summary="Trains a head to recognise the group and the network to hide it.",
        limits="removes the group even where it carries medical information; training can oscillate",
    )
    search_space: ClassVar[SearchSpace] = {"strength": (0.03, 0.1, 0.3, 1.0)}

    @dataclass(frozen=True)
    class Settings(Method.Settings):
        strength: float = 0.1

    def __init__(self, settings: Method.Settings, context: Context) -> None:
        super().__init__(settings, context)
        with torch.random.fork_rng(devices=[]):
            # The head must not shift the random numbers that plain training draws.
            torch.manual_seed(drawn_seed(_copy(context.generator)))
            width = context.feature_dim
            self._head = nn.Sequential(nn.Linear(width, width), nn.ReLU(), nn.Linear(width, max(len(context.groups), 1))).to(context.device)
        self._accuracy = torch.zeros((), device=context.device)

    def extra_modules(self) -> nn.Module | None:
        return self._head

    def loss(self, step: Step) -> Tensor:
        if step.fused.last_input is None:
            raise ValueError("adversarial needs a fused network with a linear last layer")
        group = step.batch.group
        known = (group >= 0).to(step.fused.logits.dtype)
        logits = self._head(ReverseGradient.apply(step.fused.last_input, self.settings.strength))
        losses = cross_entropy(logits, group.clamp_min(0))
        right = (logits.detach().argmax(-1) == group).to(known.dtype)
        self._accuracy = (right * known).sum() / known.sum().clamp_min(1)
        return step.fused_loss() + (losses * known).sum() / known.sum().clamp_min(1)

    def load_state(self, state: Mapping[str, Tensor]) -> None:
        """The head's weights are saved with the network's: nothing else to restore."""

    def series(self) -> dict[str, Tensor]:
        return {"group_head_accuracy": self._accuracy}


def _copy(generator: torch.Generator) -> torch.Generator:
    copy = torch.Generator()
    copy.set_state(generator.get_state())
    return copy
