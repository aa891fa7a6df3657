"""JTT: train once, then train again with the patients who were got wrong repeated."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import ceil
from typing import ClassVar

import torch
from torch import Tensor

from core.methods.base import Context, EpochView, Method, SearchSpace, register
from core.methods.card import Card


@register
class JTT(Method):
    """Plain training for a share `first` of the epochs, then a new start on a reweighted set.

    Every training patient whom the first network got wrong comes `times` times in an epoch.
    """

    name = "jtt"
    card = Card(
        title="JTT (just train twice)",
        family="fairness",
        paper="Liu et al., Just Train Twice: Improving Group Robustness without Training Group Information, ICML 2021",
        summary="Trains a first network, and a second one that sees the first one's mistakes more often.",
        limits="takes longer than plain training; repeats mislabelled patients as well; asks for no group, but its settings are chosen by groups",
        order=152,
        colour=("#2A6F8F", "#6DB8D9"),
    )
    search_space: ClassVar[SearchSpace] = {"times": (2, 5, 20), "first": (0.2, 0.5)}

    @dataclass(frozen=True)
    class Settings(Method.Settings):
        times: int = 5
        first: float = 0.5
        """Length of the first training over that of plain training."""

    def __init__(self, settings: Method.Settings, context: Context) -> None:
        super().__init__(settings, context)
        self._first = max(1, ceil(self.settings.first * context.epochs))
        self._wrong = torch.zeros(context.n_train, dtype=torch.bool)

    def total_epochs(self, epochs: int) -> int:
        return self._first + epochs

    def on_epoch_end(self, view: EpochView) -> None:
        if view.epoch == self._first - 1 and view.training is not None:
            seen = view.training()
            self._wrong = (seen.fused.logits.argmax(1) != seen.y).cpu()

    def restarts(self, epoch: int) -> bool:
        return epoch == self._first - 1

    def epoch_rows(self, epoch: int) -> Tensor | None:
        if epoch < self._first:
            return None
        repeated = torch.where(self._wrong, self.settings.times, 1)
        positions = torch.arange(len(repeated)).repeat_interleave(repeated)
        return positions[torch.randperm(len(positions), generator=self.context.generator)]

    def state(self) -> dict[str, Tensor]:
        return {"wrong": self._wrong}

    def load_state(self, state: Mapping[str, Tensor]) -> None:
        self._wrong = state["wrong"].cpu()
