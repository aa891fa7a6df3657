"""Stacking: unimodal classifiers, combined by a logistic regression fitted on held-out patients."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from core.methods.base import SearchSpace, register
from core.methods.card import Card
from core.methods.mixing import MixedExperts


@register
class Stacking(MixedExperts):
    """`MixedExperts` without the fused network: z = sum_m a_m z_m + b, each z_m trained alone.

    `balance` 1 lets every group count the same in the fit; `group_weight` above 0 fits a stack per inferred group.
    """

    name = "stacking"
    card = Card(
        title="Stacking",
        family="none",
        paper="Wolpert, Stacked Generalization, Neural Networks 1992",
        summary="Trains one classifier per modality and combines their logits by a logistic regression fitted on held-out patients.",
        limits="modalities cannot interact; fits its weights on validation unless fit_on=training, so its validation figures are optimistic",
        departures="one held-out set (validation) in the place of out-of-fold predictions; fit_on=training gives the published out-of-fold fit",
        order=52,
        colour=("#8E7CC3", "#B4A7D6"),
    )
    search_space: ClassVar[SearchSpace] = {"ridge": (0.1, 10.0), "balance": (0.0, 1.0)}
    study_rows: ClassVar = {"": {}, "group-balanced": {"balance": 1.0}, "per inferred group": {"group_weight": 1.0, "balance": 1.0}}

    @dataclass(frozen=True)
    class Settings(MixedExperts.Settings):
        pass
