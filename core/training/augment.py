"""Random changes of images and volumes in training."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from core.models.batch import Batch
from core.models.spec import ModalityShape

SHIFT = 1 / 8
"""Of the edge, in either direction."""
CONTRAST = 0.2
ERASED = 1 / 4
"""Edge of the erased square over the image's."""


def augmented(batch: Batch, shapes: Mapping[str, ModalityShape], kind: str, generator: torch.Generator) -> Batch:
    """The batch with changed images and volumes; `kind` none, flip or strong (core.training.spec.Budget)."""
    if kind == "none":
        return batch
    inputs: dict[str, Tensor | dict[str, Tensor]] = dict(batch.inputs)
    for name, shape in shapes.items():
        pixels = inputs[name]
        if shape.kind in ("image", "volume") and isinstance(pixels, Tensor):
            mirror = torch.rand(len(batch), generator=generator) < 0.5
            flipped = torch.where(mirror.to(pixels.device)[:, None, None, None], pixels.flip(3), pixels)
            inputs[name] = flipped if kind == "flip" else strongly(flipped, generator)
    return Batch(inputs, batch.present, batch.y, batch.group, batch.index)


def strongly(pixels: Tensor, generator: torch.Generator) -> Tensor:
    """uint8 (N, C, H, W): shifted (edges repeated), with other brightness and contrast, one square erased to the image's mean."""
    n, _, height, width = pixels.shape
    device = pixels.device

    def draw(low: float, high: float) -> Tensor:
        return (low + (high - low) * torch.rand(n, generator=generator)).to(device)

    rows = (torch.arange(height, device=device) + (SHIFT * height * draw(-1, 1)).round()[:, None]).clamp(0, height - 1).long()
    columns = (torch.arange(width, device=device) + (SHIFT * width * draw(-1, 1)).round()[:, None]).clamp(0, width - 1).long()
    moved = pixels.gather(2, rows[:, None, :, None].expand_as(pixels)).gather(3, columns[:, None, None].expand_as(pixels)).float()
    mean = moved.mean((1, 2, 3), keepdim=True)
    changed = mean + (moved - mean) * (1 + CONTRAST * draw(-1, 1))[:, None, None, None]
    changed = changed * (1 + CONTRAST * draw(-1, 1))[:, None, None, None]
    top, left = (draw(0, 1) * (1 - ERASED) * height)[:, None], (draw(0, 1) * (1 - ERASED) * width)[:, None]
    down, across = torch.arange(height, device=device), torch.arange(width, device=device)
    inside = ((down >= top) & (down < top + ERASED * height))[:, :, None] & ((across >= left) & (across < left + ERASED * width))[:, None]
    return torch.where(inside[:, None], changed.mean((1, 2, 3), keepdim=True), changed).clamp(0, 255).round().to(pixels.dtype)
