"""Encoders in parts of a batch, whose activations are made again in the backward pass instead of being kept."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from functools import partial

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.utils.checkpoint import checkpoint


def in_parts(encoder: nn.Module, inputs: Tensor | dict[str, Tensor], size: int) -> Tensor:
    """`encoder(inputs)` (N, D) from parts of `size` samples; at any time the activations of one part are held.

    The gradient is that of the whole batch: every part is encoded again, with the same random numbers, when its
    feature gradients are known. Running statistics move in the first pass only.
    """
    count = len(inputs) if isinstance(inputs, Tensor) else len(next(iter(inputs.values())))
    parts = [slice(start, start + size) for start in range(0, count, size)]
    return torch.cat([checkpoint(encoder, _part(inputs, rows), use_reentrant=False, context_fn=partial(_contexts, encoder)) for rows in parts])


def _part(inputs: Tensor | dict[str, Tensor], rows: slice) -> Tensor | dict[str, Tensor]:
    return inputs[rows] if isinstance(inputs, Tensor) else {name: value[rows] for name, value in inputs.items()}


def _contexts(encoder: nn.Module) -> tuple[AbstractContextManager[None], AbstractContextManager[None]]:
    """Around the first pass and around the repeated one, of which there are several where a method makes several backward passes."""
    return nullcontext(), _StatisticsKept(encoder)


class _StatisticsKept(AbstractContextManager[None]):
    """Batch norms count nothing a second time."""

    def __init__(self, encoder: nn.Module) -> None:
        self._norms = [part for part in encoder.modules() if isinstance(part, _BatchNorm) and part.track_running_stats]
        self._kept: list[tuple[float | None, Tensor | None]] = []

    def __enter__(self) -> None:
        self._kept = [(part.momentum, None if part.num_batches_tracked is None else part.num_batches_tracked.clone()) for part in self._norms]
        for part in self._norms:
            part.momentum = 0.0

    def __exit__(self, *_: object) -> None:
        for part, (momentum, counted) in zip(self._norms, self._kept, strict=True):
            part.momentum = momentum
            if counted is not None and part.num_batches_tracked is not None:
                part.num_batches_tracked.copy_(counted)
