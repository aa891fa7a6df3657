"""MMCosine: modalities speak by direction alone, so that none leads by the length of its features or weights."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from torch import Tensor
from torch.nn.functional import normalize

from core.methods.base import Method, SearchSpace, register
from core.methods.card import Card
from core.models.batch import Fused

if TYPE_CHECKING:
    from core.models.network import Network


@register
class MMCosine(Method):
    """z_k = scale * sum over modalities of cos(h_m, w_mk), and CE(z) reaches encoders and classifiers.

    w_mk is the modality classifier's weight of class k; a modality that a sample lacks adds nothing.
    """

    name = "mmcosine"
    card = Card(
        title="MMCosine",
        family="balance",
        paper="Xu et al., MMCosine: Multi-Modal Cosine Loss Towards Balanced Audio-Visual Fine-Grained Learning, ICASSP 2023",
        summary="Adds the cosines between each modality's features and its class weights, so that no modality leads by the size of its numbers.",
        limits="late fusion: modalities cannot interact; knows nothing of the sensitive attribute",
        departures="the modality classifiers' weights stand for the parts of one linear layer on concatenated features, which the published network has",
        order=115,
        colour=("#7B3F9E", "#C08BE0"),
    )
    joint_classifiers = True
    search_space: ClassVar[SearchSpace] = {"scale": (5.0, 10.0, 20.0)}

    @dataclass(frozen=True)
    class Settings(Method.Settings):
        scale: float = 10.0

    def fused(self, network: Network, features: Tensor, present: Tensor, group: Tensor) -> Fused:
        cosines = normalize(features, dim=2)[:, :, None] * normalize(network.classifier_weight, dim=2).to(features.dtype)
        experts = self.settings.scale * cosines.sum(3) * present[..., None]
        return Fused(experts.sum(1), None, experts)
