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
    result: Result | str | Path | dict[str, Any],
    folder: str | Path = ".",
    *,
    formats: str | Sequence[str] = "html",
    name: str | None = None,
    attribute: str | None = None,
    suppress: int = 0,
) -> list[Path]:
    """Write the report of an audit, a comparison or runs.

    Parameters
    ----------
    result : what `audit_predictions`, `compare_models`, `load_runs` or `train_methods` gave, an audit's document, or a file that holds one.
    folder : where to write; it is made when absent.
    formats : "html", "zip", "json", ...; several with commas or as a list. One that is unknown refuses all before anything is written.
    name : of the files, without ending. attribute : by which runs are compared.
    suppress : hide counts below this, and what would reveal them (0: nothing; 11 is usual where a report leaves the hospital).

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
    return write(_report(result, name, attribute, suppress), Path(folder).expanduser(), wanted)


def _report(result: Result | str | Path | dict[str, Any], name: str | None, attribute: str | None, suppress: int) -> Report:
    from core.api.runs import RunsResult

    if isinstance(result, RunsResult):
        if suppress:
            raise UserError("counts can be suppressed in the report of an audit: write that of runs.audit() instead")
        from core.report.of_runs import runs_report
        from core.store import Store

        with Store.open(result.workspace) as store:
            return runs_report(store, result.run_ids, attribute or result.attribute, name=name or "comparison")
    from core.report.of_audit import audit_report
    from core.report.suppression import suppressed

    document, stem = _document(result)
    return audit_report(suppressed(document, suppress) if suppress else document, name=name or stem)


def _document(result: Result | str | Path | dict[str, Any]) -> tuple[dict[str, Any], str]:
    """An audit's document, and the usual name of its report."""
    from core.audit.output.schema import checked_document, read_document

    if isinstance(result, AuditResult):
        return result.document, "audit"
    if isinstance(result, (str, Path)):
        return read_document(Path(result)), Path(result).stem
    if isinstance(result, dict):
        return checked_document(result, "the document"), "audit"
    raise UserError(f"a {type(result).__name__} has no report: give an audit, a comparison or runs")
