"""Late fusion: the mean of the modality classifiers' logits."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from torch import Tensor

from core.methods.base import Method, SearchSpace, Step, register
from core.methods.card import Card
from core.models.batch import Fused

if TYPE_CHECKING:
    from core.models.network import Network


@register
class LateFusion(Method):
    """z = mean of z_m over the modalities that a sample has; the fusion network is not used.

    With `independent` each modality is trained by its own loss, as if alone; without it
    the loss of the averaged logits trains them together.
    """

    name = "late-fusion"
    card = Card(
        title="Late fusion",
        family="none",
        paper="Kittler et al., On combining classifiers, IEEE TPAMI 1998 (mean rule)",
        summary="Trains one classifier per modality and averages their logits.",
        limits="modalities cannot interact; has no fused last layer, so fused-gradient telemetry is not available",
        order=50,
        colour=("#7A8B3A", "#B5C76A"),
    )
    joint_classifiers = True
    search_space: ClassVar[SearchSpace] = {"independent": (True, False)}

    @dataclass(frozen=True)
    class Settings(Method.Settings):
        independent: bool = True

    def fused(self, network: Network, features: Tensor, present: Tensor, group: Tensor) -> Fused:
        weight = present.to(features.dtype)[..., None]
        logits = (network.classify(features) * weight).sum(1) / weight.sum(1).clamp_min(1)
        return Fused(logits=logits, last_input=None)

    def loss(self, step: Step) -> Tensor:
        return step.modality_losses().sum() if self.settings.independent else step.fused_loss()
