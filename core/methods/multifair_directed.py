"""MultiFair-directed: gradients are turned per sample and per encoder, so that the optimizer cannot divide the change out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor, nn

from core.methods.adversarial import group_head
from core.methods.arithmetic import give_gradients, take_gradients
from core.methods.base import Context, Method, SearchSpace, Step, register
from core.methods.card import Card
from core.methods.mixing import balanced_weights
from core.methods.rolling import RollingScores, cell_weights, score_rows
from core.models.batch import cross_entropy


def without_conflict(first: Tensor, second: Tensor) -> tuple[Tensor, Tensor]:
    """Sum of two flat gradients, each without its part against the other where their product is negative; and their cosine.

    Source: Yu et al., Gradient Surgery for Multi-Task Learning (PCGrad), NeurIPS 2020.
    """
    tiny = torch.finfo(first.dtype).tiny
    product = (first * second).sum()
    against = product.clamp_max(0)
    turned = first - against / second.square().sum().clamp_min(tiny) * second
    other = second - against / first.square().sum().clamp_min(tiny) * first
    return turned + other, product / (first.norm() * second.norm()).clamp_min(tiny)


@register
class MultiFairDirected(Method):
    """L = sum_i w_i CE(z_i) / N + u sum_m CE(z_m) + h CE(group head); encoders get the two parts' gradients without conflict.

    At encoder m's output the gradient of sample i is multiplied by M softmax_m(eta A_mg) with g its group and A
    the AUC of the modality's classifier over the last training samples: a group teaches the encoders that serve
    it, in the place of making the others learn its patients by heart. w_i = 1 / (C pi_g)^balance. The group head
    reads the fused representation, so that fusion can tell which modality to trust without asking for the group.
    """

    name = "multifair-directed"
    card = Card(
        title="MultiFair-directed",
        family="both",
        paper="this project; projection from Yu et al., Gradient Surgery for Multi-Task Learning, NeurIPS 2020",
        summary="Lets every group teach the modalities that serve it, removes conflicts between the fused and the unimodal gradients, and tells the "
        "fusion which group it sees.",
        limits="two backward passes a step; infers the sensitive group in training, which must be allowed; on three blind draws no gain over plain "
        "training or MMPareto is shown (-.006 and -.000 in ES-AUC), and the neglected modality alone stays above it",
        order=12,
        colour=("#9A3FB0", "#D58BE8"),
    )
    joint_classifiers = True
    search_space: ClassVar[SearchSpace] = {"eta": (0.0, 4.0), "group_weight": (0.0, 0.3, 1.0), "unimodal": (1.0, 2.0), "balance": (0.0, 0.5)}

    @dataclass(frozen=True)
    class Settings(Method.Settings):
        unimodal: float = 1.0
        """u, weight of the modality classifiers' losses."""
        group_weight: float = 0.3
        """h, weight of the group head's loss."""
        eta: float = 4.0
        """How strongly a group's gradient is drawn to the modalities that serve it; 0: not."""
        balance: float = 0.5
        """Exponent of the group weights in the fused loss; 0: every patient counts the same, 1: every group."""
        project: bool = True
        """False: the two gradients are added."""
        buffer: int = 512
        """Recent training samples behind A."""
        min_per_class: int = 5
        """A group's AUC counts with at least this many samples of both classes; without it the factor is 1."""

    def __init__(self, settings: Method.Settings, context: Context) -> None:
        super().__init__(settings, context)
        count, groups = len(context.modalities), len(context.groups)
        self._columns = 1 if context.n_classes == 2 else context.n_classes
        self._recent = RollingScores(self.settings.buffer, count * self._columns, groups, context.device)
        self._head = group_head(context, context.feature_dim) if self.settings.group_weight > 0 else None
        self._factor = torch.ones(count, max(groups, 1), device=context.device)
        self._cosine = torch.zeros(count, device=context.device)

    def extra_modules(self) -> nn.Module | None:
        return self._head

    def loss(self, step: Step) -> Tensor:
        batch, settings = step.batch, self.settings
        self._observe(step)
        weight = balanced_weights(batch.group, self.context.group_label_counts, settings.balance)
        fused = (cross_entropy(step.fused.logits, batch.y) * weight).mean()
        if self._head is not None:
            if step.fused.last_input is None:
                raise ValueError("multifair-directed needs a fused network with a linear last layer")
            known = (batch.group >= 0).to(fused.dtype)
            told = cross_entropy(self._head(step.fused.last_input), batch.group.clamp_min(0)) * known
            fused = fused + settings.group_weight * told.sum() / known.sum().clamp_min(1)
        unimodal = settings.unimodal * step.modality_losses().sum()
        step.cache["directed"] = (fused, unimodal)
        return fused + unimodal

    @torch.no_grad()
    def _observe(self, step: Step) -> None:
        """Push the batch and read A (M, C) from the buffer; an unknown AUC is its modality's mean over groups, or no lead at all."""
        batch = step.batch
        cells = cell_weights(batch.present, batch.y, batch.group, len(self.context.groups), self.context.n_classes)
        self._recent.push(score_rows(step.modality_logits), cells)
        aucs = self._recent.aucs(self.settings.min_per_class)[:, 1:]
        if self._columns > 1:
            aucs = aucs.unflatten(0, (-1, self._columns)).nanmean(1)
        self._factor = serving_factors(aucs, self.settings.eta) if aucs.shape[1] else torch.ones_like(self._factor)

    def feature_gradient_factors(self, step: Step) -> Tensor | None:
        group = step.batch.group
        own = self._factor.T[group.clamp_min(0)]
        return torch.where((group >= 0)[:, None], own, torch.ones_like(own))

    def backward(self, step: Step, loss: Tensor) -> None:
        fused, unimodal = step.cache.pop("directed")
        if not self.settings.project:
            (fused + unimodal).backward()
            return
        fused.backward(retain_graph=True)
        encoders = [step.network.encoder_parameters(m) for m in range(len(self.context.modalities))]
        of_fused = [take_gradients(parameters) for parameters in encoders]
        unimodal.backward()
        cosines = []
        for parameters, first in zip(encoders, of_fused, strict=True):
            direction, cosine = without_conflict(first, take_gradients(parameters)) if parameters else (first, self._cosine[0])
            give_gradients(parameters, direction)
            cosines.append(cosine)
        self._cosine = torch.stack(cosines)

    def state(self) -> dict[str, Tensor]:
        return self._recent.state()

    def load_state(self, state: Mapping[str, Tensor]) -> None:
        self._recent.load_state(state)

    def series(self) -> dict[str, Tensor]:
        return {"factor": self._factor, "fused_unimodal_cosine": self._cosine}


def serving_factors(aucs: Tensor, eta: float) -> Tensor:
    """(M, C): M softmax over modalities of eta A_mg, mean 1 over modalities; 1 for a group in which any AUC is unknown (NaN)."""
    known = ~aucs.isnan().any(0)
    return torch.where(known, len(aucs) * (eta * aucs.nan_to_num(0.0)).softmax(0), torch.ones_like(aucs))
