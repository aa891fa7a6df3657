"""Patients on which a method may fit what no gradient does: validation, a part of training, or training by folds."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from core.methods.base import Method
from core.models.batch import Fused
from core.training.data import HELD_OUT, Data
from core.training.engine import Engine
from core.training.evaluate import Evaluator, Outputs, evaluation_batch
from core.training.spec import TrainSpec

Place = Literal["validation", "part", "folds"]


def place(method: type[Method], spec: TrainSpec) -> Place:
    """Where `method` fits under the specification's protocol."""
    if spec.budget.fit_on == "validation" or not (method.fits_held_out or method.fits_decision):
        return "validation"
    return "folds" if method.folds_agree else "part"


def folds(data: Data, count: int, seed: int) -> list[NDArray[np.int64]]:
    """Positions among the training rows of `count` parts of about equal size; a patient's rows stay together."""
    _, patient = np.unique(data.patients[data.rows["train"].cpu().numpy()], return_inverse=True)
    part = np.random.default_rng([seed, count]).permutation(int(patient.max()) + 1) % count
    return [np.flatnonzero(part[patient] == k) for k in range(count)]


def out_of_fold(data: Data, spec: TrainSpec, should_stop: Callable[[], bool]) -> list[Outputs] | None:
    """What networks that were trained without a fold say about it, after every epoch; None when asked to stop.

    Each fold has its own network, trained as the main one will be on the patients outside the fold. Only
    what `Method.fit` reads of pooled folds is kept: features of different networks have no common meaning.
    The random numbers of the training that follows are not touched.
    """
    devices = [data.device] if data.device.type == "cuda" else []
    parts: list[list[Outputs]] = []
    with torch.random.fork_rng(devices=devices):
        for fold in folds(data, spec.budget.folds, spec.seed):
            engine = Engine(data.without(fold), spec)
            evaluator = Evaluator(engine.network, engine.method, engine.data, spec.precision, evaluation_batch(spec))
            for epoch in range(spec.budget.epochs):
                for rows in engine.epoch_order(epoch).split(spec.budget.batch_size):
                    if should_stop():
                        return None
                    engine.step(rows, epoch)
                if len(parts) <= epoch:
                    parts.append([])
                parts[epoch].append(_slim(evaluator.run(engine.data.rows[HELD_OUT])))
    return [Outputs.joined(epoch) for epoch in parts]


def _slim(outputs: Outputs) -> Outputs:
    return replace(outputs, features=outputs.features[:, :, :0], fused=replace(outputs.fused, last_input=None))


def packed(epochs: list[Outputs]) -> list[dict[str, Tensor]]:
    """Outputs as tensors by name, for a checkpoint."""
    return [{name: value for name, value in {**vars(one), **vars(one.fused)}.items() if isinstance(value, Tensor)} for one in epochs]


def unpacked(epochs: list[dict[str, Tensor]], device: torch.device) -> list[Outputs]:
    """The inverse of `packed`."""
    result = []
    for stored in epochs:
        on_device = {name: value.to(device) for name, value in stored.items()}
        parts: dict[str, Any] = {name: on_device.pop(name, None) for name in ("logits", "last_input", "experts", "group_logits")}
        result.append(Outputs(fused=Fused(**parts), **on_device))
    return result
