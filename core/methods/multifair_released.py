"""MultiFair as its released program computes it, defects included, so that their cost can be seen."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import torch
from torch import Tensor, nn

from core.methods.base import Context, Method, SearchSpace, Step, register
from core.methods.card import Card
from core.models.batch import Fused

if TYPE_CHECKING:
    from core.models.network import Network

FEMALE, MALE = 0, 1
"""The group numbers that the program calls so, whatever the attribute is: with race coded Asian, Black,
White they are Asian and Black, and White is ignored."""
UNKNOWN_AUC = 0.5
"""Stands for an absent group and starts the running mean, though chance is .307 on this surrogate's scale."""


@register
class MultiFairReleased(Method):
    """Plain cross-entropy whose encoder gradients are scaled by rho B_m f_m, then clipped.

    What the published text adds to the loss has no effect in the program: the direction
    term L_gm is always 0, and the fairness term F_G enters as a plain number. The fused
    representation is the first modality's token. Same update as the published step for the
    same weights and data with dropout off; the second forward and backward pass that the
    program spends on the term that is 0 are left out, and so is its growing memory.

    Two details are not documented by method.md and chosen here: the momentum of the running
    group AUCs, and that the AUC before the first step counts as .5.
    """

    name = "multifair-released"
    card = Card(
        title="MultiFair (released)",
        family="both",
        paper="MultiFair, arXiv 2510.07328: its released program",
        summary="The published program's arithmetic with its defects, to show what they cost.",
        limits="exactly two modalities and two classes; reads group 1 as male and group 0 as female and ignores all others; "
        "AUCs of single batches; AdamW divides its scaling out, and rho changes nothing there",
        departures="the momentum of the running group AUCs and the AUC before the first step are not documented and chosen here",
        order=30,
        role="replica",
        colour=("#8FA3E8", "#66739F"),
    )
    inert_under_adamw = ("rho",)
    search_space: ClassVar[SearchSpace] = {"rho": (1.0, 1.2, 1.5), "eta": (0.3, 0.5), "tau": (0.04, 0.07)}

    @dataclass(frozen=True)
    class Settings(Method.Settings):
        rho: float = 1.2
        lam: float = 0.15
        """Weight of L_gm, which is always 0: has no effect."""
        kappa: float = 0.5
        """Weight of F_G in the loss that is reported; trains nothing."""
        tau: float = 0.04
        eta: float = 0.3
        clip: float = 0.8
        momentum: float = 0.9
        """Of the running group AUCs."""

    def __init__(self, settings: Method.Settings, context: Context) -> None:
        super().__init__(settings, context)
        if len(context.modalities) != 2 or context.n_classes != 2:
            raise ValueError(
                f"multifair-released supports exactly two modalities and two classes, not {len(context.modalities)} and {context.n_classes}; use multifair"
            )
        self._auc = torch.full((2,), UNKNOWN_AUC, device=context.device)
        self._group_auc = torch.full((2, 2), UNKNOWN_AUC, device=context.device)
        self._balance = torch.ones(2, device=context.device)
        self._fairness_factor = torch.ones(2, device=context.device)
        self._gate = torch.zeros((), device=context.device)

    def fused(self, network: Network, features: Tensor, present: Tensor, group: Tensor) -> Fused:
        """The fusion Transformer over the modality tokens alone, read at the first of them."""
        fusion = network.fusion
        tokens = network.fill_missing(features, present) + fusion.modality
        last_input = fusion.neck(fusion.layers(tokens)[:, 0])
        return Fused(fusion.head(last_input), last_input)

    def loss(self, step: Step) -> Tensor:
        self._observe(step)
        direction = 0.0  # the parameter lookup behind it never matches a name
        mean = self._group_auc.mean(1, keepdim=True)
        fairness = (self._group_auc - mean).abs().mean()
        return step.fused_loss() + self.settings.lam * direction + self._gate * self.settings.kappa * fairness

    @torch.no_grad()
    def _observe(self, step: Step) -> None:
        """Update B, f and the gate from this batch alone (and the running group AUCs)."""
        y, group = step.batch.y, step.batch.group
        probability = step.modality_logits.softmax(-1)[..., 1]
        fused = step.fused.logits.softmax(-1)[:, 1]
        everybody = torch.ones_like(y, dtype=torch.bool)
        auc = torch.stack([batch_auc(probability[:, m], y, everybody) for m in (0, 1)])
        change = (auc - self._auc).abs()
        total = change.sum()
        # One class in the batch: no AUC, and the factors fall back to 1 each.
        usable = auc.isfinite().all() & (total > 0)
        self._balance = torch.where(usable, (total - change) / torch.where(usable, total, 1.0), torch.ones_like(change))
        self._auc = torch.where(auc.isfinite(), auc, self._auc)
        surrogate = torch.stack([torch.stack([surrogate_auc(probability[:, m], y, group == g) for g in (FEMALE, MALE)]) for m in (0, 1)])
        self._group_auc = self.settings.momentum * self._group_auc + (1 - self.settings.momentum) * surrogate
        count = torch.stack([(group == g).sum() for g in (FEMALE, MALE)]).to(probability.dtype)
        share = count / count.sum().clamp_min(1)
        deviation = self._group_auc.mean(1, keepdim=True) - self._group_auc
        # Equal to 1 + sum pi_g (...) where a recognised group is in the batch, and 1 where none is.
        self._fairness_factor = 1 + (share * self.settings.eta * deviation / self.settings.tau).sum(1)
        gap = torch.stack([batch_auc(fused, y, group == g) for g in (FEMALE, MALE)])
        # The gap to a group without an AUC in this batch is NaN, which exceeds nothing: the gate stays closed.
        self._gate = ((gap[0] - gap[1]).abs() > self.settings.tau).to(probability.dtype)

    def factors(self) -> Tensor:
        """(2,) rho B_m, times f_m while the gate is open."""
        return self.settings.rho * self._balance * torch.where(self._gate > 0, self._fairness_factor, torch.ones_like(self._fairness_factor))

    def after_backward(self, step: Step) -> None:
        factors = self.factors()
        for m, encoder in enumerate(step.network.encoders):
            backbone = encoder.backbone  # not the projection to the common width
            assert isinstance(backbone, nn.Module)
            for parameter in backbone.parameters():
                if parameter.grad is not None:
                    parameter.grad.mul_(factors[m])
        nn.utils.clip_grad_norm_(step.network.main_parameters(), self.settings.clip)

    def state(self) -> dict[str, Tensor]:
        return {"auc": self._auc, "group_auc": self._group_auc}

    def load_state(self, state: Mapping[str, Tensor]) -> None:
        self._auc = state["auc"].to(self.context.device)
        self._group_auc = state["group_auc"].to(self.context.device)

    def series(self) -> dict[str, Tensor]:
        return {"balance": self._balance, "fairness_factor": self._fairness_factor, "factor": self.factors(), "gate": self._gate}


def batch_auc(score: Tensor, y: Tensor, member: Tensor) -> Tensor:
    """AUC of the batch's samples with `member` (N,) bool, ties counting half; NaN with one class."""
    difference = score[:, None] - score[None]
    return _mean_over_pairs((difference > 0).to(score.dtype) + 0.5 * (difference == 0).to(score.dtype), y, member)


def surrogate_auc(probability: Tensor, y: Tensor, member: Tensor) -> Tensor:
    """mean over pairs of 1 - log(1 + exp(-(p_i - p_j))): within [-.313, .687], chance at .307; .5 without a pair."""
    difference = probability[:, None] - probability[None]
    return _mean_over_pairs(1 - torch.nn.functional.softplus(-difference), y, member).nan_to_num(UNKNOWN_AUC)


def _mean_over_pairs(values: Tensor, y: Tensor, member: Tensor) -> Tensor:
    """Mean of `values` (N, N) over positives (rows) against negatives (columns) of the members; NaN without a pair.

    Weights in the place of a selection: nothing's size depends on the data, so a GPU need not wait.
    """
    pair = ((y == 1) & member)[:, None] & ((y == 0) & member)[None]
    return (values * pair).sum() / pair.sum()
