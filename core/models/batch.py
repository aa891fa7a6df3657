"""What a network is given in one step."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class Batch:
    """One mini-batch on the training device.

    Shapes: N samples, M modalities. `group` is -1 where the sensitive attribute is missing.
    """

    inputs: dict[str, Tensor | dict[str, Tensor]]
    """Per modality: image uint8 (N, 3|1, H, W); volume uint8 (N, S, H, W); text
    {"ids": int64 (N, L), "mask": bool (N, L)}; tabular {"values": float32 (N, F),
    "missing": bool (N, F)}; frozen features float32 (N, F)."""
    present: Tensor
    """bool (N, M): which modalities each sample has."""
    y: Tensor
    """int64 (N,): class index."""
    group: Tensor
    """int64 (N,): index into the group names, -1 where unknown."""
    index: Tensor
    """int64 (N,): row of the sample in the cohort."""

    def __len__(self) -> int:
        return int(self.y.shape[0])


@dataclass(frozen=True)
class Fused:
    """The fused classifier's output: logits (N, K) and, where its last layer is
    linear, that layer's input (N, D); None where there is no such layer."""

    logits: Tensor
    last_input: Tensor | None


def cross_entropy(logits: Tensor, y: Tensor) -> Tensor:
    """Per-sample cross-entropy, shape (N,)."""
    return torch.nn.functional.cross_entropy(logits, y, reduction="none")
