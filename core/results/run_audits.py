"""The audit of a finished run: the one origin of every number that pages, reports and the command line show of it."""

from __future__ import annotations

from core.audit.engine import audit
from core.audit.options import AuditOptions
from core.audit.result import AttributeAudit, ModelAudit
from core.results.cache import memoised, run_key
from core.results.predictions import from_run
from core.store import Store

OPTIONS = AuditOptions()
"""What runs are audited with: the defaults of `multifair audit`."""


def run_audit(store: Store, run_id: str, attribute: str | None) -> ModelAudit:
    """The audit of one run's test rows by one attribute (by none where None); parts are computed when asked for."""

    def compute() -> ModelAudit:
        return audit(from_run(store, run_id, () if attribute is None else attribute, ("test",)), OPTIONS).model()

    return memoised(store, ("audit", run_key(store, [run_id], attribute or "")), compute)


def attribute_audit(store: Store, run_id: str, attribute: str) -> AttributeAudit:
    """The same, one attribute's part."""
    return run_audit(store, run_id, attribute).attribute(attribute)
