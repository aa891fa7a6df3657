"""AGM: modulate each encoder by its Shapley-valued competition strength."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import combinations
from math import factorial
from typing import ClassVar

import torch
from torch import Tensor

from core.methods.base import Context, Method, SearchSpace, Step, register
from core.methods.card import Card
from core.models.batch import cross_entropy

MOST_MODALITIES = 6
"""2^M fusion passes a step: above this the method is refused rather than made very slow."""


@register
class AGM(Method):
    """Encoder gradients times exp(alpha min(r*_m - r_m, cap)).

    The logits of modality m are its Shapley value in the fused network (M = 2:
    (z_12 - z_2 + z_1) / 2), s_m their mean cross-entropy, r_m = exp(mean over m' of
    s_m' - s_m) the competition strength (above 1: ahead), and r*_m the same of the mean
    cross-entropies of all steps before. The fusion alone is repeated, on detached features.
    """

    name = "agm"
    card = Card(
        title="AGM",
        family="balance",
        paper="Li et al., Boosting Multi-modal Model Performance with Adaptive Gradient Modulation, ICCV 2023",
        summary="Takes each modality's part of the fused decision as its Shapley value and slows the encoder that runs ahead of its own average.",
        departures="factors act on the gradient at the encoder's output, which scales every parameter of the encoder; the official program scales the "
        "logits' gradient, which there is the same",
        order=90,
        colour=("#2F8AA8", "#67BEDB"),
        limits=f"2^M fusion passes a step, so at most {MOST_MODALITIES} modalities; knows nothing of the sensitive attribute",
    )
    search_space: ClassVar[SearchSpace] = {"alpha": (0.3, 1.0, 3.0), "cap": (1.0, 10.0)}

    @dataclass(frozen=True)
    class Settings(Method.Settings):
        alpha: float = 1.0
        cap: float = 10.0
        """Largest r* - r that counts."""

    def __init__(self, settings: Method.Settings, context: Context) -> None:
        super().__init__(settings, context)
        if len(context.modalities) > MOST_MODALITIES:
            raise ValueError(f"agm supports at most {MOST_MODALITIES} modalities, not {len(context.modalities)}")
        count = len(context.modalities)
        subsets = [members for size in range(1, count + 1) for members in combinations(range(count), size)]
        self._subsets = {frozenset(s): torch.tensor([m in s for m in range(count)], device=context.device) for s in subsets}
        """Modalities kept -> (M,) mask, on the device from the start."""
        self._mean_loss = torch.zeros(len(context.modalities), device=context.device)
        self._steps = torch.zeros((), device=context.device)
        self._factor = torch.ones(len(context.modalities), device=context.device)

    @torch.no_grad()
    def shapley_logits(self, step: Step) -> Tensor:
        """(N, M, K): each modality's Shapley value in the fused logits; nothing present gives logits 0."""
        features, present = step.features.detach(), step.batch.present
        count = features.shape[1]
        value: dict[frozenset[int], Tensor] = {frozenset(): torch.zeros_like(step.fused.logits)}
        for kept, mask in self._subsets.items():
            value[kept] = self.fused(step.network, features, present & mask, step.batch.group).logits
        parts = []
        for m in range(count):
            others = [i for i in range(count) if i != m]
            part = torch.zeros_like(step.fused.logits)
            for size in range(count):
                weight = factorial(size) * factorial(count - size - 1) / factorial(count)
                for members in combinations(others, size):
                    part = part + weight * (value[frozenset(members) | {m}] - value[frozenset(members)])
            parts.append(part)
        return torch.stack(parts, 1)

    @staticmethod
    @torch.no_grad()
    def losses(logits: Tensor, y: Tensor) -> Tensor:
        """s, shape (M,), from Shapley logits (N, M, K)."""
        return torch.stack([cross_entropy(logits[:, m], y).mean() for m in range(logits.shape[1])])

    @staticmethod
    def strengths(loss: Tensor) -> Tensor:
        """r, shape (M,), from mean cross-entropies s (M,)."""
        return torch.exp((loss.sum() - loss) / (len(loss) - 1) - loss)

    def feature_gradient_factors(self, step: Step) -> Tensor | None:
        loss = self.losses(self.shapley_logits(step), step.batch.y)
        # As published, a step is measured against those before it and enters the mean afterwards.
        ahead = self.strengths(self._mean_loss) - self.strengths(loss)
        self._factor = torch.exp(self.settings.alpha * ahead.clamp(max=self.settings.cap))
        self._steps = self._steps + 1
        self._mean_loss = self._mean_loss + (loss - self._mean_loss) / self._steps
        return self._factor

    def state(self) -> dict[str, Tensor]:
        return {"mean_loss": self._mean_loss, "steps": self._steps}

    def load_state(self, state: Mapping[str, Tensor]) -> None:
        self._mean_loss = state["mean_loss"].to(self.context.device)
        self._steps = state["steps"].to(self.context.device)

    def series(self) -> dict[str, Tensor]:
        return {"factor": self._factor, "reference": self.strengths(self._mean_loss)}
