"""Two models on the same patients: paired differences of every estimate and fairness summary.

AUCs and rates are compared by joining both models' own limits with their correlation, overall and within each group;
Brier scores and net benefit by the difference of the models' influences row by row, summed within patients; fairness
summaries by the joint distribution of both models' estimates (core.metrics.paired), calibration errors by both models'
intervals, precision-recall areas by a bootstrap that draws the same patients for both models.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields, replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from scipy.special import stdtr, stdtrit

from core.audit.comparison.compare_summaries import paired_areas_and_errors, paired_summaries
from core.audit.engine import by_split
from core.audit.estimates.group_estimates import group_counts, net_benefit_rows
from core.audit.estimates.grouping import Grouping, groupings
from core.audit.estimates.linearised import Linearised, linearise_ratio
from core.audit.estimates.operating_point import operating_point
from core.audit.estimates.scored import Scored, scored
from core.audit.input.banding import banded
from core.audit.input.predictions import Attribute, Predictions
from core.audit.options import AuditOptions
from core.audit.result import Audit, Tables
from core.errors import UserError
from core.metrics.estimate import finite_or_none
from core.metrics.multiple_testing import holm
from core.metrics.paired import Pair, compare_group_aucs, compare_group_rates
from core.metrics.summary_differences import PairedSummary

if TYPE_CHECKING:
    import pandas as pd

Floats = NDArray[np.float64]
ALL = "(all)"
RATES = ("tpr", "fpr", "ppv", "npv", "selection_rate", "accuracy")


@dataclass(frozen=True)
class PairedDifference:
    """`difference` is model_a - model_b; attribute and group are "(all)" for everybody, group for a summary.

    p_adjusted : Holm's, metric by metric: of everybody over all pairs of models, of summaries over these and all attributes,
        of single groups over the groups of their attribute.
    """

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

    everybody = np.zeros(len(audited), dtype=np.int64)
    rows = _groups(_Both.of(at(model_a), at(model_b), ALL, (ALL,), everybody, options))
    for grouping in groupings(audited, options):
        both = _Both.of(at(model_a, grouping), at(model_b, grouping), grouping.name, grouping.groups, grouping.codes, options)
        rows += _corrected(_groups(both)) + _summaries(both)
    return _jointly_corrected((Comparison(model_a, model_b, tuple(rows)),))[0]


def with_comparisons(result: Audit, predictions: Predictions) -> Audit:
    """The audit with every further model set against the first one."""
    first, *others = predictions.models
    return replace(result, comparisons=_jointly_corrected([compare(predictions, other, first, result.options) for other in others]))


@dataclass(frozen=True)
class _Both:
    """Two models by one attribute, with the tables that say which groups the audit judges by what."""

    a: Scored
    b: Scored
    attribute: str
    groups: tuple[str, ...]
    codes: NDArray[np.int64]
    options: AuditOptions
    tables: tuple[Tables, Tables]

    @classmethod
    def of(cls, a: Scored, b: Scored, attribute: str, groups: tuple[str, ...], codes: NDArray[np.int64], options: AuditOptions) -> _Both:
        counts = group_counts(a, codes, len(groups))
        return cls(a, b, attribute, groups, codes, options, (Tables(a, codes, groups, counts, options), Tables(b, codes, groups, counts, options)))

    def not_judged(self, metric: str, group: int) -> str | None:
        """Why the group is not judged by this metric under one of the models; None where it is under both."""
        return self.tables[0][metric].reason[group] or self.tables[1][metric].reason[group]

    def judged(self, metric: str) -> NDArray[np.bool_]:
        return np.asarray(self.tables[0][metric].judged & self.tables[1][metric].judged)


def _groups(both: _Both) -> list[PairedDifference]:
    """Every difference within every group; groups below the guards have one row that says why there is none."""
    a, b, codes, count = both.a, both.b, both.codes, len(both.groups)
    estimated = _estimates(a, b, codes, count, both.options)
    resampled = paired_areas_and_errors(a, b, codes, count, both.options)
    rows = []
    for g, name in enumerate(both.groups):
        head = (a.model, b.model, both.attribute, name)
        inside = codes == g
        n = int(inside.sum())
        reason = both.not_judged("auc", g)
        if reason is not None:
            rows.append(_undefined(head, "auc", n, reason))
            continue
        for metric, found in estimated.items():
            reason = both.not_judged(metric, g)
            rows.append(_row(head, metric, n, found[g]) if reason is None else _undefined(head, metric, n, reason))
        rows += [_paired(head, metric, n, one, other, both.options) for metric, one, other in _linearised(a, b, inside)]
        rows += [_row(head, metric, n, found[g]) for metric, found in resampled.items()]
    return rows


def _undefined(head: tuple[str, str, str, str], metric: str, n: int, reason: str) -> PairedDifference:
    return PairedDifference(*head, metric, n, None, None, None, None, None, None, None, "none", reason)


def _estimates(a: Scored, b: Scored, codes: NDArray[np.int64], count: int, options: AuditOptions) -> dict[str, tuple[PairedSummary, ...]]:
    """AUC and, with decisions, rates of both models in every group, (C,) each."""
    level = 1 - options.alpha
    found = {"auc": compare_group_aucs(Pair(a.y, a.score, b.score, codes, count), level=level, cluster=a.cluster, weight=a.weight)}
    if a.decision is not None and b.decision is not None:
        found |= compare_group_rates(Pair(a.y, a.decision, b.decision, codes, count), RATES, level=level, cluster=a.cluster, weight=a.weight)
    return found


def _row(head: tuple[str, str, str, str], metric: str, n: int, s: PairedSummary) -> PairedDifference:
    return PairedDifference(*head, metric, n, s.value_a, s.value_b, s.difference, s.low, s.high, s.p, s.p, s.method, s.reason)


def _linearised(a: Scored, b: Scored, inside: NDArray[np.bool_]) -> Iterator[tuple[str, Linearised, Linearised]]:
    codes = np.where(inside, 0, -1)

    def ratio(data: Scored, top: Floats, bottom: Floats) -> Linearised:
        return linearise_ratio(top.astype(np.float64), bottom.astype(np.float64), codes, 1, data.weight, data.cluster)

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


def _paired(head: tuple[str, str, str, str], name: str, n: int, one: Linearised, other: Linearised, options: AuditOptions) -> PairedDifference:
    value_a, value_b = float(one.value[0]), float(other.value[0])
    if not (np.isfinite(value_a) and np.isfinite(value_b)):
        return PairedDifference(
            *head, name, n, finite_or_none(value_a), finite_or_none(value_b), None, None, None, None, None, "none", "it is undefined for one of the models"
        )
    gap = value_a - value_b
    moved = Linearised(one.value - other.value, one.influence - other.influence, one.codes, one.cluster)
    se = float(moved.se()[0])
    if not se > 0:
        reason = "the two models decide alike" if gap == 0 else "the variance of the difference is not estimable"
        return PairedDifference(*head, name, n, value_a, value_b, gap, None, None, None, None, "paired", reason)
    # A difference of means over patients, as many less one degrees of freedom.
    freedom = max(_units(moved) - 1, 1)
    half = float(stdtrit(freedom, 1 - options.alpha / 2)) * se
    p = float(2 * stdtr(freedom, -abs(gap) / se))
    return PairedDifference(*head, name, n, value_a, value_b, gap, gap - half, gap + half, p, p, "paired")


def _units(moved: Linearised) -> int:
    """Patients in the group."""
    inside = moved.codes >= 0
    return int(inside.sum()) if moved.cluster is None else int(np.unique(moved.cluster[inside]).size)


def _corrected(rows: list[PairedDifference]) -> list[PairedDifference]:
    """p-values adjusted over these rows, metric by metric."""
    result = list(rows)
    for metric in dict.fromkeys(row.metric for row in rows):
        places = [i for i, row in enumerate(rows) if row.metric == metric]
        p = np.array([np.nan if rows[i].p is None else rows[i].p for i in places], dtype=np.float64)
        for i, q in zip(places, holm(p), strict=True):
            result[i] = replace(rows[i], p_adjusted=finite_or_none(float(q)))
    return result


def _jointly_corrected(found: Sequence[Comparison]) -> tuple[Comparison, ...]:
    """What is said of everybody and of summaries, adjusted metric by metric over all pairs of models and all attributes."""
    rows = [row for one in found for row in one.rows]
    result = list(rows)
    for overall in (True, False):
        places = [i for i, row in enumerate(rows) if row.group == ALL and (row.attribute == ALL) == overall]
        for place, row in zip(places, _corrected([rows[i] for i in places]), strict=True):
            result[place] = row
    ends = np.cumsum([0, *(len(one.rows) for one in found)])
    return tuple(replace(one, rows=tuple(result[ends[i] : ends[i + 1]])) for i, one in enumerate(found))


def _summaries(both: _Both) -> list[PairedDifference]:
    n = int((both.codes >= 0).sum())
    judged = {metric: both.judged(metric) for metric in ("auc", "tpr", "fpr", "selection_rate")}
    found = paired_summaries(both.a, both.b, both.codes, len(both.groups), both.options, judged)
    return [_row((both.a.model, both.b.model, both.attribute, ALL), name, n, summary) for name, summary in found.items()]
