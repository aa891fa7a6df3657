"""Audit predictions for fairness: estimates, evidence, verdicts. Works for any model's predictions."""

from core.audit.engine import audit
from core.audit.input.column_roles import Mapping
from core.audit.input.predictions import Attribute, AuditFinding, Predictions
from core.audit.input.reader import read_predictions
from core.audit.options import AuditOptions, Target
from core.audit.result import AttributeAudit, Audit, ModelAudit

__all__ = [
    "Attribute",
    "AttributeAudit",
    "Audit",
    "AuditFinding",
    "AuditOptions",
    "Mapping",
    "ModelAudit",
    "Predictions",
    "Target",
    "audit",
    "read_predictions",
]
