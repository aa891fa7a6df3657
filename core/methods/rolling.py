"""AUCs over the most recent training samples, kept on the device."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from core.methods.arithmetic import group_membership


class RollingScores:
    """A ring of the last `size` training samples: R score columns, label, group, validity.

    Binary labels. A batch of 32 gives an AUC with a standard deviation near .08; 512
    samples bring it near .02.
    """

    def __init__(self, size: int, n_scores: int, n_groups: int, device: torch.device) -> None:
        self.size = size
        self.n_groups = n_groups
        self.score = torch.zeros(size, n_scores, device=device)
        self.valid = torch.zeros(size, n_scores, dtype=torch.bool, device=device)
        self.y = torch.zeros(size, dtype=torch.int64, device=device)
        self.group = torch.full((size,), -1, dtype=torch.int64, device=device)
        # Where the next sample goes is known on the host: no question to the device.
        self._next = 0

    def push(self, score: Tensor, valid: Tensor, y: Tensor, group: Tensor) -> None:
        """Add N samples: score and valid (N, R), y and group (N,); the oldest leave."""
        n = min(len(y), self.size)
        place = (torch.arange(n, device=y.device) + self._next) % self.size
        self.score[place] = score.detach()[-n:].to(self.score.dtype)
        self.valid[place] = valid[-n:]
        self.y[place] = y[-n:]
        self.group[place] = group[-n:]
        self._next = (self._next + n) % self.size

    def aucs(self, min_per_class: int = 1) -> Tensor:
        """(R, 1 + C) AUC of each score column overall and in each group, ties counting half.

        NaN where a scope has fewer than `min_per_class` samples of either class.
        """
        score, order = self.score.T.contiguous().sort(dim=1)
        member = torch.cat([torch.ones_like(self.score[:, :1]), group_membership(self.group, self.n_groups)], dim=1)
        weight = member.T[:, order].transpose(0, 1) * self.valid.T.gather(1, order)[:, None]
        positive = (self.y == 1)[order][:, None]
        gained, lost = weight * positive, weight * ~positive
        # Of tied scores each sees half of the others: the mean of the counts before and after the tie.
        before = torch.nn.functional.pad(lost.cumsum(2), (1, 0))
        first = torch.searchsorted(score, score)[:, None].expand_as(lost)
        last = torch.searchsorted(score, score, right=True)[:, None].expand_as(lost)
        below = (before.gather(2, first) + before.gather(2, last)) / 2
        n_pos, n_neg = gained.sum(2), lost.sum(2)
        enough = (n_pos >= min_per_class) & (n_neg >= min_per_class)
        return torch.where(enough, (gained * below).sum(2) / (n_pos * n_neg).clamp_min(1), torch.nan)

    def state(self) -> dict[str, Tensor]:
        return {"score": self.score, "valid": self.valid, "y": self.y, "group": self.group, "next": torch.tensor(self._next)}

    def load_state(self, state: Mapping[str, Tensor]) -> None:
        for name in ("score", "valid", "y", "group"):
            getattr(self, name).copy_(state[name])
        self._next = int(state["next"])


def surrogate_group_aucs(score: Tensor, y: Tensor, member: Tensor, past: Tensor, past_y: Tensor, past_member: Tensor, temperature: float) -> Tensor:
    """Differentiable AUC in each group: mean of sigmoid((s_i - s_j) / T) over pairs of a positive i and a negative j.

    Parameters
    ----------
    score, y : (N,) scores that carry the gradient, and labels 0/1
    member : (N, C) group membership
    past, past_y, past_member : (P,), (P,), (P, C) earlier samples; they complete the pairs
        of this batch, so that one sample of a small group is enough to have any. P may be 0.

    Returns (C,), NaN for a group without a pair. A random score gives .5.
    """
    positive, negative = member * (y == 1)[:, None], member * (y == 0)[:, None]
    other = torch.cat([score, past])
    other_negative = torch.cat([negative, past_member * (past_y == 0)[:, None]])
    past_positive = past_member * (past_y == 1)[:, None]
    ahead = torch.sigmoid((score[:, None] - other[None]) / temperature)
    behind = torch.sigmoid((past[:, None] - score[None]) / temperature)
    correct = (positive * (ahead @ other_negative)).sum(0) + (past_positive * (behind @ negative)).sum(0)
    pairs = positive.sum(0) * other_negative.sum(0) + past_positive.sum(0) * negative.sum(0)
    return torch.where(pairs > 0, correct / pairs.clamp_min(1), torch.nan)
