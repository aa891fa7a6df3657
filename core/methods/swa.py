"""SWA: the average of the weights that training passes through."""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil
from typing import ClassVar

from core.methods.base import Method, SearchSpace, register
from core.methods.card import Card


@register
class SWA(Method):
    """Plain training; from a share `start` of the epochs on, the learning rate stays at `rate_factor` and the weights after each epoch are averaged."""

    name = "swa"
    card = Card(
        title="SWA (weight averaging)",
        family="none",
        paper="Izmailov et al., Averaging Weights Leads to Wider Optima and Better Generalization, UAI 2018",
        summary="Trains plainly and keeps the average of the weights of the last epochs.",
        departures="running statistics of the encoders are averaged like weights instead of being taken anew from the training patients",
        order=5,
        colour=("#6B7785", "#A7B2BF"),
    )
    search_space: ClassVar[SearchSpace] = {"start": (0.5, 0.75), "rate_factor": (0.1, 0.5)}

    @dataclass(frozen=True)
    class Settings(Method.Settings):
        start: float = 0.5
        """Share of the epochs before averaging begins."""
        rate_factor: float = 0.5
        """The constant learning rate over the full one while averaging."""

    @property
    def _first(self) -> int:
        """The first epoch that is averaged."""
        return min(ceil(self.settings.start * self.context.epochs), self.context.epochs - 1)

    def averaging(self, epoch: int) -> float | None:
        return None if epoch < self._first else 1 / (epoch - self._first + 1)

    def rate(self, scheduled: float, epoch: int) -> float:
        return scheduled if epoch < self._first else self.settings.rate_factor
