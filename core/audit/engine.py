"""The audit: from aligned predictions to estimates, tests, summaries and claims, whichever door the predictions come through."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from core.audit.estimates.grouping import Grouping, groupings
from core.audit.estimates.operating_point import OperatingPoint, operating_point
from core.audit.estimates.scored import Scored, scored
from core.audit.inference import data_warnings
from core.audit.inference.claims import Claims
from core.audit.input.banding import banded, check_names
from core.audit.input.origin import audited_origin
from core.audit.input.predictions import Attribute, AuditFinding, Predictions
from core.audit.options import AuditOptions
from core.audit.result import AttributeAudit, Audit, ModelAudit

INTERSECTION_REPLICATES = 200


def audit(predictions: Predictions, options: AuditOptions | None = None, *, claims: Claims | None = None) -> Audit:
    """Audit every model of `predictions` for every attribute.

    With a split column the test rows are audited, and targets are met on the validation rows. Estimates, tests and
    verdicts are computed when they are first asked for (see `core.audit.result`).

    Parameters
    ----------
    claims : the families that this audit's tests join, where several audits are looked at together; its own where None.

    Raises
    ------
    UserError : for options that do not fit the data.
    """
    options = options or AuditOptions()
    predictions = banded(predictions, options)
    check_names(predictions, options)
    audited, validation = by_split(predictions)
    found: list[AuditFinding] = [*audited.findings, *data_warnings.unused_weights(audited)]
    families = tuple(groupings(audited, options))
    family = Claims(options) if claims is None else claims
    audits = []
    for name in predictions.models:
        model, findings = _audit_model(name, audited, validation, families, options, family)
        audits.append(model)
        found += findings
    family.hold(tuple(audits))
    return Audit(
        source=audited.source,
        n=len(audited),
        n_patients=None if audited.patient is None else int(np.unique(audited.patient).size),
        options=options,
        models=tuple(audits),
        claims=family,
        findings=tuple(dict.fromkeys(found)),
        origin=audited_origin(predictions),
    )


def by_split(predictions: Predictions) -> tuple[Predictions, Predictions | None]:
    """The rows to audit, and the validation rows where there are any."""
    if predictions.split is None:
        return predictions, None
    validation = predictions.split == "validation"
    return predictions.take(predictions.split == "test"), predictions.take(validation) if validation.any() else None


def _audit_model(
    name: str, audited: Predictions, validation: Predictions | None, families: tuple[Grouping, ...], options: AuditOptions, claims: Claims
) -> tuple[ModelAudit, list[AuditFinding]]:
    point, findings = operating_point(name, audited, validation, options)
    found = list(findings)
    data = scored(audited, name, point)
    attributes = []
    for grouping in families:
        own_point, own_data, more = _at_own_thresholds(point, data, audited, validation, grouping, options)
        found += more
        attributes.append(AttributeAudit(name, grouping, own_data, own_point, options if grouping.depth == 1 else _lighter(options), claims))
    model = ModelAudit(name, data, point, options, tuple(attributes), claims)
    return model, found + list(data_warnings.of_model(model))


def _at_own_thresholds(
    point: OperatingPoint, data: Scored, audited: Predictions, validation: Predictions | None, grouping: Grouping, options: AuditOptions
) -> tuple[OperatingPoint, Scored, tuple[AuditFinding, ...]]:
    """The model at thresholds of the grouping's own groups, where these were asked for."""
    if not options.per_group_threshold or grouping.depth > 1:
        return point, data, ()
    own, findings = operating_point(data.model, audited, validation, options, grouping.name)
    return own, scored(audited, data.model, own, Attribute(grouping.groups, grouping.codes)), findings


def _lighter(options: AuditOptions) -> AuditOptions:
    """Fewer replicates for intersections, of which there are many: tails below their resolution are normal ones."""
    return replace(options, bootstrap=min(options.bootstrap, INTERSECTION_REPLICATES))
