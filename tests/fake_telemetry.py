"""Plausible values for every telemetry name, for any number of modalities and groups."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from itertools import combinations
from typing import Any

import numpy as np
from scipy.stats import rankdata


@dataclass(frozen=True)
class Story:
    """What a fake run has learnt. N samples, M modalities, C groups."""

    modalities: tuple[str, ...]
    groups: tuple[str, ...]
    group: np.ndarray
    """(N,) group names, None where unknown"""
    y: np.ndarray
    validation: np.ndarray
    logits: np.ndarray
    """(N, M)"""
    weights: np.ndarray
    """(M,) weight of each modality in the fused score"""
    method: str
    seed: int

    @cached_property
    def fused(self) -> np.ndarray:
        return self.logits @ self.weights

    def without(self, modality: int) -> np.ndarray:
        """Fused logits with one modality taken away; constant when it was the only one."""
        return np.delete(self.logits, modality, 1) @ np.delete(self.weights, modality)

    def counts(self, group: str | None) -> tuple[int, int]:
        """Positives and negatives of the validation split."""
        chosen = self._chosen(group)
        positive = int(self.y[chosen].sum())
        return positive, int(chosen.sum()) - positive

    def auc(self, scores: np.ndarray, group: str | None = None) -> float | None:
        """On the validation split; None when the group lacks a class."""
        positive, negative = self.counts(group)
        if positive == 0 or negative == 0:
            return None
        chosen = self._chosen(group)
        ranks = rankdata(scores[chosen])
        return float((ranks[self.y[chosen] == 1].sum() - positive * (positive + 1) / 2) / (positive * negative))

    def _chosen(self, group: str | None) -> np.ndarray:
        return self.validation if group is None else self.validation & (self.group == group)

    @cached_property
    def finals(self) -> dict[str, dict[tuple[str | None, str | None], float | None]]:
        """AUCs after training, by (modality, group): computed once, reused by every epoch."""
        groups = (None, *self.groups)
        unimodal = {(m, g): self.auc(self.logits[:, i], g) for i, m in enumerate(self.modalities) for g in groups}
        without = {(m, g): self.auc(self.without(i), g) for i, m in enumerate(self.modalities) for g in groups}
        return {"unimodal": unimodal, "without": without | {(None, g): self.auc(self.fused, g) for g in groups}}


def telemetry_rows(story: Story, epoch: int, learnt: float, rng: np.random.Generator) -> list[dict[str, Any]]:
    """Rows of one `telemetry` event; `learnt` runs from 0 before training to 1."""
    rows = _contribution(story, learnt, rng)
    if epoch >= 0:
        rows += _conflict(story, learnt, rng) + _internals(story, learnt, rng)
    return rows


def _row(name: str, value: float | None, *, modality: str | None = None, modality_b: str | None = None, group: str | None = None,
         group_b: str | None = None, stat: str = "mean", spread: float | None = None, n: int | None = None) -> dict[str, Any]:  # fmt: skip
    low, high = (None, None) if spread is None or value is None else (value - spread, value + spread)
    return {"name": name, "modality": modality, "modality_b": modality_b, "group": group, "group_b": group_b, "stat": stat,
            "value": value, "low": low, "high": high, "n": n}  # fmt: skip


def _contribution(story: Story, learnt: float, rng: np.random.Generator) -> list[dict[str, Any]]:
    rows = []
    for group in (None, *story.groups):
        n = sum(story.counts(group))
        whole = story.finals["without"][(None, group)]
        rows.append(_row("take_away.auc", _grown(whole, learnt), group=group, n=n))
        phis: dict[str, float | None] = {}
        for i, modality in enumerate(story.modalities):
            alone = story.finals["unimodal"][(modality, group)]
            rows.append(_row("unimodal.auc", _grown(alone, learnt), modality=modality, group=group, n=n))
            rows.append(_row("take_away.auc", _grown(story.finals["without"][(modality, group)], learnt), modality=modality, group=group, n=n))
            phis[modality] = None if alone is None else learnt * float(story.weights[i]) * (alone - 0.5) + 0.004 * float(rng.normal())
        total = sum(abs(phi) for phi in phis.values() if phi is not None)
        spread = float(0.4 / np.sqrt(max(n, 1)))
        for modality, phi in phis.items():
            rows.append(_row("contribution.phi", phi, modality=modality, group=group, spread=spread, n=n))
            ratio = None if phi is None or total == 0 else abs(phi) / total
            rows.append(_row("contribution.ratio", ratio, modality=modality, group=group, spread=min(2 * spread, 0.2), n=n))
        for first, second in combinations(story.modalities, 2):
            together = None if whole is None else -0.05 * learnt + 0.01 * float(rng.normal())
            rows.append(_row("contribution.synergy", together, modality=first, modality_b=second, group=group, spread=spread, n=n))
    for i, modality in enumerate(story.modalities):
        rows.append(_row("contribution.permutation", learnt * 0.25 * float(story.weights[i]), modality=modality, spread=0.02))
        rows.append(_row("confidence.share", float(story.weights[i] * learnt + (1 - learnt) / len(story.modalities)), modality=modality))
    return rows


def _grown(final: float | None, learnt: float) -> float | None:
    return None if final is None else 0.5 + (final - 0.5) * learnt


def _conflict(story: Story, learnt: float, rng: np.random.Generator) -> list[dict[str, Any]]:
    rows = []
    for i, modality in enumerate(story.modalities):
        mean = float(story.weights[i] * 0.8 + 0.1 - 0.2 * learnt * (i > 0) + 0.02 * rng.normal())
        rows += _series("conflict.fused", mean, modality=modality)
        rows.append(_row("magnitude.fused", float(np.clip(0.4 + 0.5 * story.weights[i], 0, 1)), modality=modality))
        rows.append(_row("effect.relative_update", float(0.002 * (0.3 + story.weights[i]) * (1.2 - learnt)), modality=modality))
        rows.append(_row("effect.curvature", float(1.5 * story.weights[i] * (1.1 - learnt)), modality=modality))
        for j, group in enumerate(story.groups):
            value = float(0.3 - 0.25 * learnt * (i == 0) * (j > 0) + 0.03 * rng.normal()) if min(story.counts(group)) else None
            rows.append(_row("conflict.group_modality", value, modality=modality, group=group))
    for first, second in combinations(story.modalities, 2):
        rows += _series("conflict.modalities", float(0.15 - 0.2 * learnt + 0.02 * rng.normal()), modality=first, modality_b=second)
        rows.append(_row("magnitude.modalities", float(0.7 - 0.2 * learnt), modality=first, modality_b=second))
    for one, other in combinations(story.groups, 2):
        rows += _series("conflict.groups", float(0.4 - 0.3 * learnt + 0.02 * rng.normal()), group=one, group_b=other)
        rows.append(_row("magnitude.groups", 0.8, group=one, group_b=other))
    return rows


def _series(name: str, mean: float, **where: str) -> list[dict[str, Any]]:
    return [
        _row(name, mean, stat="mean", **where),  # type: ignore[arg-type]
        _row(name, mean - 0.35, stat="p10", **where),  # type: ignore[arg-type]
        _row(name, float(np.clip(0.4 - mean, 0, 1)), stat="share_negative", **where),  # type: ignore[arg-type]
    ]


def _internals(story: Story, learnt: float, rng: np.random.Generator) -> list[dict[str, Any]]:
    if story.method.startswith("multifair"):
        rows = [_row("method.gate", float(0.8 - 0.6 * learnt))]
        for i, modality in enumerate(story.modalities):
            rows.append(_row("method.balance", float(1 - story.weights[i] + 0.02 * rng.normal()), modality=modality))
            rows += [_row("method.factor", float(1 + 0.2 * j * learnt), modality=modality, group=group) for j, group in enumerate(story.groups)]
        return rows
    if story.method == "ogm-ge":
        return [_row("method.factor", float(1 - 0.5 * learnt * (i == 0)), modality=m) for i, m in enumerate(story.modalities)]
    if story.method == "group-dro":
        return [_row("method.group_weight", 1 / len(story.groups), group=g) for g in story.groups]
    return []
