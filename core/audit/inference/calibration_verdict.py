"""The verdict on calibration of one attribute: from O:E and slope of every pair of groups, never from the calibration error.

disparity : some pair differs in O:E or slope, with Holm's correction over both and all pairs. In data without any difference
    at most alpha of the attributes end here.
no disparity found : every pair is shown to lie within the tolerance in both. Each equivalence is tested at alpha and all must
    hold, so that no correction is due (intersection-union test): at most alpha of the attributes with some difference at its bound or
    beyond end here.
not enough data : everything else, also where a group's O:E or slope is not estimable.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from core.audit.inference.tolerances import DEFAULT_TOLERANCES, Tolerance, bound
from core.audit.inference.verdicts import DISPARITY, NONE_FOUND, NOT_ENOUGH
from core.metrics.calibration_comparison import calibration_comparisons
from core.metrics.calibration_fit import CalibrationFit
from core.metrics.linear_estimates import PairDifferences
from core.metrics.multiple_testing import holm

Floats = NDArray[np.float64]
JudgedMetric = Literal["oe_ratio", "calibration_slope"]
# What a verdict on calibration rests on, and the fields of `CalibrationComparisons` that hold it; O:E is compared on its logarithm.
JUDGED: Mapping[JudgedMetric, str] = MappingProxyType({"oe_ratio": "log_oe", "calibration_slope": "slope"})


@dataclass(frozen=True)
class CalibrationStatement:
    """Differences of one judged metric with what is needed to judge them.

    differences : T pairs, of log O:E for "oe_ratio"; bound : largest accepted on that scale; p_holm : (T,) corrected over both metrics
    and all pairs; p_within : (T,) of the difference lying within the bound; p_beyond : (T,) of it lying beyond.
    """

    metric: JudgedMetric
    differences: PairDifferences
    bound: float
    p_holm: Floats
    p_within: Floats
    p_beyond: Floats


@dataclass(frozen=True)
class CalibrationVerdict:
    """verdict : one of `verdicts.VERDICTS`; shown : (metric, pair index) of every difference that is shown, smallest p first."""

    verdict: str
    statements: tuple[CalibrationStatement, ...]
    shown: tuple[tuple[JudgedMetric, int], ...]


def calibration_verdict(
    fit: CalibrationFit, pairs: ArrayLike, alpha: float = 0.05, tolerances: Mapping[str, Tolerance] = DEFAULT_TOLERANCES
) -> CalibrationVerdict:
    """Verdict on the calibration of one attribute.

    Parameters
    ----------
    fit : calibration of its groups
    pairs : (T, 2) groups to be compared, those that are judged
    alpha : error rate
    tolerances : by metric; those of `JUDGED` are used
    """
    comparisons = calibration_comparisons(fit, pairs)
    differences = {name: getattr(comparisons, field) for name, field in JUDGED.items()}
    adjusted = np.split(holm(np.concatenate([d.p for d in differences.values()])), len(JUDGED))
    statements = []
    for (name, found), p in zip(differences.items(), adjusted, strict=True):
        limit = bound(name, None, 0.5, tolerances[name]).value
        if limit is None:
            raise ValueError(f"the tolerance of {name} must be absolute or a ratio")
        statements.append(CalibrationStatement(name, found, limit, p, found.p_within(limit), found.p_beyond(limit)))
    shown = sorted((float(s.p_holm[t]), s.metric, t) for s in statements for t in np.flatnonzero(s.p_holm < alpha).tolist())
    within = all(bool((s.p_within < alpha).all()) and s.p_within.size > 0 for s in statements)
    word = DISPARITY if shown else NONE_FOUND if within else NOT_ENOUGH
    return CalibrationVerdict(word, tuple(statements), tuple((metric, t) for _, metric, t in shown))
