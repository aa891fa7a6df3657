"""Reweighing: make label and group independent in the training distribution."""

from __future__ import annotations

import torch
from torch import Tensor

from core.methods.base import Context, Method, Step, register
from core.methods.card import Card
from core.models.batch import cross_entropy


@register
class Reweighing(Method):
    """Loss weights w = P(g) P(y) / P(g, y), from training counts; 1 where the group is unknown."""

    name = "reweighing"
    card = Card(
        title="Reweighing",
        family="fairness",
        paper="Kamiran and Calders, Data preprocessing techniques for classification without discrimination, KAIS 2012",
        summary="Weights patients so that the label no longer depends on the group in the training data.",
        limits="does nothing when every group has the same prevalence, however different its discrimination is",
        order=140,
        colour=("#5F6B1E", "#A8B55A"),
    )

    def __init__(self, settings: Method.Settings, context: Context) -> None:
        super().__init__(settings, context)
        counts = context.group_label_counts.to(torch.get_default_dtype())
        total = counts.sum().clamp_min(1)
        expected = counts.sum(1, keepdim=True) * counts.sum(0, keepdim=True) / total
        # A cell without training samples is never looked up; 1 keeps it finite.
        self.weights = torch.where(counts > 0, expected / counts.clamp_min(1), torch.ones_like(counts)).to(context.device)

    def loss(self, step: Step) -> Tensor:
        group, y = step.batch.group, step.batch.y
        losses = cross_entropy(step.fused.logits, y)
        weight = torch.where(group >= 0, self.weights[group.clamp_min(0), y], torch.ones_like(losses))
        return (losses * weight.to(losses.dtype)).mean()
