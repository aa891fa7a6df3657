"""MLA: modalities take turns at one shared classifier, whose steps keep off what the turn before has taught it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import torch
from torch import Tensor, nn

from core.methods.arithmetic import drawn_seed
from core.methods.base import Context, Method, SearchSpace, Step, register
from core.methods.card import Card
from core.models.batch import Fused, cross_entropy

if TYPE_CHECKING:
    from core.models.network import Network


@torch.no_grad()
def entropy_weights(logits: Tensor, present: Tensor) -> Tensor:
    """(N, M) shares proportional to exp(largest entropy - own entropy) of logits (N, M, K); 0 where a modality is missing."""
    entropy = -(logits.softmax(-1) * logits.log_softmax(-1)).sum(-1)
    return torch.where(present, torch.exp(-entropy), torch.zeros_like(entropy)) / (torch.exp(-entropy) * present).sum(1, keepdim=True).clamp_min(1e-12)


@torch.no_grad()
def kept_off(projector: Tensor, mean: Tensor, alpha: float) -> Tensor:
    """The projector (D, D) after a turn with mean features (D,): P - P r r^T P / (alpha + r^T P r), at the norm of the identity.

    Recursive least squares: what is multiplied by it no longer points along the features seen.
    """
    seen = projector @ mean
    reduced = projector - torch.outer(seen, seen) / (alpha + mean @ seen)
    return reduced * len(mean) ** 0.5 / reduced.norm().clamp_min(1e-12)


def linear_heads(context: Context, count: int) -> list[nn.Linear]:
    """Classifiers of the features' width; plain training's random numbers are not touched."""
    source = torch.Generator()
    source.set_state(context.generator.get_state())
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(drawn_seed(source))
        return [nn.Linear(context.feature_dim, context.n_classes).to(context.device) for _ in range(count)]


@register
class MLA(Method):
    """Step t trains encoder t mod M and the shared classifier g by CE(g(h_m)); g's gradient W is W P.

    P follows from the mean features of the steps before (`kept_off`). A decision is the sum over modalities of
    lambda_m g(h_m) with lambda from the entropies (`entropy_weights`).
    """

    name = "mla"
    card = Card(
        title="MLA",
        family="balance",
        paper="Zhang et al., Multimodal Representation Learning by Alternating Unimodal Adaptation, CVPR 2024",
        summary="Trains one modality at a time on a classifier that all share, and trusts for every patient the modality that is surest.",
        limits="late fusion: modalities cannot interact; M times the epochs of plain training, so that every modality has its share; knows nothing "
        "of the sensitive attribute",
        departures="turns go from batch to batch, in the official program within one; P is kept at the norm of the identity (official: at 1, which "
        "AdamW divides out)",
        order=116,
        colour=("#8A4B6B", "#CF93B2"),
    )
    search_space: ClassVar[SearchSpace] = {"alpha": (0.1, 0.01)}

    @dataclass(frozen=True)
    class Settings(Method.Settings):
        alpha: float = 0.1
        """Of the recursive least squares: it falls from this to its square over an epoch."""

    def __init__(self, settings: Method.Settings, context: Context) -> None:
        super().__init__(settings, context)
        (self._head,) = linear_heads(context, 1)
        self._projector = torch.eye(context.feature_dim, device=context.device)

    def extra_modules(self) -> nn.Module | None:
        return self._head

    def total_epochs(self, epochs: int) -> int:
        return epochs * len(self.context.modalities)

    def fused(self, network: Network, features: Tensor, present: Tensor, group: Tensor) -> Fused:
        experts = self._head(features)
        return Fused((entropy_weights(experts, present)[..., None] * experts).sum(1), None, experts)

    def _turn(self, step: Step) -> int:
        return step.index % len(self.context.modalities)

    def loss(self, step: Step) -> Tensor:
        m = self._turn(step)
        assert step.fused.experts is not None
        here = step.batch.present[:, m].to(step.features.dtype)
        return (cross_entropy(step.fused.experts[:, m], step.batch.y) * here).sum() / here.sum().clamp_min(1)

    def after_backward(self, step: Step) -> None:
        gradient = self._head.weight.grad
        if gradient is not None:
            gradient.copy_(gradient @ self._projector.to(gradient.dtype))
        here = step.batch.present[:, self._turn(step)].to(step.features.dtype)[:, None]
        mean = (step.features[:, self._turn(step)].detach() * here).sum(0) / here.sum().clamp_min(1)
        progress = step.index % self.context.steps_per_epoch / self.context.steps_per_epoch
        self._projector = kept_off(self._projector, mean, self.settings.alpha ** (1 + progress))

    def state(self) -> dict[str, Tensor]:
        return {"projector": self._projector}

    def load_state(self, state: Mapping[str, Tensor]) -> None:
        self._projector = state["projector"].to(self.context.device)
