"""Checkpoints: tensors and plain values only, replaced as a whole."""

from __future__ import annotations

import json
import os
import pickle
import struct
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from core.errors import UserError
from core.training.spec import TrainSpec

FORMAT = 2
UNREADABLE = (
    OSError, EOFError, RuntimeError, ValueError, LookupError, TypeError, AttributeError, AssertionError, MemoryError, ArithmeticError,
    struct.error, pickle.UnpicklingError,
)  # fmt: skip
"""What torch says of a file that is no checkpoint: its reader believes what the bytes say before it checks them."""


def save(path: Path, spec: TrainSpec, state: Mapping[str, Any]) -> None:
    """Write `state` for `spec` to `path`; a reader sees the old file or the new one."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        torch.save({"format": FORMAT, "spec": json.dumps(spec.to_dict(), sort_keys=True), **_compact(state)}, temporary)
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


def _compact(value: Any) -> Any:
    """The same without what lies around a tensor that is a part of a larger one: all of that would be written too."""
    if isinstance(value, torch.Tensor):
        return value.detach().clone() if value.untyped_storage().nbytes() > value.nbytes else value
    if isinstance(value, Mapping):
        return {key: _compact(item) for key, item in value.items()}
    return type(value)(_compact(item) for item in value) if isinstance(value, list | tuple) else value


def load(path: Path, spec: TrainSpec) -> dict[str, Any]:
    """The state saved at `path`, on the CPU.

    Raises UserError when the file is not a checkpoint, or one of another specification.
    """
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
    except UNREADABLE as error:
        raise UserError(f"{path.name} is not a readable checkpoint ({type(error).__name__}): delete it to train from the start") from error
    if not isinstance(state, dict) or state.get("format") != FORMAT:
        raise UserError(f"{path.name} is not a checkpoint of this version: delete it to train from the start")
    if state["spec"] != json.dumps(spec.to_dict(), sort_keys=True):
        raise UserError(f"{path.name} belongs to another run specification: delete it to train from the start")
    return state
