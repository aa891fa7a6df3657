"""Several seeds of one specification trained as one program, each as if it were alone.

Forward pass, backward pass and optimizer run once for all seeds; a method's hooks, telemetry
and everything after an epoch run for each seed by the code of a run alone. Numbers equal those
of separate runs up to the order of sums.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from core.errors import UserError
from core.methods import get
from core.methods.base import Method, Step
from core.models.batch import Fused, cross_entropy
from core.training import device as devices
from core.training import held_out, shards
from core.training.data import CohortLike, load
from core.training.engine import Engine
from core.training.inputs import prepare
from core.training.questions import Question, Work
from core.training.spec import TrainSpec
from core.training.stacked import StackedNetwork, can_stack
from core.training.stacked_evaluation import StackedBatch, StackedEvaluator
from core.training.train import Sink, Training

OWN_PASSES = ("fused", "backward", "extra_modules", "restarts")
"""Hooks with which a method makes passes or parts of its own, which only a training alone runs."""


@dataclass(frozen=True)
class Member:
    """One of the runs that are trained together."""

    spec: TrainSpec
    sink: Sink
    should_stop: Callable[[], bool]
    checkpoint: Path | None = None


def alike(specs: Sequence[TrainSpec]) -> bool:
    """Whether the specifications differ in nothing but the seed."""
    return all(replace(spec, seed=specs[0].seed) == specs[0] for spec in specs) and len({spec.seed for spec in specs}) == len(specs)


def can_join(spec: TrainSpec, device: torch.device) -> bool:
    """Whether seeds of this specification can be trained together, as far as it can be known without the cohort.

    The method leaves the passes as they are, nothing is clipped over all weights of a network or cross-fitted,
    and noise is drawn on the CPU, whose streams can be kept apart.
    """
    method = get(spec.method)
    plain = all(getattr(method, hook) is getattr(Method, hook) for hook in OWN_PASSES)
    budget = spec.budget
    whole = budget.clip is None and budget.micro_batch is None
    return plain and whole and device.type == "cpu" and spec.precision == "fp32" and held_out.place(method, spec) == "validation"


def train_together(cohort: CohortLike, members: Sequence[Member], cache: Path | None = None, device: str = "auto") -> list[str] | None:
    """Train the members; for each "done", "cancelled" or the reason why it failed.

    None, before anything is written, where these runs cannot be trained together: their
    specifications differ in more than the seed, or method, network or device do not allow it.
    Raises UserError on what concerns them all.
    """
    place, spec = devices.choose(device), members[0].spec
    if shards.wanted() or not alike([member.spec for member in members]) or not can_join(spec, place):
        return None
    method = get(spec.method)
    try:
        names = method.modalities(method.parse_settings(spec.settings), tuple(cohort.modality_names))
    except (TypeError, ValueError) as error:
        raise UserError(str(error)) from None
    data = load(cohort, prepare(cohort, spec.network, names, cache, place), names, spec.attribute, place, devices.room(place))
    engines, streams = [], []
    for member in members:
        engines.append(Engine(data, member.spec))
        # Where the engine has left the global stream, its dropout would go on.
        streams.append(torch.Generator().manual_seed(0))
        streams[-1].set_state(torch.get_rng_state())
    if not all(can_stack(engine.network) for engine in engines):
        return None
    trainings = [Training(cohort, engine, member.sink, member.should_stop, member.checkpoint) for engine, member in zip(engines, members, strict=True)]
    return _Together(trainings, streams).run()


class _Together:
    """Trainings in step with each other."""

    def __init__(self, trainings: Sequence[Training], streams: Sequence[torch.Generator]) -> None:
        self.trainings, self.streams = trainings, streams
        self.engines = [training.engine for training in trainings]
        self.network = StackedNetwork([engine.network for engine in self.engines], streams)
        first = self.engines[0]
        names = {id(parameter): name for name, parameter in first.network.named_parameters()}
        self.optimizers = []
        for optimizer in (first.optimizer, first.classifier_optimizer):
            (group,) = optimizer.param_groups
            held = [names[id(parameter)] for parameter in group["params"]]
            options = {key: value for key, value in group.items() if key in ("lr", "weight_decay", "momentum", "fused")}
            self.optimizers.append((type(optimizer)([self.network.weights[name] for name in held], **options), held))
        self.evaluator = StackedEvaluator(self.network, [training.evaluator for training in trainings])
        self.ended: dict[int, str] = {}

    def run(self) -> list[str]:
        self._all(lambda training: training.opening())
        while len(self.ended) < len(self.trainings) and self.trainings[0].epochs > self._epoch():
            self._one_epoch()
        self._each(self._finish)
        return [self.ended[s] for s in range(len(self.trainings))]

    def _epoch(self) -> int:
        return next(training.epoch for s, training in enumerate(self.trainings) if s not in self.ended)

    def _each(self, work: Callable[[Training], str | None]) -> None:
        """`work` on every training that has not ended, on its own stream of random numbers; one that fails leaves the others alone."""
        for s, training in enumerate(self.trainings):
            if s in self.ended:
                continue
            torch.set_rng_state(self.streams[s].get_state())
            try:
                end = work(training)
            except UserError as error:
                end = str(error)
            self.streams[s].set_state(torch.get_rng_state())
            if end is not None:
                self.ended[s] = end

    def _all(self, work: Callable[[Training], Work[str | None]]) -> None:
        """`work` on every training that has not ended, like `_each`, its questions answered for all at once."""
        begun = {s: work(training) for s, training in enumerate(self.trainings) if s not in self.ended}
        answers: dict[int, Any] = dict.fromkeys(begun)
        while answers:
            asked: dict[int, Question] = {}
            for s, answer in answers.items():
                torch.set_rng_state(self.streams[s].get_state())
                try:
                    asked[s] = begun[s].send(answer)
                except StopIteration as end:
                    if end.value is not None:
                        self.ended[s] = end.value
                except UserError as error:
                    self.ended[s] = str(error)
                self.streams[s].set_state(torch.get_rng_state())
            answers = self.evaluator.answer(asked) if asked else {}

    @staticmethod
    def _finish(training: Training) -> str | None:
        return training.finish()

    def _one_epoch(self) -> None:
        epoch = self._epoch()
        orders = [engine.epoch_order(epoch) for engine in self.engines]
        if len({len(order) for order in orders}) > 1:
            raise UserError(f"the seeds of {self.engines[0].spec.method} have epochs of different lengths and cannot be trained together")
        self._each(lambda training: training.begin_epoch())
        self.meter = self.trainings[0].new_meter(len(self.trainings))
        for i, rows in enumerate(torch.stack(orders).split(self.engines[0].spec.budget.batch_size, dim=1)):
            self._each(lambda training: training.asked_to_stop(ask=i == 0))  # noqa: B023 -- called at once
            if len(self.ended) == len(self.trainings):
                return
            self._step(rows, epoch, self.trainings[0].measures(i))
        self._share_optimizer_state()
        for s, training in enumerate(self.trainings):
            training.meter = self.meter.of(s)
        self._all(lambda training: training.closing())

    def _step(self, rows: Tensor, epoch: int, measure: bool) -> None:
        """One step of every network on its own rows (S, N), with all that `Engine.step` and `Training.observe` do."""
        network, engines = self.network, self.engines
        batch = StackedBatch(engines[0].data, rows)
        features = network.encode(batch.inputs, batch.present)
        # Each seed's features as one object, so that a hook on it sees all that comes back.
        own = list(features.unbind(0))
        transformed = torch.stack([engine.method.transform(own[s], batch.own[s], training=True) for s, engine in enumerate(engines)])
        fused = network.fuse(transformed, batch.present)
        joint = engines[0].method.joint_classifiers
        logits = network.classify(torch.stack(own) if joint else features.detach())
        assert fused.last_input is not None
        steps = [
            Step(engine.network, batch.own[s], own[s], Fused(fused.logits[s], fused.last_input[s]), logits[s], epoch, engine.steps_done)
            for s, engine in enumerate(engines)
        ]
        own_losses = _modality_losses(logits, batch)
        self._backward(steps, None if joint else own_losses)
        updates = self._update(steps, epoch, measure)
        self.meter.add_parts(fused.logits, own_losses.detach(), batch.present, batch.y, transformed)
        self._observe(features, fused, logits, batch, updates)

    def _observe(self, features: Tensor, fused: Fused, logits: Tensor, batch: StackedBatch, updates: list[Tensor | None]) -> None:
        """Telemetry of every training that has not ended, measured for all at once."""
        first = self.trainings[0]
        if first.spec.telemetry.enabled:
            measured = first.telemetry.measured(features, fused, logits, batch.present, batch.y, batch.group)
            probes = [training.probe for training in self.trainings if training.probe is not None and training.probes()]
            cosines = self.evaluator.probe(probes) if probes else []
            for s, training in enumerate(self.trainings):
                if s not in self.ended:
                    training.telemetry.note(measured[s], updates[s], training.engine.method.series())
                    if cosines:
                        probes[s].note(cosines[s])
        for s, training in enumerate(self.trainings):
            if s not in self.ended:
                training.progress()

    def _backward(self, steps: list[Step], probes: Tensor | None) -> None:
        """`probes`: losses of the modality classifiers, where they are no part of the method's loss."""
        network = self.network
        losses = []
        for engine, step in zip(self.engines, steps, strict=True):
            engine.epoch = step.epoch
            with self._own_stream(engine):
                loss = engine.method.loss(step)
                factors = engine.method.feature_gradient_factors(step)
            losses.append(loss)
            if factors is not None:
                step.features.register_hook(_multiplied(factors.detach().unsqueeze(-1)))
        network.forget_gradients()
        whole = torch.stack(losses).sum()
        (whole if probes is None else whole + probes.sum()).backward()
        changed = type(self.engines[0].method).after_backward is not Method.after_backward
        network.gather_gradients(show=changed)
        if not changed:
            return
        for engine, step in zip(self.engines, steps, strict=True):
            engine.method.after_backward(step)
        network.take_gradients()

    @contextmanager
    def _own_stream(self, engine: Engine) -> Iterator[None]:
        """Passes that a method makes besides draw their dropout from its own network's stream."""
        stream = self.streams[self.engines.index(engine)]
        torch.set_rng_state(stream.get_state())
        yield
        stream.set_state(torch.get_rng_state())

    def _update(self, steps: list[Step], epoch: int, measure: bool) -> list[Tensor | None]:
        engines = self.engines
        budget = engines[0].spec.budget
        rate = engines[0].method.rate(engines[0].rate(engines[0].steps_done - engines[0].stage_start), epoch)
        factors = [engine.method.update_factors(step) for engine, step in zip(engines, steps, strict=True)]
        copied = measure or any(factor is not None for factor in factors)
        before = [engine.updates.copy() if copied else None for engine in engines]
        for (optimizer, _), lr in zip(self.optimizers, (budget.lr, budget.classifier_lr), strict=True):
            optimizer.param_groups[0]["lr"] = lr * rate
            optimizer.step()
        found: list[Tensor | None] = []
        for engine, step, old, factor in zip(engines, steps, before, factors, strict=True):
            if old is not None and factor is not None:
                engine.updates.scale(old, factor)
            found.append(engine.updates.relative(old) if old is not None and measure else None)
            engine.steps_done += 1
            engine.method.after_step(step)
        return found

    def _share_optimizer_state(self) -> None:
        """Each engine's optimizer as it would be alone, so that a checkpoint of it goes on alone."""
        for s, engine in enumerate(self.engines):
            for (stacked, held), alone in zip(self.optimizers, (engine.optimizer, engine.classifier_optimizer), strict=True):
                alone.param_groups[0]["lr"] = stacked.param_groups[0]["lr"]
                for name in held:
                    weight = self.network.weights[name]
                    state: dict[str, Any] = stacked.state[weight]
                    alone.state[self.network.own(name, s)] = {
                        key: value[s] if isinstance(value, Tensor) and value.shape == weight.shape else value for key, value in state.items()
                    }


def _multiplied(scale: Tensor) -> Callable[[Tensor], Tensor]:
    return lambda gradient: gradient * scale


def _modality_losses(logits: Tensor, batch: StackedBatch) -> Tensor:
    """(S, M) mean cross-entropy of each modality classifier over the samples that have it, as `Step.modality_losses` gives it."""
    s, n, m, k = logits.shape
    losses = cross_entropy(logits.reshape(-1, k), batch.y[:, :, None].expand(s, n, m).reshape(-1)).view(s, n, m)
    weight = batch.present.to(losses.dtype)
    return (losses * weight).sum(1) / weight.sum(1).clamp_min(1)
