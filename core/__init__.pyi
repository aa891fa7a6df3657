from core.api.audits import audit_predictions as audit_predictions
from core.api.audits import compare_models as compare_models
from core.api.cohorts import ingest_cohort as ingest_cohort
from core.api.reports import write_report as write_report
from core.api.runs import load_runs as load_runs
from core.api.runs import train_methods as train_methods
from core.audit.options import AuditOptions as AuditOptions
from core.audit.options import Target as Target
from core.errors import UserError as UserError

PUBLIC: dict[str, str]
__version__: str
