"""Adversarial debiasing: the fused representation must not tell the group."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from core.methods.arithmetic import drawn_seed
from core.methods.base import Context, Method, SearchSpace, Step, register
from core.methods.card import Card
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

    `conditional` shows the head the label too (equalised odds: the score may tell the group as far as
    the label does). `update` = projection is Zhang, Lemoine and Mitchell's (AIES 2018): the network's
    gradient loses its part along the head's and then goes against that, g - proj_a(g) - strength a.
    """

    name = "adversarial"
    card = Card(
        title="Adversarial (gradient reversal)",
        family="fairness",
        paper="Raff and Sylvester, Gradient Reversal Against Discrimination, DSAA 2018; Ganin et al., JMLR 2016",
        summary="Trains a head to recognise the group and the network to hide it.",
        limits="removes the group even where it carries medical information; training can oscillate",
        departures="with update=projection the step of Zhang, Lemoine and Mitchell (AIES 2018), but the head reads the last layer's input instead of "
        "the score, so that both "
        "rows differ in the step alone",
        order=160,
        colour=("#93306B", "#D56FAA"),
    )
    search_space: ClassVar[SearchSpace] = {"strength": (0.03, 0.1, 0.3, 1.0)}

    @dataclass(frozen=True)
    class Settings(Method.Settings):
        strength: float = 0.1
        conditional: bool = False
        """The head is told the label: equalised odds in the place of demographic parity."""
        update: str = "reversal"
        """`reversal` or `projection`."""

    def __init__(self, settings: Method.Settings, context: Context) -> None:
        super().__init__(settings, context)
        told = context.n_classes if self.settings.conditional else 0
        self._head = group_head(context, context.feature_dim + told)
        if self.settings.update not in ("reversal", "projection"):
            raise ValueError(f"adversarial: update is 'reversal' or 'projection', not {self.settings.update!r}")
        self._accuracy = torch.zeros((), device=context.device)

    def extra_modules(self) -> nn.Module | None:
        return self._head

    def loss(self, step: Step) -> Tensor:
        if step.fused.last_input is None:
            raise ValueError("adversarial needs a fused network with a linear last layer")
        group = step.batch.group
        known = (group >= 0).to(step.fused.logits.dtype)
        projects = self.settings.update == "projection"
        shown = step.fused.last_input if projects else ReverseGradient.apply(step.fused.last_input, self.settings.strength)  # type: ignore[no-untyped-call]
        if self.settings.conditional:
            shown = torch.cat([shown, torch.nn.functional.one_hot(step.batch.y, self.context.n_classes).to(shown.dtype)], 1)
        logits = self._head(shown)
        losses = cross_entropy(logits, group.clamp_min(0))
        right = (logits.detach().argmax(-1) == group).to(known.dtype)
        self._accuracy = (right * known).sum() / known.sum().clamp_min(1)
        of_group = (losses * known).sum() / known.sum().clamp_min(1)
        fused = step.fused_loss()
        step.cache["adversarial"] = (fused, of_group)
        return fused + of_group

    def backward(self, step: Step, loss: Tensor) -> None:
        fused, of_group = step.cache.pop("adversarial")
        if self.settings.update == "reversal":
            loss.backward()
            return
        network = step.network.main_parameters()
        head = list(self._head.parameters())
        own = torch.autograd.grad(fused, network, retain_graph=True, allow_unused=True)
        against = torch.autograd.grad(of_group, [*network, *head], allow_unused=True)
        for parameter, gradient, adversary in zip(network, own, against, strict=False):
            parameter.grad = projected(gradient, adversary, self.settings.strength)
        for parameter, gradient in zip(head, against[len(network) :], strict=True):
            parameter.grad = gradient

    def load_state(self, state: Mapping[str, Tensor]) -> None:
        """The head's weights are saved with the network's: nothing else to restore."""

    def series(self) -> dict[str, Tensor]:
        return {"group_head_accuracy": self._accuracy}


def group_head(context: Context, inputs: int) -> nn.Sequential:
    """One hidden layer from `inputs` values to the logits of the C groups."""
    with torch.random.fork_rng(devices=[]):
        # The head must not shift the random numbers that plain training draws.
        torch.manual_seed(drawn_seed(_copy(context.generator)))
        width = context.feature_dim
        return nn.Sequential(nn.Linear(inputs, width), nn.ReLU(), nn.Linear(width, max(len(context.groups), 1))).to(context.device)


def projected(gradient: Tensor | None, adversary: Tensor | None, strength: float) -> Tensor | None:
    """g - proj_a(g) - strength a of one tensor; g itself where the adversary does not reach it."""
    if adversary is None:
        return gradient
    own = torch.zeros_like(adversary) if gradient is None else gradient
    along = (own * adversary).sum() / adversary.square().sum().clamp_min(torch.finfo(adversary.dtype).tiny)
    return own - along * adversary - strength * adversary


def _copy(generator: torch.Generator) -> torch.Generator:
    copy = torch.Generator()
    copy.set_state(generator.get_state())
    return copy
