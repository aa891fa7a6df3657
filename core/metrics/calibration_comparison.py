"""Calibration compared between groups: differences of the intercept, the slope and log O:E, and what they say together.

Two groups are calibrated alike when the model is wrong in the same way in both: the same ratio of observed to expected
events, and the same slope. Both are 1 for a calibrated model however its scores are spread, which calibration errors such
as the ECE are not, so the verdict rests on these two. The intercept says on the logit scale what O:E says as a ratio of
risks: it is shown and not judged a second time.

Size of the tests of no difference at 5 %, 800 to 1,500 cohorts a setting, two groups with at least 5 events each
(n; prevalence; spread of the logits; rows a patient): (3,000; .05; 1 | 100; .5; 2) O:E .043, slope .043; (250; .04 |
1,000; .04) .028, .047; (500; .02; 1 | 500; .02; .5) .013, .063; (1,000; .02 | 150; .3) .035, .054; 6 patients of 5 rows
against 40 of 2: .033, .032; 8 of 3 against 8 of 3: .011, .018; log-normal weights and 3 rows a patient: .044, .058; both
groups miscalibrated alike (intercept .7, slope .7) .047, .042. With ten events or eight patients in both groups the test
is conservative.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from core.metrics.calibration_fit import CalibrationFit
from core.metrics.linear_estimates import PairDifferences

# What a verdict on calibration rests on; the intercept repeats O:E on another scale.
JUDGED = ("log_oe", "slope")


@dataclass(frozen=True)
class CalibrationComparisons:
    """Differences between pairs of groups (T,): `log_oe` is the logarithm of the ratio of two O:E ratios."""

    intercept: PairDifferences
    slope: PairDifferences
    log_oe: PairDifferences

    def oe_ratio(self, level: ArrayLike = 0.95) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """How many times a's O:E is b's, with limits, (T,) each: 1 where both are wrong in the same way."""
        low, high = self.log_oe.interval(level)
        return np.exp(self.log_oe.difference), np.exp(low), np.exp(high)


def calibration_comparisons(fit: CalibrationFit, pairs: ArrayLike | None = None) -> CalibrationComparisons:
    """All differences of pairs of groups, (T, 2) indices; None: of every two groups.

    Each carries its test (`p`), the interval dual to it at any level (`interval`) and the test of lying within a bound
    (`p_within`). A verdict over a family corrects the p-values of `JUDGED` together.
    """
    return CalibrationComparisons(fit.intercept.differences(pairs), fit.slope.differences(pairs), fit.log_oe.differences(pairs))
