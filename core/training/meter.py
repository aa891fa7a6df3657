"""Running means over one epoch's steps, kept on the device."""

from __future__ import annotations

import torch
from torch import Tensor

from core.methods.base import Step
from core.models.batch import cross_entropy


class Meter:
    """Training losses and the mean feature of each modality, weighted by samples.

    Of one network, or of `networks` of them at once: then every tensor has a dimension for them before all others.
    """

    def __init__(self, n_modalities: int, width: int, device: torch.device, networks: int | None = None) -> None:
        before = () if networks is None else (networks,)
        self._loss = torch.zeros(before, device=device)
        self._count = 0
        self._modality_loss = torch.zeros(*before, n_modalities, device=device)
        self._feature = torch.zeros(*before, n_modalities, width, device=device)
        self._present = torch.zeros(*before, n_modalities, device=device)

    def add(self, step: Step, transformed: Tensor) -> None:
        """Add one step; `transformed` (N, M, D) is what the fusion got."""
        self.add_parts(step.fused.logits, step.modality_losses().detach(), step.batch.present, step.batch.y, transformed)

    @torch.no_grad()
    def add_parts(self, logits: Tensor, modality_losses: Tensor, present: Tensor, y: Tensor, transformed: Tensor) -> None:
        """Add a step: logits (..., N, K), mean losses (..., M), present (..., N, M), y (..., N), features (..., N, M, D)."""
        weight = present.to(self._present.dtype)
        self._loss += cross_entropy(logits.flatten(0, -2), y.flatten()).view(y.shape).sum(-1)
        self._count += y.shape[-1]
        here = weight.sum(-2)
        self._modality_loss += modality_losses * here
        self._feature += torch.einsum("...nmd,...nm->...md", transformed.detach().float(), weight)
        self._present += here

    def of(self, s: int) -> Meter:
        """What it holds of network s."""
        part = Meter(0, 0, self._loss.device)
        part._count = self._count
        part._loss, part._modality_loss, part._feature, part._present = self._loss[s], self._modality_loss[s], self._feature[s], self._present[s]
        return part

    def read(self) -> tuple[float, Tensor, Tensor]:
        """Mean fused loss, modality losses (M,), and mean features (M, D) over the samples that have the modality."""
        present = self._present.clamp_min(1)
        return float(self._loss) / max(1, self._count), self._modality_loss / present, self._feature / present[:, None]
