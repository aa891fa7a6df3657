"""Two models on the same patients: paired differences of every estimate and fairness summary.

AUCs are compared by paired DeLong, overall and within each group; rates, Brier scores and net benefit by the
difference of the models' influences row by row, summed within patients; fairness summaries, precision-recall areas
and calibration errors by a bootstrap that draws the same patients for both models.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, fields, replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr

from core.audit.comparison.compare_summaries import paired_areas_and_errors, paired_summaries
from core.audit.engine import by_split
from core.audit.estimates.group_estimates import net_benefit_rows
from core.audit.estimates.grouping import Grouping, groupings
from core.audit.estimates.linearised import Linearised, linearise_ratio
from core.audit.estimates.operating_point import operating_point
from core.audit.estimates.scored import Scored, scored
from core.audit.input.banding import banded
from core.audit.input.predictions import Attribute, Predictions
from core.audit.options import AuditOptions
from core.audit.result import Audit
from core.errors import UserError
from core.metrics.delong import delong, difference
from core.metrics.estimate import finite_or_none
from core.metrics.intervals import normal_quantile
from core.metrics.multiple_testing import adjust
from core.metrics.paired import PairedSummary

if TYPE_CHECKING:
    import pandas as pd

Floats = NDArray[np.float64]
ALL = "(all)"
RATES = ("tpr", "fpr", "ppv", "npv", "selection_rate", "accuracy")


@dataclass(frozen=True)
class PairedDifference:
    """`difference` is model_a - model_b; attribute and group are "(all)" for everybody, group for a summary."""

    model_a: str
    model_b: str
    attribute: str
    group: str
    metric: str
    n: int
    value_a: float | None
    value_b: float | None
    difference: float | None
    low: float | None
    high: float | None
    p: float | None
    p_adjusted: float | None
    method: str
    reason: str | None = None


@dataclass(frozen=True)
class Comparison:
    """All paired differences of two models."""

    model_a: str
    model_b: str
    rows: tuple[PairedDifference, ...]

    @property
    def frame(self) -> pd.DataFrame:
        """One row per difference, columns as the fields of `PairedDifference`."""
        import pandas as pd

        names = [f.name for f in fields(PairedDifference)]
        return pd.DataFrame([[getattr(row, name) for name in names] for row in self.rows], columns=pd.Index(names))


def compare(predictions: Predictions, model_a: str, model_b: str, options: AuditOptions | None = None) -> Comparison:
    """Paired comparison of two models of the same predictions.

    Raises
    ------
    UserError : for a model that the predictions do not have.
    """
    options = options or AuditOptions()
    for name in (model_a, model_b):
        if name not in predictions.models:
            raise UserError(f"{predictions.source}: there is no model '{name}'; there are {', '.join(predictions.models)}")
    if model_a == model_b:
        raise UserError(f"'{model_a}' cannot be compared with itself")
    audited, validation = by_split(banded(predictions, options))

    def at(name: str, grouping: Grouping | None = None) -> Scored:
        """A model at its operating point; at thresholds of the grouping's own groups where these were asked for."""
        if grouping is None or not options.per_group_threshold or grouping.depth > 1:
            return scored(audited, name, operating_point(name, audited, validation, options)[0])
        point, _ = operating_point(name, audited, validation, options, grouping.name)
        return scored(audited, name, point, Attribute(grouping.groups, grouping.codes))

    a, b = at(model_a), at(model_b)
    everybody = np.zeros(len(audited), dtype=np.int64)
    rows = _groups(a, b, ALL, (ALL,), everybody, options)
    for grouping in groupings(audited, options):
        a, b = at(model_a, grouping), at(model_b, grouping)
        rows += _corrected(_groups(a, b, grouping.name, grouping.groups, grouping.codes, options), options)
        rows += _summaries(a, b, grouping, options)
    return Comparison(model_a, model_b, tuple(rows))


def with_comparisons(result: Audit, predictions: Predictions) -> Audit:
    """The audit with every further model set against the first one."""
    first, *others = predictions.models
    return replace(result, comparisons=tuple(compare(predictions, other, first, result.options) for other in others))


def _groups(a: Scored, b: Scored, attribute: str, names: tuple[str, ...], codes: NDArray[np.int64], options: AuditOptions) -> list[PairedDifference]:
    """Every difference within every group; groups below the guards have one row that says why there is none."""
    resampled = paired_areas_and_errors(a, b, codes, len(names), options)
    rows = []
    for g, name in enumerate(names):
        own = list(_group(a, b, attribute, name, codes == g, options))
        rows += own
        if own[0].value_a is not None:
            rows += [_of_bootstrap((a.model, b.model, attribute, name), metric, own[0].n, found[g]) for metric, found in resampled.items()]
    return rows


def _of_bootstrap(head: tuple[str, str, str, str], metric: str, n: int, s: PairedSummary) -> PairedDifference:
    return PairedDifference(*head, metric, n, s.value_a, s.value_b, s.difference, s.low, s.high, s.p, s.p, s.method, s.reason)


def _group(a: Scored, b: Scored, attribute: str, group: str, inside: NDArray[np.bool_], options: AuditOptions) -> Iterator[PairedDifference]:
    n = int(inside.sum())
    n_pos = int(a.y[inside].sum())
    head = (a.model, b.model, attribute, group)
    if n_pos < options.min_positives or n - n_pos < options.min_negatives:
        reason = f"{n_pos} positives and {n - n_pos} negatives, {options.min_positives} and {options.min_negatives} are needed"
        yield PairedDifference(*head, "auc", n, None, None, None, None, None, None, None, "none", reason)
        return
    cluster = None if a.cluster is None else a.cluster[inside]
    weight = None if a.weight is None else a.weight[inside]
    result = delong(a.y[inside], np.stack([a.score[inside], b.score[inside]]), cluster=cluster, weight=weight)
    test = difference(result, level=1 - options.alpha)
    yield PairedDifference(*head, "auc", n, float(result.auc[0]), float(result.auc[1]), test.value, test.low, test.high, test.p, test.p, "paired DeLong", test.reason)
    for name, one, other in _linearised(a, b, inside):
        yield _paired(head, name, n, one, other, options)


def _linearised(a: Scored, b: Scored, inside: NDArray[np.bool_]) -> Iterator[tuple[str, Linearised, Linearised]]:
    codes = np.where(inside, 0, -1)

    def ratio(data: Scored, top: Floats, bottom: Floats) -> Linearised:
        return linearise_ratio(top.astype(np.float64), bottom.astype(np.float64), codes, 1, data.weight, data.cluster)

    if a.decision is not None and b.decision is not None:
        for name in RATES:
            yield name, ratio(a, *_rate_rows(a, name)), ratio(b, *_rate_rows(b, name))
    if a.no_probability is None and b.no_probability is None:
        ones = np.ones(a.y.size)
        square_a, square_b = (a.score - a.y) ** 2, (b.score - b.y) ** 2
        yield "brier", ratio(a, square_a, ones), ratio(b, square_b, ones)
        classes = [(ratio(a, square_a * own, own), ratio(b, square_b * own, own)) for own in (a.y.astype(np.float64), (~a.y).astype(np.float64))]
        yield "balanced_brier", _mean(classes[0][0], classes[1][0]), _mean(classes[0][1], classes[1][1])
        benefit_a, benefit_b = net_benefit_rows(a), net_benefit_rows(b)
        if not isinstance(benefit_a, str) and not isinstance(benefit_b, str):
            yield "net_benefit", ratio(a, benefit_a, ones), ratio(b, benefit_b, ones)


def _mean(one: Linearised, other: Linearised) -> Linearised:
    """Mean of two estimates: that of their values and of each row's influences."""
    return Linearised((one.value + other.value) / 2, (one.influence + other.influence) / 2, one.codes, one.cluster)


def _rate_rows(data: Scored, name: str) -> tuple[Floats, Floats]:
    """Each row's share of a rate's numerator and denominator."""
    assert data.decision is not None
    y, chosen = data.y.astype(np.float64), data.decision.astype(np.float64)
    rows = {
        "tpr": (y * chosen, y),
        "fpr": ((1 - y) * chosen, 1 - y),
        "ppv": (y * chosen, chosen),
        "npv": ((1 - y) * (1 - chosen), 1 - chosen),
        "selection_rate": (chosen, np.ones_like(y)),
        "accuracy": ((y == chosen).astype(np.float64), np.ones_like(y)),
    }
    return rows[name]


def _paired(head: tuple[str, str, str, str], name: str, n: int, one: Linearised, other: Linearised, options: AuditOptions) -> PairedDifference:
    value_a, value_b = float(one.value[0]), float(other.value[0])
    if not (np.isfinite(value_a) and np.isfinite(value_b)):
        return PairedDifference(*head, name, n, finite_or_none(value_a), finite_or_none(value_b), None, None, None, None, None, "none", "the rate is undefined for one of the models")
    gap = value_a - value_b
    moved = Linearised(one.value - other.value, one.influence - other.influence, one.codes, one.cluster)
    se = float(moved.se()[0])
    if not se > 0:
        reason = "the two models decide alike" if gap == 0 else "the variance of the difference is not estimable"
        return PairedDifference(*head, name, n, value_a, value_b, gap, None, None, None, None, "paired", reason)
    half = normal_quantile(1 - options.alpha) * se
    p = float(2 * ndtr(-abs(gap) / se))
    return PairedDifference(*head, name, n, value_a, value_b, gap, gap - half, gap + half, p, p, "paired")


def _corrected(rows: list[PairedDifference], options: AuditOptions) -> list[PairedDifference]:
    """p-values adjusted over the groups of one attribute, metric by metric."""
    result = list(rows)
    for metric in dict.fromkeys(row.metric for row in rows):
        places = [i for i, row in enumerate(rows) if row.metric == metric]
        p = np.array([np.nan if rows[i].p is None else rows[i].p for i in places], dtype=np.float64)
        for i, q in zip(places, adjust(p, options.correction), strict=True):
            result[i] = replace(rows[i], p_adjusted=finite_or_none(float(q)))
    return result


def _summaries(a: Scored, b: Scored, grouping: Grouping, options: AuditOptions) -> list[PairedDifference]:
    n = int((grouping.codes >= 0).sum())
    found = paired_summaries(a, b, grouping.codes, len(grouping.groups), options)
    return [_of_bootstrap((a.model, b.model, grouping.name, ALL), name, n, summary) for name, summary in found.items()]

