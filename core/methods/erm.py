"""Empirical risk minimisation on the fused network: the reference for every other method."""

from __future__ import annotations

from typing import ClassVar

from core.methods.base import Method, register
from core.methods.card import Card


@register
class ERM(Method):
    """Mean cross-entropy of the fused logits, nothing else."""

    name = "erm"
    card = Card(
        title="ERM (fused)",
        family="none",
        paper="Vapnik, Principles of risk minimization, NeurIPS 1991",
        summary="Trains the fused network on the average loss of all patients.",
        order=0,
        colour=("#4A4F57", "#B9BEC7"),
        default=True,
        role="reference",
    )
    study_rows: ClassVar = {"": {}, "strong augmentation": {"augment": "strong"}, "weight decay 0.1": {"weight_decay": 0.1}}
