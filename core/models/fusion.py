"""Transformer over the modality tokens with a fused token of its own."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from core.models.batch import Fused


class Fusion(nn.Module):
    """Logits from M modality features.

    The fused representation is read from a learned token that belongs to no modality, so
    that none is favoured. A learned embedding tells the modalities apart.
    """

    def __init__(self, n_modalities: int, width: int, heads: int, layers: int, dropout: float, n_classes: int) -> None:
        super().__init__()
        self.token = nn.Parameter(torch.randn(width) * 0.02)
        self.modality = nn.Parameter(torch.randn(n_modalities, width) * 0.02)
        layer = nn.TransformerEncoderLayer(width, heads, dim_feedforward=2 * width, dropout=dropout, activation="gelu", batch_first=True, norm_first=True)
        # The nested-tensor fast path only serves padding masks, which are not used here.
        self.layers = nn.TransformerEncoder(layer, layers, enable_nested_tensor=False)
        self.neck = nn.Sequential(nn.Linear(width, width), nn.LayerNorm(width), nn.GELU(), nn.Dropout(dropout))
        self.head = nn.Linear(width, n_classes)

    def forward(self, features: Tensor) -> Fused:
        """`features` (N, M, D) -> logits (N, K) and the last layer's input (N, D)."""
        tokens = torch.cat([self.token.expand(len(features), 1, -1), features + self.modality], dim=1)
        last_input = self.neck(self.layers(tokens)[:, 0])
        return Fused(self.head(last_input), last_input)
