"""Stacking per recorded group."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from core.methods.base import SearchSpace, register
from core.methods.card import Card
from core.methods.mixing import RecordedGroup


@register
class StackingKnown(RecordedGroup):
    """A stack of the unimodal classifiers for every recorded group, drawn to a common one by a weak ridge."""

    name = "stacking-known"
    card = Card(
        title="Stacking per known group",
        family="fairness",
        paper="Wolpert, Stacked Generalization, Neural Networks 1992; decoupled by group as in Dwork et al., Decoupled Classifiers, FAT* 2018",
        summary="Trains one classifier per modality and combines their logits by a logistic regression of each group's own held-out patients.",
        inference_needs="the modalities and the sensitive attribute",
        limits="treats patients of different groups differently on purpose, which law or policy may forbid; modalities cannot interact; fits its weights on "
        "validation unless fit_on=training",
        departures="as stacking",
        order=54,
        colour=("#6C5B9E", "#9A8CC8"),
    )
    search_space: ClassVar[SearchSpace] = {"ridge": (0.1, 1.0, 10.0)}

    @dataclass(frozen=True)
    class Settings(RecordedGroup.Settings):
        pass
