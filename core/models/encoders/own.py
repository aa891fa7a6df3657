"""A user's own encoder, `class:module:Class`.

The class is a torch module that takes the shape of one sample and says how wide its features are::

    class Conv1d(torch.nn.Module):
        def __init__(self, shape: core.models.spec.ModalityShape) -> None:
            super().__init__()
            self.width = 32
            self.layers = torch.nn.Sequential(...)

        def forward(self, x):   # what core.models.batch.Batch.inputs holds for this kind
            return self.layers(x.float())   # (N, 32)

The module must be importable by the process that trains: installed, or on PYTHONPATH. The text of its file
belongs to the run's key, so that a changed class trains anew.
"""

from __future__ import annotations

import importlib
from typing import Any

import torch
from torch import Tensor, nn

from core.errors import UserError
from core.models.encoders.base import Backbone
from core.models.encoders.pretrained import first_line
from core.models.spec import ModalityShape


class OwnEncoder(Backbone):
    """A user's module with the width that it names."""

    def __init__(self, model: nn.Module, width: int) -> None:
        super().__init__()
        self.model = model
        self.width = width

    @property
    def last_block(self) -> nn.Module:
        own = getattr(self.model, "last_block", None)
        return own if isinstance(own, nn.Module) else self.model

    def forward(self, inputs: Tensor | dict[str, Tensor]) -> Tensor:
        features: Tensor = self.model(inputs)
        return features


def own_encoder(source: str, shape: ModalityShape, name: str) -> OwnEncoder:
    """The encoder `module:Class` for modality `name`. UserError says what is wrong with it."""
    module, _, wanted = source.partition(":")
    said = f"encoder class:{source} (modality {name!r})"
    try:
        found: Any = getattr(importlib.import_module(module), wanted, None)
    except (ImportError, SyntaxError) as error:
        raise UserError(f"{said}: {module} cannot be imported ({first_line(error)}); install it or put its folder on PYTHONPATH") from None
    if not (isinstance(found, type) and issubclass(found, nn.Module)):
        raise UserError(f"{said}: {module} has no torch module of that name")
    try:
        model = found(shape)
        width = getattr(model, "width", None)
        if isinstance(width, bool) or not isinstance(width, int) or width < 1:
            raise UserError(f"{said}: it must set self.width to the number of its features")
        tried = _tried(model, shape)
    except (TypeError, ValueError, RuntimeError, LookupError, AttributeError) as error:
        raise UserError(f"{said}: {type(error).__name__} for a sample of shape {shape.size}: {first_line(error)}") from None
    if tuple(tried.shape) != (2, width) or not tried.is_floating_point():
        raise UserError(f"{said}: two samples gave {tuple(tried.shape)} of {tried.dtype}, not floats of shape (2, {width})")
    return OwnEncoder(model, width)


@torch.no_grad()
def _tried(model: nn.Module, shape: ModalityShape) -> Tensor:
    """Features of two blank samples, in evaluation mode."""
    training = model.training
    model.eval()
    features: Tensor = model(blank(shape, 2))
    model.train(training)
    return features


def blank(shape: ModalityShape, n: int) -> Tensor | dict[str, Tensor]:
    """n empty samples as a batch holds them."""
    if shape.kind == "text":
        return {"ids": torch.zeros(n, *shape.size, dtype=torch.int64), "mask": torch.ones(n, *shape.size, dtype=torch.bool)}
    if shape.kind == "tabular":
        return {"values": torch.zeros(n, *shape.size), "missing": torch.zeros(n, *shape.size, dtype=torch.bool)}
    return torch.zeros(n, *shape.size, dtype=torch.uint8 if shape.kind in ("image", "volume") else torch.float32)
