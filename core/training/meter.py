"""Running means over one epoch's steps, kept on the device."""

from __future__ import annotations

import torch
from torch import Tensor

from core.methods.base import Step
from core.models.batch import cross_entropy


class Meter:
    """Training losses and the mean feature of each modality, weighted by samples."""

    def __init__(self, n_modalities: int, width: int, device: torch.device) -> None:
        self._loss = torch.zeros((), device=device)
        self._count = 0
        self._modality_loss = torch.zeros(n_modalities, device=device)
        self._feature = torch.zeros(n_modalities, width, device=device)
        self._present = torch.zeros(n_modalities, device=device)

    @torch.no_grad()
    def add(self, step: Step, transformed: Tensor) -> None:
        """Add one step; `transformed` (N, M, D) is what the fusion got."""
        present = step.batch.present.to(self._present.dtype)
        self._loss += cross_entropy(step.fused.logits, step.batch.y).sum()
        self._count += len(step.batch)
        here = present.sum(0)
        self._modality_loss += step.modality_losses() * here
        self._feature += torch.einsum("nmd,nm->md", transformed.detach().float(), present)
        self._present += here

    def read(self) -> tuple[float, Tensor, Tensor]:
        """Mean fused loss, modality losses (M,), and mean features (M, D) over the samples that have the modality."""
        present = self._present.clamp_min(1)
        return float(self._loss) / max(1, self._count), self._modality_loss / present, self._feature / present[:, None]
