"""One training on several processes (GPUs), started by torchrun: each encodes its part of every batch.

The parts' features are gathered, and from there on every process computes the same on the
whole batch: losses, factors, buffers and telemetry are those of one process, and methods know
nothing of it. Only encoders' gradients are summed between processes. What is not divided
(fusion, evaluation) is repeated by each process; encoders are what costs.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from typing import Any, cast

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.nn import functional

from core.models.batch import Batch
from core.models.encoders.base import Standardise
from core.models.network import Network

LEAST = 2
"""Samples that a process must get; smaller batches are encoded whole by each."""


def wanted() -> bool:
    """Whether torchrun has started this process as one of several."""
    return int(os.environ.get("WORLD_SIZE", "1")) > 1


def join(device: torch.device) -> None:
    """Find the other processes, if there are any. Every process calls this; it waits for all."""
    if wanted() and not joined():
        dist.init_process_group("nccl" if device.type == "cuda" else "gloo")


def own_device(device: torch.device) -> torch.device:
    """The GPU of this process on its machine; any other device as it is."""
    return torch.device("cuda", int(os.environ.get("LOCAL_RANK", "0"))) if device.type == "cuda" and wanted() else device


def joined() -> bool:
    """Whether this process trains with others."""
    return bool(dist.is_available() and dist.is_initialized())


def rank() -> int:
    """The number of this process among those that train together; 0 where it trains alone."""
    return dist.get_rank() if joined() else 0


def agreed(value: bool) -> bool:
    """What the first process says; each asks as often as the others."""
    if not joined():
        return value
    told = torch.tensor([int(value)], device="cuda" if dist.get_backend() == "nccl" else "cpu")
    dist.broadcast(told, 0)
    return bool(told.item())


class Shards:
    """Divides the encoders' work on a network between the processes of the group."""

    def __init__(self, network: Network, seed: int) -> None:
        self._network, self._seed = network, seed
        self._rank, self._world = dist.get_rank(), dist.get_world_size()
        self._active = False
        self._rows = slice(0, 0)
        self._whole = 0
        # Attention draws its noise where it cannot be reached: such encoders get noise of their own in each process.
        self._exact = not any(isinstance(part, nn.MultiheadAttention) for part in network.encoders.modules())
        for part in network.encoders.modules():
            if isinstance(part, Standardise):
                part.forward = _Synchronised(self, part, part.forward)  # type: ignore[method-assign]
            elif isinstance(part, nn.Dropout) and self._exact:
                part.forward = _WholeNoise(self, part, part.forward)  # type: ignore[method-assign, assignment]
        for parameter in network.encoders.parameters():
            if parameter.requires_grad:
                parameter.register_hook(self._summed)

    def align(self) -> None:
        """Weights and statistics of the first process for all: sums in another order must not add up to different networks."""
        for value in self._network.state_dict().values():
            dist.broadcast(value, 0)

    def encode(self, batch: Batch, steps_done: int) -> Tensor:
        """As `Network.encode` on the whole batch: (N, M, D), of which each process computes a part."""
        network, count = self._network, len(batch)
        self._active = False
        if count < LEAST * self._world:
            return network.encode(batch.inputs, batch.present)
        sizes = [len(part) for part in torch.arange(count).tensor_split(self._world)]
        start = sum(sizes[: self._rank])
        self._rows, self._whole = slice(start, start + sizes[self._rank]), count
        inputs = {name: _part(value, self._rows) for name, value in batch.inputs.items()}
        self._active = True
        with nullcontext() if self._exact else self._own_noise(steps_done):
            encoded = [encoder(inputs[name]) for name, encoder in zip(network.modalities, network.encoders, strict=True)]
        own = torch.stack(encoded, dim=1).float()
        return network.fill_missing(cast(Tensor, _Gathered.apply(own, sizes, self._rank)), batch.present)  # type: ignore[no-untyped-call]

    def end_step(self) -> None:
        """From here on gradients are those of whole passes again (the probe's), until the next part is encoded."""
        self._active = False

    @contextmanager
    def _own_noise(self, steps_done: int) -> Iterator[None]:
        device = self._network.missing.device
        with torch.random.fork_rng(devices=[device] if device.type == "cuda" else []):
            torch.manual_seed((self._seed * 1_000_003 + steps_done) * 1009 + self._rank)
            yield

    def _summed(self, gradient: Tensor) -> Tensor:
        if not self._active:
            return gradient
        total = gradient.contiguous().clone()
        dist.all_reduce(total)
        return total


class _Synchronised:
    """`Standardise` by the mean and spread of the whole batch."""

    def __init__(self, shards: Shards, norm: Standardise, alone: Any) -> None:
        self._shards, self._norm, self._alone = shards, norm, alone

    def __call__(self, features: Tensor) -> Tensor:
        norm, shards = self._norm, self._shards
        if not (shards._active and norm.training):
            return cast(Tensor, self._alone(features))
        # Slices of a volume are standardised as images: each sample then counts several times.
        count = shards._whole * len(features) // (shards._rows.stop - shards._rows.start)
        mean = cast(Tensor, _Summed.apply(features.sum(0))) / count  # type: ignore[no-untyped-call]
        centred = features - mean
        variance = cast(Tensor, _Summed.apply(centred.square().sum(0))) / count  # type: ignore[no-untyped-call]
        with torch.no_grad():
            assert norm.running_mean is not None and norm.running_var is not None and norm.num_batches_tracked is not None and norm.momentum is not None
            norm.running_mean.lerp_(mean.detach(), norm.momentum)
            norm.running_var.lerp_(variance.detach() * (count / max(1, count - 1)), norm.momentum)
            norm.num_batches_tracked.add_(1)
        return centred / (variance + norm.eps).sqrt()


class _WholeNoise:
    """Dropout by this process's part of the noise for the whole batch, so that all random streams stay together."""

    def __init__(self, shards: Shards, dropout: nn.Dropout, alone: Any) -> None:
        self._shards, self._dropout, self._alone = shards, dropout, alone

    def __call__(self, x: Tensor) -> Tensor:
        shards = self._shards
        if not (shards._active and self._dropout.training and self._dropout.p > 0):
            return cast(Tensor, self._alone(x))
        each = len(x) // (shards._rows.stop - shards._rows.start)
        whole = functional.dropout(torch.ones(shards._whole * each, *x.shape[1:], device=x.device, dtype=x.dtype), self._dropout.p)
        return x * whole[shards._rows.start * each : shards._rows.stop * each]


class _Gathered(torch.autograd.Function):
    """Every process's part, in their order. Each process has the whole loss, so the gradient of its part is complete."""

    @staticmethod
    def forward(ctx: Any, own: Tensor, sizes: list[int], at: int) -> Tensor:  # type: ignore[override]
        ctx.sizes, ctx.at = sizes, at
        padded = functional.pad(own, (0, 0, 0, 0, 0, max(sizes) - len(own))).contiguous()
        parts = [torch.empty_like(padded) for _ in sizes]
        dist.all_gather(parts, padded)
        return torch.cat([part[:size] for part, size in zip(parts, sizes, strict=True)])

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None, None]:  # type: ignore[override]
        return gradient.split(ctx.sizes)[ctx.at], None, None


class _Summed(torch.autograd.Function):
    """The sum over processes; what depends on it in any of them sends its gradient to all."""

    @staticmethod
    def forward(ctx: Any, own: Tensor) -> Tensor:  # type: ignore[override]
        total = own.clone()
        dist.all_reduce(total)
        return total

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> Tensor:  # type: ignore[override]
        total = gradient.contiguous().clone()
        dist.all_reduce(total)
        return total


def _part(value: Tensor | dict[str, Tensor], rows: slice) -> Tensor | dict[str, Tensor]:
    return value[rows] if isinstance(value, Tensor) else {name: part[rows] for name, part in value.items()}
