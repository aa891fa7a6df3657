"""Relearning: an encoder whose features part the training patients better than new ones is taken back towards its start."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from core.methods.base import Context, EpochView, Evaluated, Method, SearchSpace, Step, register
from core.methods.card import Card

ROUNDS = 20
"""Of k-means."""


@torch.no_grad()
def purity(features: Tensor, y: Tensor, n_classes: int) -> Tensor:
    """Share of samples in their cluster's commonest class, after k-means with as many clusters as classes; a scalar.

    features : (N, D), brought to [-1, 1] column by column. The first centres are the means of equal parts along the first
    principal component, so that the order of the samples does not matter.
    """
    low, high = features.amin(0), features.amax(0)
    x = 2 * (features - low) / (high - low).clamp_min(1e-12) - 1
    axis = torch.linalg.svd(x - x.mean(0), full_matrices=False).Vh[0]
    part = ((x @ axis).argsort().argsort() * n_classes // len(x)).clamp_max(n_classes - 1)
    for _ in range(ROUNDS):
        member = torch.nn.functional.one_hot(part, n_classes).to(x.dtype)
        centre = member.T @ x / member.sum(0).clamp_min(1)[:, None]
        part = torch.cdist(x, centre).argmin(1)
    counts = torch.zeros(n_classes, n_classes, device=x.device).index_put_((part, y), torch.ones(len(y), device=x.device), accumulate=True)
    return counts.amax(1).sum() / len(y)


@register
class Relearning(Method):
    """After every `every` epochs, at most `times` times: theta_m <- (1 - a_m) theta_m + a_m (first weights), a_m = tanh(strength |purity gap of m|).

    The gap is between the training patients and held-out ones; a modality of fewer than 2 K patients in either keeps its weights.
    """

    name = "relearning"
    card = Card(
        title="Relearning",
        family="balance",
        paper="Wei et al., Diagnosing and Re-learning for Balanced Multimodal Learning, ECCV 2024",
        summary="Sees after every few epochs which modality has learned training patients by heart, and takes its encoder back towards its start.",
        limits="looks at held-out patients, on validation unless fit_on=training; keeps every encoder's first weights; knows nothing of the "
        "sensitive attribute",
        departures="the weights are taken back after the first step of the next epoch, so that an epoch that is kept is the one that was evaluated",
        order=124,
        colour=("#3B7F86", "#83C6CD"),
    )
    joint_classifiers = True
    fits_held_out = True
    folds_agree = False
    search_space: ClassVar[SearchSpace] = {"strength": (1.0, 3.0, 10.0), "every": (1, 2)}

    @dataclass(frozen=True)
    class Settings(Method.Settings):
        strength: float = 3.0
        every: int = 2
        times: int = 2

    def __init__(self, settings: Method.Settings, context: Context) -> None:
        super().__init__(settings, context)
        count = len(context.modalities)
        self._first: list[Tensor] | None = None
        self._held_out = torch.full((count,), torch.nan, device=context.device)
        self._pull = torch.zeros(count, device=context.device)
        self._shown = torch.zeros(count, device=context.device)
        self._done = 0
        self._due = False

    def _purities(self, seen: Evaluated) -> Tensor:
        """(M,), NaN where too few have the modality."""
        found = []
        for m in range(len(self.context.modalities)):
            here = seen.present[:, m]
            enough = int(here.sum()) >= 2 * self.context.n_classes
            found.append(purity(seen.features[here, m].float(), seen.y[here], self.context.n_classes) if enough else self._pull.new_tensor(torch.nan))
        return torch.stack(found)

    def fit(self, held_out: Evaluated) -> None:
        self._held_out = self._purities(held_out)

    def on_epoch_end(self, view: EpochView) -> None:
        if (view.epoch + 1) % self.settings.every or self._done >= self.settings.times or view.training is None:
            return
        gap = (self._purities(view.training()) - self._held_out).abs().nan_to_num(0.0)
        self._pull = torch.tanh(self.settings.strength * gap)
        self._done += 1
        self._due = True

    def loss(self, step: Step) -> Tensor:
        if self._first is None:
            encoders = [step.network.encoder_parameters(m) for m in range(len(self.context.modalities))]
            self._first = [torch.cat([p.detach().flatten() for p in encoder]) if encoder else self._pull[:0] for encoder in encoders]
        return step.fused_loss() + step.modality_losses().sum()

    @torch.no_grad()
    def after_step(self, step: Step) -> None:
        self._shown = torch.zeros_like(self._pull)
        if not self._due or self._first is None:
            return
        for m, first in enumerate(self._first):
            parameters = step.network.encoder_parameters(m)
            for parameter, start in zip(parameters, first.split([p.numel() for p in parameters]), strict=True):
                parameter.lerp_(start.view_as(parameter), self._pull[m].to(parameter.dtype))
        self._shown, self._due = self._pull, False

    def state(self) -> dict[str, Tensor]:
        first = self._first if self._first is not None else []
        counts = torch.tensor([self._done, int(self._due)])
        return {"pull": self._pull, "held_out": self._held_out, "counts": counts, **{f"first_{m}": value for m, value in enumerate(first)}}

    def load_state(self, state: Mapping[str, Tensor]) -> None:
        device = self.context.device
        self._pull, self._held_out = state["pull"].to(device), state["held_out"].to(device)
        self._done, self._due = int(state["counts"][0]), bool(state["counts"][1])
        found = [state[f"first_{m}"].to(device) for m in range(len(self.context.modalities)) if f"first_{m}" in state]
        self._first = found or None

    def series(self) -> dict[str, Tensor]:
        return {"taken_back": self._shown}
