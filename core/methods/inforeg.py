"""InfoReg: while a modality that is ahead learns fast, it is held near its weights of the epoch's start."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from core.methods.arithmetic import true_class_confidence
from core.methods.base import Context, EpochView, Method, SearchSpace, Step, register
from core.methods.card import Card


@register
class InfoReg(Method):
    """L = CE(z) + sum_m CE(z_m); encoder m's gradient + beta_m (theta_m - theta_m at the epoch's start).

    beta_m = strength exp(tanh(s_m - s')) with s_m the sum over the batch of the true class's probability, where m is ahead of
    the weakest modality s' and its window is open, else 0. The window of m is open in the first epoch and while the
    trace of the Fisher information (mean squared gradients of an epoch) grows by more than `threshold` of itself.
    """

    name = "inforeg"
    card = Card(
        title="InfoReg",
        family="balance",
        paper="Huang et al., Adaptive Unimodal Regulation for Balanced Multimodal Information Acquisition, CVPR 2025",
        summary="Holds back the modality that is ahead while it takes in most, so that the others can take part.",
        limits="knows nothing of the sensitive attribute; with AdamW a pull of this size is divided out where it alone is large",
        departures="one strength for every modality that is ahead; the official program's second branch repeats the first one's condition, so that "
        "its other modality is never held back. "
        "Growth of the trace from one epoch to the next, there between means of ten epochs",
        order=123,
        colour=("#845A00", "#D0A04A"),
    )
    joint_classifiers = True
    search_space: ClassVar[SearchSpace] = {"strength": (0.1, 0.95), "threshold": (0.0, 0.04)}

    @dataclass(frozen=True)
    class Settings(Method.Settings):
        strength: float = 0.95
        threshold: float = 0.04

    def __init__(self, settings: Method.Settings, context: Context) -> None:
        super().__init__(settings, context)
        count, device = len(context.modalities), context.device
        self._open = torch.ones(count, dtype=torch.bool, device=device)
        self._trace, self._before = torch.zeros(count, device=device), torch.full((count,), torch.nan, device=device)
        self._start: list[list[Tensor]] | None = None
        """Weights at the epoch's start; a checkpoint is written between epochs, so it needs none."""
        self._beta = torch.zeros(count, device=device)

    def loss(self, step: Step) -> Tensor:
        if self._start is None:
            self._start = [[p.detach().clone() for p in step.network.encoder_parameters(m)] for m in range(len(self.context.modalities))]
        return step.fused_loss() + step.modality_losses().sum()

    def strengths(self, logits: Tensor, y: Tensor, present: Tensor) -> Tensor:
        """beta, (M,), from the modality classifiers' logits (N, M, K)."""
        total = true_class_confidence(logits, y, present) * len(y)
        ahead = total - total.amin()
        return torch.where((ahead > 0) & self._open, self.settings.strength * torch.exp(torch.tanh(ahead)), torch.zeros_like(ahead))

    @torch.no_grad()
    def after_backward(self, step: Step) -> None:
        assert self._start is not None
        self._beta = self.strengths(step.modality_logits.detach(), step.batch.y, step.batch.present)
        traces = []
        for m, start in enumerate(self._start):
            square = self._trace.new_zeros(())
            for parameter, old in zip(step.network.encoder_parameters(m), start, strict=True):
                if parameter.grad is not None:
                    square = square + parameter.grad.square().mean()
                    parameter.grad.add_(self._beta[m] * (parameter - old))
            traces.append(square)
        self._trace = self._trace + torch.stack(traces)

    def on_epoch_end(self, view: EpochView) -> None:
        growth = (self._trace - self._before) / self._trace.clamp_min(torch.finfo(self._trace.dtype).tiny)
        # Nothing to compare with after the first epoch: the window stays open.
        self._open = growth.isnan() | (growth > self.settings.threshold)
        self._before, self._trace, self._start = self._trace, torch.zeros_like(self._trace), None

    def state(self) -> dict[str, Tensor]:
        return {"open": self._open, "before": self._before, "trace": self._trace}

    def load_state(self, state: Mapping[str, Tensor]) -> None:
        self._open, self._before, self._trace = (state[name].to(self.context.device) for name in ("open", "before", "trace"))
        self._start = None

    def series(self) -> dict[str, Tensor]:
        return {"held": self._beta}
