"""Which report do you need? Choose runs or an audit, write the report, take it away."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable

import streamlit as st

from core.api.saved_audits import SavedAudit, saved
from core.charts.text import listing, plural
from core.errors import UserError
from core.report.bundle import json_text, report_zip, tables_zip
from core.report.contents import audit_contents, runs_contents
from core.report.document import Report
from core.report.html import render_html
from core.report.of_audit import audit_report
from core.report.of_runs import runs_report
from dashboard import state
from dashboard.components import context_bar, empty_state, error_state, md, no_runs, page_title

RUNS, AUDIT = "Comparison of runs", "Audit of predictions"
PREVIEW_HEIGHT = 900
KEPT = 8

page_title("Which report do you need?")
audits = saved(state.workspace())
kind = st.segmented_control(
    "Report", [RUNS, AUDIT], default=AUDIT if st.query_params.get("audit") else RUNS, required=True, key="report-kind", label_visibility="collapsed"
)


@st.cache_resource(show_spinner=False)
def _written(root: str) -> OrderedDict[tuple[str, ...], tuple[Report, str]]:
    """Reports of this workspace with their HTML, the latest last. What names one changes with its runs' predictions."""
    return OrderedDict()


def offer(key: tuple[str, ...], what: str, contents: tuple[str, ...], write: Callable[[], Report]) -> None:
    """The report when it is written already; else what it will hold, and the button that writes it."""
    kept = _written(str(state.workspace().root))
    if key not in kept:
        place = st.empty()
        with place.container(border=True, key="report-contents"):
            st.markdown(f"## {md(what)}")
            st.markdown("\n".join(f"{number}. {md(title)}" for number, title in enumerate(contents, 1)))
            st.caption(
                "With its figures, its tables, and how every number was made: one HTML file that needs no network, its tables as CSV, all of it as JSON."
            )
            if not st.button("Write the report", type="primary", icon=":material/draw:", key="write-report"):
                return
            with st.spinner("Writing the report"):
                report = write()
                kept[key] = report, render_html(report)
                while len(kept) > KEPT:
                    kept.popitem(last=False)
        place.empty()
    show(*kept[key])


def show(report: Report, html: str) -> None:
    """Downloads first, then the report as it is."""
    with st.container(horizontal=True, key="report-downloads"):
        st.download_button(
            "HTML",
            html,
            f"{report.name}.html",
            "text/html",
            type="primary",
            icon=":material/download:",
            on_click="ignore",
            key="get-html",
            help="One file with its drawings inside. It needs no network.",
        )
        st.download_button(
            "Tables (CSV)",
            lambda: tables_zip(report),
            f"{report.name}-tables.zip",
            "application/zip",
            icon=":material/table:",
            on_click="ignore",
            key="get-tables",
        )
        st.download_button(
            "Everything (zip)",
            lambda: report_zip(report, html),
            f"{report.name}.zip",
            "application/zip",
            icon=":material/folder_zip:",
            on_click="ignore",
            key="get-zip",
        )
        st.download_button(
            "JSON", lambda: json_text(report), f"{report.name}.json", "application/json", icon=":material/data_object:", on_click="ignore", key="get-json"
        )
    st.caption(
        f"{plural(len(report.sections), 'section')}, {plural(len(list(report.charts())), 'figure')}, {plural(len(list(report.tables())), 'table')}; {len(html) / 2**20:.1f} MB. PDF and LaTeX are not written by this version."
    )
    with st.container(border=True, key="report-preview"):
        st.iframe(html, height=PREVIEW_HEIGHT)


def of_runs() -> None:
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
    key = ("runs", view.attribute or "", *(f"{run}@{view.store.mark(run)}" for run in view.run_ids))
    by = f" by {view.attribute}" if view.attribute else ""
    what = f"{plural(len(view.run_ids), 'run')} on {view.cohort_name}{by}: {listing(list(view.names.values()), 6)}"
    offer(key, what, runs_contents(view.attribute), lambda: runs_report(view.store, view.run_ids, view.attribute))


def of_audit() -> None:
    names = {a.audit_id: f"{a.about['name']} · {a.about['created'].replace('T', ' ')[:16]}" for a in audits}
    wanted = st.query_params.get("audit")
    chosen = st.selectbox("Audit", list(names), index=list(names).index(wanted) if wanted in names else 0, format_func=names.__getitem__, key="report-audit")
    st.query_params["audit"] = chosen
    document = SavedAudit(state.workspace().audits / chosen).document
    offer(
        ("audit", chosen),
        f"Fairness audit of {document.get('source', 'predictions')}",
        audit_contents(document),
        lambda: audit_report(document, name=f"audit-{chosen}"),
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
