"""UMT: encoders that were trained alone teach the encoders of the fused network."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import ceil
from typing import ClassVar

import torch
from torch import Tensor

from core.methods.base import Context, EpochView, Method, SearchSpace, Step, register
from core.methods.card import Card


@register
class UMT(Method):
    """Every modality by its own loss for a share `first` of the epochs; then from the start again by CE(z) + weight * sum_m |h_m - h'_m|^2 / D.

    h' are the features of the first training at its end, one row for each training patient.
    """

    name = "umt"
    card = Card(
        title="UMT (unimodal teachers)",
        family="balance",
        paper="Du et al., On Uni-Modal Feature Learning in Supervised Multi-Modal Learning, ICML 2023",
        summary="Trains every modality alone first, and has the fused network's encoders come near to what those have learned.",
        limits="takes twice as long as plain training; knows nothing of the sensitive attribute",
        departures="one teacher for each patient as the image stands, not for each of its augmented views",
        order=122,
        colour=("#5A7F2B", "#A5CB73"),
    )
    joint_classifiers = True
    search_space: ClassVar[SearchSpace] = {"weight": (1.0, 10.0, 50.0)}

    @dataclass(frozen=True)
    class Settings(Method.Settings):
        weight: float = 10.0
        first: float = 1.0
        """Length of the first training over that of plain training."""

    def __init__(self, settings: Method.Settings, context: Context) -> None:
        super().__init__(settings, context)
        self._first = max(1, ceil(self.settings.first * context.epochs))
        self._teacher = torch.zeros(context.n_train, len(context.modalities), context.feature_dim, device=context.device)
        self._taught = False
        self._order = torch.arange(context.n_train, device=context.device)
        """The training rows of the present epoch, in their order: what the next batch is, by its place."""
        self._place = 0

    def total_epochs(self, epochs: int) -> int:
        return self._first + epochs

    def restarts(self, epoch: int) -> bool:
        return epoch == self._first - 1

    def epoch_rows(self, epoch: int) -> Tensor | None:
        order = torch.randperm(self.context.n_train, generator=self.context.generator)
        self._order, self._place = order.to(self.context.device), 0
        return order

    def on_epoch_end(self, view: EpochView) -> None:
        if view.epoch == self._first - 1 and view.training is not None:
            self._teacher, self._taught = view.training().features.detach().to(self._teacher), True

    def loss(self, step: Step) -> Tensor:
        if not self._taught:
            return step.modality_losses().sum()
        rows = self._order[self._place : self._place + len(step.batch)]
        apart = (step.features - self._teacher[rows].to(step.features.dtype)).square().mean(2)
        here = step.batch.present.to(apart.dtype)
        distance = ((apart * here).sum(0) / here.sum(0).clamp_min(1)).sum()
        # The modality classifiers follow along; their loss would reach the encoders otherwise.
        logits = step.network.classify(step.features.detach())
        probes = Step(step.network, step.batch, step.features, step.fused, logits, step.epoch, step.index).modality_losses().sum()
        return step.fused_loss() + probes + self.settings.weight * distance

    def after_step(self, step: Step) -> None:
        self._place += len(step.batch)

    def state(self) -> dict[str, Tensor]:
        return {"teacher": self._teacher, "taught": torch.tensor(self._taught), "order": self._order, "place": torch.tensor(self._place)}

    def load_state(self, state: Mapping[str, Tensor]) -> None:
        self._teacher, self._order = (state[name].to(self.context.device) for name in ("teacher", "order"))
        self._taught, self._place = bool(state["taught"]), int(state["place"])
