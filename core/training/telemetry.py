"""What every step tells, whichever the method: conflict, magnitude, confidence, effect.

Gradients of the last layers are taken in closed form, (p - y)^T x / N, so nothing here
needs a backward pass, and nothing here can reach the weights. Values stay on the device
until the epoch ends.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations
from typing import TypedDict

import numpy as np
import torch
from torch import Tensor

from core.methods.arithmetic import group_membership, last_layer_gradient
from core.methods.base import Step
from core.models.batch import cross_entropy
from core.training.rows import Row, row


class Labels(TypedDict, total=False):
    """Whom a value is about."""

    modality: str
    modality_b: str
    group: str
    group_b: str


STATS = ("mean", "p10", "share_negative")


def step_gradients(step: Step, n_groups: int) -> Tensor:
    """Last-layer gradients as rows of a matrix (1 + M + C, K D): G_F, each G_m, each G_g.

    G_m is the mean over the samples that have modality m; G_g the mean over the group of
    (p_i - y_i) x_i^T in the fused last layer. A row is 0 where no sample is in it, and NaN
    where the method has no fused last layer.
    """
    y, present = step.batch.y, step.batch.present
    by_modality = last_layer_gradient(step.modality_logits.detach(), y, step.features.detach(), present).flatten(1)
    x = step.fused.last_input
    if x is None:
        fused = torch.full((1 + n_groups, by_modality.shape[1]), torch.nan, device=by_modality.device)
        return torch.cat([fused[:1], by_modality, fused[1:]])
    logits, x = step.fused.logits.detach(), x.detach()
    member = torch.cat([torch.ones_like(logits[:, :1]), group_membership(step.batch.group, n_groups).to(logits.dtype)], dim=1)
    # The whole batch is treated as one more group: G_F and every G_g in one product.
    columns = member.shape[1]
    fused = last_layer_gradient(logits[:, None].expand(-1, columns, -1), y, x[:, None].expand(-1, columns, -1), member).flatten(1)
    return torch.cat([fused[:1], by_modality, fused[1:]])


def cosine_and_magnitude(vectors: Tensor) -> tuple[Tensor, Tensor]:
    """Pairwise cosines and magnitude similarities 2|a||b| / (|a|^2 + |b|^2) of the rows of (R, P).

    NaN where a row is 0: an absent group agrees with nobody.
    """
    gram = vectors @ vectors.T
    square = gram.diagonal()
    norm = torch.where(square > 0, square, torch.nan).sqrt()
    product = norm[:, None] * norm[None]
    return gram / product, 2 * product / (square[:, None] + square[None])


@dataclass(frozen=True)
class _Pair:
    """Which two gradients are compared, and what the result is called."""

    kind: str
    labels: Labels
    a: int
    b: int


class StepTelemetry:
    """Collects one device vector a step; `rows()` turns an epoch of them into telemetry rows."""

    def __init__(self, modalities: tuple[str, ...], groups: tuple[str, ...], device: torch.device) -> None:
        self._modalities = modalities
        self._groups = groups
        first_group = 1 + len(modalities)
        self._pairs = [_Pair("fused", {"modality": m}, 0, 1 + i) for i, m in enumerate(modalities)]
        self._pairs += [_Pair("modalities", {"modality": a, "modality_b": b}, 1 + i, 1 + j) for (i, a), (j, b) in combinations(enumerate(modalities), 2)]
        self._pairs += [_Pair("groups", {"group": a, "group_b": b}, first_group + i, first_group + j) for (i, a), (j, b) in combinations(enumerate(groups), 2)]
        self._a = torch.tensor([p.a for p in self._pairs], device=device)
        self._b = torch.tensor([p.b for p in self._pairs], device=device)
        self._unmeasured = torch.full((len(modalities),), torch.nan, device=device)
        self._steps: list[Tensor] = []
        self._series: list[tuple[str, torch.Size]] = []

    @torch.no_grad()
    def add(self, step: Step, relative_update: Tensor | None, series: dict[str, Tensor]) -> None:
        """Measure one step. No value leaves the device."""
        cosine, magnitude = cosine_and_magnitude(step_gradients(step, len(self._groups)))
        names = [(name, value.shape) for name, value in series.items()]
        if not self._steps:
            self._series = names
        elif names != self._series:
            raise ValueError(f"a method's series changed within an epoch: {self._series} became {names}")
        self._steps.append(
            torch.cat(
                [
                    cosine[self._a, self._b],
                    magnitude[self._a, self._b],
                    confidence_share(step),
                    self._unmeasured if relative_update is None else relative_update,
                    *(value.detach().float().reshape(-1) for value in series.values()),
                ]
            )
        )

    def rows(self) -> list[Row]:
        """Telemetry rows of the steps since the last call, which are then forgotten."""
        if not self._steps:
            return []
        values = torch.stack(self._steps).cpu().numpy().astype(np.float64)
        self._steps = []
        pairs, modalities = len(self._pairs), len(self._modalities)
        cosines, magnitudes, rest = values[:, :pairs], values[:, pairs : 2 * pairs], values[:, 2 * pairs :]
        rows: list[Row] = []
        for i, pair in enumerate(self._pairs):
            for stat in STATS:
                rows.append(_summary(f"conflict.{pair.kind}", cosines[:, i], stat, pair.labels))
            rows.append(_summary(f"magnitude.{pair.kind}", magnitudes[:, i], "mean", pair.labels))
        for i, modality in enumerate(self._modalities):
            rows.append(_summary("confidence.share", rest[:, i], "mean", {"modality": modality}))
            rows.append(_summary("effect.relative_update", rest[:, modalities + i], "mean", {"modality": modality}))
        return rows + self._series_rows(rest[:, 2 * modalities :])

    def _series_rows(self, values: np.ndarray) -> list[Row]:
        rows: list[Row] = []
        start = 0
        for name, shape in self._series:
            for position in np.ndindex(*shape):
                rows.append(_summary(f"method.{name}", values[:, start], "mean", self._labels(name, position)))
                start += 1
        return rows

    def _labels(self, name: str, position: tuple[int, ...]) -> Labels:
        if len(position) == 2:
            return {"modality": self._modalities[position[0]], **self._group(position[1])}
        if len(position) == 1:
            return self._group(position[0]) if name.endswith("_by_group") else {"modality": self._modalities[position[0]]}
        return {}

    def _group(self, position: int) -> Labels:
        """Without a sensitive attribute all samples are one group, which has no name."""
        return {"group": self._groups[position]} if self._groups else {}


def confidence_share(step: Step) -> Tensor:
    """(M,) each modality's share of the summed true-class confidence (OGM's ratio), over the samples that have it."""
    present = step.batch.present
    loss = cross_entropy(step.modality_logits.detach().transpose(1, 2), step.batch.y[:, None].expand(present.shape))
    confidence = ((-loss).exp() * present).sum(0)
    return confidence / confidence.sum()


def _summary(name: str, values: np.ndarray, stat: str, labels: Labels) -> Row:
    """One statistic of the finite values; null with n = 0 where there is none."""
    known = values[np.isfinite(values)]
    value = None
    if len(known):
        if stat == "p10":
            value = float(np.quantile(known, 0.1))
        else:
            value = float(np.mean(known < 0 if stat == "share_negative" else known))
    return row(name, value, stat=stat, n=len(known), **labels)
