"""Audit predictions for fairness: estimates, evidence, verdicts. Works for any model's predictions."""

from core.audit.engine import audit
from core.audit.mapping import Mapping
from core.audit.options import AuditOptions, Target
from core.audit.predictions import Attribute, AuditFinding, Predictions
from core.audit.reading import read_predictions
from core.audit.result import AttributeAudit, Audit, ModelAudit

__all__ = ["Attribute", "AttributeAudit", "Audit", "AuditFinding", "AuditOptions", "Mapping", "ModelAudit", "Predictions", "Target", "audit", "read_predictions"]
