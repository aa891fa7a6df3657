"""The one loop that trains every method and reports what it measures."""

from __future__ import annotations

import copy
import math
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal, Protocol

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from core.errors import UserError
from core.methods import get
from core.methods.base import EpochView
from core.metrics.auc import auc
from core.metrics.estimate import finite_or_none
from core.training import checkpoint as checkpoints
from core.training import device as devices
from core.training.contribution import contribution_rows, margin
from core.training.data import CohortLike, Data, load
from core.training.engine import N_CLASSES, Engine
from core.training.evaluate import Evaluator, Outputs
from core.training.inputs import prepare
from core.training.meter import Meter
from core.training.predict import mean_features, predictions_frame
from core.training.probe import ConflictProbe, probe_rows
from core.training.spec import TrainSpec
from core.training.telemetry import StepTelemetry

Event = dict[str, Any]
PROGRESS_SECONDS = 1.0
STOP_SECONDS = 0.25
BASELINE_ROWS = 512
"""Training samples behind the mean features of epoch -1, before any have been collected."""


class Sink(Protocol):
    """Where a training reports to: the run folder, or a list in a test."""

    def event(self, event: Event) -> None:
        """A journal event (core/runs names them); it has "event" and "time"."""

    def predictions(self, frame: pd.DataFrame) -> None:
        """The predictions of the best epoch, once, at the end."""


def train(
    cohort: CohortLike,
    spec: TrainSpec,
    sink: Sink,
    resume: Path | None = None,
    should_stop: Callable[[], bool] = lambda: False,
    *,
    checkpoint: Path | None = None,
    cache: Path | None = None,
    device: str = "auto",
) -> Literal["done", "cancelled"]:
    """Train one specification on a cohort.

    Parameters
    ----------
    resume : a checkpoint of the same specification to go on from (bit for bit on the CPU)
    should_stop : asked a few times a second; True ends the training as cancelled
    checkpoint : file replaced after every epoch; its "best" holds the best epoch's weights
    cache : folder for frozen features, shared by all runs on the cohort
    device : auto, cpu, cuda or cuda:N

    The sink gets start, progress, epoch and telemetry events, the predictions, and end
    (done or cancelled). An exception ends the training without an end event: the caller
    knows the reason. Raises UserError on what a user can mend.
    """
    place = devices.choose(device)
    method = get(spec.method)
    try:
        names = method.modalities(method.parse_settings(spec.settings), tuple(cohort.modality_names))
    except (TypeError, ValueError) as error:
        raise UserError(str(error)) from None
    arrays = prepare(cohort, spec.network, names, cache, place)
    data = load(cohort, arrays, names, spec.attribute, place, devices.room(place))
    return _Training(cohort, Engine(data, spec), sink, should_stop, checkpoint).run(resume)


class _Training:
    """State of one training between its epochs."""

    def __init__(self, cohort: CohortLike, engine: Engine, sink: Sink, should_stop: Callable[[], bool], path: Path | None) -> None:
        self.cohort, self.engine, self.sink, self.path = cohort, engine, sink, path
        self.spec, self.data = engine.spec, engine.data
        self._should_stop = should_stop
        self._asked = 0.0
        self._reported = 0.0
        self.evaluator = Evaluator(engine.network, engine.method, engine.data, engine.spec.precision)
        # A group is what the attribute says; without one there is nothing to compare.
        self.groups = self.data.groups if self.spec.attribute is not None else ()
        self.telemetry = StepTelemetry(engine.network.modalities, self.groups, self.data.device)
        self.probe: ConflictProbe | None = None
        if self.spec.telemetry.enabled and self.groups:
            self.probe = ConflictProbe(engine.network, engine.method, self.data, probe_rows(self.data, self.spec.seed, N_CLASSES))
        self.epoch = 0
        self.best_auc = -math.inf
        self.best: dict[str, dict[str, Tensor]] | None = None

    def run(self, resume: Path | None) -> Literal["done", "cancelled"]:
        if resume is not None:
            self._restore(checkpoints.load(resume, self.spec))
        epochs, steps = self.spec.budget.epochs, self.engine.steps_per_epoch
        described = devices.describe(self.data.device)
        self._emit("start", epochs=epochs, steps=epochs * steps, device=described, threads=torch.get_num_threads())
        if self.epoch == 0 and self.spec.telemetry.baseline:
            self._baseline()
        begun, first = time.monotonic(), self.engine.steps_done
        while self.epoch < epochs:
            if not self._one_epoch(begun, first):
                self._emit("end", status="cancelled", reason="cancelled by the user")
                return "cancelled"
        assert self.best is not None
        self._load_weights(self.best)
        self.sink.predictions(predictions_frame(self.cohort, self.engine, self.evaluator))
        self._emit("end", status="done", reason=None)
        return "done"

    def _one_epoch(self, begun: float, first: int) -> bool:
        """Train and measure one epoch; False when asked to stop."""
        engine, telemetry = self.engine, self.spec.telemetry
        started = time.monotonic()
        meter = Meter(len(engine.network.modalities), self.spec.network.width, self.data.device)
        for i, rows in enumerate(engine.epoch_order().split(self.spec.budget.batch_size)):
            if self._stop(ask=i == 0):
                return False
            done = engine.steps_done
            measure = telemetry.enabled and i % telemetry.update_every == 0
            step, transformed, relative = engine.step(rows, self.epoch, measure)
            meter.add(step, transformed)
            if telemetry.enabled:
                self.telemetry.add(step, relative, engine.method.series())
                if self.probe is not None and done % telemetry.probe_every == 0:
                    self.probe.measure()
            self._progress(begun, first)
        outputs = self.evaluator.run(self.data.rows["validation"])
        self._finish_epoch(meter, outputs, started)
        return True

    def _finish_epoch(self, meter: Meter, outputs: Outputs, started: float) -> None:
        train_loss, modality_losses, mean = meter.read()
        if not math.isfinite(train_loss):
            raise UserError(f"the training loss of {self.spec.method} is no longer a number in epoch {self.epoch}: lower the learning rate (lr={self.spec.budget.lr})")
        validation_loss = float(outputs.loss())
        area = auc(outputs.y.cpu().numpy(), margin(outputs.logits))
        self.engine.method.on_epoch_end(EpochView(self.epoch, train_loss, modality_losses, validation_loss, outputs.modality_losses(), outputs))
        if self.engine.method.refits_fusion:
            outputs = replace(outputs, logits=self.evaluator.fuse(outputs.features, outputs.present, outputs.group))
            validation_loss = float(outputs.loss())
            area = auc(outputs.y.cpu().numpy(), margin(outputs.logits))
        if area > self.best_auc:
            self.best_auc, self.best = area, self._weights()
        measured = [*self.telemetry.rows(), *(self.probe.rows() if self.probe else [])]
        if self.spec.telemetry.enabled:
            measured += self._contribution(outputs, mean, self.epoch)
        seconds = time.monotonic() - started
        self._emit("epoch", epoch=self.epoch, train_loss=train_loss, validation_loss=finite_or_none(validation_loss), validation_auc=finite_or_none(area), seconds=seconds)
        if measured:
            self._emit("telemetry", epoch=self.epoch, rows=measured)
        self.epoch += 1
        if self.path is not None:
            checkpoints.save(self.path, self.spec, {**self.engine.state(), "epoch": self.epoch, "best_auc": self.best_auc, "best": self.best})

    def _baseline(self) -> None:
        """Epoch -1: the untrained network on validation."""
        outputs = self.evaluator.run(self.data.rows["validation"])
        area = auc(outputs.y.cpu().numpy(), margin(outputs.logits))
        self._emit("epoch", epoch=-1, train_loss=None, validation_loss=finite_or_none(float(outputs.loss())), validation_auc=finite_or_none(area), seconds=0.0)
        if self.spec.telemetry.enabled:
            train = self.data.rows["train"]
            spread = torch.linspace(0, len(train) - 1, min(BASELINE_ROWS, len(train)), device=train.device).long()
            sample = self.evaluator.run(train[spread])
            mean = mean_features(sample, torch.arange(len(spread), device=train.device))
            self._emit("telemetry", epoch=-1, rows=self._contribution(outputs, mean, -1))

    def _contribution(self, outputs: Outputs, mean: Tensor, epoch: int) -> list[dict[str, Any]]:
        rng = np.random.default_rng([self.spec.seed, epoch + 1])
        patients = self.data.patients[outputs.rows.cpu().numpy()]
        return contribution_rows(
            self.evaluator, outputs, mean, self.engine.network.modalities, self.groups, patients, self.spec.telemetry.bootstrap, rng
        )

    def _weights(self) -> dict[str, dict[str, Tensor]]:
        """A copy of what a prediction depends on: the network, the method's state and parts."""
        engine = self.engine
        extra = engine.extra.state_dict() if engine.extra is not None else {}
        return copy.deepcopy({"network": engine.network.state_dict(), "extra": extra, "method": dict(engine.method.state())})

    def _load_weights(self, weights: dict[str, dict[str, Tensor]]) -> None:
        engine = self.engine
        engine.network.load_state_dict(weights["network"])
        if engine.extra is not None:
            engine.extra.load_state_dict(weights["extra"])
        engine.method.load_state(weights["method"])

    def _restore(self, state: dict[str, Any]) -> None:
        self.engine.load_state(state)
        self.epoch, self.best_auc, self.best = state["epoch"], state["best_auc"], state["best"]

    def _stop(self, ask: bool) -> bool:
        """Whether to stop; asked when `ask` says so, and a few times a second."""
        now = time.monotonic()
        if not ask and now - self._asked < STOP_SECONDS:
            return False
        self._asked = now
        return self._should_stop()

    def _progress(self, begun: float, first: int) -> None:
        now = time.monotonic()
        if now - self._reported < PROGRESS_SECONDS:
            return
        self._reported = now
        done, steps = self.engine.steps_done, self.engine.steps_per_epoch * self.spec.budget.epochs
        seconds_left = (now - begun) / max(1, done - first) * (steps - done)
        self._emit("progress", epoch=self.epoch, step=done, steps=steps, seconds_left=round(seconds_left, 1))

    def _emit(self, event: str, **values: Any) -> None:
        self.sink.event({"event": event, "time": time.time(), **values})


def as_data(cohort: CohortLike, spec: TrainSpec, device: torch.device) -> Data:
    """The data of a training, for measurements outside of `train`."""
    method = get(spec.method)
    names = method.modalities(method.parse_settings(spec.settings), tuple(cohort.modality_names))
    return load(cohort, prepare(cohort, spec.network, names, None, device), names, spec.attribute, device, devices.room(device))
