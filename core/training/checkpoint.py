"""Checkpoints: tensors and plain values only, replaced as a whole."""

from __future__ import annotations

import json
import math
import os
import pickle
import struct
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from core.errors import UserError
from core.training.spec import TrainSpec

FORMAT = 3
PLACE = "=place"
"""The key of what stands for a tensor in a file: its kind of number, where it begins in the vector of all of that kind, and its shape."""
UNREADABLE = (
    OSError, EOFError, RuntimeError, ValueError, LookupError, TypeError, AttributeError, AssertionError, MemoryError, ArithmeticError,
    struct.error, pickle.UnpicklingError,
)  # fmt: skip
"""What torch says of a file that is no checkpoint: its reader believes what the bytes say before it checks them."""


def save(path: Path, spec: TrainSpec, state: Mapping[str, Any]) -> None:
    """Write `state` for `spec` to `path`; a reader sees the old file or the new one."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        vectors: dict[str, list[torch.Tensor]] = {}
        packed = _packed(state, vectors, {})
        joined = {kind: torch.cat(parts) for kind, parts in vectors.items()}
        torch.save({"format": FORMAT, "spec": json.dumps(spec.to_dict(), sort_keys=True), "state": packed, "vectors": joined}, temporary)
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


def _packed(value: Any, vectors: dict[str, list[torch.Tensor]], lengths: dict[str, int]) -> Any:
    """The same with every tensor copied to the end of `vectors`: hundreds of small ones cost far more in a file than one long one."""
    if isinstance(value, torch.Tensor):
        kind, flat = str(value.dtype), value.detach().reshape(-1).cpu()
        start = lengths.get(kind, 0)
        vectors.setdefault(kind, []).append(flat)
        lengths[kind] = start + len(flat)
        return {PLACE: (kind, start, list(value.shape))}
    if isinstance(value, Mapping):
        return {key: _packed(item, vectors, lengths) for key, item in value.items()}
    return type(value)(_packed(item, vectors, lengths) for item in value) if isinstance(value, list | tuple) else value


def _unpacked(value: Any, vectors: Mapping[str, torch.Tensor]) -> Any:
    if isinstance(value, dict) and PLACE in value:
        kind, start, shape = value[PLACE]
        return vectors[kind][start : start + math.prod(shape)].view(shape).clone()
    if isinstance(value, dict):
        return {key: _unpacked(item, vectors) for key, item in value.items()}
    return type(value)(_unpacked(item, vectors) for item in value) if isinstance(value, list | tuple) else value


def load(path: Path, spec: TrainSpec) -> dict[str, Any]:
    """The state saved at `path`, on the CPU.

    Raises UserError when the file is not a checkpoint, or one of another specification.
    """
    try:
        file = torch.load(path, map_location="cpu", weights_only=True)
        known = isinstance(file, dict) and file.get("format") == FORMAT
        state = dict(_unpacked(file["state"], file["vectors"])) if known else {}
    except UNREADABLE as error:
        raise UserError(f"{path.name} is not a readable checkpoint ({type(error).__name__}): delete it to train from the start") from error
    if not known:
        raise UserError(f"{path.name} is not a checkpoint of this version: delete it to train from the start")
    if file.get("spec") != json.dumps(spec.to_dict(), sort_keys=True):
        raise UserError(f"{path.name} belongs to another run specification: delete it to train from the start")
    return state
