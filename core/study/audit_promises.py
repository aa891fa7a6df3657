"""A simulated promise of the audit beside what it was found to be."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

COVERAGE = (0.93, 0.97)
SIZE = (0.03, 0.07)
FALSE_VERDICTS = 0.05
POWER = 0.80


@dataclass(frozen=True)
class Line:
    """One simulated promise: the share found, its Monte Carlo error, and whether it lies where it must.

    kept is None for figures that are reported without a promise.
    """

    part: str
    setting: str
    share: float
    error: float
    repetitions: int
    low: float | None
    high: float | None

    @property
    def kept(self) -> bool | None:
        """Inside the bounds, give or take two Monte Carlo errors."""
        if self.low is None and self.high is None:
            return None
        return (self.low is None or self.share >= self.low - self._stray(self.low)) and (self.high is None or self.share <= self.high + self._stray(self.high))

    def _stray(self, bound: float) -> float:
        """Two Monte Carlo errors of a share that lies on the bound."""
        return 2 * float(np.sqrt(bound * (1 - bound) / self.repetitions))

    def to_dict(self) -> dict[str, Any]:
        return {**asdict(self), "kept": self.kept}


def line(part: str, setting: str, hits: NDArray[Any] | list[bool], low: float | None = None, high: float | None = None) -> Line:
    """From one hit or miss per repetition."""
    share = float(np.mean(hits))
    return Line(part, setting, share, float(np.sqrt(share * (1 - share) / len(hits))), len(hits), low, high)
