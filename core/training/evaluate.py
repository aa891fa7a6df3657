"""The network's outputs on given rows, without gradients."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from core.methods.base import Method
from core.models.batch import cross_entropy
from core.models.network import Network
from core.training.data import Data
from core.training.device import autocast

EVALUATION_BATCH = 256


@dataclass(frozen=True)
class Outputs:
    """Of n rows: features as the fusion gets them, logits, modality classifiers' logits."""

    features: Tensor
    """(n, M, D), after the method's `transform`."""
    logits: Tensor
    """(n, K)"""
    modality_logits: Tensor
    """(n, M, K)"""
    present: Tensor
    y: Tensor
    group: Tensor
    rows: Tensor

    def loss(self) -> Tensor:
        return cross_entropy(self.logits, self.y).mean()

    def modality_losses(self) -> Tensor:
        """(M,) over the samples that have the modality."""
        losses = cross_entropy(self.modality_logits.transpose(1, 2), self.y[:, None].expand(self.present.shape))
        weight = self.present.to(losses.dtype)
        return (losses * weight).sum(0) / weight.sum(0).clamp_min(1)


class Evaluator:
    """Evaluates one network under one method; encoders run once per call."""

    def __init__(self, network: Network, method: Method, data: Data, precision: str, batch_size: int = EVALUATION_BATCH) -> None:
        self.network = network
        self.method = method
        self.data = data
        self.precision = precision
        self.batch_size = batch_size

    @torch.no_grad()
    def run(self, rows: Tensor) -> Outputs:
        """Outputs at `rows`, in evaluation mode; the network's mode is put back."""
        training = self.network.training
        self.network.eval()
        parts: list[tuple[Tensor, Tensor, Tensor]] = []
        for index in rows.split(self.batch_size):
            batch = self.data.batch(index)
            with autocast(self.data.device, self.precision):
                raw = self.network.encode(batch.inputs, batch.present)
                features = self.method.transform(raw, batch, training=False)
                logits = self.method.fused(self.network, features, batch.present, batch.group).logits
                modality_logits = self.network.classify(raw)
            parts.append((features.float(), logits.float(), modality_logits.float()))
        self.network.train(training)
        features, logits, modality_logits = (torch.cat(column) for column in zip(*parts, strict=True))
        data = self.data
        return Outputs(features, logits, modality_logits, data.present[rows], data.y[rows], data.group[rows], rows)

    @torch.no_grad()
    def fuse(self, features: Tensor, present: Tensor, group: Tensor) -> Tensor:
        """Fused logits (n, K) from cached features: the encoders do not run."""
        training = self.network.training
        self.network.eval()
        with autocast(self.data.device, self.precision):
            parts = [
                self.method.fused(self.network, f, p, g).logits.float()
                for f, p, g in zip(*(t.split(self.batch_size) for t in (features, present, group)), strict=True)
            ]
        self.network.train(training)
        return torch.cat(parts)

    def keeping(self, outputs: Outputs, mean: Tensor, keep: tuple[bool, ...]) -> Tensor:
        """Fused logits (n, K) with only the modalities in `keep`.

        The others are replaced by `mean` (M, D), their mean feature in training, for every
        sample, those who lack the modality included: with nothing kept all samples are alike.
        """
        kept = torch.tensor(keep, device=mean.device)
        return self.fuse(torch.where(kept[:, None], outputs.features, mean), outputs.present | ~kept, outputs.group)
