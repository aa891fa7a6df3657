"""What each modality gives the fused model, measured on validation after an epoch.

The encoders have run once; only the small fusion network is repeated on cached features.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
import torch
from torch import Tensor

from core.metrics.auc import auc
from core.training.evaluate import Evaluator, Outputs, log_odds
from core.training.questions import Fuse, Work, answered
from core.training.rows import Row, row
from core.training.shapley import interaction_weights, shapley_weights

PERMUTATIONS = 3
LEVEL = 0.95
MIN_RESAMPLES = 0.9
"""An interval needs this share of resamples in which both classes are present."""


@dataclass(frozen=True)
class Scopes:
    """Overall and each group: (1 + C, n) membership over the evaluated samples."""

    names: tuple[str | None, ...]
    member: np.ndarray

    @classmethod
    def of(cls, outputs: Outputs, groups: Sequence[str]) -> Scopes:
        group = outputs.group.cpu().numpy()
        if len(groups) < 2:
            return cls((None,), np.ones((1, len(group)), dtype=bool))
        member = group[None] == np.arange(len(groups))[:, None]
        return cls((None, *groups), np.concatenate([np.ones((1, len(group)), dtype=bool), member]))


class ResampledAUC:
    """AUCs of many score columns in every scope, with patient-resampled copies.

    A resample weights each patient by how often it was drawn; its weighted AUC needs no
    new sort, so that B resamples of n samples cost O(B n).
    """

    def __init__(self, y: np.ndarray, patients: np.ndarray, scopes: Scopes, resamples: int, rng: np.random.Generator) -> None:
        self.y = y
        self.scopes = scopes
        _, patient = np.unique(patients, return_inverse=True)
        count = int(patient.max()) + 1
        drawn = rng.multinomial(count, np.full(count, 1 / count), size=resamples)
        # The first row is the sample itself; samples lie along the first axis, which sums fastest.
        self._weight = np.concatenate([np.ones((len(y), 1)), drawn[:, patient].T], axis=1)

    def __call__(self, scores: np.ndarray, has: np.ndarray | None = None) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """AUCs of `scores` (R, n), or with a column per class (R, n, K) their mean over one class against the rest.

        Samples outside `has` (n,) are left out.

        Returns AUCs (1 + C, R), NaN where a class is absent; resampled AUCs (1 + C, R, B);
        and sample counts (1 + C,).
        """
        members = self.scopes.member if has is None else self.scopes.member & has
        areas = np.stack([[self._aucs(score[m], m) for score in scores] for m in members])
        return areas[..., 0], areas[..., 1:], members.sum(1)

    def whole(self, score: np.ndarray) -> float:
        """AUC of everybody from one score (n,) or (n, K), without resamples."""
        if score.ndim == 1:
            return auc(self.y, score)
        return float(np.mean([auc((self.y == k).astype(np.int64), column) for k, column in enumerate(score.T)]))

    def _aucs(self, score: np.ndarray, inside: np.ndarray) -> np.ndarray:
        y, weight = self.y[inside], self._weight[inside]
        if score.ndim == 1:
            return weighted_aucs(y, score, weight)
        # A class that a resample lacks makes its mean unknown: leaving it out would compare other classes.
        return np.mean([weighted_aucs((y == k).astype(np.int64), column, weight) for k, column in enumerate(score.T)], axis=0)


def weighted_aucs(y: np.ndarray, score: np.ndarray, weight: np.ndarray) -> np.ndarray:
    """(B,) AUCs of one score under each column of `weight` (n, B), ties counting half; NaN where a class has no weight."""
    order = np.argsort(score, kind="stable")
    ordered = score[order]
    positive = (y[order] == 1)[:, None]
    weight = weight[order]
    gained, lost = np.where(positive, weight, 0.0), np.where(positive, 0.0, weight)
    if len(score) and (ordered[1:] == ordered[:-1]).any():
        starts = np.flatnonzero(np.r_[True, ordered[1:] != ordered[:-1]])
        gained, lost = np.add.reduceat(gained, starts), np.add.reduceat(lost, starts)
    below = np.cumsum(lost, axis=0) - 0.5 * lost
    pairs = gained.sum(0) * lost.sum(0)
    return np.where(pairs > 0, (gained * below).sum(0) / np.where(pairs > 0, pairs, 1), np.nan)


def interval(copies: np.ndarray) -> tuple[float | None, float | None]:
    """Percentile interval of resampled values (B,); None where too few could be computed."""
    known = copies[np.isfinite(copies)]
    if len(known) < max(2.0, MIN_RESAMPLES * len(copies)):
        return None, None
    low, high = np.quantile(known, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return float(low), float(high)


def contribution_rows(
    evaluator: Evaluator,
    outputs: Outputs,
    mean: Tensor,
    modalities: Sequence[str],
    groups: Sequence[str],
    patients: np.ndarray,
    resamples: int,
    rng: np.random.Generator,
) -> list[Row]:
    """What `contribution` measures, by this evaluator alone."""
    return answered(contribution(evaluator, outputs, mean, modalities, groups, patients, resamples, rng), evaluator)


def contribution(
    evaluator: Evaluator,
    outputs: Outputs,
    mean: Tensor,
    modalities: Sequence[str],
    groups: Sequence[str],
    patients: np.ndarray,
    resamples: int,
    rng: np.random.Generator,
) -> Work[list[Row]]:
    """Shapley contributions and interactions, take-away and unimodal AUCs, and the permutation cross-check.

    v(S) = AUC(S) - .5 with the modalities outside S replaced by `mean` (M, D). Where the method reads the
    sensitive attribute at inference, that is one more player, unknown for everybody when it is not in S:
    so v(nothing) is 0, because all samples then have one score, and what the attribute itself gives is not
    counted as a modality's. `patients` (n,) are those of `outputs`.
    """
    y = outputs.y.cpu().numpy()
    scopes = Scopes.of(outputs, groups)
    measure = ResampledAUC(y, patients, scopes, resamples, rng)
    count = len(modalities)
    told = evaluator.method.uses_group and len(groups) > 1
    coalitions, weights = shapley_weights(count + told, rng)
    scores = []
    for kept in coalitions:
        given = evaluator.kept(outputs, mean, kept[:count], not told or kept[-1])
        fused = outputs.fused if given is None else (yield Fuse(*given))
        scores.append(log_odds(fused.logits.expand(len(y), -1)))
    point, copies, counts = measure(np.stack(scores))
    players: list[tuple[str, str | None]] = [("", modality) for modality in modalities] + [("_attribute", None)] * told
    everything = coalitions.index((True,) * (count + told))
    rows = _synergy_rows(scopes, modalities, interaction_weights(count + told, list(combinations(range(count), 2))), point, copies, counts)
    for s, group in enumerate(scopes.names):
        phi, phi_copies = weights @ (point[s] - 0.5), weights @ (copies[s] - 0.5)
        ratio, ratio_copies = _share(phi), _share(phi_copies)
        n = int(counts[s])
        low, high = interval(copies[s, everything])
        rows.append(row("take_away.auc", point[s, everything], group=group, low=low, high=high, n=n))
        for p, (suffix, modality) in enumerate(players):
            measured = [(f"contribution.phi{suffix}", phi[p], phi_copies[p]), (f"contribution.ratio{suffix}", ratio[p], ratio_copies[p])]
            if modality is not None:
                without = coalitions.index(tuple(k != p for k in range(count + told)))
                measured.append(("take_away.auc", point[s, without], copies[s, without]))
            for name, value, copy in measured:
                low, high = interval(copy) if np.isfinite(value) else (None, None)
                rows.append(row(name, value, modality=modality, group=group, low=low, high=high, n=n))
    rows += _unimodal_rows(measure, outputs, modalities)
    rows += yield from _permutation_rows(outputs, modalities, measure, point[0, everything], rng)
    return rows


def _synergy_rows(
    scopes: Scopes, modalities: Sequence[str], weights: np.ndarray | None, point: np.ndarray, copies: np.ndarray, counts: np.ndarray
) -> list[Row]:
    """What each two modalities are worth together beyond what they are worth apart; none where coalitions are sampled."""
    rows: list[Row] = []
    for s, group in enumerate(scopes.names) if weights is not None else ():
        found, resampled = weights @ (point[s] - 0.5), weights @ (copies[s] - 0.5)
        for (a, b), value, copy in zip(combinations(modalities, 2), found, resampled, strict=True):
            low, high = interval(copy) if np.isfinite(value) else (None, None)
            rows.append(row("contribution.synergy", value, modality=a, modality_b=b, group=group, low=low, high=high, n=int(counts[s])))
    return rows


def _share(phi: np.ndarray) -> np.ndarray:
    """|phi| over its sum along the first axis; NaN where all are 0."""
    total = np.abs(phi).sum(0)
    return np.abs(phi) / np.where(total > 0, total, np.nan)


def _unimodal_rows(measure: ResampledAUC, outputs: Outputs, modalities: Sequence[str]) -> list[Row]:
    rows = []
    present = outputs.present.cpu().numpy()
    for m, modality in enumerate(modalities):
        point, copies, counts = measure(log_odds(outputs.modality_logits[:, m])[None], present[:, m])
        for s, group in enumerate(measure.scopes.names):
            low, high = interval(copies[s, 0])
            rows.append(row("unimodal.auc", point[s, 0], modality=modality, group=group, low=low, high=high, n=int(counts[s])))
    return rows


def _permutation_rows(outputs: Outputs, modalities: Sequence[str], measure: ResampledAUC, full: float, rng: np.random.Generator) -> Work[list[Row]]:
    """How much AUC is lost when one modality's features change hands between patients."""
    rows = []
    y = measure.y
    for m, modality in enumerate(modalities):
        lost = []
        for _ in range(PERMUTATIONS):
            order = torch.from_numpy(rng.permutation(len(y))).to(outputs.features.device)
            features, present = outputs.features.clone(), outputs.present.clone()
            features[:, m], present[:, m] = features[order, m], present[order, m]
            fused = yield Fuse(features, present, outputs.group)
            lost.append(full - measure.whole(log_odds(fused.logits)))
        rows.append(row("contribution.permutation", float(np.mean(lost)), modality=modality, n=len(y)))
    return rows
