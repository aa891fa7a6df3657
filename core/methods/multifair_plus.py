"""MultiFair-plus: encoders that cannot rest, and a decision that trusts each modality as far as it serves the patient's group."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import torch
from torch import Tensor, nn

from core.methods.arithmetic import group_membership
from core.methods.base import Card, Context, EpochView, Method, SearchSpace, Step, register
from core.models.batch import Fused, cross_entropy

if TYPE_CHECKING:
    from core.models.network import Network


class GroupHead(nn.Module):
    """Logits of the sensitive group, (N, C), as a sum of linear parts, one per modality that is present.

    Starting at 0 it favours no modality and no group.
    """

    def __init__(self, n_modalities: int, width: int, n_groups: int) -> None:
        super().__init__()
        self.bias = nn.Parameter(torch.zeros(n_groups))
        self.weight = nn.Parameter(torch.zeros(n_groups, n_modalities, width))

    def forward(self, features: Tensor, present: Tensor) -> Tensor:
        """`features` (N, M, D), `present` (N, M)."""
        return torch.einsum("nmd,cmd->nc", features * present[..., None], self.weight) + self.bias


@register
class MultiFairPlus(Method):
    """z = sum_g q_g(x) (sum_e a_ge z_e + b_g): e runs over the modalities (and the fused network with `interaction`).

    Three ideas, each from a defect of gradient modulation. (1) Every modality has its own
    loss that reaches its encoder, so balance does not depend on factors that AdamW divides
    out. (2) How far each modality is trusted, a and b, is a small convex fit on validation
    after every epoch, with group-balanced weights 1 / (C pi_g)^balance and a ridge towards
    weights shared by all groups: fitted on training patients it would trust modalities that
    have memorised them. (3) q is inferred from the modalities by a head that is trained
    along, so that no group is asked for at inference; where the group cannot be seen, q is
    near its prior and all patients get much the same weights.
    """

    name = "multifair-plus"
    card = Card(
        title="MultiFair-plus",
        family="both",
        paper="this project; after MultiFair (arXiv 2510.07328) and its defects",
        summary="Trains every modality on its own loss and mixes their decisions with weights fitted per inferred group on validation.",
        limits="infers the sensitive group from the modalities, which must be allowed; uses validation to set its mixing weights, so its "
        "validation figures are optimistic; modalities interact only with the setting `interaction`",
    )
    joint_classifiers = True
    refits_fusion = True
    search_space: ClassVar[SearchSpace] = {"group_weight": (0.3, 1.0, 3.0), "ridge": (1.0, 10.0)}

    @dataclass(frozen=True)
    class Settings(Method.Settings):
        group_weight: float = 1.0
        """Weight of the group head's cross-entropy; 0: the same mixing for every group."""
        interaction: float = 0.0
        """Weight of the fused network's loss; 0: the fused network is not used."""
        balance: float = 1.0
        """Exponent of the group weights in the fit; 0: every validation patient counts the same."""
        ridge: float = 1.0
        """Penalty on differences between the groups' mixing weights, in patients' worth of loss."""

    def __init__(self, settings: Method.Settings, context: Context) -> None:
        super().__init__(settings, context)
        groups = max(len(context.groups), 1)
        share = context.group_label_counts.sum(1).to(torch.get_default_dtype())
        share = (share / share.sum().clamp_min(1)).clamp_min(1e-6) if len(share) == groups else torch.ones(groups)
        self._weight = ((groups * share) ** -self.settings.balance).to(context.device)
        self._head = GroupHead(len(context.modalities), context.feature_dim, groups).to(context.device)
        experts = len(context.modalities) + (self.settings.interaction > 0)
        self._mixing = torch.full((groups, experts), 1 / experts, device=context.device)
        self._offset = torch.zeros(groups, context.n_classes, device=context.device)
        self._accuracy = torch.zeros((), device=context.device)
        self._network: Network | None = None

    def extra_modules(self) -> nn.Module | None:
        return self._head

    def _group_probability(self, features: Tensor, present: Tensor, group: Tensor) -> Tensor:
        """q, (N, C), inferred from the features; `group` (N,) is for methods that may ask for it."""
        groups = len(self._mixing)
        if self.settings.group_weight == 0:
            return features.new_full((len(features), groups), 1 / groups)
        return self._head(features, present).softmax(-1).to(features.dtype)

    def _experts(self, modality_logits: Tensor, fused: Tensor | None, present: Tensor) -> Tensor:
        """(N, E, K): logits of the modalities, 0 where absent, and of the fused network where it is used."""
        own = modality_logits * present[..., None]
        return own if fused is None else torch.cat([own, fused[:, None].to(own.dtype)], 1)

    def fused(self, network: Network, features: Tensor, present: Tensor, group: Tensor) -> Fused:
        self._network = network
        inner = network.fuse(features, present).logits if self.settings.interaction > 0 else None
        self._inner = inner
        # The mixing weights are no parameters: they are fitted on validation.
        experts = self._experts(network.classify(features), inner, present)
        return Fused(mix(experts, self._group_probability(features, present, group), self._mixing, self._offset), None)

    def loss(self, step: Step) -> Tensor:
        batch = step.batch
        loss = step.modality_losses().sum()
        if self.settings.interaction > 0 and self._inner is not None:
            loss = loss + self.settings.interaction * cross_entropy(self._inner.float(), batch.y).mean()
        if self.settings.group_weight == 0:
            return loss
        known = (batch.group >= 0).to(loss.dtype)
        logits = self._head(step.features.float(), batch.present)
        of_group = (cross_entropy(logits, batch.group.clamp_min(0)) * known).sum() / known.sum().clamp_min(1)
        right = (logits.detach().argmax(-1) == batch.group).to(loss.dtype)
        self._accuracy = (right * known).sum() / known.sum().clamp_min(1)
        return loss + self.settings.group_weight * of_group

    def on_epoch_end(self, view: EpochView) -> None:
        if view.validation is None:
            return
        shown = view.validation
        inner = None
        with torch.no_grad():
            if self.settings.interaction > 0 and self._network is not None:
                training = self._network.training
                self._network.eval()
                inner = self._network.fuse(shown.features, shown.present).logits
                self._network.train(training)
            experts = self._experts(shown.modality_logits, inner, shown.present).float()
            probability = self._group_probability(shown.features, shown.present, shown.group).float()
            member = group_membership(shown.group, len(self._weight))
            # Unknown group: the weight of an average patient.
            weight = torch.where(shown.group >= 0, member @ self._weight, torch.ones_like(member[:, 0]))
        self._mixing, self._offset = fit_mixing(experts, probability, shown.y, weight, self.settings.ridge)

    def state(self) -> dict[str, Tensor]:
        return {"mixing": self._mixing, "offset": self._offset}

    def load_state(self, state: Mapping[str, Tensor]) -> None:
        self._mixing = state["mixing"].to(self.context.device)
        self._offset = state["offset"].to(self.context.device)

    def series(self) -> dict[str, Tensor]:
        return {"mixing": self._mixing[:, : len(self.context.modalities)].T, "group_head_accuracy": self._accuracy}


def mix(experts: Tensor, probability: Tensor, mixing: Tensor, offset: Tensor) -> Tensor:
    """Logits (N, K) from experts (N, E, K), group probabilities (N, C), mixing (C, E), offset (C, K)."""
    weight = probability @ mixing.to(probability.dtype)
    return torch.einsum("ne,nek->nk", weight, experts) + probability @ offset.to(probability.dtype)


@torch.enable_grad()
def fit_mixing(experts: Tensor, probability: Tensor, y: Tensor, weight: Tensor, ridge: float) -> tuple[Tensor, Tensor]:
    """Mixing (C, E) and offset (C, K) that minimise the weighted cross-entropy of `mix`; convex.

    `ridge` draws each group's mixing weights to common ones, which are drawn weakly to 1/E,
    and offsets weakly to 0, so that a group of a few patients gets nearly the common weights.
    """
    groups, count, classes = probability.shape[1], experts.shape[1], experts.shape[2]
    mixing = experts.new_full((groups, count), 1 / count, requires_grad=True)
    common = experts.new_full((count,), 1 / count, requires_grad=True)
    offset = experts.new_zeros((groups, classes), requires_grad=True)
    optimizer = torch.optim.LBFGS([mixing, common, offset], max_iter=60, line_search_fn="strong_wolfe")

    def objective() -> Tensor:
        optimizer.zero_grad()
        data = (weight * cross_entropy(mix(experts, probability, mixing, offset), y)).sum()
        prior = ridge * (mixing - common).square().sum() + 0.1 * (common - 1 / count).square().sum() + 0.1 * offset.square().sum()
        total = data + prior
        total.backward()
        return total

    optimizer.step(objective)  # type: ignore[no-untyped-call]
    return mixing.detach(), offset.detach()
