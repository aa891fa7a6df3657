"""The network's outputs on given rows, without gradients."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from torch import Tensor

from core.methods.base import Method
from core.metrics.auc import auc
from core.metrics.equity import equity
from core.metrics.estimate import MinimumCounts, finite_or_none
from core.models.batch import Fused, cross_entropy
from core.models.network import Network
from core.models.spec import FROZEN_SUFFIX
from core.training.data import Data
from core.training.device import autocast
from core.training.spec import TrainSpec

GUARD = MinimumCounts()

SMALL_BATCH = 256
"""Samples evaluated at once where all encoders are small."""


def evaluation_batch(spec: TrainSpec) -> int:
    """Samples evaluated at once: without gradients never more than a training step of the same encoders needs."""
    if spec.budget.evaluation_batch is not None:
        return spec.budget.evaluation_batch
    small = all(choice == "small" or choice.endswith(FROZEN_SUFFIX) for choice in spec.network.encoders.values())
    return SMALL_BATCH if small else spec.budget.batch_size


@dataclass(frozen=True)
class RankingMetrics:
    """How well scores rank, overall and between groups; None where not estimable, with the reason.

    `judged` are the AUCs of the groups that have enough positives and negatives, by name; `left_out` says why
    each other group is in no summary. With more than two classes an AUC is the mean of one against the rest,
    over the classes that have enough of both.
    """

    auc: float | None
    es_auc: float | None
    worst_group_auc: float | None
    max_gap: float | None
    judged: Mapping[str, float]
    left_out: Mapping[str, str]
    reason: str | None

    @property
    def without(self) -> str:
        """Who is left out, in words; empty where nobody is."""
        return f" (without {'; '.join(f'{name}: {why}' for name, why in self.left_out.items())})" if self.left_out else ""


def ranking_metrics(y: ArrayLike, score: ArrayLike, group: ArrayLike, groups: tuple[str, ...], weight: ArrayLike | None = None) -> RankingMetrics:
    """AUC, ES-AUC, worst group and gap by the audit's functions and with its guard.

    Parameters
    ----------
    y : (n,) classes. score : (n,) of class 1, or (n, K) of every class. group : (n,) index into `groups`, -1 unknown.
    weight : (n,) sampling weights; None counts every sample once.

    The overall AUC is of every sample; ES-AUC sets the groups against the samples whose group is known.
    """
    labels, scores, member = np.asarray(y), np.asarray(score, dtype=np.float64), np.asarray(group)
    columns = scores[:, None] if scores.ndim == 1 else scores[:, 1:] if scores.shape[1] == 2 else scores
    classes = [1] if columns.shape[1] == 1 else list(range(columns.shape[1]))
    rows = [labels == k for k in classes]
    counted = None if weight is None else np.asarray(weight, dtype=np.float64)
    whole = _area(rows, columns, np.ones(len(labels), dtype=bool), counted, least=None)[0]
    known, judged, left_out = member >= 0, {}, {}
    for g, name in enumerate(groups):
        area, why = _area(rows, columns, member == g, counted)
        if why is None:
            judged[name] = area
        else:
            left_out[name] = why
    of_known = _area(rows, columns, known, counted, least=None)[0] if known.any() else np.nan
    fair = equity(of_known, [judged.get(name, np.nan) for name in groups], groups)
    return RankingMetrics(finite_or_none(whole), fair.es_auc, fair.worst_value, fair.max_gap, judged, left_out, fair.reason)


def _area(
    rows: Sequence[NDArray[np.bool_]],
    columns: NDArray[np.float64],
    inside: NDArray[np.bool_],
    weight: NDArray[np.float64] | None,
    least: MinimumCounts | None = GUARD,
) -> tuple[float, str | None]:
    """Mean AUC of the classes (one score column each) among the rows `inside`, and why it cannot be judged."""
    areas: list[float] = []
    why = None
    for positive, score in zip(rows, columns.T, strict=True):
        n_pos = int((positive & inside).sum())
        too_few = least.too_few(n_pos, int(inside.sum()) - n_pos) if least is not None else None
        why = too_few or why
        if too_few is None:
            areas.append(auc(positive[inside].astype(np.int64), score[inside], None if weight is None else weight[inside]))
    return (float(np.mean(areas)), None) if areas else (float("nan"), why)


@dataclass(frozen=True)
class Outputs:
    """Of n rows: features as the fusion gets them, logits, modality classifiers' logits."""

    features: Tensor
    """(n, M, D), after the method's `transform`."""
    fused: Fused
    """What the method made of them."""
    modality_logits: Tensor
    """(n, M, K)"""
    present: Tensor
    y: Tensor
    group: Tensor
    rows: Tensor

    @property
    def logits(self) -> Tensor:
        """Of the fused network, (n, K)."""
        return self.fused.logits

    @classmethod
    def joined(cls, parts: Sequence[Outputs]) -> Outputs:
        """Outputs on several sets of rows as one."""
        named = {name: torch.cat([getattr(one, name) for one in parts]) for name in ("features", "modality_logits", "present", "y", "group", "rows")}
        return cls(fused=Fused.joined([one.fused for one in parts]), **named)

    def loss(self) -> Tensor:
        return cross_entropy(self.logits, self.y).mean()

    def each_modality_loss(self) -> Tensor:
        """(n, M) of each modality's own classifier, also where a sample lacks the modality."""
        return cross_entropy(self.modality_logits.transpose(1, 2), self.y[:, None].expand(self.present.shape))

    def modality_losses(self) -> Tensor:
        """(M,) over the samples that have the modality."""
        losses = self.each_modality_loss()
        weight = self.present.to(losses.dtype)
        return (losses * weight).sum(0) / weight.sum(0).clamp_min(1)


def log_odds(logits: Tensor) -> NDArray[np.float64]:
    """Log-odds of class 1, (n,), or with more than two classes of every class, (n, K).

    They rank like the probabilities, without their saturation.
    """
    if logits.shape[1] == 2:
        return (logits[:, 1] - logits[:, 0]).double().cpu().numpy()
    wide = logits.double()
    own = torch.eye(wide.shape[1], dtype=torch.bool, device=wide.device)
    others = torch.logsumexp(wide[:, None].masked_fill(own, -torch.inf), 2)
    return (wide - others).cpu().numpy()


class Evaluator:
    """Evaluates one network under one method; encoders run once per call."""

    def __init__(self, network: Network, method: Method, data: Data, precision: str, batch_size: int = SMALL_BATCH) -> None:
        self.network = network
        self.method = method
        self.data = data
        self.precision = precision
        self.batch_size = batch_size

    @torch.no_grad()
    def run(self, rows: Tensor) -> Outputs:
        """Outputs at `rows`, in evaluation mode; the network's mode is put back."""
        training = self.network.training
        self.network.eval()
        parts: list[tuple[Tensor, Fused, Tensor]] = []
        for index in rows.split(self.batch_size):
            batch = self.data.batch(index)
            with autocast(self.data.device, self.precision):
                raw = self.network.encode(batch.inputs, batch.present)
                features = self.method.transform(raw, batch, training=False)
                fused = self.method.fused(self.network, features, batch.present, batch.group)
                modality_logits = self.network.classify(raw)
            parts.append((features.float(), fused.map(Tensor.float), modality_logits.float()))
        self.network.train(training)
        data = self.data
        return Outputs(
            features=torch.cat([part[0] for part in parts]),
            fused=Fused.joined([part[1] for part in parts]),
            modality_logits=torch.cat([part[2] for part in parts]),
            present=data.present[rows],
            y=data.y[rows],
            group=data.group[rows],
            rows=rows,
        )

    @torch.no_grad()
    def fuse(self, features: Tensor, present: Tensor, group: Tensor) -> Fused:
        """The fused output from cached features: the encoders do not run."""
        training = self.network.training
        self.network.eval()
        with autocast(self.data.device, self.precision):
            parts = [
                self.method.fused(self.network, f, p, g).map(Tensor.float)
                for f, p, g in zip(*(t.split(self.batch_size) for t in (features, present, group)), strict=True)
            ]
        self.network.train(training)
        return Fused.joined(parts)

    def keeping(self, outputs: Outputs, mean: Tensor, keep: tuple[bool, ...], keep_group: bool = True) -> Tensor:
        """Fused logits (n, K) with only the modalities in `keep`: what `fuse` gives for `kept`."""
        given = self.kept(outputs, mean, keep, keep_group)
        return outputs.logits if given is None else self.fuse(*given).logits.expand(len(outputs.rows), -1)

    def kept(self, outputs: Outputs, mean: Tensor, keep: tuple[bool, ...], keep_group: bool = True) -> tuple[Tensor, Tensor, Tensor] | None:
        """Features, present and group with only the modalities in `keep`; None where that is everything, one row where all samples are alike.

        The others are replaced by `mean` (M, D), their mean feature in training, for every
        sample, those who lack the modality included. Without `keep_group` every sample's
        group counts as unknown: with nothing kept all samples are then alike.
        """
        if all(keep) and keep_group:
            return None
        if not any(keep) and not (keep_group and self.method.uses_group):
            # One stands for all.
            present, unknown = torch.ones_like(outputs.present[:1]), torch.full_like(outputs.group[:1], -1)
            return mean[None].to(outputs.features.dtype), present, unknown
        kept = torch.tensor(keep, device=mean.device)
        group = outputs.group if keep_group else torch.full_like(outputs.group, -1)
        return torch.where(kept[:, None], outputs.features, mean), outputs.present | ~kept, group
