"""Recalibration per group: Platt scaling of plain training's scores in every recorded group."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import torch
from torch import Tensor

from core.methods.arithmetic import group_membership
from core.methods.base import Context, Evaluated, Method, SearchSpace, register
from core.methods.card import Card
from core.methods.mixing import fit_mixing, mix
from core.models.batch import Fused

if TYPE_CHECKING:
    from core.models.network import Network


@register
class GroupRecalibration(Method):
    """z <- a_g z + b_g with a, b fitted per group on held-out patients, drawn to common values by a ridge.

    Within a group the order of patients stays; between groups it changes, so only the overall AUC does.
    A patient of unknown group gets the mean over the training groups.
    """

    name = "group-recalibration"
    card = Card(
        title="Recalibration per group",
        family="fairness",
        paper="Platt, Probabilistic Outputs for Support Vector Machines, 1999; per group as in Pleiss et al., On Fairness and Calibration, NeurIPS 2017",
        summary="Trains plainly and then scales and shifts the scores of every recorded group on held-out patients.",
        inference_needs="the modalities and the sensitive attribute",
        limits="group AUCs stay what they were; treats patients of different groups differently on purpose; fits on validation unless fit_on=training",
        departures="a weak ridge between the groups, so that a group of a few patients is not fitted to noise",
        order=205,
        colour=("#5E4FA2", "#9E90D6"),
    )
    uses_group = True
    fits_held_out = True
    search_space: ClassVar[SearchSpace] = {"ridge": (0.1, 1.0, 10.0)}

    @dataclass(frozen=True)
    class Settings(Method.Settings):
        ridge: float = 1.0
        """Penalty on differences between the groups' scales, in patients' worth of loss."""

    def __init__(self, settings: Method.Settings, context: Context) -> None:
        super().__init__(settings, context)
        groups = max(len(context.groups), 1)
        self._scale = torch.ones(groups, 1, device=context.device)
        self._offset = torch.zeros(groups, context.n_classes, device=context.device)

    def _member(self, group: Tensor) -> Tensor:
        counts = self.context.group_label_counts.sum(1).to(self._scale)
        share = counts / counts.sum().clamp_min(1) if len(counts) == len(self._scale) else torch.ones_like(self._scale[:, 0])
        return torch.where((group >= 0)[:, None], group_membership(group, len(self._scale)), share)

    def fused(self, network: Network, features: Tensor, present: Tensor, group: Tensor) -> Fused:
        plain = network.fuse(features, present)
        if network.training:
            return plain
        experts = plain.logits[:, None]
        return Fused(mix(experts, self._member(group).to(experts.dtype), self._scale, self._offset), plain.last_input, experts)

    def fit(self, held_out: Evaluated) -> None:
        experts = held_out.fused.experts
        assert experts is not None
        weight = torch.ones_like(experts[:, 0, 0])
        self._scale, self._offset = fit_mixing(experts, self._member(held_out.group).to(experts.dtype), held_out.y, weight, self.settings.ridge)

    def state(self) -> dict[str, Tensor]:
        return {"scale": self._scale, "offset": self._offset}

    def load_state(self, state: Mapping[str, Tensor]) -> None:
        self._scale, self._offset = (state[name].to(self.context.device) for name in ("scale", "offset"))
