"""How large a difference between groups may be, per metric, in a measure that means something at the prevalence at hand.

Differences of AUC, sensitivity and false positive rate mean the same in every cohort: their tolerance is absolute. Half a
percentage point of PPV or selection rate is much for a rare disease and nothing for a common one: their tolerance is a share
of something of the cohort's own. O:E is a ratio and compared as one.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Literal

import numpy as np

from core.audit.options import AuditOptions
from core.audit.wording import decimal, digits_of

if TYPE_CHECKING:
    from core.audit.result import ModelAudit

Reference = Literal["rarer outcome", "prevalence", "constant prediction"]


@dataclass(frozen=True)
class Tolerance:
    """What is accepted for one metric.

    kind : "absolute", the difference itself; "relative", a share of `reference`; "ratio", how many times larger one value may
        be than the other, less 1, so that differences of logarithms have the bound log(1 + value).
    value : as in `kind`. reference : what a relative tolerance is a share of, in the whole audited set:
        "rarer outcome" is the metric or 1 less the metric, whichever is smaller;
        "prevalence" is the share of positives, which is the largest net benefit there can be;
        "constant prediction" is prevalence * (1 - prevalence), the Brier score of predicting the prevalence for everybody.
    """

    kind: Literal["absolute", "relative", "ratio"]
    value: float
    reference: Reference | None = None

    def with_value(self, value: float) -> Tolerance:
        """The same kind with another value, as a reader states it."""
        return Tolerance(self.kind, value, self.reference)


@dataclass(frozen=True)
class Bound:
    """Largest accepted difference on the scale that the metric is compared on; None with the reason why there is none."""

    value: float | None
    words: str
    reason: str | None = None


A_QUARTER = Tolerance("relative", 0.25, "rarer outcome")
DEFAULT_TOLERANCES: Mapping[str, Tolerance] = MappingProxyType(
    {
        "auc": Tolerance("absolute", 0.05),
        "tpr": Tolerance("absolute", 0.05),
        "fpr": Tolerance("absolute", 0.05),
        "ppv": A_QUARTER,
        "npv": A_QUARTER,
        "selection_rate": A_QUARTER,
        "accuracy": A_QUARTER,
        "average_precision": A_QUARTER,
        "net_benefit": Tolerance("relative", 0.1, "prevalence"),
        "brier": Tolerance("relative", 0.1, "constant prediction"),
        "oe_ratio": Tolerance("ratio", 0.25),
        "calibration_slope": Tolerance("absolute", 0.2),
    }
)
GENERAL = ("auc", "tpr", "fpr")
"""Metrics to which a tolerance that is given without a metric applies."""
NO_REFERENCE = "{what} is {value}, and a share of it is no tolerance"


def bound(metric: str, overall: float | None, prevalence: float, tolerance: Tolerance | None = None) -> Bound:
    """The tolerance of one metric as the bound that differences are held against.

    Parameters
    ----------
    metric : a key of `DEFAULT_TOLERANCES`
    overall : the metric in the whole audited set, None where not estimable; only tolerances relative to it need it
    prevalence : share of positives in the whole audited set
    tolerance : the reader's own; None for the default

    Raises
    ------
    KeyError : for a metric without a default and no tolerance given.
    """
    own = DEFAULT_TOLERANCES[metric] if tolerance is None else tolerance
    if own.kind == "absolute":
        return Bound(own.value, decimal(own.value))
    if own.kind == "ratio":
        return Bound(math.log1p(own.value), f"{1 + own.value:g} times")
    what, reference = _reference(own.reference, overall, prevalence)
    if reference is None or not reference > 0:
        shown = "not estimable" if reference is None else decimal(reference)
        return Bound(None, "none", NO_REFERENCE.format(what=what, value=shown))
    value = own.value * reference
    # At a prevalence of 1 % three decimals would round the bound away.
    return Bound(
        value, f"{decimal(value, 3 if value >= 0.01 else max(digits_of(value), 5))} ({own.value:.0%} of {what}, {decimal(reference, digits_of(reference))})"
    )


def _reference(kind: Reference | None, overall: float | None, prevalence: float) -> tuple[str, float | None]:
    """What a relative tolerance is a share of, in words and as a number."""
    if kind == "prevalence":
        return "the prevalence", prevalence
    if kind == "constant prediction":
        return "the Brier score of predicting the prevalence for everybody", prevalence * (1 - prevalence)
    if overall is None or math.isnan(overall):
        return "the overall value", None
    return ("the overall value", overall) if overall <= 0.5 else ("what the overall value lacks to 1", 1 - overall)


def tolerance(metric: str, options: AuditOptions) -> Tolerance:
    """The reader's tolerance of one metric, or the default."""
    own = DEFAULT_TOLERANCES[metric]
    if metric in options.tolerances:
        return own.with_value(options.tolerances[metric])
    return own.with_value(options.tolerance) if metric in GENERAL else own


def tolerance_bound(metric: str, model: ModelAudit, options: AuditOptions) -> Bound:
    """`bound` of one metric at the prevalence of a model's audited rows."""
    y, weight = model.data.y, model.data.weight
    return bound(metric, float(model.tables[metric].value[0]), float(np.average(y, weights=weight)), tolerance(metric, options))
