"""A small convolutional network for images of 24 to 128 pixels, quick on a CPU."""

from __future__ import annotations

from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional

from core.models.encoders.base import Backbone, Standardise

SPREAD_FLOOR = 1e-5


def unit_scale(pixels: Tensor) -> Tensor:
    """uint8 pixels to floats around 0 (-2 to 2)."""
    return pixels.to(torch.get_default_dtype()) / 63.75 - 2.0


class Residual(nn.Module):
    """x + conv(norm(x)), halving the resolution first where `stride` is 2."""

    def __init__(self, channels_in: int, channels: int, stride: int) -> None:
        super().__init__()
        self.enter = nn.Conv2d(channels_in, channels, 3, stride, 1, bias=False)
        # Group norm: a small batch, or one with blank images of an absent modality, is no
        # worse a ruler than any other.
        self.norm = nn.GroupNorm(8, channels)
        self.conv = nn.Conv2d(channels, channels, 3, 1, 1, bias=False)
        self.norm_out = nn.GroupNorm(8, channels)

    def forward(self, x: Tensor) -> Tensor:
        x = functional.relu(self.norm(self.enter(x)))
        return functional.relu(x + self.norm_out(self.conv(x)))


class SmallImage(Backbone):
    """Three residual stages over a strided stem; mean and spread of each channel over space.

    The spread matters: group norm fixes the mean over a group's channels, so that means
    alone hardly tell one image from another (on the sample cohort they never learned).
    """

    def __init__(self, channels_in: int, channels: tuple[int, ...] = (16, 32, 64, 128)) -> None:
        super().__init__()
        self.width = 2 * channels[-1]
        self.stem = nn.Conv2d(channels_in, channels[0], 5, 2, 2)
        self.stages = nn.Sequential(*(Residual(a, b, 2) for a, b in pairwise(channels)))
        self.standardise = Standardise(self.width)

    @property
    def last_block(self) -> nn.Module:
        return self.stages[-1]

    def forward(self, pixels: Tensor) -> Tensor:
        """uint8 (N, C, H, W) -> (N, width)."""
        x = functional.relu(self.stem(unit_scale(pixels)))
        x = self.stages(x)
        # Kept off 0, where a root has no gradient: a channel may be blank.
        spread = (x.var((2, 3), correction=0) + SPREAD_FLOOR).sqrt()
        return self.standardise(torch.cat([x.mean((2, 3)), spread], dim=1))
