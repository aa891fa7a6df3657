"""CGGM: classifier-guided gradient modulation, of size and of direction."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor
from torch.nn.functional import cosine_similarity

from core.methods.arithmetic import balancing_factors, last_layer_gradient
from core.methods.base import Context, Method, SearchSpace, Step, register
from core.methods.card import Card


@register
class CGGM(Method):
    """Encoder gradients times rho B_m; loss CE(z) + lambda (1/M) sum_m (|B_m| - B_m cos(G_F, G_m)).

    B_m = (S - Delta_m) / S with Delta_m the signed change of classifier m's batch accuracy
    and S their sum. B and G_m are those of the step before, as in the paper's algorithm;
    G_F is the present step's, in closed form, so that the term has a gradient. Where the
    official program departs: its cosine is between weights, not gradients.

    The signed sum is often negative, and near 0 it makes B explode. There the factors are
    neutral, (M - 1) / M, and B is kept in [0, bound] everywhere.
    """

    name = "cggm"
    card = Card(
        title="CGGM",
        family="balance",
        paper="Guo et al., Classifier-guided Gradient Modulation for Enhanced Multimodal Learning, NeurIPS 2024",
        summary="Speeds up the modality whose classifier improves least and turns the fused gradient towards it.",
        limits="changes of accuracy from one batch to the next are mostly noise; rho changes nothing under AdamW, which divides a constant factor out "
        "(it does under optimizer=sgd); knows nothing of the sensitive attribute",
        departures="the cosine is between gradients, as the paper says; between weights in the official program. B is kept in [0, bound]; a large "
        "bound undoes it",
        order=80,
        colour=("#44AA99", "#6FD3C2"),
    )
    search_space: ClassVar[SearchSpace] = {"rho": (1.0, 1.3, 2.0), "weight": (0.05, 0.1, 0.2)}
    inert_under_adamw = ("rho",)

    @dataclass(frozen=True)
    class Settings(Method.Settings):
        rho: float = 1.3
        weight: float = 0.1
        """lambda."""
        bound: float = 2.0
        """Largest balancing factor."""

    def __init__(self, settings: Method.Settings, context: Context) -> None:
        super().__init__(settings, context)
        count = len(context.modalities)
        self._accuracy = torch.full((count,), torch.nan, device=context.device)
        self._balance = torch.full((count,), (count - 1) / count, device=context.device)
        self._direction = torch.zeros(count, context.n_classes, context.feature_dim, device=context.device)

    def loss(self, step: Step) -> Tensor:
        loss = step.fused_loss()
        if self.settings.weight == 0 or step.fused.last_input is None:
            return loss
        gradient = last_layer_gradient(step.fused.logits, step.batch.y, step.fused.last_input).flatten()
        cosines = cosine_similarity(gradient[None], self._direction.flatten(1).to(gradient.dtype), dim=1)
        # Before the first update there is no direction to turn to.
        known = (self._direction.flatten(1) != 0).any(1)
        terms = self._balance.abs() - self._balance * cosines
        return loss + self.settings.weight * torch.where(known, terms, torch.zeros_like(terms)).mean()

    def feature_gradient_factors(self, step: Step) -> Tensor | None:
        logits = step.modality_logits.detach()
        weight = step.batch.present.to(logits.dtype)
        correct = (logits.argmax(-1) == step.batch.y[:, None]).to(logits.dtype) * weight
        accuracy = correct.sum(0) / weight.sum(0).clamp_min(1)
        change = torch.where(self._accuracy.isnan(), torch.zeros_like(accuracy), accuracy - self._accuracy)
        balance = balancing_factors(change).clamp(0, self.settings.bound)
        step.cache["cggm"] = (accuracy, balance)
        return self.settings.rho * balance

    def after_step(self, step: Step) -> None:
        self._accuracy, self._balance = step.cache["cggm"]
        logits, weight = step.modality_logits.detach(), step.batch.present
        self._direction = last_layer_gradient(logits, step.batch.y, step.features.detach(), weight)

    def state(self) -> dict[str, Tensor]:
        return {"accuracy": self._accuracy, "balance": self._balance, "direction": self._direction}

    def load_state(self, state: Mapping[str, Tensor]) -> None:
        self._accuracy = state["accuracy"].to(self.context.device)
        self._balance = state["balance"].to(self.context.device)
        self._direction = state["direction"].to(self.context.device)

    def series(self) -> dict[str, Tensor]:
        return {"factor": self.settings.rho * self._balance}
