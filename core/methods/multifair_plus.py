"""MultiFair-plus: late fusion whose weights are fitted on held-out patients, per group that can be told apart."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from core.methods.base import SearchSpace, register
from core.methods.card import Card
from core.methods.mixing import MixedExperts


@register
class MultiFairPlus(MixedExperts):
    """`MixedExperts` with a group head, group-balanced weights and a ridge between the groups.

    No gradient is modulated: with the default settings the fused network gets no gradient at
    all. What it has over plain late fusion is (1) mixing weights fitted on patients that no
    gradient has seen, (2) group-balanced weights 1 / (C pi_g)^balance in that fit, and (3)
    weights per group, where a head that is trained along can tell the groups apart on those
    patients (AUC of .7); elsewhere everybody has the same weights.
    """

    name = "multifair-plus"
    card = Card(
        title="MultiFair-plus",
        family="both",
        paper="this project; late fusion after MultiFair (arXiv 2510.07328), without its gradient modulation",
        summary="Late fusion: trains every modality on its own loss and mixes their decisions with weights fitted on held-out patients, per group "
        "where the images show it.",
        limits="not gradient modulation: the fused network is not trained (0 of its tensors get a gradient) unless the setting `interaction` is "
        "above 0; fits its weights on "
        "validation unless fit_on=training, so its validation figures are optimistic; infers the sensitive group, which must be allowed, "
        "and only where the group "
        "head reaches an AUC of .7 on held-out patients",
        order=10,
        colour=("#6A2FB5", "#B98CF5"),
        default=False,
        role="ours",
    )
    search_space: ClassVar[SearchSpace] = {"group_weight": (0.3, 1.0, 3.0), "ridge": (1.0, 10.0)}

    @dataclass(frozen=True)
    class Settings(MixedExperts.Settings):
        group_weight: float = 1.0
        interaction: float = 0.0
        balance: float = 1.0
        ridge: float = 1.0
