"""A simulated promise of the audit beside what it was found to be."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

COVERAGE = (0.93, 0.97)
SIZE = (0.03, 0.07)
FALSE_CLAIMS = 0.05
POWER = (0.77, 0.90)
BELOW_BEST = 0.05
LEVEL = 0.05
# A share of fewer repetitions than this says nothing, and no promise is held against it.
FEWEST = 100


@dataclass(frozen=True)
class Line:
    """One simulated promise: the share found, its Monte Carlo error, and whether it lies where it must.

    low, high : where it must lie; neither for figures that are reported without a promise. conservative : why a test may reject
    less often, or an interval hold the truth more often, than the bounds say; None where it may not. error : Monte Carlo.
    """

    part: str
    setting: str
    share: float
    error: float
    repetitions: int
    low: float | None
    high: float | None
    conservative: str | None = None

    @property
    def holds(self) -> bool | None:
        """Inside the bounds, give or take two Monte Carlo errors; None without a promise."""
        if (self.low is None and self.high is None) or self.repetitions < FEWEST:
            return None
        return not self._below and not self._above

    @property
    def verdict(self) -> str:
        """`kept`, `BROKEN`, `conservative` with its stated reason, or nothing."""
        if self.holds is None:
            return ""
        if self.holds:
            return "kept"
        # Too small a share is the careful side of a test (too little power, too), too large a one that of an interval.
        careful = self._below if self.part.startswith(("size", "power less")) else self._above
        return f"conservative: {self.conservative}" if careful and self.conservative else "BROKEN"

    @property
    def broken(self) -> bool:
        return self.verdict == "BROKEN"

    @property
    def _below(self) -> bool:
        return self.low is not None and self.share < self.low - self._stray(self.low)

    @property
    def _above(self) -> bool:
        return self.high is not None and self.share > self.high + self._stray(self.high)

    def _stray(self, bound: float) -> float:
        """Two Monte Carlo errors: of a share that lies on the bound, of a difference its own."""
        return 2 * float(np.sqrt(bound * (1 - bound) / self.repetitions)) if 0 <= bound <= 1 else 2 * self.error

    def to_dict(self) -> dict[str, Any]:
        return {**asdict(self), "kept": self.holds, "verdict": self.verdict}


def line(
    part: str, setting: str, hits: NDArray[Any] | Sequence[bool], low: float | None = None, high: float | None = None, conservative: str | None = None
) -> Line:
    """From one hit or miss per repetition."""
    share = float(np.mean(hits)) if len(hits) else float("nan")
    return Line(part, setting, share, float(np.sqrt(share * (1 - share) / max(len(hits), 1))), len(hits), low, high, conservative)


def not_below_best(part: str, setting: str, own: NDArray[Any], best: NDArray[Any], conservative: str | None = None) -> Line:
    """Power less that of the best valid test on the same cohorts, which must not fall short by more than `BELOW_BEST`."""
    gain = own.astype(np.float64) - best.astype(np.float64)
    return Line(part, setting, float(gain.mean()), float(gain.std() / np.sqrt(max(gain.size, 1))), gain.size, -BELOW_BEST, None, conservative)
