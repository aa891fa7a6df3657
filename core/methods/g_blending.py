"""G-Blending: weight each loss by how much it generalises over how much it overfits."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from core.methods.base import Context, EpochView, Method, SearchSpace, Step, register
from core.methods.card import Card


def blend(generalisation: Tensor, overfitting: Tensor) -> Tensor:
    """Weights proportional to Delta-G / Delta-O^2, summing to 1.

    A loss whose validation value did not fall gets 0; if none fell, all are equal. Delta-O
    is kept away from 0, where the ratio says nothing.
    """
    ratio = generalisation.clamp_min(0) / overfitting.square().clamp_min(1e-4)
    total = ratio.sum()
    return ratio / total if total > 0 else torch.full_like(ratio, 1 / len(ratio))


@register
class GBlending(Method):
    """L = w_F CE(z) + sum_m w_m CE(z_m), weights renewed every super-epoch.

    Over the super-epoch, Delta-G is the fall of a head's validation loss and Delta-O the
    growth of its gap (validation minus training loss). This is the paper's online form,
    with the heads of the one joint network instead of separately trained ones.
    """

    name = "g-blending"
    card = Card(
        title="G-Blending",
        family="balance",
        paper="Wang et al., What makes training multi-modal classification networks hard?, CVPR 2020",
        summary="Blends the fused and the modality losses by their ratio of generalisation to overfitting, measured between epochs.",
        limits="uses validation losses to set its weights, so validation figures are slightly optimistic; knows nothing of the sensitive attribute",
        order=130,
        colour=("#A35C2E", "#DE9A6A"),
    )
    joint_classifiers = True
    fits_held_out = True
    folds_agree = False
    search_space: ClassVar[SearchSpace] = {"super_epoch": (1, 2, 4)}

    @dataclass(frozen=True)
    class Settings(Method.Settings):
        super_epoch: int = 2
        """Epochs between two renewals of the weights."""

    def __init__(self, settings: Method.Settings, context: Context) -> None:
        super().__init__(settings, context)
        heads = len(context.modalities) + 1
        self._weights = torch.full((heads,), 1 / heads, device=context.device)
        self._train = torch.full((heads,), torch.nan)
        self._validation = torch.full((heads,), torch.nan)

    def loss(self, step: Step) -> Tensor:
        losses = torch.cat([step.fused_loss()[None], step.modality_losses()])
        return (self._weights.to(losses.dtype) * losses).sum()

    def on_epoch_end(self, view: EpochView) -> None:
        train = torch.cat([torch.tensor([view.train_fused_loss]), view.train_modality_losses.cpu().float()])
        validation = torch.cat([torch.tensor([view.validation_fused_loss]), view.validation_modality_losses.cpu().float()])
        if bool(self._train.isnan().any()):
            self._train, self._validation = train, validation
            return
        if (view.epoch + 1) % self.settings.super_epoch:
            return
        generalisation = self._validation - validation
        overfitting = (validation - train) - (self._validation - self._train)
        self._weights = blend(generalisation, overfitting).to(self.context.device)
        self._train, self._validation = train, validation

    def state(self) -> dict[str, Tensor]:
        return {"weights": self._weights, "train": self._train, "validation": self._validation}

    def load_state(self, state: Mapping[str, Tensor]) -> None:
        self._weights = state["weights"].to(self.context.device)
        self._train, self._validation = state["train"].cpu(), state["validation"].cpu()

    def series(self) -> dict[str, Tensor]:
        return {"weight_fused": self._weights[0], "weight": self._weights[1:]}
