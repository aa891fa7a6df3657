"""The counts below which no estimate is given."""

from __future__ import annotations

import math
from dataclasses import dataclass

POSITIVES_SHORT = "{n_pos} positives, {needed} are needed"
NEGATIVES_SHORT = "{n_neg} negatives, {needed} are needed"


@dataclass(frozen=True)
class MinimumCounts:
    """Counts below which a group is reported as not estimable instead of estimated.

    The AUC and its relatives need `positives` and `negatives`; a rate needs `samples` in its
    denominator. At least two positives and two negatives are always needed for a variance.
    """

    positives: int = 5
    negatives: int = 5
    samples: int = 5

    def __post_init__(self) -> None:
        if self.positives < 2 or self.negatives < 2 or self.samples < 1:
            raise ValueError("at least 2 positives, 2 negatives and 1 sample are needed for an interval")

    def too_few(self, n_pos: int, n_neg: int) -> str | None:
        """The reason why an AUC is not estimable with these counts, or None."""
        if n_pos < self.positives:
            return POSITIVES_SHORT.format(n_pos=int(n_pos), needed=self.positives)
        if n_neg < self.negatives:
            return NEGATIVES_SHORT.format(n_neg=int(n_neg), needed=self.negatives)
        return None


def finite_or_none(value: float | None) -> float | None:
    """None for None, NaN and infinities, which JSON and readers cannot use; else a plain float."""
    return float(value) if value is not None and math.isfinite(value) else None
