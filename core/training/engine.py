"""One training step: a forward pass, a backward pass, the optimizer, the method's hooks."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager

import torch
from torch import Tensor, nn

from core.errors import UserError
from core.methods import get
from core.methods.arithmetic import balanced_draw
from core.methods.base import Context, Method, Step
from core.models.batch import Batch
from core.models.network import build
from core.training import shards
from core.training.augment import augmented
from core.training.data import Data
from core.training.device import autocast
from core.training.optimizers import SGD, AdamW
from core.training.spec import TrainSpec
from core.training.updates import EncoderUpdates

WARMUP_SHARE = 0.05


class Engine:
    """Network, method and optimizers of one training, and the step that joins them.

    Everything random comes from `generator` (order, augmentation), the method's own
    generator, and torch's global one (initialisation, dropout), all set from the seed.
    """

    def __init__(self, data: Data, spec: TrainSpec) -> None:
        budget = spec.budget
        self.data = data
        self.spec = spec
        torch.manual_seed(spec.seed)
        self.n_classes = data.n_classes
        self.network = build(spec.network, data.shapes, self.n_classes).to(data.device)
        self.network.micro_batch = budget.micro_batch
        self.generator = torch.Generator().manual_seed(spec.seed)
        self.method_generator = torch.Generator().manual_seed(spec.seed + 1)
        self.n_train = len(data.rows["train"])
        self.steps_per_epoch = math.ceil(self.n_train / budget.batch_size)
        self.method = self._method()
        extra = self.method.extra_modules()
        self.extra: nn.Module | None = extra.to(data.device) if extra is not None else None
        self.parameters = self.network.main_parameters()
        if self.extra is not None:
            self.parameters += [p for p in self.extra.parameters() if p.requires_grad]
        self._make_optimizers()
        self.updates = EncoderUpdates(self.network)
        self.steps_done = 0
        self.stage_start = 0
        """Steps done when the present stage began; a method in one stage has only this."""
        self.stage_steps = self.steps_per_epoch * self.method.total_epochs(budget.epochs)
        """Steps of the present stage, over which the learning rate is scheduled."""
        self.average: dict[str, Tensor] | None = None
        """The running average of the network's state, where the method keeps one."""
        self.epoch = 0
        if shards.joined() and budget.micro_batch is not None:
            raise UserError("micro_batch and several processes (torchrun) cannot be combined: each process already encodes only its part of a batch")
        self.shards = shards.Shards(self.network, spec.seed) if shards.joined() else None
        self.network.train()

    def _make_optimizers(self) -> None:
        budget = self.spec.budget
        self.optimizer = self._optimizer(self.parameters, budget.lr, budget.weight_decay)
        self.classifier_optimizer = self._optimizer(self.network.classifier_parameters(), budget.classifier_lr, budget.classifier_weight_decay)

    def _optimizer(self, parameters: Iterable[nn.Parameter], lr: float, weight_decay: float) -> torch.optim.Optimizer:
        # The fused kernels spare hundreds of small operations a step.
        if self.spec.budget.optimizer == "sgd":
            return SGD(parameters, lr=lr, momentum=self.spec.budget.momentum, weight_decay=weight_decay, fused=True)
        return AdamW(parameters, lr=lr, weight_decay=weight_decay, fused=True)

    def _method(self) -> Method:
        spec, data = self.spec, self.data
        cls = get(spec.method)
        context = Context(
            modalities=self.network.modalities,
            groups=data.groups,
            n_classes=self.n_classes,
            group_label_counts=data.label_counts(self.n_classes),
            n_train=self.n_train,
            steps_per_epoch=self.steps_per_epoch,
            epochs=spec.budget.epochs,
            feature_dim=spec.network.width,
            device=data.device,
            generator=self.method_generator,
            train_y=data.y[data.rows["train"]],
            train_group=data.group[data.rows["train"]],
        )
        try:
            return cls(cls.parse_settings(spec.settings), context)
        except ValueError as error:  # A method says so when it does not support this cohort.
            raise UserError(str(error)) from error

    def epoch_order(self, epoch: int = 0) -> Tensor:
        """The rows of the coming epoch in their order, on the device: the method's, or all training rows shuffled."""
        order = self.method.epoch_rows(epoch)
        if order is None:
            order = self._sampled()
        remaining = self.method.total_epochs(self.spec.budget.epochs) - epoch
        self.stage_steps = self.steps_done - self.stage_start + remaining * math.ceil(len(order) / self.spec.budget.batch_size)
        return self.data.rows["train"][order.to(self.data.device)]

    def _sampled(self) -> Tensor:
        """(n_train,) positions among the training rows, as the budget's sampler draws them."""
        sampler = self.spec.budget.sampler
        if sampler == "shuffle":
            return torch.randperm(self.n_train, generator=self.generator)
        rows = self.data.rows["train"]
        y, group = self.data.y[rows], self.data.group[rows]
        of_both = torch.where(group >= 0, group * self.n_classes + y, group)
        return balanced_draw({"class": y, "group": group, "class_group": of_both}[sampler], self.generator)

    def restart(self) -> None:
        """The network's first weights again, and optimizers that remember nothing; the method keeps what it has learned."""
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(self.spec.seed)
            first = build(self.spec.network, self.data.shapes, self.n_classes).state_dict()
        self.network.load_state_dict(first)
        self._make_optimizers()
        self.stage_start, self.average = self.steps_done, None

    @torch.no_grad()
    def average_in(self, share: float) -> None:
        """average <- average + share (weights - average), running statistics of the encoders included."""
        state = self.network.state_dict()
        if self.average is None:
            self.average = {name: value.detach().clone() for name, value in state.items()}
            return
        for name, value in state.items():
            if value.is_floating_point():
                self.average[name].lerp_(value, share)
            else:
                self.average[name].copy_(value)

    @contextmanager
    def averaged(self) -> Iterator[None]:
        """The network with the averaged weights, where there are any; afterwards with its own again."""
        if self.average is None:
            yield
            return
        own = {name: value.detach().clone() for name, value in self.network.state_dict().items()}
        self.network.load_state_dict(self.average)
        yield
        self.network.load_state_dict(own)

    def forward(self, batch: Batch, epoch: int) -> tuple[Step, Tensor]:
        """The step as the method sees it, and the features that the fusion got."""
        method, network = self.method, self.network
        with autocast(self.data.device, self.spec.precision):
            features = network.encode(batch.inputs, batch.present) if self.shards is None else self.shards.encode(batch, self.steps_done)
            transformed = method.transform(features, batch, training=True)
            fused = method.fused(network, transformed, batch.present, batch.group)
            seen = features if method.joint_classifiers else features.detach()
            modality_logits = network.classify(seen).float()
        step = Step(network, batch, features, fused.map(Tensor.float), modality_logits, epoch, self.steps_done)
        return step, transformed

    def step(self, rows: Tensor, epoch: int, measure_update: bool = False) -> tuple[Step, Tensor, Tensor | None]:
        """Train on `rows`; the step, the fusion's input, and (M,) |delta theta_m| / |theta_m| where measured."""
        method = self.method
        self.epoch = epoch
        batch = augmented(self.data.batch(rows), self.data.shapes, self.spec.budget.augment, self.generator)
        step, transformed = self.forward(batch, epoch)
        loss = method.loss(step)
        factors = method.feature_gradient_factors(step)
        if factors is not None:
            scale = factors.detach().unsqueeze(-1)
            step.features.register_hook(lambda gradient: gradient * scale)
        self.optimizer.zero_grad(set_to_none=True)
        self.classifier_optimizer.zero_grad(set_to_none=True)
        method.backward(step, loss)
        if not method.joint_classifiers:
            # Probes: their graph ends at the detached features, so this costs one small layer.
            step.modality_losses().sum().backward()
        method.after_backward(step)
        if self.spec.budget.clip is not None:
            nn.utils.clip_grad_norm_(self.parameters, self.spec.budget.clip)
        if self.shards is not None:
            self.shards.end_step()
        relative = self._update(step, measure_update)
        self.steps_done += 1
        method.after_step(step)
        return step, transformed, relative

    def _update(self, step: Step, measure: bool) -> Tensor | None:
        rate = self.method.rate(self.rate(self.steps_done - self.stage_start), self.epoch)
        for group in self.optimizer.param_groups:
            group["lr"] = self.spec.budget.lr * rate
        for group in self.classifier_optimizer.param_groups:
            group["lr"] = self.spec.budget.classifier_lr * rate
        factors = self.method.update_factors(step)
        before = self.updates.copy() if measure or factors is not None else None
        self.optimizer.step()
        self.classifier_optimizer.step()
        if before is None:
            return None
        if factors is not None:
            self.updates.scale(before, factors)
        return self.updates.relative(before) if measure else None

    def rate(self, step: int) -> float:
        """What the learning rates are multiplied by at `step` of the stage: linear warm-up, then half a cosine."""
        if self.spec.budget.schedule == "constant":
            return 1.0
        total = self.stage_steps
        warmup = max(1, round(WARMUP_SHARE * total))
        if step < warmup:
            return (step + 1) / (warmup + 1)
        return 0.5 * (1 + math.cos(math.pi * (step - warmup) / max(1, total - warmup)))

    def state(self) -> dict[str, object]:
        """All that the next step depends on, as tensors and plain values."""
        cuda = torch.cuda.get_rng_state(self.data.device) if self.data.device.type == "cuda" else torch.empty(0, dtype=torch.uint8)
        return {
            "network": self.network.state_dict(),
            "extra": self.extra.state_dict() if self.extra is not None else {},
            "optimizer": self.optimizer.state_dict(),
            "classifier_optimizer": self.classifier_optimizer.state_dict(),
            "method": dict(self.method.state()),
            "random": {
                "global": torch.get_rng_state(),
                "cuda": cuda,
                "loop": self.generator.get_state(),
                "method": self.method_generator.get_state(),
            },
            "average": self.average or {},
            "counts": {"steps_done": torch.tensor(self.steps_done), "stage_start": torch.tensor(self.stage_start)},
        }

    def load_state(self, state: Mapping[str, object]) -> None:
        """Restore `state()`; on the CPU training then continues bit for bit."""
        parts: dict[str, dict[str, Tensor]] = {k: v for k, v in state.items() if isinstance(v, dict)}
        self.network.load_state_dict(parts["network"])
        if self.extra is not None:
            self.extra.load_state_dict(parts["extra"])
        self.optimizer.load_state_dict(parts["optimizer"])
        self.classifier_optimizer.load_state_dict(parts["classifier_optimizer"])
        self.method.load_state(parts["method"])
        random = parts["random"]
        torch.set_rng_state(random["global"].cpu())
        if self.data.device.type == "cuda" and len(random["cuda"]):
            torch.cuda.set_rng_state(random["cuda"].cpu(), self.data.device)
        self.generator.set_state(random["loop"].cpu())
        self.method_generator.set_state(random["method"].cpu())
        self.average = {name: value.to(self.data.device) for name, value in parts["average"].items()} or None
        self.steps_done, self.stage_start = int(parts["counts"]["steps_done"]), int(parts["counts"]["stage_start"])
