"""Two models on the same patients: paired differences of every estimate and fairness summary.

AUCs are compared by paired DeLong, overall and within each group; rates and the Brier score by the
difference of the models' influences row by row, summed within patients; fairness summaries by a
bootstrap that draws the same patients for both models.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, fields, replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr

from core.audit.engine import by_split
from core.audit.evidence import LEVELS
from core.audit.grouping import Grouping, groupings
from core.audit.influence import Linearised, linearise_ratio
from core.audit.operating import operating_point
from core.audit.options import AuditOptions
from core.audit.predictions import Predictions
from core.audit.result import Audit
from core.audit.scored import Scored, scored
from core.errors import UserError
from core.metrics.bootstrap import bootstrap_models, replicate_interval
from core.metrics.corrections import adjust
from core.metrics.delong import delong, difference
from core.metrics.equity import es_auc, max_gap, worst
from core.metrics.intervals import normal_quantile
from core.metrics.rates import FN, FP, TN, TP, rate_summaries
from core.metrics.resampling import CellDraws, patient_strata

if TYPE_CHECKING:
    import pandas as pd

Floats = NDArray[np.float64]
ALL = "(all)"
RATES = ("tpr", "fpr", "ppv", "npv", "selection_rate", "accuracy")
SHORT = {"demographic_parity_difference": "dpd", "equalized_odds_difference": "deodds", "equal_opportunity_difference": "equal_opportunity_difference"}


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
    audited, validation = by_split(predictions)
    pair = [scored(audited, name, operating_point(name, audited, validation, options)[0]) for name in (model_a, model_b)]
    a, b = pair
    rows = list(_group(a, b, ALL, ALL, np.ones(len(audited), dtype=bool), options))
    for grouping in groupings(audited, options):
        own = [row for g, name in enumerate(grouping.groups) for row in _group(a, b, grouping.name, name, grouping.codes == g, options)]
        rows += _corrected(own, options)
        rows += _summaries(a, b, grouping, options)
    return Comparison(model_a, model_b, tuple(rows))


def with_comparisons(result: Audit, predictions: Predictions) -> Audit:
    """The audit with every further model set against the first one."""
    first, *others = predictions.models
    return replace(result, comparisons=tuple(compare(predictions, other, first, result.options) for other in others))


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
        yield "brier", ratio(a, (a.score - a.y) ** 2, ones), ratio(b, (b.score - b.y) ** 2, ones)


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
        return PairedDifference(*head, name, n, _or_none(value_a), _or_none(value_b), None, None, None, None, None, "none", "the rate is undefined for one of the models")
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
            result[i] = replace(rows[i], p_adjusted=_or_none(float(q)))
    return result


def _summaries(a: Scored, b: Scored, grouping: Grouping, options: AuditOptions) -> list[PairedDifference]:
    """Fairness summaries, by paired bootstrap; none without replicates."""
    codes, count = grouping.codes, len(grouping.groups)
    inside = codes >= 0
    if not options.bootstrap or count < 2 or not inside.any():
        return []
    models = bootstrap_models(
        a.y, np.stack([a.score, b.score]), codes, count, replicates=options.bootstrap, seed=options.seed, cluster=a.cluster, weight=a.weight, max_levels=LEVELS
    )
    observed = []
    for data in (a, b):
        overall = delong(data.y[inside], data.score[inside], weight=None if data.weight is None else data.weight[inside]).auc[0]
        groups = np.array([delong(data.y[codes == g], data.score[codes == g], weight=None if data.weight is None else data.weight[codes == g]).auc[0] for g in range(count)])
        observed.append({"es_auc": float(es_auc(overall, groups)), "max_gap": float(max_gap(groups)), "worst_group_auc": float(worst(groups))})
    drawn = [{"es_auc": m.summaries()["es_auc"], "max_gap": m.summaries()["max_gap"], "worst_group_auc": m.summaries()["worst_group"]} for m in models]
    if a.decision is not None and b.decision is not None:
        seen, replicates = _joint_rates(a, b, codes, count, options)
        for k in range(2):
            observed[k] |= seen[k]
            drawn[k] |= replicates[k]
    n = int(inside.sum())
    return [_summary(a, b, grouping.name, name, n, observed[0][name], observed[1][name], drawn[0][name] - drawn[1][name], options) for name in observed[0]]


def _summary(a: Scored, b: Scored, attribute: str, metric: str, n: int, value_a: float, value_b: float, drawn: Floats, options: AuditOptions) -> PairedDifference:
    head = (a.model, b.model, attribute, ALL, metric, n, _or_none(value_a), _or_none(value_b))
    gap = value_a - value_b
    known = drawn[np.isfinite(drawn)]
    if not np.isfinite(gap) or known.size < 0.9 * drawn.size:
        return PairedDifference(*head, None, None, None, None, None, "none", "the summary is undefined for one of the models or in too many replicates")
    low, high = replicate_interval(drawn, gap, level=1 - options.alpha, kind="basic")
    # The basic interval's p: how deep in the replicates, mirrored about the difference, 0 lies.
    beyond = min(int((known >= 2 * gap).sum()), int((known <= 2 * gap).sum()))
    p = min(1.0, 2 * (1 + beyond) / (1 + known.size))
    return PairedDifference(*head, gap, float(low), float(high), p, p, "paired bootstrap")


def _joint_rates(a: Scored, b: Scored, codes: NDArray[np.int64], count: int, options: AuditOptions) -> tuple[list[dict[str, float]], list[dict[str, Floats]]]:
    """Rate summaries of both models, observed and resampled, from one draw of (group, label, decision, decision)."""
    assert a.decision is not None and b.decision is not None
    inside = codes >= 0
    group, y = codes[inside], a.y[inside]
    kind = (y * 4 + a.decision[inside] * 2 + b.decision[inside]).astype(np.int64)
    weight = None if a.weight is None else a.weight[inside]
    cluster = strata = None
    if a.cluster is not None:
        _, cluster = np.unique(a.cluster[inside], return_inverse=True)
        strata = patient_strata(cluster, int(cluster.max()) + 1, group, y, False)
    draws = CellDraws.of(group * 8 + kind, count * 8, group, cluster=cluster, patient_stratum=strata, weight=weight)
    replicates = np.concatenate(draws.tables(options.bootstrap, options.seed, lambda table: table)).reshape(-1, count, 8)
    seen = np.bincount(group * 8 + kind, weights=weight, minlength=count * 8).astype(np.float64).reshape(1, count, 8)

    def summaries(cells: Floats, first: bool) -> dict[str, Floats]:
        table = np.zeros((*cells.shape[:2], 4))
        for positive, one, other in np.ndindex(2, 2, 2):
            chosen = one if first else other
            place = (TP if chosen else FN) if positive else (FP if chosen else TN)
            table[:, :, place] += cells[:, :, positive * 4 + one * 2 + other]
        found = rate_summaries(table)
        return {short: found[name] for name, short in SHORT.items()}

    observed = [{k: float(v[0]) for k, v in summaries(seen, first).items()} for first in (True, False)]
    return observed, [summaries(replicates, first) for first in (True, False)]


def _or_none(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None
