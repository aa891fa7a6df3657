"""MultiFair-plus where the sensitive group of each patient is known and may be used."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from core.methods.arithmetic import group_membership
from core.methods.base import Card, SearchSpace, register
from core.methods.multifair_plus import MultiFairPlus


@register
class MultiFairPlusKnown(MultiFairPlus):
    """`multifair-plus` with q the recorded group; patients of unknown group get the mean weights of the training groups.

    What the modalities do not show of the group cannot be inferred, and then no decision
    that ignores it can serve two groups that need different weights. This row says what
    is left to win where asking for the group is allowed, as FIN and the threshold
    optimizer also require.
    """

    name = "multifair-plus-known"
    card = Card(
        title="MultiFair-plus, group known",
        family="both",
        paper="this project; after MultiFair (arXiv 2510.07328) and its defects",
        summary="Trains every modality on its own loss and mixes their decisions with weights fitted per recorded group on validation.",
        inference_needs="the modalities and the sensitive attribute",
        limits="treats patients of different groups differently on purpose, which law or policy may forbid; uses validation to set its "
        "mixing weights, so its validation figures are optimistic; modalities interact only with the setting `interaction`",
    )
    search_space: ClassVar[SearchSpace] = {"ridge": (0.1, 1.0, 10.0), "interaction": (0.0, 1.0)}

    @dataclass(frozen=True)
    class Settings(MultiFairPlus.Settings):
        group_weight: float = 0.0
        """No group head is trained: the group is given."""

    def _group_probability(self, features: Tensor, present: Tensor, group: Tensor) -> Tensor:
        counts = self.context.group_label_counts.sum(1).to(features)
        share = counts / counts.sum().clamp_min(1) if len(counts) == len(self._mixing) else torch.ones_like(self._mixing[:, 0])
        known = group_membership(group, len(self._mixing)).to(features.dtype)
        return torch.where((group >= 0)[:, None], known, share.to(features.dtype))
