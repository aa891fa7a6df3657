"""A small network for a clinical table, with a learned value for each missing feature."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from core.models.encoders.base import Backbone


class SmallTabular(Backbone):
    """Two-layer perceptron on standardised values."""

    def __init__(self, features: int, width: int) -> None:
        super().__init__()
        self.width = width
        self.missing = nn.Parameter(torch.zeros(features))
        self.enter = nn.Sequential(nn.Linear(features, width), nn.LayerNorm(width), nn.GELU(), nn.Dropout(0.1))
        self.block = nn.Sequential(nn.Linear(width, width), nn.GELU())

    @property
    def last_block(self) -> nn.Module:
        return self.block

    def forward(self, table: dict[str, Tensor]) -> Tensor:
        """{"values": float (N, F), "missing": bool (N, F)} -> (N, width)."""
        return self.block(self.enter(torch.where(table["missing"], self.missing, table["values"])))
