"""An audit as the JSON document that the command line promises. Undefined values are null, with a reason."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from core.audit.estimates.group_estimates import GroupCounts, MetricTable
from core.audit.estimates.operating_point import OperatingPoint
from core.audit.estimates.summaries import ES_AUC_CAVEAT
from core.audit.output.schema import VERSION
from core.audit.provenance import provenance
from core.metrics.estimate import finite_or_none

if TYPE_CHECKING:
    from core.audit.comparison.compare_models import PairedDifference
    from core.audit.estimates.cross_group_table import CrossGroupTable
    from core.audit.estimates.curves import Curves
    from core.audit.inference.verdicts import Verdict
    from core.audit.result import AttributeAudit, Audit, ModelAudit


Progress = Callable[[float, str], None]
"""(share done, what comes next)"""


def document(audit: Audit, progress: Progress | None = None) -> dict[str, Any]:
    """The first model at the top level, every model under `models`."""
    models = {}
    for place, model in enumerate(audit.models):
        models[model.model] = _model(model, partial(_tell, progress, place, len(audit.models)))
    first = models[audit.models[0].model]
    return {
        "version": VERSION,
        "source": audit.source,
        "n": audit.n,
        "n_patients": audit.n_patients,
        "model": audit.models[0].model,
        "overall": first["overall"],
        "attributes": first["attributes"],
        "models": models,
        "comparisons": [{"model_a": c.model_a, "model_b": c.model_b, "differences": [_difference(row) for row in c.rows]} for c in audit.comparisons],
        **_over_seeds(audit),
        "findings": [finding.to_dict() for finding in audit.findings],
        "options": audit.options.to_dict(),
        "notes": {"es_auc": ES_AUC_CAVEAT},
        "provenance": provenance(audit).to_dict(),
    }


def _over_seeds(audit: Audit) -> dict[str, Any]:
    """`seeds`, where several models are runs of one method that differ in the seed."""
    if len(audit.models) < 2:
        return {}
    from core.audit.comparison.seeds import (  # brings pandas, which one model's document does without
        methods_of,
        over_seeds,
    )

    if not methods_of(tuple(model.model for model in audit.models)):
        return {}
    return {"seeds": [{str(k): finite_or_none(v) if isinstance(v, float) else v for k, v in row.items()} for row in over_seeds(audit).to_dict("records")]}


def _tell(progress: Progress | None, place: int, models: int, done: float, what: str) -> None:
    if progress is not None:
        progress((place + done) / models, what)


def _model(model: ModelAudit, tell: Progress) -> dict[str, Any]:
    return {
        "operating_point": _point(model.point),
        "overall": _group(model.counts, model.tables, 0),
        "attributes": _attributes(model, tell),
        "against_rest": [
            {
                "attribute": t.attribute,
                "group": t.group,
                "metric": t.metric,
                "n": t.n,
                "difference": finite_or_none(t.difference),
                "p": finite_or_none(t.p),
                "p_adjusted": finite_or_none(t.p_adjusted),
                "method": t.method,
                "worth_a_look": t.worth_a_look,
            }
            for t in model.against_rest
        ],
    }


def _attributes(model: ModelAudit, tell: Progress) -> dict[str, Any]:
    found = {}
    for place, attribute in enumerate(model.attributes):
        tell(place / len(model.attributes), f"{model.model}, by {attribute.name}")
        found[attribute.name] = _attribute(attribute)
    return found


def _attribute(attribute: AttributeAudit) -> dict[str, Any]:
    grouping, names = attribute.grouping, attribute.grouping.groups
    summaries = {s.metric: s for s in attribute.summaries}
    worst = summaries["worst_group_auc"]
    return {
        "attributes": list(grouping.attributes),
        **{name: finite_or_none(summary.value) for name, summary in summaries.items()},
        "worst_group": worst.detail,
        "summaries": {name: _summary(summary) for name, summary in summaries.items()},
        "excluded": list(summaries["es_auc"].excluded),
        "missing": grouping.n_missing,
        "bands": list(grouping.edges) or None,
        "left_out": {"groups": grouping.left_out_groups, "rows": grouping.left_out_rows},
        "operating_point": _point(attribute.point),
        "verdicts": {v.metric: _verdict(v, names) for v in attribute.verdicts},
        "groups": {name: _group(attribute.counts, attribute.tables, index) for index, name in enumerate(names)},
        "tests": [
            {
                "metric": test.metric,
                "group_a": names[test.group_a],
                "group_b": names[test.group_b],
                "difference": finite_or_none(test.difference),
                "ci": pair(test.low, test.high),
                "simultaneous_ci": pair(*test.simultaneous),
                "p": finite_or_none(test.p),
                "p_adjusted": finite_or_none(test.p_adjusted),
                "method": test.method,
            }
            for test in attribute.tests
        ],
        "power": [
            {
                "group": p.group,
                "metric": p.metric,
                "reference": p.reference,
                "detectable": finite_or_none(p.detectable),
                "gap": p.gap,
                "more_patients": p.more_patients,
                "to_show_disparity": p.to_show_disparity,
                "to_show_none": p.to_show_none,
                "reason": p.reason,
            }
            for p in attribute.power
        ],
        **(
            {}
            if attribute.cross_group is None
            else {"cross_group_auc": matrix(attribute.cross_group.value, names), "cross_group": cross_group_rows(attribute.cross_group, names)}
        ),
        **({} if not attribute.options.curves or attribute.curves is None else {"curves": _curves(attribute.curves)}),
    }


def _verdict(verdict: Verdict, names: tuple[str, ...]) -> dict[str, Any]:
    """`pair`: the best supported difference, which the verdict rests on."""
    test = verdict.pair
    return {
        "verdict": verdict.verdict,
        "primary": verdict.primary,
        "reason": verdict.reason,
        "evidence": finite_or_none(verdict.evidence),
        "p": finite_or_none(verdict.p),
        "exceeds_tolerance": verdict.exceeds,
        "gap": finite_or_none(verdict.gap),
        "pair": None
        if test is None
        else {"group_a": names[test.group_a], "group_b": names[test.group_b], "difference": finite_or_none(test.difference), "ci": pair(*test.simultaneous)},
    }


def _summary(summary: Any) -> dict[str, Any]:
    return {
        "value": finite_or_none(summary.value),
        "ci": pair(summary.low, summary.high),
        "p_null": finite_or_none(summary.p_null),
        "null_median": finite_or_none(summary.null_median),
        "null_q95": finite_or_none(summary.null_q95),
        "reason": summary.reason,
        "detail": summary.detail,
        "without": summary.left_out,
    }


def _point(point: OperatingPoint) -> dict[str, Any]:
    return {"threshold": finite_or_none(point.threshold), "by_group": point.by_group, "source": point.source, "reason": point.reason}


def _group(counts: GroupCounts, tables: Any, index: int) -> dict[str, Any]:
    """Counts, then every metric with its interval; `reasons` says why a metric is null or not judged."""
    auc: MetricTable = tables["auc"]
    result: dict[str, Any] = {
        **_counted(counts, index),
        "estimable": bool(auc.judged[index]),
        "reason": auc.reason[index],
    }
    reasons = {}
    for name, table in tables.items():
        result[name] = finite_or_none(table.value[index])
        result[f"{name}_ci"] = pair(table.low[index], table.high[index])
        result[f"{name}_se"] = finite_or_none(table.se[index]) if result[f"{name}_ci"] is not None else None
        if table.reason[index] is not None:
            reasons[name] = table.reason[index]
    result["reasons"] = reasons
    return result


def counts_document(audit: Audit) -> dict[str, Any]:
    """The models, attributes and groups of `document` with their counts alone: nothing has to be estimated for them."""
    return {
        "models": {
            model.model: {
                "overall": _counted(model.counts, 0),
                "attributes": {
                    attribute.name: {
                        "attributes": list(attribute.grouping.attributes),
                        "groups": {name: _counted(attribute.counts, index) for index, name in enumerate(attribute.grouping.groups)},
                    }
                    for attribute in model.attributes
                },
            }
            for model in audit.models
        }
    }


def _counted(counts: GroupCounts, index: int) -> dict[str, Any]:
    n, n_pos = int(counts.n[index]), int(counts.n_pos[index])
    return {
        "n": n,
        "n_pos": n_pos,
        "n_neg": n - n_pos,
        "n_patients": int(counts.patients[index]),
        "prevalence": n_pos / n if n else None,
        "confusion": _confusion(counts, index),
    }


def _confusion(counts: GroupCounts, index: int) -> dict[str, int] | None:
    """The 2 x 2 table at the operating point, in rows; None without one."""
    if counts.true_positives is None or counts.false_positives is None:
        return None
    hits, alarms = int(counts.true_positives[index]), int(counts.false_positives[index])
    return {"tp": hits, "fp": alarms, "fn": int(counts.n_pos[index]) - hits, "tn": int(counts.n_neg[index]) - alarms}


def _difference(row: PairedDifference) -> dict[str, Any]:
    return {
        "attribute": row.attribute,
        "group": row.group,
        "metric": row.metric,
        "n": row.n,
        "value_a": finite_or_none(row.value_a),
        "value_b": finite_or_none(row.value_b),
        "difference": finite_or_none(row.difference),
        "ci": pair(row.low, row.high),
        "p": finite_or_none(row.p),
        "p_adjusted": finite_or_none(row.p_adjusted),
        "method": row.method,
        "reason": row.reason,
    }


def matrix(values: NDArray[np.float64], names: tuple[str, ...]) -> dict[str, dict[str, float | None]]:
    """Rows: whose positives; columns: whose negatives."""
    return {row: {column: finite_or_none(values[i, j]) for j, column in enumerate(names)} for i, row in enumerate(names)}


def cross_group_rows(found: CrossGroupTable, names: tuple[str, ...]) -> list[dict[str, Any]]:
    """Every pair with its interval; null with a reason where the guards forbid a number."""
    return [
        {
            "positive": row,
            "negative": column,
            "value": finite_or_none(found.value[i, j]),
            "ci": pair(found.low[i, j], found.high[i, j]),
            "n_pos": int(found.n_pos[i]),
            "n_neg": int(found.n_neg[j]),
            "reason": found.reason[i][j],
        }
        for i, row in enumerate(names)
        for j, column in enumerate(names)
    ]


def _curves(curves: Curves) -> dict[str, list[dict[str, Any]]]:
    frames = {name: getattr(curves, name) for name in ("reliability", "smooth", "decision", "sliding", "scores")}
    return {
        name: [{str(k): finite_or_none(v) if isinstance(v, float) else v for k, v in row.items()} for row in frame.to_dict("records")]
        for name, frame in frames.items()
    }


def pair(low: float | None, high: float | None) -> list[float] | None:
    """Both ends of an interval as JSON holds them; None where one of them is undefined."""
    ends = finite_or_none(low), finite_or_none(high)
    return None if ends[0] is None or ends[1] is None else [ends[0], ends[1]]
