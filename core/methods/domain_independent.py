"""DomainInd: one classifier per group on shared features, averaged where the group may not be asked for."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from core.methods.base import Context, Method, Step, register
from core.methods.card import Card
from core.models.batch import Fused, cross_entropy

if TYPE_CHECKING:
    from core.models.network import Network


@register
class DomainIndependent(Method):
    """z = (1/C) sum_g W_g x + b_g; the loss of a sample is that of its own group's classifier.

    x is the input of the fused network's last layer, which stands aside. A sample of unknown
    group is trained by the mean. The classifiers start as copies of the network's own.
    """

    name = "domain-independent"
    card = Card(
        title="Domain-independent (DomainInd)",
        family="fairness",
        paper="Wang et al., Towards Fairness in Visual Recognition: Effective Strategies for Bias Mitigation, CVPR 2020",
        summary="Trains one last layer per group on shared features and adds their logits for everybody.",
        limits="a small group's classifier has few patients to learn from",
        departures="classifiers start alike",
        order=175,
        colour=("#9C5221", "#E09A63"),
    )

    def __init__(self, settings: Method.Settings, context: Context) -> None:
        super().__init__(settings, context)
        count = max(len(context.groups), 1)
        self._heads = GroupClassifiers(count, context.n_classes, context.feature_dim).to(context.device)

    def extra_modules(self) -> nn.Module | None:
        return self._heads

    def fused(self, network: Network, features: Tensor, present: Tensor, group: Tensor) -> Fused:
        plain = network.fuse(features, present)
        if plain.last_input is None:
            raise ValueError("domain-independent needs a fused network with a linear last layer")
        experts = plain.logits[:, None] + self._heads(plain.last_input)
        return Fused(experts.mean(1), plain.last_input, experts)

    def loss(self, step: Step) -> Tensor:
        experts, group = step.fused.experts, step.batch.group
        assert experts is not None
        own = experts.gather(1, group.clamp_min(0)[:, None, None].expand(-1, 1, experts.shape[2]))[:, 0]
        return cross_entropy(torch.where((group >= 0)[:, None], own, step.fused.logits), step.batch.y).mean()


class GroupClassifiers(nn.Module):
    """(N, C, K): what each group's classifier adds to the common one; nothing at the start."""

    def __init__(self, n_groups: int, n_classes: int, width: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(n_groups, n_classes, width))
        self.bias = nn.Parameter(torch.zeros(n_groups, n_classes))

    def forward(self, x: Tensor) -> Tensor:
        return torch.einsum("nd,ckd->nck", x, self.weight) + self.bias
