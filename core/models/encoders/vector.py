"""Features that a frozen encoder has computed once for the whole cohort."""

from __future__ import annotations

from torch import Tensor, nn

from core.models.encoders.base import Backbone, Standardise


class Vector(Backbone):
    """Standardised features; all that learns is the encoder's projection."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.width = width
        self.norm = Standardise(width)

    @property
    def last_block(self) -> nn.Module:
        return self.norm

    def forward(self, features: Tensor) -> Tensor:
        """float32 (N, F) -> (N, F)."""
        return self.norm(features)
