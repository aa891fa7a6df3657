"""The one loop that trains every method and reports what it measures."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any, Literal, Protocol

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from core.errors import UserError
from core.methods import get
from core.methods.base import EpochView, Step
from core.metrics.estimate import finite_or_none
from core.models.batch import cross_entropy
from core.training import checkpoint as checkpoints
from core.training import device as devices
from core.training import held_out, shards
from core.training.alerts import Watch
from core.training.contribution import contribution
from core.training.curvature import Curvature
from core.training.data import HELD_OUT, CohortLike, Data, load
from core.training.engine import Engine
from core.training.evaluate import Evaluator, Outputs, RankingMetrics, evaluation_batch, log_odds, ranking_metrics
from core.training.inputs import prepare
from core.training.meter import Meter
from core.training.predict import mean_features, predictions_frame
from core.training.probe import ConflictProbe, probe_rows
from core.training.questions import Fuse, Run, Work, answered
from core.training.selection import better
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
    checkpoint : file replaced after every epoch; its "best" holds the kept epoch's weights, and after the
        end it holds nothing else
    cache : folder for frozen features, shared by all runs on the cohort
    device : auto, cpu, cuda or cuda:N

    Under torchrun the processes share every batch (core/training/shards.py), and the first one
    reports and writes. The sink gets start, progress, epoch and telemetry events, the predictions, and end
    (done or cancelled). An exception ends the training without an end event: the caller
    knows the reason. Raises UserError on what a user can mend.
    """
    place = shards.own_device(devices.choose(device))
    shards.join(place)
    if shards.rank() > 0:
        # All processes compute the same; one tells of it.
        sink, checkpoint = Silent(), None
    method = get(spec.method)
    try:
        names = method.modalities(method.parse_settings(spec.settings), tuple(cohort.modality_names))
    except (TypeError, ValueError) as error:
        raise UserError(str(error)) from None
    arrays = prepare(cohort, spec.network, names, cache, place)
    data = load(cohort, arrays, names, spec.attribute, place, devices.room(place))
    if held_out.place(method, spec) == "part":
        data = data.without(held_out.folds(data, spec.budget.folds, spec.seed)[0])
    return Training(cohort, Engine(data, spec), sink, should_stop, checkpoint).run(resume)


class Silent:
    """Where a process reports to that trains with others and is not the first."""

    def event(self, event: Event) -> None:
        pass

    def predictions(self, frame: pd.DataFrame) -> None:
        pass

    def close(self) -> None:
        pass


class Training:
    """State of one training between its epochs.

    `run` makes all of it; `begin`, `begin_epoch`, `observe`, `end_epoch` and `finish` are its
    parts, for a loop that makes the steps of several trainings (core/training/together.py).
    """

    def __init__(self, cohort: CohortLike, engine: Engine, sink: Sink, should_stop: Callable[[], bool], path: Path | None) -> None:
        self.cohort, self.engine, self.sink, self.path = cohort, engine, sink, path
        self.spec, self.data = engine.spec, engine.data
        self._should_stop = should_stop
        self._asked = 0.0
        self._reported = 0.0
        self.evaluator = Evaluator(engine.network, engine.method, engine.data, engine.spec.precision, evaluation_batch(engine.spec))
        # A group is what the attribute says; without one there is nothing to compare.
        self.groups = self.data.groups if self.spec.attribute is not None else ()
        self.telemetry = StepTelemetry(engine.network.modalities, self.groups, self.data.device)
        self.probe: ConflictProbe | None = None
        self.curvature: Curvature | None = None
        if self.spec.telemetry.enabled:
            chosen = probe_rows(self.data, self.spec.seed, engine.n_classes)
            self.curvature = Curvature(engine.network, self.data, chosen)
            if self.groups:
                self.probe = ConflictProbe(engine.network, engine.method, self.data, chosen)
        validation = self.data.rows["validation"]
        self.watch = Watch(engine.network.modalities, self.groups, self.data.present[validation].cpu().numpy(), self.data.group[validation].cpu().numpy())
        self.epochs = engine.method.total_epochs(self.spec.budget.epochs)
        self.place = held_out.place(type(engine.method), self.spec)
        self.folds: list[Outputs] | None = None
        """After every epoch, what other networks say about the training patients they have not seen."""
        self.epoch = 0
        self.kept: RankingMetrics | None = None
        self.kept_epoch = 0
        self.best: dict[str, dict[str, Tensor]] | None = None
        self._begun = self._started = 0.0
        self._first = 0
        self.meter = self.new_meter()

    def new_meter(self, networks: int | None = None) -> Meter:
        """One that has seen nothing."""
        return Meter(len(self.engine.network.modalities), self.spec.network.width, self.data.device, networks)

    def run(self, resume: Path | None) -> Literal["done", "cancelled"]:
        if resume is not None:
            self._restore(checkpoints.load(resume, self.spec))
        if self.begin() is not None:
            return "cancelled"
        while self.epoch < self.epochs:
            self.begin_epoch()
            for i, rows in enumerate(self.engine.epoch_order(self.epoch).split(self.spec.budget.batch_size)):
                if self.asked_to_stop(ask=i == 0) is not None:
                    return "cancelled"
                self.observe(i, *self.engine.step(rows, self.epoch, self.measures(i)))
            self.end_epoch()
        return self.finish()

    def begin(self) -> Literal["cancelled"] | None:
        """What `opening` does, by this network alone."""
        return answered(self.opening(), self.evaluator)

    def opening(self) -> Work[Literal["cancelled"] | None]:
        """What comes before the first step; "cancelled" when asked to stop meanwhile."""
        self._begun, self._first = time.monotonic(), self.engine.steps_done
        described = devices.describe(self.data.device)
        self._emit("start", epochs=self.epochs, steps=self.epochs * self.engine.steps_per_epoch, device=described, threads=torch.get_num_threads())
        if self.place == "folds" and self.folds is None and self.epoch < self.epochs:
            self.folds = held_out.out_of_fold(self.data, self.spec, lambda: self._stop(ask=False))
            if self.folds is None:
                return self._cancelled()
        if self.epoch == 0 and self.spec.telemetry.baseline:
            yield from self._baseline()
        for alert in self.watch.raised:
            # Known from before an interruption, by a job whose status may have been lost.
            self._emit("alert", **alert.event())
        self._begun = time.monotonic()
        return None

    def finish(self) -> Literal["done"]:
        """The predictions of the kept epoch, and the last checkpoint."""
        assert self.best is not None
        self._load_weights(self.best)
        self.sink.predictions(predictions_frame(self.cohort, self.engine, self.evaluator, self._fitting_rows()))
        if self.path is not None:
            checkpoints.save(self.path, self.spec, {"epoch": self.epoch, "best": self.best, "finished": True})
        self._emit("end", status="done", reason=None)
        return "done"

    def _cancelled(self) -> Literal["cancelled"]:
        self._emit("end", status="cancelled", reason="cancelled by the user")
        return "cancelled"

    def begin_epoch(self) -> None:
        if self.engine.shards is not None:
            self.engine.shards.align()
        self._started = time.monotonic()
        self.meter = self.new_meter()

    def asked_to_stop(self, ask: bool) -> Literal["cancelled"] | None:
        """Whether somebody has asked to cancel: "cancelled", else None; looked up when `ask` says so, and a few times a second."""
        return self._cancelled() if self._stop(ask) else None

    def measures(self, i: int) -> bool:
        """Whether step `i` of an epoch measures what it does to the weights."""
        return self.spec.telemetry.enabled and i % self.spec.telemetry.update_every == 0

    def observe(self, i: int, step: Step, transformed: Tensor, relative: Tensor | None) -> None:
        """Note what step `i` of the epoch has given (`Engine.step`)."""
        engine, telemetry = self.engine, self.spec.telemetry
        self.meter.add(step, transformed)
        if telemetry.enabled:
            self.telemetry.add(step, relative, engine.method.series())
            if self.probe is not None and self.probes():
                self.probe.measure()
        self.progress()

    def probes(self) -> bool:
        """Whether the probe is due after the last step."""
        return self.probe is not None and (self.engine.steps_done - 1) % self.spec.telemetry.probe_every == 0

    def end_epoch(self) -> None:
        """What `closing` does, by this network alone."""
        answered(self.closing(), self.evaluator)

    def closing(self) -> Work[None]:
        """Evaluate, keep the best, write the checkpoint."""
        engine = self.engine
        share = engine.method.averaging(self.epoch)
        if share is not None:
            engine.average_in(share)
        with engine.averaged():
            outputs = yield Run(self.data.rows["validation"])
            yield from self._finish_epoch(self.meter, outputs, self._started)
        if engine.method.restarts(self.epoch):
            engine.restart()
            self.kept = self.best = None
        self.epoch += 1
        if self.path is not None:
            checkpoints.save(self.path, self.spec, self._state())

    def _finish_epoch(self, meter: Meter, outputs: Outputs, started: float) -> Work[None]:
        train_loss, modality_losses, mean = meter.read()
        if not math.isfinite(train_loss):
            raise UserError(
                f"the training loss of {self.spec.method} is no longer a number in epoch {self.epoch}: lower the learning rate (lr={self.spec.budget.lr})"
            )
        method = self.engine.method
        fitting = self._fitting(outputs)
        if method.fits_held_out:
            method.fit(fitting)
        seen = outputs if self.place == "validation" else fitting
        method.on_epoch_end(
            EpochView(self.epoch, train_loss, modality_losses, float(seen.loss()), seen.modality_losses(), lambda: self.evaluator.run(self.data.rows["train"]))
        )
        if method.fits_held_out:
            outputs = replace(outputs, fused=(yield Fuse(outputs.features, outputs.present, outputs.group)))
        found = self._metrics(outputs)
        if better(found, self.kept, self.spec.budget.selection):
            self.kept, self.kept_epoch, self.best = found, self.epoch, self._weights()
        measured = [*self.telemetry.rows(), *(self.probe.rows() if self.probe else [])]
        if self.spec.telemetry.enabled:
            measured += yield from self._contribution(outputs, mean, self.epoch)
            measured += (yield from self.curvature.measured()) if self.curvature is not None else []
        self._emit_epoch(self.epoch, train_loss, outputs, found, time.monotonic() - started)
        if measured:
            self._emit("telemetry", epoch=self.epoch, rows=measured)
            self._watch(outputs)

    def _watch(self, outputs: Outputs) -> None:
        fused = cross_entropy(outputs.logits, outputs.y).double().cpu().numpy()
        for alert in self.watch.add(self.epoch, fused, outputs.each_modality_loss().double().cpu().numpy()):
            self._emit("alert", **alert.event())

    def _fitting(self, validation: Outputs) -> Outputs:
        """The outputs that a method may fit on after the present epoch."""
        if self.place == "validation":
            return validation
        if self.place == "part":
            return self.evaluator.run(self.data.rows[HELD_OUT])
        assert self.folds is not None
        # A method in stages has more epochs than a fold's network: its last ones see the folds' last.
        return self.folds[min(self.epoch, len(self.folds) - 1)]

    def _fitting_rows(self) -> Outputs | None:
        """The outputs that a decision rule is fitted on; None: those of validation."""
        if self.place == "validation":
            return None
        if self.place == "part":
            return self.evaluator.run(self.data.rows[HELD_OUT])
        return None if self.folds is None else self.folds[min(self.kept_epoch, len(self.folds) - 1)]

    def _metrics(self, outputs: Outputs) -> RankingMetrics:
        return ranking_metrics(outputs.y.cpu().numpy(), log_odds(outputs.logits), outputs.group.cpu().numpy(), self.groups)

    def _emit_epoch(self, epoch: int, train_loss: float | None, outputs: Outputs, found: RankingMetrics, seconds: float) -> None:
        self._emit(
            "epoch",
            epoch=epoch,
            train_loss=train_loss,
            validation_loss=finite_or_none(float(outputs.loss())),
            validation_auc=found.auc,
            validation_es_auc=found.es_auc,
            validation_worst_group_auc=found.worst_group_auc,
            validation_max_gap=found.max_gap,
            left_out=dict(found.left_out),
            seconds=seconds,
        )

    def _baseline(self) -> Work[None]:
        """Epoch -1: the untrained network on validation."""
        outputs = yield Run(self.data.rows["validation"])
        self._emit_epoch(-1, None, outputs, self._metrics(outputs), 0.0)
        if self.spec.telemetry.enabled:
            train = self.data.rows["train"]
            spread = torch.linspace(0, len(train) - 1, min(BASELINE_ROWS, len(train)), device=train.device).long()
            sample = yield Run(train[spread])
            mean = mean_features(sample, torch.arange(len(spread), device=train.device))
            self._emit("telemetry", epoch=-1, rows=(yield from self._contribution(outputs, mean, -1)))

    def _contribution(self, outputs: Outputs, mean: Tensor, epoch: int) -> Work[list[dict[str, Any]]]:
        rng = np.random.default_rng([self.spec.seed, epoch + 1])
        patients = self.data.patients[outputs.rows.cpu().numpy()]
        return contribution(self.evaluator, outputs, mean, self.engine.network.modalities, self.groups, patients, self.spec.telemetry.bootstrap, rng)

    def _weights(self) -> dict[str, dict[str, Tensor]]:
        """A copy of what training has made of all that a prediction depends on: the network, the method's state and parts.

        Weights that nothing trains (a model behind low-rank adapters) are those that the network is built with.
        """
        engine = self.engine
        fixed = self._fixed()
        extra = engine.extra.state_dict() if engine.extra is not None else {}
        network = {name: value for name, value in engine.network.state_dict().items() if name not in fixed}
        parts = {"network": network, "extra": extra, "method": dict(engine.method.state())}
        # By value, not by storage: weights may be views of those of several networks.
        return {part: {name: value.detach().clone() for name, value in held.items()} for part, held in parts.items()}

    def _fixed(self) -> set[str]:
        """Names of the network's weights that nothing trains."""
        return {name for name, parameter in self.engine.network.named_parameters() if not parameter.requires_grad}

    def _load_weights(self, weights: dict[str, dict[str, Tensor]]) -> None:
        engine = self.engine
        found = engine.network.load_state_dict(weights["network"], strict=False)
        if found.unexpected_keys or set(found.missing_keys) - self._fixed():
            raise UserError("the checkpoint is of another network: delete it to train from the start")
        if engine.extra is not None:
            engine.extra.load_state_dict(weights["extra"])
        engine.method.load_state(weights["method"])

    def _state(self) -> dict[str, Any]:
        return {
            **self.engine.state(),
            "epoch": self.epoch,
            "kept": asdict(self.kept) if self.kept is not None else None,
            "kept_epoch": self.kept_epoch,
            "best": self.best,
            "folds": held_out.packed(self.folds) if self.folds is not None else None,
            "watch": self.watch.state(),
        }

    def _restore(self, state: dict[str, Any]) -> None:
        self.epoch, self.best = state["epoch"], state["best"]
        if state.get("finished"):
            return
        self.engine.load_state(state)
        self.kept = RankingMetrics(**state["kept"]) if state["kept"] is not None else None
        self.kept_epoch = state["kept_epoch"]
        if "watch" in state:
            self.watch.load_state(state["watch"])
        self.folds = held_out.unpacked(state["folds"], self.data.device) if state["folds"] is not None else None

    def _stop(self, ask: bool) -> bool:
        """Whether to stop; asked when `ask` says so, and a few times a second."""
        now = time.monotonic()
        due = ask or now - self._asked >= STOP_SECONDS
        if due:
            self._asked = now
        return shards.agreed(due and self._should_stop())

    def progress(self) -> None:
        """Say how far the training is, once a second."""
        now = time.monotonic()
        if now - self._reported < PROGRESS_SECONDS:
            return
        self._reported = now
        done, steps = self.engine.steps_done, self.engine.steps_per_epoch * self.epochs
        seconds_left = (now - self._begun) / max(1, done - self._first) * (steps - done)
        self._emit("progress", epoch=self.epoch, step=done, steps=steps, seconds_left=round(seconds_left, 1))

    def _emit(self, event: str, **values: Any) -> None:
        self.sink.event({"event": event, "time": time.time(), **values})


def as_data(cohort: CohortLike, spec: TrainSpec, device: torch.device) -> Data:
    """The data of a training, for measurements outside of `train`."""
    method = get(spec.method)
    names = method.modalities(method.parse_settings(spec.settings), tuple(cohort.modality_names))
    return load(cohort, prepare(cohort, spec.network, names, None, device), names, spec.attribute, device, devices.room(device))
