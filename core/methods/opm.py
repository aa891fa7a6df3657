"""OPM: drop the leading modality's features for some samples."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from core.methods.arithmetic import over_smallest_other, true_class_confidence
from core.methods.base import Context, Method, SearchSpace, Step, register
from core.methods.card import Card
from core.models.batch import Batch


@register
class OPM(Method):
    """Features of modality m become 0 with probability q_m = q_b (1 + lambda tanh(rho_m - 1)) where rho_m > 1, else 0.

    Nothing is dropped in a share 1 - p_exe of the batches. Where something may be, all features are
    divided by 1 - theta with theta the mean of q over the modalities, which all have one width here.
    rho is read from the modality classifiers of the step before, because dropping comes before they
    are evaluated; the weakest modality is never dropped, so no sample loses everything with M = 2.
    """

    name = "opm"
    card = Card(
        title="OPM",
        family="balance",
        paper="Wei et al., On-the-fly Modulation for Balanced Multimodal Learning, IEEE TPAMI 2024",
        summary="Drops the features of the modality that is ahead for a random share of the samples, so that the other one has to learn.",
        limits="knows nothing of the sensitive attribute",
        departures="confidences of the step before instead of a second forward pass; with M > 2 a sample that loses all its modalities stays in the "
        "batch (the official "
        "program leaves it out); execution=1 and rescale=false give the variant of earlier versions",
        order=120,
        colour=("#C2607A", "#EE98AC"),
    )
    search_space: ClassVar[SearchSpace] = {"base": (0.2, 0.5), "strength": (0.1, 0.5, 1.0)}

    @dataclass(frozen=True)
    class Settings(Method.Settings):
        base: float = 0.5
        """q_b."""
        strength: float = 0.5
        """lambda."""
        execution: float = 0.7
        """p_exe: share of the batches in which anything is dropped."""
        rescale: bool = True
        """Divide by 1 - theta where something may be dropped."""

    def __init__(self, settings: Method.Settings, context: Context) -> None:
        super().__init__(settings, context)
        self._ratio = torch.ones(len(context.modalities), device=context.device)

    def probabilities(self) -> Tensor:
        """q, shape (M,)."""
        q = self.settings.base * (1 + self.settings.strength * torch.tanh(self._ratio - 1))
        return torch.where(self._ratio > 1, q.clamp(0, 1), torch.zeros_like(q))

    def transform(self, step_features: Tensor, batch: Batch, training: bool) -> Tensor:
        if not training:
            return step_features
        generator = self.context.generator
        executed = torch.rand((), generator=generator) < self.settings.execution
        draw = torch.rand(step_features.shape[:2], generator=generator).to(step_features.device)
        q = self.probabilities().to(step_features.device) * executed.to(step_features.device)
        kept = step_features * (draw >= q)[..., None]
        return kept / (1 - q.mean()).clamp_min(1e-5) if self.settings.rescale else kept

    def after_step(self, step: Step) -> None:
        confidence = true_class_confidence(step.modality_logits.detach(), step.batch.y, step.batch.present)
        self._ratio = over_smallest_other(confidence)

    def state(self) -> dict[str, Tensor]:
        return {"ratio": self._ratio}

    def load_state(self, state: Mapping[str, Tensor]) -> None:
        self._ratio = state["ratio"].to(self.context.device)

    def series(self) -> dict[str, Tensor]:
        return {"drop": self.probabilities()}
