"""A small convolutional network for images of 24 to 128 pixels, quick on a CPU."""

from __future__ import annotations

from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional

from core.models.encoders.base import Backbone


def unit_scale(pixels: Tensor) -> Tensor:
    """uint8 pixels to floats around 0 (-2 to 2)."""
    return pixels.to(torch.get_default_dtype()) / 63.75 - 2.0


class Residual(nn.Module):
    """x + conv(norm(x)), halving the resolution first where `stride` is 2."""

    def __init__(self, channels_in: int, channels: int, stride: int) -> None:
        super().__init__()
        self.enter = nn.Conv2d(channels_in, channels, 3, stride, 1, bias=False)
        # Group norm: a sample's features depend on no other sample, so a batch of one,
        # an absent modality's blank image or a probe batch cannot disturb the rest.
        self.norm = nn.GroupNorm(8, channels)
        self.conv = nn.Conv2d(channels, channels, 3, 1, 1, bias=False)
        self.norm_out = nn.GroupNorm(8, channels)

    def forward(self, x: Tensor) -> Tensor:
        x = functional.relu(self.norm(self.enter(x)))
        return functional.relu(x + self.norm_out(self.conv(x)))


class SmallImage(Backbone):
    """Three residual stages over a strided stem, averaged over space."""

    def __init__(self, channels_in: int, channels: tuple[int, ...] = (16, 32, 64, 128)) -> None:
        super().__init__()
        self.width = channels[-1]
        self.stem = nn.Conv2d(channels_in, channels[0], 5, 2, 2)
        self.stages = nn.Sequential(
            *(Residual(a, b, 2) for a, b in pairwise(channels))
        )

    @property
    def last_block(self) -> nn.Module:
        return self.stages[-1]

    def forward(self, pixels: Tensor) -> Tensor:
        """uint8 (N, C, H, W) -> (N, width)."""
        x = functional.relu(self.stem(unit_scale(pixels)))
        return self.stages(x).mean((2, 3))
