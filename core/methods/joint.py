"""Joint unimodal losses: every modality classifier's loss reaches its encoder."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor

from core.methods.base import Method, SearchSpace, Step, register
from core.methods.card import Card


@register
class Joint(Method):
    """L = CE(z, y) + weight * sum_m CE(z_m, y), with the modality classifiers on attached features."""

    name = "joint"
    card = Card(
        title="Joint unimodal losses",
        family="balance",
        paper="Wang et al., What makes training multi-modal classification networks hard?, CVPR 2020 (its multi-head baseline)",
        summary="Adds each modality's own classification loss, so that no encoder can rest while another one learns.",
        limits="knows nothing of the sensitive attribute",
        order=60,
        colour=("#B0862B", "#E0B65A"),
    )
    joint_classifiers = True
    search_space: ClassVar[SearchSpace] = {"weight": (0.3, 1.0, 3.0)}

    @dataclass(frozen=True)
    class Settings(Method.Settings):
        weight: float = 1.0
        """Of the sum of the modality losses."""

    def loss(self, step: Step) -> Tensor:
        return step.fused_loss() + self.settings.weight * step.modality_losses().sum()
