"""LFM: training begins with bringing the modalities of a patient together and turns to the label by and by."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations
from math import exp
from typing import ClassVar

import torch
from torch import Tensor
from torch.nn.functional import normalize

from core.methods.base import Method, SearchSpace, Step, register
from core.methods.card import Card
from core.models.batch import cross_entropy


def contrast(first: Tensor, second: Tensor, both: Tensor, temperature: float) -> Tensor:
    """Mean over patients of -log of the share that a patient's own other modality has among all of the batch, both ways; a scalar.

    first, second : (N, D). both : (N,) who has the two; others neither ask nor answer. 0 where nobody has.
    """
    alike = normalize(first, dim=1) @ normalize(second, dim=1).T / temperature
    alike = alike.masked_fill(~both[None], -torch.inf).masked_fill(~both[:, None], 0.0)
    back = (normalize(second, dim=1) @ normalize(first, dim=1).T / temperature).masked_fill(~both[None], -torch.inf).masked_fill(~both[:, None], 0.0)
    own = torch.arange(len(first), device=first.device)
    losses = (cross_entropy(alike, own) + cross_entropy(back, own)) / 2
    return torch.where(both, losses, torch.zeros_like(losses)).sum() / both.sum().clamp_min(1)


@register
class LFM(Method):
    """L = 2 (a_t contrast + (1 - a_t) (CE(z) + sum_m CE(z_m))), a_t = 1 - exp(-1 / t) in epoch t = 1, 2, ...

    `contrast` is the mean over pairs of modalities.
    """

    name = "lfm"
    card = Card(
        title="LFM",
        family="balance",
        paper="Yang et al., Facilitating Multimodal Classification via Dynamically Learning Modality Gap, NeurIPS 2024",
        summary="Begins with drawing the modalities of one patient together, and turns to the label as training goes on.",
        limits="modalities that say different things are drawn together all the same; knows nothing of the sensitive attribute",
        departures="the paper's fixed schedule of the share, not its learned one, which needs second derivatives in every epoch",
        order=119,
        colour=("#2E7D6B", "#74C4B1"),
    )
    joint_classifiers = True
    search_space: ClassVar[SearchSpace] = {"temperature": (0.1, 0.5)}

    @dataclass(frozen=True)
    class Settings(Method.Settings):
        temperature: float = 0.1

    def loss(self, step: Step) -> Tensor:
        present = step.batch.present
        pairs = [
            contrast(step.features[:, a].float(), step.features[:, b].float(), present[:, a] & present[:, b], self.settings.temperature)
            for a, b in combinations(range(present.shape[1]), 2)
        ]
        label = step.fused_loss() + step.modality_losses().sum()
        share = 1 - exp(-1 / (step.epoch + 1))
        self._share = torch.full((), share, device=label.device)
        together = torch.stack(pairs).mean() if pairs else torch.zeros_like(label)
        return 2 * (share * together + (1 - share) * label)

    def series(self) -> dict[str, Tensor]:
        return {"contrast_share": self._share}
