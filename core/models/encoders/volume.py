"""Volumes: one image backbone shared by all slices, then attention over the slices."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from core.models.encoders.base import Backbone


def standardise_slices(volume: Tensor) -> Tensor:
    """Each slice z-scored, (N, S, H, W); a constant slice becomes 0."""
    values = volume.to(torch.get_default_dtype())
    mean = values.mean((2, 3), keepdim=True)
    return (values - mean) / values.std((2, 3), keepdim=True, correction=0).clamp_min(1e-3)


def to_pixels(standardised: Tensor) -> Tensor:
    """Standardised values as the 0-255 scale that image backbones expect (3 sd either side)."""
    return ((standardised + 3.0) * 42.5).clamp(0, 255)


class Volume(Backbone):
    """Slices through a shared backbone, learned positions, a 2-layer Transformer, mean over slices."""

    def __init__(self, slice_backbone: Backbone, slices: int, width: int, dropout: float, layers: int = 2, heads: int = 4) -> None:
        super().__init__()
        self.width = width
        self.slice_backbone = slice_backbone
        self.enter = nn.Linear(slice_backbone.width, width)
        self.position = nn.Parameter(torch.randn(slices, width) * 0.02)
        layer = nn.TransformerEncoderLayer(width, heads, 2 * width, dropout, "gelu", batch_first=True, norm_first=True)
        self.layers = nn.TransformerEncoder(layer, layers, norm=nn.LayerNorm(width), enable_nested_tensor=False)

    @property
    def last_block(self) -> nn.Module:
        return self.layers.layers[-1]

    def forward(self, volume: Tensor) -> Tensor:
        """uint8 (N, S, H, W) -> (N, width)."""
        n, s, h, w = volume.shape
        pixels = to_pixels(standardise_slices(volume)).reshape(n * s, 1, h, w)
        slices = self.slice_backbone(pixels).view(n, s, -1)
        return self.layers(self.enter(slices) + self.position).mean(1)
