"""What decides the numbers of a training run, apart from the cohort."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields, replace
from typing import Any, Literal

from core.errors import UserError
from core.models.spec import NetworkSpec

SELECTIONS = ("auc", "worst_group", "es_auc", "minimax_pareto", "no_harm")
SAMPLERS = ("shuffle", "class", "group", "class_group")
SINCE = {
    "optimizer": "adamw",
    "momentum": 0.9,
    "selection": "auc",
    "fit_on": "validation",
    "folds": 3,
    "evaluation_batch": None,
    "micro_batch": None,
    "sampler": "shuffle",
}
"""Fields of a budget that came later, with the value that every run before them had: left out of a
specification where they have it, so that those runs keep their keys."""


@dataclass(frozen=True)
class Budget:
    """How long and how hard a network is trained."""

    epochs: int = 10
    batch_size: int = 32
    lr: float = 1e-3
    classifier_lr: float = 1e-3
    """Learning rate of the modality classifiers' own AdamW."""
    weight_decay: float = 1e-3
    classifier_weight_decay: float = 3e-3
    schedule: Literal["constant", "cosine"] = "cosine"
    clip: float | None = None
    """Norm to which the gradient of all parameters is clipped; None: not."""
    augment: Literal["none", "flip", "strong"] = "none"
    """`flip`: random mirror images of images and volumes in training. `strong`: also shifts by up to an
    eighth of the edge, brightness and contrast by up to a fifth, and one erased square of a quarter of the edge."""
    optimizer: Literal["adamw", "sgd"] = "adamw"
    momentum: float = 0.9
    """Of SGD."""
    selection: Literal["auc", "worst_group", "es_auc", "minimax_pareto", "no_harm"] = "auc"
    """By what the kept epoch is chosen on validation (core/training/selection.py)."""
    fit_on: Literal["validation", "training"] = "validation"
    """Where methods that fit more than weights by gradients do so: `validation` (protocol a), or
    `training`, cross-fitted or on a part held out from it, so that validation only selects (protocol b)."""
    folds: int = 3
    """Of the cross-fit under fit_on=training; one of them is the part held out where folds cannot be pooled."""
    evaluation_batch: int | None = None
    """Samples evaluated at once; None: 256 for small encoders, batch_size for any other."""
    micro_batch: int | None = None
    """Samples whose encoder activations are held at once; None: the whole batch. Encoders then run in parts and once more
    in the backward pass, while losses, factors and the step are those of the whole batch: gradient accumulation and
    activation checkpointing in one. What an encoder normalises over a batch it then normalises over a part."""
    sampler: Literal["shuffle", "class", "group", "class_group"] = "shuffle"
    """Training samples of an epoch: all once, or as many drawn with replacement so that every class, group, or class in
    every group comes equally often. A method that draws its own goes its own way."""

    def __post_init__(self) -> None:
        if self.epochs < 1 or self.batch_size < 1:
            raise UserError(f"epochs ({self.epochs}) and batch_size ({self.batch_size}) must be at least 1")
        if not (self.lr > 0 and self.classifier_lr > 0):
            raise UserError(f"learning rates must be positive, not {self.lr} and {self.classifier_lr}")
        if self.schedule not in ("constant", "cosine"):
            raise UserError(f"schedule is 'constant' or 'cosine', not {self.schedule!r}")
        for name, known in (
            ("augment", ("none", "flip", "strong")),
            ("optimizer", ("adamw", "sgd")),
            ("selection", SELECTIONS),
            ("fit_on", ("validation", "training")),
            ("sampler", SAMPLERS),
        ):
            if getattr(self, name) not in known:
                raise UserError(f"{name} is {' or '.join(repr(k) for k in known)}, not {getattr(self, name)!r}")
        if not 0 <= self.momentum < 1 or self.folds < 2:
            raise UserError(f"momentum ({self.momentum}) lies in [0, 1) and folds ({self.folds}) are at least 2")
        for name in ("evaluation_batch", "micro_batch"):
            if getattr(self, name) is not None and getattr(self, name) < 1:
                raise UserError(f"{name} is at least 1, not {getattr(self, name)}")

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON, without what is as it was before it could be chosen."""
        return {key: value for key, value in asdict(self).items() if key not in SINCE or value != SINCE[key]}


@dataclass(frozen=True)
class TelemetrySpec:
    """What is measured while training, the same for every method. It never changes the weights."""

    enabled: bool = True
    baseline: bool = True
    """Also measure contribution before the first step (epoch -1)."""
    probe_every: int = 50
    """Steps between group-by-modality conflict measurements on a probe batch."""
    update_every: int = 10
    """Steps between measurements of the relative update per encoder."""
    bootstrap: int = 200
    """Patient resamples behind the intervals."""


@dataclass(frozen=True)
class TrainSpec:
    """One training: method, settings, attribute, seed, network, budget.

    `to_dict` is plain JSON and `from_dict` its inverse; two specifications that train
    alike have equal dictionaries.
    """

    method: str
    settings: Mapping[str, Any] = field(default_factory=dict)
    """The method's hyperparameters that differ from its defaults."""
    attribute: str | None = None
    """Sensitive attribute that the method and the telemetry see; None: one group of all."""
    seed: int = 0
    preset: str = "quick"
    network: NetworkSpec = field(default_factory=NetworkSpec)
    budget: Budget = field(default_factory=Budget)
    precision: Literal["fp32", "bf16"] = "fp32"
    telemetry: TelemetrySpec = field(default_factory=TelemetrySpec)

    def to_dict(self) -> dict[str, Any]:
        return {
            "method": self.method,
            "settings": dict(sorted(self.settings.items())),
            "attribute": self.attribute,
            "seed": self.seed,
            "preset": self.preset,
            "network": self.network.to_dict(),
            "budget": self.budget.to_dict(),
            "precision": self.precision,
            "telemetry": asdict(self.telemetry),
        }

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> TrainSpec:
        parts = dict(values)
        parts["network"] = NetworkSpec(**parts.get("network", {}))
        parts["budget"] = Budget(**parts.get("budget", {}))
        parts["telemetry"] = TelemetrySpec(**parts.get("telemetry", {}))
        return cls(**parts)


_PARTS = ("budget", "network", "telemetry")


def override(spec: TrainSpec, values: Mapping[str, Any], method_settings: tuple[str, ...]) -> TrainSpec:
    """`spec` with values by name, as `--set key=value` gives them.

    A key is one of the method's settings, `precision`, a field of Budget, NetworkSpec or
    TelemetrySpec (bare, or with its part before it: `budget.clip`), or `encoder.NAME` for
    the encoder of a modality or a kind. UserError names an unknown key and the known ones.
    """
    settings = dict(spec.settings)
    for key, value in values.items():
        part, _, name = key.rpartition(".")
        if not part and key in method_settings:
            settings[key] = value
        elif key == "precision":
            if value not in ("fp32", "bf16"):
                raise UserError(f"precision is 'fp32' or 'bf16', not {value!r}")
            spec = replace(spec, precision=value)
        elif key.startswith("encoder."):
            chosen = {**spec.network.encoders, key.removeprefix("encoder."): str(value)}
            spec = replace(spec, network=replace(spec.network, encoders=chosen))
        else:
            spec = _override_part(spec, key, part, name, value, method_settings)
    return replace(spec, settings=settings)


def _override_part(spec: TrainSpec, key: str, part: str, name: str, value: Any, method_settings: tuple[str, ...]) -> TrainSpec:
    for candidate in _PARTS if not part else (part,):
        owner = getattr(spec, candidate, None) if candidate in _PARTS else None
        if owner is not None and name in {f.name for f in fields(owner)} - {"encoders"}:
            return replace(spec, **{candidate: replace(owner, **{name: value})})  # type: ignore[arg-type]
    known = [*method_settings, "precision", "encoder.NAME"]
    known += [f.name for p in _PARTS for f in fields(getattr(spec, p)) if f.name != "encoders"]
    raise UserError(f"{spec.method} has no setting {key!r}; known: {', '.join(known)}")
