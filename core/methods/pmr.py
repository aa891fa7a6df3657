"""PMR: pull the slower modalities towards their class prototypes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor
from torch.nn.functional import one_hot

from core.methods.base import Context, Method, SearchSpace, Step, register
from core.methods.card import Card
from core.models.batch import cross_entropy


@register
class PMR(Method):
    """L = CE(z) + alpha sum_m beta_m CE(-distance(h_m, prototypes of m)).

    beta_m = clip(best other confidence / own confidence - 1, 0, 1) from the prototype
    classifiers' true-class probabilities: 0 for the modality that leads. Prototypes are
    class means of the features, moved by an exponential mean of the batches. A class that
    is absent from a batch keeps its prototype, and one never seen is in no softmax (in the
    official program a missing class gives 0 / 0).
    """

    name = "pmr"
    card = Card(
        title="PMR",
        family="balance",
        paper="Fan et al., PMR: Prototypical Modal Rebalance for Multimodal Learning, CVPR 2023",
        summary="Adds a loss that draws the features of slower modalities to the prototype of their class.",
        limits="knows nothing of the sensitive attribute",
        departures="without the entropy term of the paper's first epochs, whose length is tuned per data set; prototypes move with every batch, in "
        "the official program once an epoch",
        order=100,
        colour=("#882255", "#D9719F"),
    )
    search_space: ClassVar[SearchSpace] = {"alpha": (0.3, 1.0, 3.0)}

    @dataclass(frozen=True)
    class Settings(Method.Settings):
        alpha: float = 1.0
        momentum: float = 0.2
        """Share of the old prototype that is kept, as in the official program."""

    def __init__(self, settings: Method.Settings, context: Context) -> None:
        super().__init__(settings, context)
        shape = (len(context.modalities), context.n_classes)
        self._prototypes = torch.zeros(*shape, context.feature_dim, device=context.device)
        self._seen = torch.zeros(shape, dtype=torch.bool, device=context.device)
        self._coefficient = torch.zeros(shape[0], device=context.device)

    @torch.no_grad()
    def _update_prototypes(self, step: Step) -> None:
        member = one_hot(step.batch.y, self.context.n_classes).to(step.features.dtype)
        member = member[:, None] * step.batch.present.to(member.dtype)[..., None]  # (N, M, K)
        count = member.sum(0)
        mean = torch.einsum("nmk,nmd->mkd", member, step.features) / count.clamp_min(1)[..., None]
        here = count > 0
        moved = mean + self.settings.momentum * (self._prototypes - mean)
        fresh = torch.where(self._seen[..., None], moved, mean)
        self._prototypes = torch.where(here[..., None], fresh, self._prototypes)
        self._seen = self._seen | here

    def prototype_logits(self, features: Tensor) -> Tensor:
        """(N, M, K) minus the Euclidean distance to each prototype; a class never seen gets a very low value."""
        difference = features[:, :, None] - self._prototypes.to(features.dtype)
        # The small term keeps the square root's gradient finite on a prototype.
        distance = (difference.square().sum(-1) + 1e-12).sqrt()
        return torch.where(self._seen, -distance, torch.full_like(distance, -1e4))

    def loss(self, step: Step) -> Tensor:
        self._update_prototypes(step)
        n, count, _ = step.features.shape
        logits = self.prototype_logits(step.features)
        y = step.batch.y[:, None].expand(n, count)
        losses = cross_entropy(logits.reshape(n * count, -1), y.reshape(-1)).view(n, count)
        weight = step.batch.present.to(losses.dtype)
        total = weight.sum(0).clamp_min(1)
        confidence = (torch.exp(-losses.detach()) * weight).sum(0) / total
        others = confidence[None].expand(count, count).masked_fill(torch.eye(count, dtype=torch.bool, device=losses.device), -torch.inf)
        tiny = torch.finfo(confidence.dtype).tiny
        self._coefficient = (others.max(1).values / confidence.clamp_min(tiny) - 1).clamp(0, 1)
        extra = (self._coefficient * (losses * weight).sum(0) / total).sum()
        return step.fused_loss() + self.settings.alpha * extra

    def state(self) -> dict[str, Tensor]:
        return {"prototypes": self._prototypes, "seen": self._seen}

    def load_state(self, state: Mapping[str, Tensor]) -> None:
        self._prototypes = state["prototypes"].to(self.context.device)
        self._seen = state["seen"].to(self.context.device)

    def series(self) -> dict[str, Tensor]:
        return {"pull": self._coefficient}
