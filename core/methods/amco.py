"""AMCo: the modality that decides most has a growing share of its features masked."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import pi
from typing import ClassVar

import torch
from torch import Tensor

from core.methods.base import Context, Method, SearchSpace, Step, register
from core.methods.card import Card
from core.models.batch import Batch


def shares_of_decision(logits: Tensor, present: Tensor) -> Tensor:
    """(M,) mean over patients of each modality's part of one softmax over all modalities' logits (N, M, K); missing ones have no part."""
    masked = logits.masked_fill(~present[..., None], -torch.inf)
    joint = masked.flatten(1).softmax(1).nan_to_num(0.0).view_as(logits)
    return joint.sum(2).mean(0)


@register
class AMCo(Method):
    """L = CE(z) + sum_m CE(z_m); a modality whose share of the decision reached `sigma` earlier in the epoch loses a share p of its features.

    p = sin(pi/2 min(1, l / ramp)), where l grows by epoch / 10 with every batch of an epoch from 0. The same features are
    masked for the whole batch.
    """

    name = "amco"
    card = Card(
        title="AMCo",
        family="balance",
        paper="Zhou et al., Adaptive Mask Co-optimization for Modal Dependence in Multimodal Learning, ICASSP 2023",
        summary="Masks features of the modality that the decision depends on, more of them as training goes on.",
        limits="knows nothing of the sensitive attribute; sigma and the ramp are tuned per data set in the paper",
        departures="formulas as a public benchmark has them; the encoders' whole features are masked, before fusion",
        order=118,
        colour=("#9B5D3A", "#D6A07F"),
    )
    joint_classifiers = True
    search_space: ClassVar[SearchSpace] = {"sigma": (0.5, 0.6, 0.8), "ramp": (3.0, 10.0)}

    @dataclass(frozen=True)
    class Settings(Method.Settings):
        sigma: float = 0.6
        """Share of the decision from which a modality counts as the one depended on."""
        ramp: float = 10.0
        """l at which everything would be masked."""

    def __init__(self, settings: Method.Settings, context: Context) -> None:
        super().__init__(settings, context)
        self._depended = torch.zeros(len(context.modalities), dtype=torch.bool, device=context.device)
        self._progress = torch.zeros((), device=context.device)

    def masked_share(self) -> Tensor:
        """p, a scalar."""
        return torch.sin(pi / 2 * (self._progress / self.settings.ramp).clamp(max=1.0))

    def transform(self, step_features: Tensor, batch: Batch, training: bool) -> Tensor:
        if not training:
            return step_features
        width = step_features.shape[2]
        place = torch.randperm(width, generator=self.context.generator).to(step_features.device)
        kept = place >= torch.floor(self.masked_share() * width)
        return torch.where(self._depended[:, None] & ~kept, torch.zeros_like(step_features), step_features)

    def loss(self, step: Step) -> Tensor:
        return step.fused_loss() + step.modality_losses().sum()

    def after_step(self, step: Step) -> None:
        last = (step.index + 1) % self.context.steps_per_epoch == 0
        found = shares_of_decision(step.modality_logits.detach(), step.batch.present) >= self.settings.sigma
        # Both begin anew with every epoch.
        self._depended = torch.zeros_like(found) if last else self._depended | found
        self._progress = torch.zeros_like(self._progress) if last else self._progress + step.epoch / 10

    def state(self) -> dict[str, Tensor]:
        return {"depended": self._depended, "progress": self._progress}

    def load_state(self, state: Mapping[str, Tensor]) -> None:
        self._depended, self._progress = (state[name].to(self.context.device) for name in ("depended", "progress"))

    def series(self) -> dict[str, Tensor]:
        return {"masked": self._depended * self.masked_share()}
