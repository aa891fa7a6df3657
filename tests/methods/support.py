"""A tiny network, batches and a bare training step, shared by the tests of all methods.

The step makes the calls of the training loop in its order, without telemetry or files,
so that a failing test points at the method.
"""

from __future__ import annotations

import copy
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

from core.methods import get
from core.methods.base import Context, EpochView, Method, Step
from core.models.batch import Batch, Fused
from core.models.network import Network, build
from core.models.spec import ModalityShape, NetworkSpec

WIDTH = 8
INPUTS = 5


def network(n_modalities: int = 2, n_classes: int = 2, seed: int = 0) -> Network:
    """Tabular encoders: the smallest with a backbone of their own. Nothing is random in them."""
    torch.manual_seed(seed)
    shapes = {f"m{i}": ModalityShape("tabular", (INPUTS,)) for i in range(n_modalities)}
    made = build(NetworkSpec(width=WIDTH, heads=2, layers=1, dropout=0.0), shapes, n_classes)
    for module in made.modules():
        if isinstance(module, torch.nn.Dropout):
            module.p = 0.0
    return made


def batch(n: int = 16, n_modalities: int = 2, n_classes: int = 2, n_groups: int = 2, seed: int = 0, missing: bool = False) -> Batch:
    """Random inputs; labels and groups run through all combinations."""
    generator = torch.Generator().manual_seed(seed)
    present = torch.ones(n, n_modalities, dtype=torch.bool)
    if missing:
        present[::3, 0] = False
    return Batch(
        inputs={f"m{i}": table(torch.randn(n, INPUTS, generator=generator)) for i in range(n_modalities)},
        present=present,
        y=torch.arange(n) % n_classes,
        group=(torch.arange(n) // n_classes) % n_groups,
        index=torch.arange(n),
    )


def table(values: Tensor) -> dict[str, Tensor]:
    return {"values": values, "missing": torch.zeros_like(values, dtype=torch.bool)}


def take(source: Batch, rows: Tensor) -> Batch:
    """The batch with only these rows, in this order."""
    inputs: dict[str, Tensor | dict[str, Tensor]] = {
        name: {part: value[rows] for part, value in parts.items()} for name, parts in source.inputs.items() if isinstance(parts, dict)
    }
    return Batch(inputs, source.present[rows], source.y[rows], source.group[rows], source.index[rows])


def context(n_modalities: int = 2, n_classes: int = 2, n_groups: int = 2, seed: int = 0) -> Context:
    counts = 10.0 * (1 + torch.arange(n_groups * n_classes, dtype=torch.float32)).view(n_groups, n_classes)
    return Context(
        modalities=tuple(f"m{i}" for i in range(n_modalities)),
        groups=tuple(f"g{i}" for i in range(n_groups)),
        n_classes=n_classes,
        group_label_counts=counts,
        n_train=int(counts.sum()),
        steps_per_epoch=4,
        epochs=3,
        feature_dim=WIDTH,
        device=torch.device("cpu"),
        generator=torch.Generator().manual_seed(seed),
        train_y=torch.arange(int(counts.sum())) % n_classes,
        train_group=(torch.arange(int(counts.sum())) // n_classes) % n_groups,
    )


@dataclass(frozen=True)
class Shown:
    """What a method is shown of validation."""

    features: Tensor
    fused: Fused
    modality_logits: Tensor
    present: Tensor
    y: Tensor
    group: Tensor


@dataclass
class Bench:
    """A method with its network and optimizers, ready to take steps."""

    name: str
    settings: dict[str, Any] = field(default_factory=dict)
    n_modalities: int = 2
    n_classes: int = 2
    n_groups: int = 2
    seed: int = 0
    clip: float | None = None
    optimizer: str = "adamw"

    def __post_init__(self) -> None:
        # A method that takes one of the modalities has a network with that one alone.
        cls = get(self.name)
        self.n_modalities = len(cls.modalities(cls.parse_settings(self.settings), tuple(f"m{i}" for i in range(self.n_modalities))))
        self.network = network(self.n_modalities, self.n_classes, self.seed)
        self.rebuild(context(self.n_modalities, self.n_classes, self.n_groups, self.seed))

    def rebuild(self, chosen: Context) -> None:
        """Make the method and the optimizers anew, for another context or changed weights."""
        cls = get(self.name)
        self.context = chosen
        self.method: Method = cls(cls.parse_settings(self.settings), self.context)
        extra = self.method.extra_modules()
        main = self.network.main_parameters() + (list(extra.parameters()) if extra is not None else [])
        make = torch.optim.AdamW if self.optimizer == "adamw" else torch.optim.SGD
        self.main = make(main, lr=1e-2)
        self.classifiers = make(self.network.classifier_parameters(), lr=1e-2)
        self.parameters = main
        self.index = 0
        self.epoch = 0

    def forward(self, data: Batch) -> Step:
        net, method = self.network, self.method
        encoded = net.encode(data.inputs, data.present)
        fused = method.fused(net, method.transform(encoded, data, True), data.present, data.group)
        seen = encoded if method.joint_classifiers else encoded.detach()
        return Step(net, data, encoded, fused, net.classify(seen), 0, self.index)

    def gradients(self, data: Batch) -> Step:
        """Forward and backward: gradients are left in the parameters."""
        step = self.forward(data)
        method = self.method
        loss = method.loss(step)
        factors = method.feature_gradient_factors(step)
        if factors is not None:
            wide = factors if factors.dim() == 2 else factors[None].expand(len(data), -1)
            step.features.register_hook(lambda g: g * wide[..., None].to(g.dtype))
            step.cache["factors"] = factors
        method.backward(step, loss)
        if not method.joint_classifiers:
            step.modality_losses().sum().backward()
        method.after_backward(step)
        step.cache["loss"] = loss.detach()
        return step

    def step(self, data: Batch) -> Step:
        self.main.zero_grad()
        self.classifiers.zero_grad()
        step = self.gradients(data)
        if self.clip is not None:
            torch.nn.utils.clip_grad_norm_(self.parameters, self.clip)
        update = self.method.update_factors(step)
        before = [[p.detach().clone() for p in self.network.encoder_parameters(m)] for m in range(self.n_modalities)]
        self.main.step()
        self.classifiers.step()
        if update is not None:
            with torch.no_grad():
                for m, old in enumerate(before):
                    for parameter, previous in zip(self.network.encoder_parameters(m), old, strict=True):
                        parameter.copy_(previous + update[m] * (parameter - previous))
        self.method.after_step(step)
        self.index += 1
        return step

    def end_epoch(self, data: Batch) -> None:
        """Let the method adapt, as after an epoch, with `data` as validation; the training loss is made up of it."""
        with torch.no_grad():
            step = self.forward(data)
            own, fused = step.modality_losses(), float(step.fused_loss())
            shown = self.shown(data)
        if self.method.fits_held_out:
            self.method.fit(shown)
        self.method.on_epoch_end(EpochView(self.epoch, 0.9 * fused, 0.9**self.epoch * own, fused, own, lambda: self.shown(self.training)))
        self.epoch += 1

    @torch.no_grad()
    def shown(self, data: Batch) -> Shown:
        """Outputs in evaluation mode, as the loop shows them to a method."""
        net, method = self.network, self.method
        net.eval()
        encoded = net.encode(data.inputs, data.present)
        features = method.transform(encoded, data, False)
        fused = method.fused(net, features, data.present, data.group)
        net.train()
        return Shown(features, fused, net.classify(encoded), data.present, data.y, data.group)

    @property
    def training(self) -> Batch:
        """The training rows that the context speaks of."""
        count = int(self.context.n_train)
        return batch(count, self.n_modalities, self.n_classes, self.n_groups, seed=900)

    def run(self, steps: int, first: int = 0, n: int = 16, missing: bool = False) -> Tensor:
        """Take steps on different batches, an epoch after each; all weights afterwards as one vector."""
        for t in range(first, first + steps):
            self.step(batch(n, self.n_modalities, self.n_classes, self.n_groups, seed=100 + t, missing=missing))
            self.end_epoch(batch(n, self.n_modalities, self.n_classes, self.n_groups, seed=500 + t, missing=missing))
        return self.weights()

    def reorder_modalities(self, order: Tensor) -> None:
        """Put everything that belongs to modality order[m] in place m."""
        state = self.network.state_dict()
        moved = dict(state)
        for key, value in state.items():
            if key.startswith("encoders."):
                _, place, rest = key.split(".", 2)
                moved[key] = state[f"encoders.{int(order[int(place)])}.{rest}"].clone()
            elif key in ("missing", "classifier_weight", "classifier_bias", "fusion.modality"):
                moved[key] = value[order].clone()
        self.network.load_state_dict(moved)

    def relabel_groups(self, mapping: Tensor) -> None:
        """Move what a method's own modules hold for group g to mapping[g]."""
        extra = self.method.extra_modules()
        for parameter in extra.parameters() if extra is not None else ():
            if len(parameter) == self.n_groups:
                old = parameter.detach().clone()
                with torch.no_grad():
                    parameter[mapping] = old

    def save(self) -> dict[str, Any]:
        """Everything that a checkpoint holds."""
        extra = self.method.extra_modules()
        return copy.deepcopy(
            {
                "network": self.network.state_dict(),
                "extra": extra.state_dict() if extra is not None else {},
                "main": self.main.state_dict(),
                "classifiers": self.classifiers.state_dict(),
                "method": self.method.state(),
                "generator": self.context.generator.get_state(),
                "index": self.index,
                "epoch": self.epoch,
            }
        )

    def restore(self, saved: dict[str, Any]) -> None:
        self.network.load_state_dict(saved["network"])
        extra = self.method.extra_modules()
        if extra is not None:
            extra.load_state_dict(saved["extra"])
        self.main.load_state_dict(saved["main"])
        self.classifiers.load_state_dict(saved["classifiers"])
        self.method.load_state(saved["method"])
        self.context.generator.set_state(saved["generator"])
        self.index, self.epoch = saved["index"], saved["epoch"]

    def weights(self) -> Tensor:
        return torch.cat([p.detach().flatten() for p in self.network.main_parameters()])
