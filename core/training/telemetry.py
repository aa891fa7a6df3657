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

from core.methods.base import Step
from core.models.batch import Fused
from core.training.rows import Row, row


class Labels(TypedDict, total=False):
    """Whom a value is about."""

    modality: str
    modality_b: str
    group: str
    group_b: str


STATS = ("mean", "p10", "share_negative")


class StepGradients:
    """Last-layer gradients and true-class confidences of a step, in as few operations as they take.

    A step of small networks costs what its operations cost, not what they compute; hence the
    tables, in which membership is looked up instead of compared.
    """

    def __init__(self, n_groups: int, device: torch.device) -> None:
        # A group of -1, unknown, finds the last row: in everybody's mean, in no group's.
        self._member = torch.cat([torch.ones(n_groups + 1, 1, device=device), torch.eye(n_groups + 1, n_groups, device=device)], 1)
        self._one_hot: Tensor | None = None

    def __call__(self, step: Step) -> tuple[Tensor, Tensor]:
        """Gradients as rows of a matrix (1 + C + M, K D), G_F, each G_g, each G_m; and confidence shares (M,).

        G_m is the mean over the samples that have modality m; G_g the mean over the group of
        (p_i - y_i) x_i^T in the fused last layer. A row is NaN where no sample is in it, and
        where the method has no fused last layer. A confidence share is the modality's part of
        the summed true-class confidence (OGM's ratio), over the samples that have it.
        """
        return self.of(step.features, step.fused, step.modality_logits, step.batch.present, step.batch.y, step.batch.group)

    def of(self, features: Tensor, fused: Fused, modality_logits: Tensor, present: Tensor, y: Tensor, group: Tensor) -> tuple[Tensor, Tensor]:
        """The same from a step's parts, of one network or with a dimension for several before all others: (S, 1 + C + M, K D) and (S, M)."""
        features, x, logits = features.detach().float(), fused.last_input, fused.logits.detach()
        if self._one_hot is None:
            self._one_hot = torch.eye(logits.shape[-1], device=logits.device)
        scopes = self._member.shape[1]
        inputs = torch.full_like(features[..., 0, :], torch.nan) if x is None else x.detach()
        inputs = torch.cat([_repeated(inputs, scopes), features], -2)
        probability = torch.cat([_repeated(logits, scopes), modality_logits.detach()], -2).softmax(-1)
        here = present.to(probability.dtype)
        # Every row is a weighted mean over the batch, so that one product gives them all.
        weight = torch.cat([self._member[group], here], -1)
        target = self._one_hot[y].unsqueeze(-2)
        residual = (probability - target) * weight.unsqueeze(-1)
        gradients = torch.matmul(residual.movedim(-3, -1), inputs.transpose(-3, -2)).flatten(-2) / weight.sum(-2).unsqueeze(-1)
        confidence = (probability * target).sum(-1)[..., scopes:].mul(here).sum(-2)
        return gradients, confidence / confidence.sum(-1, keepdim=True)


def _repeated(value: Tensor, times: int) -> Tensor:
    """(..., F) -> (..., times, F)."""
    return value.unsqueeze(-2).expand(*value.shape[:-1], times, value.shape[-1])


def cosine_and_magnitude(vectors: Tensor) -> tuple[Tensor, Tensor]:
    """Pairwise cosines and magnitude similarities 2|a||b| / (|a|^2 + |b|^2) of the rows of (..., R, P).

    NaN where a row is 0: an absent group agrees with nobody.
    """
    gram = vectors @ vectors.transpose(-2, -1)
    square = gram.diagonal(dim1=-2, dim2=-1)
    norm = torch.where(square > 0, square, torch.nan).sqrt()
    product = norm.unsqueeze(-1) * norm.unsqueeze(-2)
    return gram / product, 2 * product / (square.unsqueeze(-1) + square.unsqueeze(-2))


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
        first = 1 + len(groups)
        self._pairs = [_Pair("fused", {"modality": m}, 0, first + i) for i, m in enumerate(modalities)]
        self._pairs += [
            _Pair("modalities", {"modality": a, "modality_b": b}, first + i, first + j) for (i, a), (j, b) in combinations(enumerate(modalities), 2)
        ]
        self._pairs += [_Pair("groups", {"group": a, "group_b": b}, 1 + i, 1 + j) for (i, a), (j, b) in combinations(enumerate(groups), 2)]
        rows = first + len(modalities)
        self._at = torch.tensor([p.a * rows + p.b for p in self._pairs], dtype=torch.int64, device=device)
        self._gradients = StepGradients(len(groups), device)
        self._unmeasured = torch.full((len(modalities),), torch.nan, device=device)
        self._steps: list[Tensor] = []
        self._series: list[tuple[str, torch.Size]] = []

    @torch.no_grad()
    def add(self, step: Step, relative_update: Tensor | None, series: dict[str, Tensor]) -> None:
        """Measure one step. No value leaves the device."""
        batch = step.batch
        self.note(self.measured(step.features, step.fused, step.modality_logits, batch.present, batch.y, batch.group), relative_update, series)

    @torch.no_grad()
    def measured(self, features: Tensor, fused: Fused, modality_logits: Tensor, present: Tensor, y: Tensor, group: Tensor) -> Tensor:
        """Conflict, magnitude and confidence of one step as a vector, or of the steps of several networks as rows of a matrix."""
        gradients, confidence = self._gradients.of(features, fused, modality_logits, present, y, group)
        cosine, magnitude = (table.flatten(-2).index_select(-1, self._at) for table in cosine_and_magnitude(gradients))
        return torch.cat([cosine, magnitude, confidence], -1)

    @torch.no_grad()
    def note(self, measured: Tensor, relative_update: Tensor | None, series: dict[str, Tensor]) -> None:
        """Keep what was `measured` of a step, with what else it told."""
        names = [(name, value.shape) for name, value in series.items()]
        if not self._steps:
            self._series = names
        elif names != self._series:
            raise ValueError(f"a method's series changed within an epoch: {self._series} became {names}")
        self._steps.append(
            torch.cat(
                [
                    measured,
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
