"""Where training runs and in which precision."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext

import psutil
import torch

from core.errors import UserError


def choose(name: str) -> torch.device:
    """`auto` (a GPU where there is one), `cpu`, `cuda` or `cuda:N`."""
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    if name.partition(":")[0] not in ("cpu", "cuda"):
        raise UserError(f"device is auto, cpu, cuda or cuda:N, not {name!r}")
    if name.startswith("cuda") and not torch.cuda.is_available():
        raise UserError("no CUDA GPU is usable here: choose device 'cpu' or 'auto'")
    return torch.device(name)


def room(device: torch.device) -> float:
    """Bytes of input arrays that may lie on `device` whole: a third of what is free."""
    if device.type == "cuda":
        return torch.cuda.mem_get_info(device)[0] / 3
    return psutil.virtual_memory().available / 3


def describe(device: torch.device) -> str:
    """The device's name for people."""
    return torch.cuda.get_device_name(device) if device.type == "cuda" else "cpu"


def autocast(device: torch.device, precision: str) -> AbstractContextManager[object]:
    """Half precision (bf16) for the forward pass where asked; weights and losses stay fp32."""
    if precision == "bf16":
        return torch.autocast(device.type, torch.bfloat16)
    return nullcontext()
