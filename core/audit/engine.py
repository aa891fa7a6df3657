"""The audit: from aligned predictions to estimates, tests, summaries and verdicts."""

from __future__ import annotations

import numpy as np

from core.audit.estimates import estimate_groups
from core.audit.grouping import Grouping, groupings
from core.audit.operating import OperatingPoint, operating_point
from core.audit.options import AuditOptions
from core.audit.pairwise import TESTED, pairwise
from core.audit.predictions import Attribute, AuditFinding, Predictions
from core.audit.result import AttributeAudit, Audit, ModelAudit
from core.audit.scored import Scored, scored
from core.audit.summaries import point_summaries
from core.audit.verdicts import judge


def audit(predictions: Predictions, options: AuditOptions | None = None) -> Audit:
    """Audit every model of `predictions` for every attribute.

    With a split column the test rows are audited, and targets are met on the validation rows.

    Raises
    ------
    UserError : for options that do not fit the data.
    """
    options = options or AuditOptions()
    audited, validation = _by_split(predictions)
    found: list[AuditFinding] = list(audited.findings)
    families = tuple(groupings(audited, options))
    models = []
    for name in audited.models:
        model, findings = _audit_model(name, audited, validation, families, options)
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


def _by_split(predictions: Predictions) -> tuple[Predictions, Predictions | None]:
    if predictions.split is None:
        return predictions, None
    validation = predictions.split == "validation"
    return predictions.take(predictions.split == "test"), predictions.take(validation) if validation.any() else None


def _audit_model(
    name: str, audited: Predictions, validation: Predictions | None, families: tuple[Grouping, ...], options: AuditOptions
) -> tuple[ModelAudit, list[AuditFinding]]:
    point, findings = operating_point(name, audited, validation, options)
    found = list(findings)
    data = scored(audited, name, point)
    everybody = np.zeros(len(audited), dtype=np.int64)
    counts, tables = estimate_groups(data, everybody, 1, options)
    attributes = []
    for grouping in families:
        own_point, own_data = point, data
        if options.per_group_threshold and grouping.depth == 1:
            own_point, more = operating_point(name, audited, validation, options, grouping.name)
            found += more
            own_data = scored(audited, name, own_point, Attribute(grouping.groups, grouping.codes))
        attributes.append(_audit_attribute(own_data, own_point, grouping, float(tables["auc"].value[0]), options))
    return ModelAudit(name, point, counts, tables, tuple(attributes)), found


def _audit_attribute(data: Scored, point: OperatingPoint, grouping: Grouping, overall_auc: float, options: AuditOptions) -> AttributeAudit:
    counts, tables = estimate_groups(data, grouping.codes, len(grouping.groups), options)
    tests = {name: pairwise(table, options.correction) for name, table in tables.items() if name in TESTED}
    left_out = f"{grouping.left_out_rows} rows are in groups too small to look at" if grouping.left_out_rows else None
    return AttributeAudit(
        grouping=grouping,
        point=point,
        counts=counts,
        tables=tables,
        tests=tuple(test for group in tests.values() for test in group),
        summaries=point_summaries(overall_auc, tables, grouping.groups),
        verdicts=tuple(judge(tables[name], tests[name], grouping.groups, options, left_out) for name in tests),
    )
