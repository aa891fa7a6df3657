"""Average precision and its gain-scale area per group, with bootstrap intervals.

The first moves with prevalence, the second does not. Neither has a variance formula that holds for small groups, so the
standard error is the bootstrap's, and the interval is made on a scale without a bound in reach: the logit for average
precision (Boyd, Eng and Page 2013), log(1 - area) for the gain curve, which is at most 1 but may be negative. Student's quantile with
the smaller class's degrees of freedom covers 94 to 95 % where the normal one covers 93 (simulated, 20 to 200 positives).

The gain-scale area has no lower bound: below 0 it says that the model does worse than calling everybody positive, and its size
says nothing more. There, and where its interval reaches as far below 0 as the scale reaches above, it is not shown.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.special import stdtrit

from core.audit.estimates.group_estimates import MetricTable
from core.audit.estimates.scored import Scored
from core.audit.options import AuditOptions
from core.metrics.bootstrap import bootstrap_statistic
from core.metrics.intervals import logit_interval
from core.metrics.precision_recall import auprg, average_precision, table_auprg, table_average_precision

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
PRECISION_METRICS = ("average_precision", "auprg")
# Standard errors differ from those of the plain bootstrap by a few in a thousand.
LEVELS = 32
ENOUGH = 0.9
LOWEST_LIMIT = -1.0
# exp of more overflows; limits are far below LOWEST_LIMIT long before.
LARGEST_EXPONENT = 500.0
BELOW_ZERO = "below 0: worse than calling everybody positive, and how far below says nothing"
TOO_WIDE = "its interval reaches below -1: too few positives for this measure"


def precision_tables(data: Scored, codes: Ints, count: int, too_few: Sequence[str | None], options: AuditOptions) -> list[MetricTable]:
    """Both areas of every group; no interval without replicates, or where a tenth of them lack a class."""
    values = (average_precision(data.y, data.score, codes, count, data.weight), auprg(data.y, data.score, codes, count, data.weight))
    errors = _errors(data, codes, count, options)
    inside = codes >= 0
    smaller = np.minimum(*(np.bincount(codes[inside & own], minlength=count) for own in (data.y, ~data.y)))
    freedom = np.maximum(smaller - 1.0, 1.0)
    tables = []
    for k, (name, value) in enumerate(zip(PRECISION_METRICS, values, strict=True)):
        se = np.where(np.isfinite(value) & (errors[:, k] > 0), errors[:, k], np.nan)
        low, high = _limits(name, value, se, freedom, 1 - options.alpha)
        reasons = tuple(why or _not_shown(name, *row) for why, *row in zip(too_few, value, low, strict=True))
        silent = np.array([name == "auprg" and _not_shown(name, *row) is not None for row in zip(value, low, strict=True)], dtype=bool)
        value, low, high, se = (np.where(silent, np.nan, v) for v in (value, low, high, se))
        judged = np.array([why is None for why in reasons], dtype=bool)
        tables.append(MetricTable(name, value, low, high, se, judged, reasons, "bootstrap standard error" if options.bootstrap else "none"))
    return tables


def _not_shown(name: str, value: float, low: float) -> str | None:
    """Why a value is undefined or says nothing, or None."""
    if not np.isfinite(value):
        return "no positives or no negatives"
    if name != "auprg":
        return None
    return BELOW_ZERO if value < 0 else TOO_WIDE if low < LOWEST_LIMIT else None


def _errors(data: Scored, codes: Ints, count: int, options: AuditOptions) -> Floats:
    """Standard errors (C, 2); the numbers of positives vary, as they would in another sample."""
    if not options.bootstrap or not (codes >= 0).any():
        return np.full((count, 2), np.nan)

    def areas(pos: Floats, neg: Floats) -> Floats:
        return np.stack([table_average_precision(pos, neg), table_auprg(pos, neg)], axis=-1)

    drawn = bootstrap_statistic(
        data.y,
        data.score,
        areas,
        codes,
        count,
        replicates=options.bootstrap,
        seed=options.seed,
        cluster=data.cluster,
        weight=data.weight,
        by_label=False,
        max_levels=LEVELS,
    )
    enough = np.isfinite(drawn).mean(axis=0) >= ENOUGH
    return np.where(enough, np.nanstd(np.where(enough, drawn, 0.0), axis=0, ddof=1), np.nan)


def _limits(name: str, value: Floats, se: Floats, freedom: Floats, level: float) -> tuple[Floats, Floats]:
    if name == "average_precision":
        return logit_interval(value, se, level, freedom)
    with np.errstate(invalid="ignore", divide="ignore"):
        # At an area of 1 the distance to the bound is 0 and so is the standard error: there is no interval.
        factor = np.exp(np.minimum(stdtrit(freedom, 0.5 + level / 2) * se / (1 - value), LARGEST_EXPONENT))
        return 1 - (1 - value) * factor, 1 - (1 - value) / factor
