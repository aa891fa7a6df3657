"""Results as files that need no network."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
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
    suppress: int | None = None,
    answers: Mapping[str, str] | str | Path | None = None,
    earlier: str | Path | dict[str, Any] | AuditResult | None = None,
) -> list[Path]:
    """Write the report of an audit, a comparison or runs.

    Parameters
    ----------
    result : what `audit_predictions`, `compare_models`, `load_runs` or `train_methods` gave, an audit's document, or a file that holds one.
    folder : where to write; it is made when absent.
    formats : "html", "zip", "json", ...; several with commas or as a list. One that is unknown refuses all before anything is written.
    name : of the files, without ending. attribute : by which runs are compared.
    suppress : hide counts below this, and what would reveal them, (default 11, because files may leave the hospital; 0: nothing).
    answers : to the questions of `core.report.answers` by key, or a JSON file of them; they close items of reporting guidelines.
    earlier : an audit of the same model at another date (its document, or a file that holds one, or a report's JSON): the report says what has changed.

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
    return write(_report(result, name, attribute, suppress, _answers(answers), earlier), Path(folder).expanduser(), wanted)


def _answers(given: Mapping[str, str] | str | Path | None) -> dict[str, str]:
    from core.report.answers import checked, read_answers

    if given is None:
        return {}
    return read_answers(Path(given).expanduser()) if isinstance(given, (str, Path)) else checked(given, "answers")


def _report(
    result: Result | str | Path | dict[str, Any], name: str | None, attribute: str | None, suppress: int | None, answers: dict[str, str], earlier: Any
) -> Report:
    from core.api.runs import RunsResult
    from core.report.suppression import USUAL, suppressed

    if isinstance(result, RunsResult):
        if earlier is not None:
            raise UserError("an earlier audit is compared with another audit, not with runs: write the report of runs.audit() instead")
        from core.report.of_runs import runs_report
        from core.store import Store

        with Store.open(result.workspace) as store:
            return runs_report(
                store,
                result.run_ids,
                attribute or result.attribute,
                name=name or "comparison",
                answers=answers,
                suppress=USUAL if suppress is None else suppress,
            )
    from core.report.of_audit import audit_report

    document, stem = _document(result)
    # A document that was suppressed when it was exported stays as it is.
    limit = (0 if document.get("suppression") else USUAL) if suppress is None else suppress
    before = None if earlier is None else _document(earlier)[0]
    if limit:
        document, before = suppressed(document, limit), before if before is None or before.get("suppression") else suppressed(before, limit)
    return audit_report(document, name=name or stem, answers=answers, earlier=before)


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
