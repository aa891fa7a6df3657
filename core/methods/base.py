"""What a training method may change about plain training, and how it is registered.

A method is only what differs from plain training (ERM on the fused network). The
loop in `core.training` calls these hooks and knows no method by name.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, fields
from typing import TYPE_CHECKING, Any, ClassVar, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from core.methods.card import Card
from core.models.batch import Batch, Fused, cross_entropy

if TYPE_CHECKING:
    from core.models.network import Network

SearchSpace = Mapping[str, tuple[Any, ...]]


@dataclass(frozen=True)
class Context:
    """What a method knows of the run before the first step."""

    modalities: tuple[str, ...]
    groups: tuple[str, ...]
    n_classes: int
    group_label_counts: Tensor
    """(C, K) training counts; samples of unknown group are not in it."""
    n_train: int
    steps_per_epoch: int
    epochs: int
    feature_dim: int
    device: torch.device
    generator: torch.Generator
    """On the CPU; the only source of a method's randomness."""
    train_y: Tensor | None = None
    """(n_train,) classes in the order of the training rows: what `epoch_rows` speaks of."""
    train_group: Tensor | None = None
    """(n_train,) groups, -1 where unknown."""


@dataclass
class Step:
    """One training step as a method sees it: one forward pass has been made."""

    network: Network
    batch: Batch
    features: Tensor
    """(N, M, D) encoder outputs before the method's `transform`, attached to the encoders' graph."""
    fused: Fused
    modality_logits: Tensor
    """(N, M, K) modality classifiers: on detached features for probes (the default),
    on attached features when the method sets `joint_classifiers`."""
    epoch: int
    index: int
    """Steps taken so far in the whole run."""
    cache: dict[str, Any] = field(default_factory=dict)

    def fused_loss(self) -> Tensor:
        """Mean cross-entropy of the fused logits, a scalar."""
        return cross_entropy(self.fused.logits, self.batch.y).mean()

    def modality_losses(self) -> Tensor:
        """(M,) mean cross-entropy of each modality classifier over the samples that have it."""
        n, m, k = self.modality_logits.shape
        y = self.batch.y[:, None].expand(n, m)
        losses = cross_entropy(self.modality_logits.reshape(n * m, k), y.reshape(-1)).view(n, m)
        weight = self.batch.present.to(losses.dtype)
        return (losses * weight).sum(0) / weight.sum(0).clamp_min(1)


class Evaluated(Protocol):
    """Outputs on n samples.

    features (n, M, D) as the fusion gets them, what `fused` gave for them, modality classifiers' logits (n, M, K), present (n, M),
    y (n,), group (n,) with -1 for unknown.
    """

    @property
    def features(self) -> Tensor: ...
    @property
    def fused(self) -> Fused: ...
    @property
    def modality_logits(self) -> Tensor: ...
    @property
    def present(self) -> Tensor: ...
    @property
    def y(self) -> Tensor: ...
    @property
    def group(self) -> Tensor: ...


@dataclass(frozen=True)
class EpochView:
    """What is known at the end of an epoch, for methods that adapt between epochs.

    Losses are mean cross-entropies; per-modality tensors have shape (M,).
    """

    epoch: int
    train_fused_loss: float
    train_modality_losses: Tensor
    validation_fused_loss: float
    validation_modality_losses: Tensor
    training: Callable[[], Evaluated] | None = None
    """Evaluates the training rows, in their order: costs an epoch without its backward passes."""


class Predict(Protocol):
    """Scores (N,), group names (N,) (None where unknown) and a seed to labels 0 or 1, int8 (N,)."""

    def __call__(self, scores: NDArray[np.float64], groups: Sequence[str | None] | NDArray[Any], seed: int) -> NDArray[np.int8]: ...


@dataclass(frozen=True)
class Decision:
    """Predicted labels from scores, fitted on held-out patients.

    `randomised` says whether two seeds can differ; `needs_group` whether the sensitive attribute is needed at inference.
    """

    predict: Predict
    randomised: bool
    needs_group: bool


class Method:
    """Plain training; subclasses override what differs. All tensors on `context.device`."""

    name: ClassVar[str]
    card: ClassVar[Card]

    @dataclass(frozen=True)
    class Settings:
        """Hyperparameters with the paper's defaults. Subclasses declare their own."""

    joint_classifiers: ClassVar[bool] = False
    """True: modality classifiers see attached features and the method's own loss trains
    them. False: they are probes on detached features, trained by their own AdamW."""

    search_space: ClassVar[SearchSpace] = {}
    """Candidate values per setting for hyperparameter search (equal budgets for all)."""

    study_rows: ClassVar[Mapping[str, Mapping[str, Any]]] = {"": {}}
    """Rows of a study that this method stands for: settings by what is added to its name."""

    inert_under_adamw: ClassVar[tuple[str, ...]] = ()
    """Settings that only multiply an encoder's whole gradient by a constant, which AdamW divides out:
    searching them there would spend the method's budget on nothing."""

    uses_group: ClassVar[bool] = False
    """True: `fused` reads the sensitive attribute, which is then needed at inference."""

    fits_held_out: ClassVar[bool] = False
    """True: `fit` sets what `fused` computes from patients that no gradient has seen."""

    fits_decision: ClassVar[bool] = False
    """True: `fit_decision` gives a rule."""

    folds_agree: ClassVar[bool] = True
    """What `fit` reads means the same in another network of the same training (logits do, features do not):
    then folds of the training patients can be pooled where validation may not be fitted on."""

    def __init__(self, settings: Method.Settings, context: Context) -> None:
        # ValueError here means that the method does not support such a cohort; the user is shown it.
        self.settings: Any = settings
        self.context = context

    @classmethod
    def parse_settings(cls, values: Mapping[str, Any]) -> Method.Settings:
        """Settings from a mapping; ValueError names an unknown key and the known ones."""
        known = {f.name for f in fields(cls.Settings)}
        unknown = sorted(set(values) - known)
        if unknown:
            raise ValueError(f"{cls.name} has no setting {', '.join(unknown)}; it has: {', '.join(sorted(known)) or 'none'}")
        return cls.Settings(**values)

    @classmethod
    def modalities(cls, settings: Method.Settings, available: tuple[str, ...]) -> tuple[str, ...]:
        """The modalities that the network is built with."""
        return available

    @classmethod
    def variants(cls, available: tuple[str, ...]) -> Mapping[str, Mapping[str, Any]]:
        """The runs that asking for this method stands for: settings by what is added to its title (nothing: the empty text)."""
        return {"": {}}

    @classmethod
    def searched(cls, optimizer: str) -> SearchSpace:
        """`search_space` without what has no effect under this optimizer."""
        return {key: values for key, values in cls.search_space.items() if optimizer != "adamw" or key not in cls.inert_under_adamw}

    def extra_modules(self) -> nn.Module | None:
        """Further trainable parts (an adversary's head), optimised with the network."""
        return None

    def fused(self, network: Network, features: Tensor, present: Tensor, group: Tensor) -> Fused:
        """Logits from features: used in training, evaluation and every telemetry pass."""
        return network.fuse(features, present)

    def transform(self, step_features: Tensor, batch: Batch, training: bool) -> Tensor:
        """Change features between encoders and fusion (dropping, normalising). Identity here."""
        return step_features

    def loss(self, step: Step) -> Tensor:
        """The scalar that is minimised."""
        return step.fused_loss()

    def feature_gradient_factors(self, step: Step) -> Tensor | None:
        """(M,) or (N, M): what the gradient at each encoder's output is multiplied by."""
        return None

    def backward(self, step: Step, loss: Tensor) -> None:
        """Gradients of `loss` into the parameters. One backward pass unless the method says so."""
        loss.backward()

    def after_backward(self, step: Step) -> None:
        """Change parameters' gradients before clipping and the optimizer's step."""

    def update_factors(self, step: Step) -> Tensor | None:
        """(M,): what each encoder's parameter *update* is multiplied by (AdamW cannot cancel it)."""
        return None

    def after_step(self, step: Step) -> None:
        """Bookkeeping after the optimizer's step; no host synchronisation (`.item()`) here."""

    def fit(self, held_out: Evaluated) -> None:
        """Set what `fused` computes from held-out patients, after every epoch; only where `fits_held_out`."""

    def on_epoch_end(self, view: EpochView) -> None:
        """Adapt between epochs."""

    def total_epochs(self, epochs: int) -> int:
        """Epochs of the whole training where plain training takes `epochs`: more for methods in stages."""
        return epochs

    def epoch_rows(self, epoch: int) -> Tensor | None:
        """(any number,) positions among the training rows, in the order of the coming epoch; None: all of them once, shuffled."""
        return None

    def restarts(self, epoch: int) -> bool:
        """True: after this epoch the network begins anew from its first weights, and no earlier epoch can be the one that is kept."""
        return False

    def averaging(self, epoch: int) -> float | None:
        """Share with which the weights at the end of this epoch enter a running average that is then evaluated and kept; None: none."""
        return None

    def rate(self, scheduled: float, epoch: int) -> float:
        """What the learning rates are multiplied by, given the schedule's own factor."""
        return scheduled

    def fit_decision(self, scores: NDArray[np.float64], y: NDArray[np.int64], groups: NDArray[Any]) -> Decision | None:
        """A rule from scores to predicted labels, fitted on held-out patients; None: a threshold does."""
        return None

    def state(self) -> dict[str, Tensor]:
        """Running state as tensors, saved in checkpoints."""
        return {}

    def load_state(self, state: Mapping[str, Tensor]) -> None:
        """Restore `state()`; training then continues bit for bit on the CPU."""

    def series(self) -> dict[str, Tensor]:
        """Named internals of the last step, as device tensors, averaged per epoch by the loop.

        A scalar, (M,) by modality, (C,) by group when the name ends in `_by_group`, or (M, C).
        Examples: `balance` (M,), `factor` (M, C), `gate` ().
        """
        return {}


REGISTRY: dict[str, type[Method]] = {}


def register(cls: type[Method]) -> type[Method]:
    """Class decorator: make a method known by its `name`."""
    if cls.name in REGISTRY:
        raise ValueError(f"two methods are named {cls.name}")
    REGISTRY[cls.name] = cls
    return cls
