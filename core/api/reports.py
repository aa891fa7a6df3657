"""Results as files that need no network."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from core.api.audits import AuditResult
from core.api.result import Result
from core.errors import UserError
from core.report.bundle import parse_formats, write

if TYPE_CHECKING:
    from core.report.document import Report


def write_report(
    result: Result | str | Path | dict[str, Any], folder: str | Path = ".", *, formats: str | Sequence[str] = "html", name: str | None = None, attribute: str | None = None
) -> list[Path]:
    """Write the report of an audit, a comparison or runs.

    Parameters
    ----------
    result : what `audit_predictions`, `compare_models`, `load_runs` or `train_methods` gave, an audit's document, or a file that holds one.
    folder : where to write; it is made when absent.
    formats : "html", "zip", "json", ...; several with commas or as a list. One that is unknown refuses all before anything is written.
    name : of the files, without ending. attribute : by which runs are compared.

    Returns
    -------
    list of Path
        The files written.

    Raises
    ------
    UserError
        For an unknown format, a result that has no report, or a folder that cannot be written.
    """
    wanted = parse_formats(formats if isinstance(formats, str) else ",".join(formats))
    return write(_report(result, name, attribute), Path(folder).expanduser(), wanted)


def _report(result: Result | str | Path | dict[str, Any], name: str | None, attribute: str | None) -> Report:
    from core.api.runs import RunsResult

    if isinstance(result, RunsResult):
        from core.report.of_runs import runs_report
        from core.store import Store

        with Store.open(result.workspace) as store:
            return runs_report(store, result.run_ids, attribute or result.attribute, name=name or "comparison")
    from core.audit.output.schema import checked_document, read_document
    from core.report.of_audit import audit_report

    if isinstance(result, AuditResult):
        return audit_report(result.document, name=name or "audit")
    if isinstance(result, (str, Path)):
        path = Path(result)
        return audit_report(read_document(path), name=name or path.stem)
    if isinstance(result, dict):
        return audit_report(checked_document(result, "the document"), name=name or "audit")
    raise UserError(f"a {type(result).__name__} has no report: give an audit, a comparison or runs")
