"""What a network is given in one step."""

from __future__ import annotations

from collections.abc import Callable, Sequence
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
    """The fused classifier's output."""

    logits: Tensor
    """(N, K)"""
    last_input: Tensor | None
    """(N, D), what the last layer reads where that is linear; None where there is no such layer."""
    experts: Tensor | None = None
    """(N, E, K) logits of the classifiers that are mixed, where the decision is a mixture of some."""
    group_logits: Tensor | None = None
    """(N, C) logits of the sensitive group, where the method infers it."""

    def map(self, change: Callable[[Tensor], Tensor]) -> Fused:
        """The same with `change` applied to every tensor there is."""
        return Fused(*(None if value is None else change(value) for value in (self.logits, self.last_input, self.experts, self.group_logits)))  # type: ignore[arg-type]

    @classmethod
    def joined(cls, parts: Sequence[Fused]) -> Fused:
        """Several batches as one; what one of them lacks is lacking."""
        columns = zip(*((one.logits, one.last_input, one.experts, one.group_logits) for one in parts), strict=True)
        return cls(*(None if any(value is None for value in column) else torch.cat(column) for column in columns))  # type: ignore[arg-type]


def cross_entropy(logits: Tensor, y: Tensor) -> Tensor:
    """Per-sample cross-entropy, shape (N,)."""
    return torch.nn.functional.cross_entropy(logits, y, reduction="none")
