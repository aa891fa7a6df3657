"""Calibration compared between groups: differences of the intercept, the slope and log O:E, and what they say together.

Two groups are calibrated alike when the model is wrong in the same way in both: the same ratio of observed to expected
events, and the same slope. Both are 1 for a calibrated model however its scores are spread, which calibration errors such
as the ECE are not, so the verdict rests on these two. The intercept says on the logit scale what O:E says as a ratio of
risks: it is shown and not judged a second time (`core.audit.inference.claims`).

Size of the tests of no difference at 5 % in slope and log O:E, 1,000 cohorts each with 5 events or more in both groups (python
-m tests.benchmarks.measure_calibration; patients at prevalence, spread of the logits): 2,000 at .04 against 120 at .45, 2.2
.043 .046; 350 at .03 against 350 at .03, .6 .048 .017; 45 at .4 against 700 at .15, 1.6 .040 .046; 7 patients of 4 rows against 50 of
2 .028 .040; 20 of 3 against 20 of 1 .028 .037; 80 of 2 against 250 of 1 with log-normal weights .050 .049; both groups
miscalibrated alike (true slope .8, intercept -.5) .058 .043. With ten events in both groups O:E is conservative (.013 to .023).

Equivalence at 5 %, 4,000 patients a group at a prevalence of .2: O:E's that differ 1.25 times are called alike in .047, equal
ones in 1.000; slopes that differ by .2 in .039, equal ones in .913. With 800 patients a group .043, .601 and .001, .000.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from core.metrics.calibration_fit import CalibrationFit
from core.metrics.linear_estimates import PairDifferences


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
