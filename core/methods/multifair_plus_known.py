"""MultiFair-plus where the sensitive group of each patient is known and may be used."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from core.methods.base import SearchSpace, register
from core.methods.card import Card
from core.methods.mixing import RecordedGroup


@register
class MultiFairPlusKnown(RecordedGroup):
    """`multifair-plus` with q the recorded group: no head, and no condition on what the modalities show.

    What the modalities do not show of the group cannot be inferred, and then no decision
    that ignores it can serve two groups that need different weights. This row says what
    is left to win where asking for the group is allowed, as FIN and the threshold
    optimizer also require.
    """

    name = "multifair-plus-known"
    card = Card(
        title="MultiFair-plus, group known",
        family="both",
        paper="this project; late fusion after MultiFair (arXiv 2510.07328), without its gradient modulation",
        summary="Late fusion: trains every modality on its own loss and mixes their decisions with weights fitted per recorded group on held-out patients.",
        inference_needs="the modalities and the sensitive attribute",
        limits="treats patients of different groups differently on purpose, which law or policy may forbid; fits its weights on validation unless "
        "fit_on=training, so its validation figures are optimistic; not gradient modulation: the fused network is not trained unless `interaction` is above 0",
        order=15,
        colour=("#8C5CC9", "#D2B5FA"),
    )
    search_space: ClassVar[SearchSpace] = {"ridge": (0.1, 1.0, 10.0), "interaction": (0.0, 1.0)}

    @dataclass(frozen=True)
    class Settings(RecordedGroup.Settings):
        group_weight: float = 0.0
        """No group head is trained: the group is given."""
        balance: float = 1.0
        ridge: float = 1.0
