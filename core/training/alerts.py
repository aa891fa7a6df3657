"""What somebody who watches a training wants to be told: a modality that has stopped learning, a group whose loss rises.

Both are judged on validation losses of the same samples in two epochs, so that a difference is paired and
its standard error small. They are hints while training, tested once per epoch and corrected for nothing; whether
a group is served worse is what the audit says.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

PATIENCE = 3
"""Epochs over which a modality's progress is set against the fused model's."""
IN_A_ROW = 2
"""Epochs in which a group's loss must lie above its best one."""
STOPPED, CLEARLY_LESS = 0.1, 0.5
"""Share of the fused model's gain below which a modality's is none, and the share that it must miss for certain."""
CERTAIN = 3.0
"""Standard errors by which a paired difference must leave 0."""
LEAST = 10
"""Samples without which nothing is said."""
STALLED, RISING = "modality_stalled", "group_loss_rises"


@dataclass(frozen=True)
class Alert:
    """Raised once per training.

    `value`: mean paired difference of the validation loss, of a modality against PATIENCE epochs before, of a group against its best epoch.
    """

    code: str
    epoch: int
    who: str
    """The modality, or the group."""
    value: float
    n: int

    def event(self) -> dict[str, Any]:
        """Fields of the journal's event."""
        whom = "modality" if self.code == STALLED else "group"
        return {"code": self.code, "epoch": self.epoch, whom: self.who, "value": self.value, "n": self.n, "message": self.message}

    @property
    def message(self) -> str:
        """One plain sentence; epochs are counted from 1, as everywhere on screen."""
        if self.code == STALLED:
            return (
                f"{self.who} has stopped learning: over the {PATIENCE} epochs up to {self.epoch + 1} its own loss on {self.n} validation samples "
                "has hardly fallen, while the fused model's has."
            )
        above = f"{self.value:.3f}".removeprefix("0")
        return (
            f"The loss of {self.who} rises: on its {self.n} validation samples it was {above} above its best in epoch {self.epoch + 1}, "
            "while that of all samples was not."
        )


@dataclass
class Watch:
    """Follows the validation losses of one training.

    Shapes: N validation samples, M modalities, C groups. `present` (N, M) bool, `group` (N,) index, -1 unknown.
    """

    modalities: Sequence[str]
    groups: Sequence[str]
    present: NDArray[np.bool_]
    group: NDArray[np.int64]
    raised: list[Alert] = field(default_factory=list)
    best: dict[str, NDArray[np.float64]] = field(default_factory=dict)
    """Losses of the samples, everybody's or a group's, in the last epoch that was better than the best before for certain."""
    then: list[NDArray[np.float64]] = field(default_factory=list)
    """(N, 1 + M) fused and own losses of the last PATIENCE + 1 epochs."""
    above: dict[str, int] = field(default_factory=dict)
    """Epochs in a row in which a group's loss has been above its best."""

    def add(self, epoch: int, fused: NDArray[np.float64], own: NDArray[np.float64]) -> list[Alert]:
        """What is new after `epoch`: `fused` (N,) and `own` (N, M) losses of the fused model and of each modality's classifier."""
        self.then = [*self.then, np.column_stack([fused, own])][-PATIENCE - 1 :]
        everybody_rises = self._rises("all", fused)[0]
        new = self._stalled(epoch) if len(self.then) > PATIENCE else []
        for g, group in enumerate(self.groups):
            losses = fused[self.group == g]
            rises, value = self._rises(f"group {g}", losses)
            key = f"group {g}"
            self.above[key] = self.above.get(key, 0) + 1 if rises and not everybody_rises and len(losses) >= LEAST else 0
            if self.above[key] >= IN_A_ROW:
                new.append(Alert(RISING, epoch, group, value, len(losses)))
        known = {(alert.code, alert.who) for alert in self.raised}
        new = [alert for alert in new if (alert.code, alert.who) not in known]
        self.raised += new
        return new

    def _stalled(self, epoch: int) -> list[Alert]:
        gained = self.then[0] - self.then[-1]
        found = []
        for m, modality in enumerate(self.modalities):
            fused, own = gained[self.present[:, m], 0], gained[self.present[:, m], 1 + m]
            if self._differs(fused, np.zeros_like(fused)) and own.mean() < STOPPED * fused.mean() and self._differs(CLEARLY_LESS * fused, own):
                found.append(Alert(STALLED, epoch, modality, float(-own.mean()), len(own)))
        return found

    def _rises(self, key: str, losses: NDArray[np.float64]) -> tuple[bool, float]:
        """Whether the losses lie above their best epoch's for certain, and by how much; a better epoch becomes the best."""
        if not len(losses):
            return False, 0.0
        best = self.best.get(key)
        # Progress that could be chance is none: the luckiest of many epochs would make every later one look worse.
        if best is None or self._differs(best, losses):
            self.best[key] = losses
            return False, 0.0
        return self._differs(losses, best), float((losses - best).mean())

    @staticmethod
    def _differs(high: NDArray[np.float64], low: NDArray[np.float64]) -> bool:
        """Whether `high` is above `low` in the mean by more than CERTAIN standard errors of the paired difference."""
        difference = high - low
        if len(difference) < LEAST:
            return False
        return bool(difference.mean() > CERTAIN * difference.std(ddof=1) / np.sqrt(len(difference)))

    def state(self) -> dict[str, Any]:
        """Plain values and tensors for a checkpoint: thousands of numbers one by one would be most of its cost."""
        return {
            "raised": [vars(alert) for alert in self.raised],
            "best": {key: torch.from_numpy(np.array(value)) for key, value in self.best.items()},
            "then": [torch.from_numpy(value) for value in self.then],
            "above": dict(self.above),
        }

    def load_state(self, state: dict[str, Any]) -> None:
        """Restore `state()`."""
        self.raised = [Alert(**values) for values in state["raised"]]
        self.best = {key: np.asarray(value) for key, value in state["best"].items()}
        self.above = dict(state["above"])
        self.then = [np.asarray(value) for value in state["then"]]
