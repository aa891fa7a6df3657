"""The audit: from aligned predictions to estimates, tests, summaries and verdicts."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from core.audit.estimates.calibration_tables import calibration_tables, error_tests, judged_error
from core.audit.estimates.group_estimates import GroupCounts, MetricTable, estimate_groups
from core.audit.estimates.grouping import Grouping, groupings
from core.audit.estimates.operating_point import OperatingPoint, operating_point
from core.audit.estimates.precision_tables import precision_tables
from core.audit.estimates.scored import Scored, scored
from core.audit.estimates.summaries import point_summaries
from core.audit.inference import data_warnings
from core.audit.inference.one_vs_rest import RestTest, against_rest, correct_all
from core.audit.inference.pairwise import TESTED, PairTest, pairwise
from core.audit.inference.power import METRICS as POWERED
from core.audit.inference.power import power
from core.audit.inference.summary_uncertainty import auc_null, permuted_pairs, rate_null, with_intervals, with_null
from core.audit.inference.verdicts import NOT_ENOUGH, TITLES, Verdict, judge
from core.audit.input.predictions import Attribute, AuditFinding, Predictions
from core.audit.options import AuditOptions
from core.audit.result import AttributeAudit, Audit, ModelAudit
from core.metrics.auc import auc
from core.metrics.cross_group import cross_group_auc

if TYPE_CHECKING:
    from core.audit.estimates.curves import Curves

Progress = Callable[[float, str], None]
"""(share done, what comes next)"""

# An intersection's groups are looked at one against the rest; all pairs of more than these would be noise.
MAX_PAIRED_GROUPS = 20
INTERSECTION_REPLICATES = 200
NO_GROUPS = "no group has enough rows"


def audit(predictions: Predictions, options: AuditOptions | None = None, progress: Progress | None = None) -> Audit:
    """Audit every model of `predictions` for every attribute.

    With a split column the test rows are audited, and targets are met on the validation rows.
    `progress` is told the share that is done, from 0 to 1, and what comes next.

    Raises
    ------
    UserError : for options that do not fit the data.
    """
    options = options or AuditOptions()
    audited, validation = by_split(predictions)
    found: list[AuditFinding] = [*audited.findings, *data_warnings.unused_weights(audited)]
    families = tuple(groupings(audited, options))
    models = []
    for place, name in enumerate(audited.models):
        model, findings = _audit_model(name, audited, validation, families, options, _share(progress, place, len(audited.models)))
        models.append(model)
        found += findings
    return Audit(
        source=audited.source,
        n=len(audited),
        n_patients=None if audited.patient is None else int(np.unique(audited.patient).size),
        options=options,
        models=tuple(models),
        findings=tuple(dict.fromkeys(found)),
    )


def by_split(predictions: Predictions) -> tuple[Predictions, Predictions | None]:
    """The rows to audit, and the validation rows where there are any."""
    if predictions.split is None:
        return predictions, None
    validation = predictions.split == "validation"
    return predictions.take(predictions.split == "test"), predictions.take(validation) if validation.any() else None


def _share(progress: Progress | None, place: int, models: int) -> Progress:
    """`progress` of one model among several."""
    return (lambda done, what: None) if progress is None else (lambda done, what: progress((place + done) / models, what))


def _audit_model(
    name: str, audited: Predictions, validation: Predictions | None, families: tuple[Grouping, ...], options: AuditOptions, progress: Progress
) -> tuple[ModelAudit, list[AuditFinding]]:
    point, findings = operating_point(name, audited, validation, options)
    found = list(findings)
    data = scored(audited, name, point)
    counts, tables = _estimates(data, np.zeros(len(audited), dtype=np.int64), 1, options)
    n_pos, n_neg = int(counts.n_pos[0]), int(counts.n_neg[0])
    found += [*data_warnings.one_class(name, n_pos, n_neg), *data_warnings.leakage(data, float(tables["auc"].value[0]), n_pos, n_neg)]
    attributes, rest = [], []
    for place, grouping in enumerate(families):
        progress(place / len(families), f"{name}, by {grouping.name}")
        own_point, own_data = point, data
        if options.per_group_threshold and grouping.depth == 1:
            own_point, more = operating_point(name, audited, validation, options, grouping.name)
            found += more
            own_data = scored(audited, name, own_point, Attribute(grouping.groups, grouping.codes))
        if not grouping.groups:
            attributes.append(_without_groups(own_point, grouping, tuple(tables)))
            continue
        attribute, tests = _audit_attribute(own_data, own_point, grouping, options)
        attributes.append(attribute)
        rest += tests
        found += data_warnings.group_findings(name, grouping, attribute.tables, options)
    return ModelAudit(name, point, counts, tables, tuple(attributes), correct_all(rest, options)), found


def _estimates(data: Scored, codes: np.ndarray, count: int, options: AuditOptions) -> tuple[GroupCounts, dict[str, MetricTable]]:
    counts, tables = estimate_groups(data, codes, count, options)
    lacking = counts.lacking(options)
    for table in (*precision_tables(data, codes, count, lacking, options), *calibration_tables(data, codes, count, lacking, options)):
        tables[table.metric] = table
    return counts, tables


def _audit_attribute(data: Scored, point: OperatingPoint, grouping: Grouping, options: AuditOptions) -> tuple[AttributeAudit, list[RestTest]]:
    options = options if grouping.depth == 1 else _lighter(options)
    codes, groups = grouping.codes, grouping.groups
    counts, tables = _estimates(data, codes, len(groups), options)
    tests = _pairwise(data, grouping, counts, tables, options)
    null = auc_null(data, codes, len(groups), tables["auc"], options)
    overall = _overall(data, codes)
    summaries = point_summaries(overall, tables, groups)
    summaries = with_null(with_intervals(summaries, data, codes, tables, overall, options), null, rate_null(data, codes, len(groups), tables, options))
    left_out = f"{grouping.left_out_rows} rows are in groups too small to look at" if grouping.left_out_rows else None
    judged = {name: judged_error(tables) if name == "ece" else tables[name] for name in tests}
    attribute = AttributeAudit(
        grouping=grouping,
        point=point,
        counts=counts,
        tables=tables,
        tests=tuple(test for group in tests.values() for test in group),
        summaries=summaries,
        verdicts=tuple(judge(judged[name], tests[name], groups, options, left_out) for name in tests),
        power=tuple(row for name in POWERED for row in power(tables[name], counts, groups, options)) if grouping.depth == 1 else (),
        cross_group=cross_group_auc(data.y, data.score, codes, len(groups), data.weight) if grouping.depth == 1 and groups else None,
        curves=_curves(data, grouping, options),
    )
    return attribute, against_rest(data, codes, groups, grouping.name, tables, null, options)


def _without_groups(point: OperatingPoint, grouping: Grouping, metrics: tuple[str, ...]) -> AttributeAudit:
    """An attribute without any value, or an intersection without any cell that is large enough."""
    none = np.zeros(0, dtype=np.int64)
    tables = {name: MetricTable.undefined(name, 0, NO_GROUPS) for name in metrics}
    return AttributeAudit(
        grouping=grouping,
        point=point,
        counts=GroupCounts(none, none, none, none),
        tables=tables,
        tests=(),
        summaries=point_summaries(float("nan"), tables, ()),
        verdicts=tuple(Verdict(name, NOT_ENOUGH, f"{TITLES[name]} cannot be compared: {NO_GROUPS}.", None, None, None) for name in (*TESTED, "ece")),
    )


def _pairwise(data: Scored, grouping: Grouping, counts: GroupCounts, tables: Mapping[str, MetricTable], options: AuditOptions) -> dict[str, tuple[PairTest, ...]]:
    """Tests per metric; none for intersections of so many groups that their pairs say nothing."""
    if len(grouping.groups) > MAX_PAIRED_GROUPS and grouping.depth > 1:
        return {}
    permuted = permuted_pairs(data, grouping.codes, counts, tables["auc"], options) if grouping.depth == 1 else {}
    tests = {name: pairwise(tables[name], options.correction, permuted if name == "auc" else None) for name in TESTED}
    tests["ece"] = error_tests(data, grouping.codes, len(grouping.groups), dict(tables), options)
    return tests


def _curves(data: Scored, grouping: Grouping, options: AuditOptions) -> Curves | None:
    if not options.curves or not grouping.groups or grouping.depth > 1:
        return None
    from core.audit.estimates.curves import curves  # draws in pandas, which an audit without curves need not wait for

    return curves(data, grouping.codes, grouping.groups, options)


def _lighter(options: AuditOptions) -> AuditOptions:
    """Fewer replicates for intersections, of which there are many: tails below their resolution are normal ones."""
    return replace(options, bootstrap=min(options.bootstrap, INTERSECTION_REPLICATES), permutations=min(options.permutations, INTERSECTION_REPLICATES))


def _overall(data: Scored, codes: np.ndarray) -> float:
    """AUC of the rows that the grouping covers: what the group AUCs are set against in ES-AUC."""
    inside = codes >= 0
    return auc(data.y[inside], data.score[inside], None if data.weight is None else data.weight[inside])
