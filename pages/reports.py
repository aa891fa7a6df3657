"""Which report do you need? Choose runs or an audit, write the report, download it."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable

import streamlit as st

from core.api.saved_audits import SavedAudit, saved
from core.charts.text import listing, plural
from core.errors import UserError
from core.report.bundle import FORMATS, render
from core.report.contents import audit_contents, runs_contents
from core.report.document import Report
from core.report.html import render_html
from core.report.of_audit import audit_report
from core.report.of_runs import runs_report
from core.report.suppression import USUAL, suppressed
from core.report.svg import chart_svg
from dashboard import state
from dashboard.components import context_bar, empty_state, error_state, md, no_runs, page_title
from dashboard.report_answers import answers_form

RUNS, AUDIT = "Comparison of runs", "Audit of predictions"
PREVIEW_HEIGHT = 900
KEPT = 8
# Format -> label, type of file, icon, hint. (A string here would be drawn on the page.)
KINDS = {
    "html": ("HTML", "text/html", "download", "One file with its drawings inside. It needs no network."),
    "pdf": ("PDF", "application/pdf", "picture_as_pdf", "Numbered pages with contents, to print or to file."),
    "zip": ("Everything (zip)", "application/zip", "folder_zip", "Tables as CSV and Parquet with what their columns mean, drawings, HTML, JSON."),
    "latex": ("LaTeX", "text/x-tex", "functions", "The tables of a paper."),
    "json": ("JSON", "application/json", "data_object", "Every number, for a script."),
    "card": ("Model card", "text/markdown", "badge", "In Markdown with the results in its head, as model hubs read it."),
    "chai": ("CHAI card", "application/xml", "clinical_notes", "CHAI's Applied Model Card as XML."),
}
# Formats of one audited model.
ONE_MODEL = ("card", "chai")

page_title("Which report do you need?")
audits = saved(state.workspace())
kind = st.segmented_control(
    "Report", [RUNS, AUDIT], default=AUDIT if st.query_params.get("audit") else RUNS, required=True, key="report-kind", label_visibility="collapsed"
)


@st.cache_resource(show_spinner=False)
def _written(root: str) -> OrderedDict[tuple[str, ...], tuple[Report, str]]:  # noqa: ARG001 -- part of the cache's key
    """Reports of this workspace with their HTML, the latest last. What names one changes with its runs' predictions."""
    return OrderedDict()


def offer(key: tuple[str, ...], what: str, contents: tuple[str, ...], write: Callable[[], Report], taken: Callable[[], Report]) -> None:
    """The report when it is written already; else what it will hold, and the button that writes it.

    taken : what the files hold in place of the report that is shown, in which small counts are hidden.
    """
    kept = _written(str(state.workspace().root))
    if key not in kept:
        place = st.empty()
        with place.container(border=True, key="report-contents"):
            st.markdown(f"## {md(what)}")
            st.markdown("\n".join(f"{number}. {md(title)}" for number, title in enumerate(contents, 1)))
            st.caption("With its figures, its tables, and how every number was made: as HTML that needs no network, PDF, tables, JSON.")
            if not st.button("Write the report", type="primary", icon=":material/draw:", key="write-report"):
                return
            kept[key] = drawn(write)
            while len(kept) > KEPT:
                kept.popitem(last=False)
        place.empty()
    report, html = kept[key]
    show(key, report, html, taken)


def drawn(write: Callable[[], Report]) -> tuple[Report, str]:
    """The report and its HTML; the bar follows the drawings, which take the time."""
    bar = st.progress(0.0, "Computing what the report needs")
    report = write()
    drawings = [part.chart for block in report.charts() for part in block.drawings]
    for done, chart in enumerate(drawings):
        bar.progress(done / len(drawings), f"Drawing {done + 1} of {len(drawings)}")
        chart_svg(chart)
    bar.progress(1.0, "Setting the pages")
    return report, render_html(report)


def downloads(report: Report, html: str | None, of_audit: bool) -> None:
    """A button per format; a file is made when its button is pressed. `html`: where it is written already."""

    def file(kind: str) -> Callable[[], str | bytes]:
        return lambda: html if kind == "html" and html is not None else render(report, kind)

    with st.container(horizontal=True, key="report-downloads"):
        for kind, (label, mime, icon, hint) in KINDS.items():
            if kind in ONE_MODEL and not of_audit:
                continue
            st.download_button(
                label, file(kind), f"{report.name}.{FORMATS[kind]}", mime,
                type="primary" if kind == "html" else "secondary", icon=f":material/{icon}:", on_click="ignore", key=f"get-{kind}", help=hint,
            )  # fmt: skip


@st.cache_resource(show_spinner="Hiding small counts", max_entries=KEPT)
def _filed(root: str, key: tuple[str, ...], _taken: Callable[[], Report]) -> Report:  # noqa: ARG001 -- part of the cache's key
    """The report that files hold, in which small counts are hidden."""
    return _taken()


def show(key: tuple[str, ...], report: Report, html: str, taken: Callable[[], Report]) -> None:
    """Downloads first, then the report as it is."""
    hide = st.toggle(
        f"Hide counts below {USUAL} in the files",
        value=True,
        key="report-hide",
        help="Counts of few patients, and what would reveal them, are left out of the files, which leave this machine. The page shows them.",
    )

    filed: Report | None = report
    if hide:
        try:
            filed = _filed(str(state.workspace().root), key, taken)
        except UserError as error:
            filed = None
            error_state("Files without small counts cannot be made", f"{md(str(error))}. Turn hiding off to download what is shown.")

    if filed is not None:
        downloads(filed, html if filed is report else None, of_audit=key[0] == "audit")
    st.caption(
        f"{plural(len(report.sections), 'section')}, {plural(len(list(report.charts())), 'figure')}, "
        f"{plural(len(list(report.tables())), 'table')}; the page has {len(html) / 2**20:.1f} MB. A file is made when its button is "
        "pressed; a PDF takes some seconds."
    )
    with st.container(border=True, key="report-preview"):
        st.iframe(html, height=PREVIEW_HEIGHT)


def of_runs() -> None:
    """The report of the chosen runs, or what is needed before there can be one."""
    view = context_bar()
    if view is None:
        empty_state(
            "Nothing to report yet",
            "A comparison needs a cohort and finished runs. An audit needs only a file of predictions.",
            "audit",
            "Audit predictions",
            key="nothing",
        )
        return
    if not view.run_ids:
        no_runs(view)
        return
    answers = answers_form(state.workspace().cohorts / view.cohort_id, view.cohort_name, view.cohort_id)
    key = ("runs", view.attribute or "", str(sorted(answers.items())), *(f"{run}@{view.store.predictions_fingerprint(run)}" for run in view.run_ids))

    def composed(limit: int) -> Report:
        return runs_report(view.store, view.run_ids, view.attribute, answers=answers, suppress=limit)

    by = f" by {view.attribute}" if view.attribute else ""
    what = f"{plural(len(view.run_ids), 'run')} on {view.cohort_name}{by}: {listing(list(view.names.values()), 6)}"
    offer(key, what, runs_contents(view.attribute), lambda: composed(0), lambda: composed(USUAL))


def of_audit() -> None:
    """The report of a saved audit, alone or beside an earlier one."""
    names = {a.audit_id: f"{a.about['name']} · {a.about['created'].replace('T', ' ')[:16]}" for a in audits}
    wanted = st.query_params.get("audit")
    chosen = st.selectbox("Audit", list(names), index=list(names).index(wanted) if wanted in names else 0, format_func=names.__getitem__, key="report-audit")
    st.query_params["audit"] = chosen
    audit = SavedAudit(state.workspace().audits / chosen)
    document = audit.document
    others: dict[str | None, str] = {None: "no other audit", **{key: name for key, name in names.items() if key != chosen}}
    before = st.selectbox(
        "Say what has changed since", list(others), format_func=others.__getitem__, key="report-earlier", help="An audit of the same model at an earlier date."
    )
    earlier = None if before is None else SavedAudit(state.workspace().audits / before).document
    answers = answers_form(audit.folder, "this audit", chosen)

    def composed(limit: int) -> Report:
        now, then = (part if part is None or part.get("suppression") or not limit else suppressed(part, limit) for part in (document, earlier))
        assert now is not None
        return audit_report(now, name=f"audit-{chosen}", answers=answers, earlier=then)

    offer(
        ("audit", chosen, before or "", str(sorted(answers.items()))),
        f"Fairness audit of {document.get('source', 'predictions')}",
        audit_contents(document, earlier is not None),
        lambda: composed(0),
        lambda: composed(USUAL),
    )


try:
    if kind == RUNS:
        st.query_params.pop("audit", None)
        of_runs()
    elif audits:
        of_audit()
    else:
        empty_state(
            "No audit yet", "Upload a file of predictions: label, score and sensitive attributes are enough.", "audit", "Audit predictions", key="no-audit"
        )
except UserError as error:
    error_state("The report cannot be written", md(str(error)))
