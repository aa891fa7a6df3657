"""Late fusion with weights that are fitted on held-out patients: what stacking and MultiFair-plus share."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor, nn

from core.methods.arithmetic import group_membership
from core.methods.base import Context, Evaluated, Method, Step
from core.metrics.auc import auc
from core.models.batch import Fused, cross_entropy

if TYPE_CHECKING:
    from core.models.network import Network

TELLS_APART = 0.7
"""AUC (mean of one against the rest) that a group head must reach on held-out patients before weights per group are fitted."""
FEWEST_JUDGED = 5
"""Held-out patients in and outside a group without which its AUC says nothing."""


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


def balanced_weights(group: Tensor, group_label_counts: Tensor, exponent: float) -> Tensor:
    """(N,) weights 1 / (C pi_g)^exponent with pi the groups' shares in training; 1, that of an average patient, where the group is unknown."""
    groups = max(len(group_label_counts), 1)
    share = group_label_counts.sum(1).to(torch.get_default_dtype())
    share = (share / share.sum().clamp_min(1)).clamp_min(1e-6) if len(share) else torch.ones(groups)
    per_group = (groups * share.to(group.device)) ** -exponent
    return torch.where(group >= 0, per_group[group.clamp_min(0)], torch.ones_like(per_group[:1]))


def group_auc(logits: Tensor, group: Tensor) -> float:
    """Mean over groups of the AUC of its probability, one against the rest; NaN where no group has FEWEST_JUDGED in and outside it."""
    known = (group >= 0).cpu().numpy()
    score, member = logits.float().softmax(1).double().cpu().numpy()[known], group.cpu().numpy()[known]
    found = []
    for g in range(score.shape[1]):
        inside = (member == g).astype(np.int64)
        if FEWEST_JUDGED <= inside.sum() <= len(inside) - FEWEST_JUDGED:
            found.append(auc(inside, score[:, g]))
    return float(np.mean(found)) if found else float("nan")


class MixedExperts(Method):
    """z = sum_g q_g (sum_e a_ge z_e + b_g): e runs over the modalities (and the fused network with `interaction`).

    Every modality is trained by its own loss. a and b are a convex fit on held-out patients after every
    epoch: fitted on training patients it would trust modalities that have memorised them. q is 1 / C for
    everybody (pooled), inferred by a head that is trained along (`group_weight` above 0) and used only while
    its AUC on held-out patients reaches TELLS_APART, or what a subclass makes of the recorded group.
    """

    joint_classifiers = True
    fits_held_out = True

    @dataclass(frozen=True)
    class Settings(Method.Settings):
        group_weight: float = 0.0
        """Weight of the group head's cross-entropy; 0: no head, the same mixing for every group."""
        interaction: float = 0.0
        """Weight of the fused network's loss; 0: the fused network is neither trained nor used."""
        balance: float = 0.0
        """Exponent of the group weights in the fit; 0: every held-out patient counts the same, 1: every group."""
        ridge: float = 0.1
        """Penalty on differences between the groups' mixing weights, in patients' worth of loss."""

    def __init__(self, settings: Method.Settings, context: Context) -> None:
        super().__init__(settings, context)
        groups, modalities = max(len(context.groups), 1), len(context.modalities)
        self._head = GroupHead(modalities, context.feature_dim, groups).to(context.device) if self.settings.group_weight > 0 else None
        experts = modalities + (self.settings.interaction > 0)
        self._mixing = torch.full((groups, experts), 1 / experts, device=context.device)
        self._offset = torch.zeros(groups, context.n_classes, device=context.device)
        self._group_auc = torch.full((), torch.nan, device=context.device)
        self._apart = False
        """Known on the host: asking the device in every step would make it wait."""

    def extra_modules(self) -> nn.Module | None:
        return self._head

    @property
    def per_group(self) -> bool:
        """Whether the groups have weights of their own at present."""
        return self._apart

    def group_probability(self, group_logits: Tensor | None, group: Tensor) -> Tensor:
        """q, (N, C); `group` (N,) is for methods that may ask for it."""
        groups = len(self._mixing)
        if group_logits is None or not self.per_group:
            return self._mixing.new_full((len(group), groups), 1 / groups)
        return group_logits.softmax(-1)

    def fused(self, network: Network, features: Tensor, present: Tensor, group: Tensor) -> Fused:
        experts = network.classify(features) * present[..., None]
        if self.settings.interaction > 0:
            experts = torch.cat([experts, network.fuse(features, present).logits[:, None].to(experts.dtype)], 1)
        group_logits = self._head(features, present) if self._head is not None else None
        probability = self.group_probability(group_logits, group).to(experts.dtype)
        # The mixing weights are no parameters: they are fitted on held-out patients.
        return Fused(mix(experts, probability, self._mixing, self._offset), None, experts, group_logits)

    def loss(self, step: Step) -> Tensor:
        batch, fused = step.batch, step.fused
        loss = step.modality_losses().sum()
        if self.settings.interaction > 0:
            assert fused.experts is not None
            loss = loss + self.settings.interaction * cross_entropy(fused.experts[:, -1], batch.y).mean()
        if fused.group_logits is None:
            return loss
        known = (batch.group >= 0).to(loss.dtype)
        of_group = (cross_entropy(fused.group_logits, batch.group.clamp_min(0)) * known).sum() / known.sum().clamp_min(1)
        return loss + self.settings.group_weight * of_group

    @torch.no_grad()
    def fit(self, held_out: Evaluated) -> None:
        fused = held_out.fused
        assert fused.experts is not None
        if fused.group_logits is not None:
            found = group_auc(fused.group_logits, held_out.group)
            self._apart = found >= TELLS_APART
            self._group_auc = torch.full_like(self._group_auc, found)
        probability = self.group_probability(fused.group_logits, held_out.group).float()
        weight = balanced_weights(held_out.group, self.context.group_label_counts, self.settings.balance)
        self._mixing, self._offset = fit_mixing(fused.experts.float(), probability, held_out.y, weight, self.settings.ridge)

    def state(self) -> dict[str, Tensor]:
        return {"mixing": self._mixing, "offset": self._offset, "group_auc": self._group_auc}

    def load_state(self, state: Mapping[str, Tensor]) -> None:
        self._mixing, self._offset, self._group_auc = (state[name].to(self.context.device) for name in ("mixing", "offset", "group_auc"))
        self._apart = bool(self._group_auc >= TELLS_APART)

    def series(self) -> dict[str, Tensor]:
        """`mixing` (M, C) where the groups have weights of their own, else (M,): nobody is shown a group's weights that are everybody's."""
        mixing = self._mixing[:, : len(self.context.modalities)]
        shown = {"mixing": mixing.T if self.per_group else mixing.mean(0)}
        return shown if self._head is None else {**shown, "group_head_auc": self._group_auc}


class RecordedGroup(MixedExperts):
    """`MixedExperts` with q the recorded group; patients of unknown group get the mean weights of the training groups."""

    uses_group = True

    @property
    def per_group(self) -> bool:
        return True

    def group_probability(self, group_logits: Tensor | None, group: Tensor) -> Tensor:
        counts = self.context.group_label_counts.sum(1).to(self._mixing)
        share = counts / counts.sum().clamp_min(1) if len(counts) == len(self._mixing) else torch.ones_like(self._mixing[:, 0])
        return torch.where((group >= 0)[:, None], group_membership(group, len(self._mixing)), share)
