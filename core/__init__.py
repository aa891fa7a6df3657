"""MultiFair: training, auditing and comparing fair multimodal medical classifiers.

The functions below are loaded when they are first asked for, so importing this package costs nothing.
"""

from importlib import import_module
from typing import Any

__version__ = "0.1.0"

PUBLIC = {
    "audit_predictions": "core.api.audits",
    "compare_models": "core.api.audits",
    "ingest_cohort": "core.api.cohorts",
    "train_methods": "core.api.runs",
    "load_runs": "core.api.runs",
    "write_report": "core.api.reports",
    "AuditOptions": "core.audit.options",
    "Target": "core.audit.options",
    "UserError": "core.errors",
}
"""Name -> the module that holds it. Types stand in __init__.pyi."""

__all__ = ["__version__", *PUBLIC]


def __getattr__(name: str) -> Any:
    if name not in PUBLIC:
        raise AttributeError(f"module 'core' has no attribute {name!r}")
    value = getattr(import_module(PUBLIC[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *PUBLIC})
