"""Resampling: every pair of group and label is drawn equally often."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from core.methods.arithmetic import balanced_draw
from core.methods.base import Method, SearchSpace, register
from core.methods.card import Card


@register
class Resampling(Method):
    """Plain training on batches drawn with replacement, equally from every cell of group (and label)."""

    name = "resampling"
    card = Card(
        title="Group-balanced resampling",
        family="fairness",
        paper="Idrissi et al., Simple data balancing achieves competitive worst-group-accuracy, CLeaR 2022",
        summary="Draws patients so that every group, or every pair of group and label, comes equally often.",
        limits="repeats the few patients of a small group, which can be learned by heart",
        order=145,
        colour=("#8A9A2E", "#CBD982"),
    )
    search_space: ClassVar[SearchSpace] = {"by": ("group", "group and label")}

    @dataclass(frozen=True)
    class Settings(Method.Settings):
        by: str = "group and label"
        """`group` or `group and label`."""

    def epoch_rows(self, epoch: int) -> Tensor | None:
        group, y = self.context.train_group, self.context.train_y
        if group is None or y is None:
            return None
        cell = group if self.settings.by == "group" else torch.where(group >= 0, group * self.context.n_classes + y, group)
        return balanced_draw(cell, self.context.generator)
