"""What every encoder has in common."""

from __future__ import annotations

from abc import ABC, abstractmethod

from torch import Tensor, nn


class Backbone(nn.Module, ABC):
    """Turns a batch of one modality's input into (N, `width`) features."""

    width: int

    @property
    @abstractmethod
    def last_block(self) -> nn.Module:
        """The last block with parameters: where gradients of different losses are compared."""


class Standardise(nn.BatchNorm1d):
    """Features with mean 0 and spread 1 over the batch (running values in evaluation).

    What all samples share otherwise dominates pooled features, and a fusion behind them
    takes one patient for another. A batch of one, which has no spread, uses the running values.
    """

    def __init__(self, width: int) -> None:
        super().__init__(width, affine=False)

    def forward(self, features: Tensor) -> Tensor:
        """(N, width) -> (N, width)."""
        if self.training and len(features) == 1:
            return nn.functional.batch_norm(features, self.running_mean, self.running_var, eps=self.eps)
        return super().forward(features)


class Encoder(nn.Module):
    """A backbone and its projection (Linear, LayerNorm, Dropout) to the common width D."""

    def __init__(self, backbone: Backbone, width: int, dropout: float) -> None:
        super().__init__()
        self.backbone = backbone
        self.projection = nn.Sequential(nn.Linear(backbone.width, width), nn.LayerNorm(width), nn.Dropout(dropout))

    @property
    def last_block(self) -> nn.Module:
        """The backbone's last trainable block; the projection where the backbone learns nothing."""
        block = self.backbone.last_block
        return block if any(p.requires_grad for p in block.parameters()) else self.projection

    def forward(self, inputs: Tensor | dict[str, Tensor]) -> Tensor:
        """(N, D) features."""
        return self.projection(self.backbone(inputs))
