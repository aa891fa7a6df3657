"""AUCs over the most recent training samples, kept on the device.

A *cell* is one class in one scope; the scopes are everybody and then each group. Cell weights
of N samples, shape (R, 2, 1 + C, N), are 1 where the sample is of that class, in that scope,
and has a value in that score row. All rows and scopes are counted in the same few operations,
because a step of small networks costs what its operations cost, not what they compute.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from core.methods.arithmetic import group_membership


def score_rows(logits: Tensor) -> Tensor:
    """(R, N) scores from logits (N, S, K): the margin for two classes, else S K rows, the log-odds of every class against the rest."""
    if logits.shape[-1] == 2:
        return (logits[..., 1] - logits[..., 0]).T
    own = torch.eye(logits.shape[-1], dtype=torch.bool, device=logits.device)
    others = torch.logsumexp(logits[..., None, :].masked_fill(own, -torch.inf), -1)
    return (logits - others).flatten(1).T


def cell_weights(valid: Tensor, y: Tensor, group: Tensor, n_groups: int, n_classes: int = 2) -> Tensor:
    """(R, 2, 1 + C, N) float from valid (N, S), classes y (N,) and group (N,), -1 where unknown; R as in `score_rows`."""
    scope = torch.cat([torch.ones_like(group[:, None], dtype=torch.get_default_dtype()), group_membership(group, n_groups)], 1)
    if n_classes == 2:
        positive = y.to(scope.dtype)
        label = torch.stack([1 - positive, positive])
        return valid.T[:, None, None] * (label[:, None] * scope.T)
    positive = (y[None] == torch.arange(n_classes, device=y.device)[:, None]).to(scope.dtype)
    label = torch.stack([1 - positive, positive], 1)
    return (valid.T[:, None, None, None] * (label[:, :, None] * scope.T)).flatten(0, 1)


class RollingScores:
    """A ring of the last `size` training samples: R score rows and their cell weights.

    Each row has two labels, one class against the rest. A batch of 32 gives an AUC with a standard deviation near .08; 512
    samples bring it near .02.
    """

    def __init__(self, size: int, n_scores: int, n_groups: int, device: torch.device) -> None:
        self.size = size
        self.score = torch.zeros(n_scores, size, device=device)
        self.cells = torch.zeros(n_scores, 2, 1 + n_groups, size, device=device)
        # Where the next sample goes is known on the host: no question to the device.
        self._next = 0

    def push(self, score: Tensor, cells: Tensor) -> None:
        """Add N samples: scores (R, N) and their `cell_weights`; the oldest leave."""
        n = min(score.shape[1], self.size)
        score, cells = score.detach()[:, -n:], cells[..., -n:]
        first = min(n, self.size - self._next)
        for source, target in ((slice(0, first), slice(self._next, self._next + first)), (slice(first, n), slice(0, n - first))):
            if source.start < source.stop:
                self.score[:, target] = score[:, source]
                self.cells[..., target] = cells[..., source]
        self._next = (self._next + n) % self.size

    def aucs(self, min_per_class: int = 1) -> Tensor:
        """(R, 1 + C) AUC of each score row overall and in each group, ties counting half.

        NaN where a scope has fewer than `min_per_class` samples of either class.
        """
        score, order = self.score.sort(dim=1)
        weight = self.cells.gather(3, order[:, None, None].expand_as(self.cells))
        negative, positive = weight.unbind(1)
        # Of tied scores each sees half of the others: the mean of the counts before and after the tie.
        before = torch.nn.functional.pad(negative.cumsum(2), (1, 0))
        first = torch.searchsorted(score, score)[:, None].expand_as(negative)
        last = torch.searchsorted(score, score, right=True)[:, None].expand_as(negative)
        correct = (positive * (before.gather(2, first) + before.gather(2, last))).sum(2) / 2
        count = weight.sum(3)
        enough = count.amin(1) >= min_per_class
        return torch.where(enough, correct / count.prod(1).clamp_min(1), torch.nan)

    def state(self) -> dict[str, Tensor]:
        return {"score": self.score, "cells": self.cells, "next": torch.tensor(self._next)}

    def load_state(self, state: Mapping[str, Tensor]) -> None:
        self.score.copy_(state["score"])
        self.cells.copy_(state["cells"])
        self._next = int(state["next"])


def surrogate_group_aucs(score: Tensor, cells: Tensor, past: Tensor, past_cells: Tensor, temperature: float) -> tuple[Tensor, Tensor]:
    """Differentiable AUC of each row in each group: mean of sigmoid((s_i - s_j) / T) over pairs of a positive i and a negative j.

    Parameters
    ----------
    score : (M, N) scores that carry the gradient
    cells : (M, 2, C, N) weights of negatives and positives in each group
    past, past_cells : (M, P), (M, 2, C, P) earlier samples; they complete the pairs of this
        batch, so that one sample of a small group is enough to have any. P may be 0.

    Returns
    -------
    AUCs (M, C), 0 where a group has no pair, and whether it has one. A random score gives .5.
    """
    negative, positive = cells.unbind(1)
    past_negative, past_positive = past_cells.unbind(1)
    groups = negative.shape[1]
    ahead = torch.sigmoid((score[:, :, None] - torch.cat([score, past], 1)[:, None]) / temperature)
    # A past positive is ahead of a negative of this batch by 1 - ahead of it: one matrix serves both directions.
    others = torch.cat([torch.cat([negative, past_negative], 2), torch.cat([torch.zeros_like(negative), past_positive], 2)], 1)
    won = ahead @ others.transpose(1, 2)
    signed = (torch.cat([positive, -negative], 1).transpose(1, 2) * won).sum(1)
    across = past_positive.sum(2) * negative.sum(2)
    pairs = positive.sum(2) * others[:, :groups].sum(2) + across
    known = pairs > 0
    return torch.where(known, (signed[:, :groups] + signed[:, groups:] + across) / pairs.clamp_min(1), 0.0), known
