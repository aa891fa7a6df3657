"""What can be handed on? Choose runs or an audit, look at the report, take it away."""

from __future__ import annotations

import streamlit as st

from core.charts.text import plural
from core.errors import UserError
from core.report.bundle import json_text, report_zip, tables_zip
from core.report.document import Report
from core.report.html import render_html
from core.report.of_audit import audit_report
from core.report.of_runs import runs_report
from dashboard import state
from dashboard.audits import SavedAudit, saved
from dashboard.components import context_bar, empty_state, error_state, md, no_runs, page_title

RUNS, AUDIT = "Comparison of runs", "Audit of predictions"
PREVIEW_HEIGHT = 900

page_title("What can be handed on?")
audits = saved(state.workspace())
kind = st.segmented_control("Report", [RUNS, AUDIT], default=AUDIT if st.query_params.get("audit") else RUNS, required=True, key="report-kind", label_visibility="collapsed")


@st.cache_resource(show_spinner="Writing the report", max_entries=8)
def _written(root: str, key: str, attribute: str | None, runs: tuple[str, ...], audit_id: str) -> tuple[Report, str]:
    """The report and its HTML; `key` changes when the predictions of its runs change."""
    if audit_id:
        report = audit_report(SavedAudit(state.workspace().audits / audit_id).document, name=f"audit-{audit_id}")
    else:
        report = runs_report(state.store(), runs, attribute)
    return report, render_html(report)


def offer(report: Report, html: str) -> None:
    """Downloads first, then the report as it is."""
    with st.container(horizontal=True, key="report-downloads"):
        st.download_button("HTML", html, f"{report.name}.html", "text/html", type="primary", icon=":material/download:", on_click="ignore", key="get-html", help="One file with its drawings inside. It needs no network.")
        st.download_button("Tables (CSV)", lambda: tables_zip(report), f"{report.name}-tables.zip", "application/zip", icon=":material/table:", on_click="ignore", key="get-tables")
        st.download_button("Everything (zip)", lambda: report_zip(report, html), f"{report.name}.zip", "application/zip", icon=":material/folder_zip:", on_click="ignore", key="get-zip")
        st.download_button("JSON", lambda: json_text(report), f"{report.name}.json", "application/json", icon=":material/data_object:", on_click="ignore", key="get-json")
    st.caption(f"{plural(len(report.sections), 'section')}, {plural(len(list(report.charts())), 'figure')}, {plural(len(list(report.tables())), 'table')}; {len(html) / 2**20:.1f} MB. PDF and LaTeX are not written by this version.")
    with st.container(border=True, key="report-preview"):
        st.iframe(html, height=PREVIEW_HEIGHT)


try:
    if kind == RUNS:
        view = context_bar()
        if view is None:
            empty_state("Nothing to report yet", "A comparison needs a cohort and finished runs. An audit needs only a file of predictions.", "audit", "Audit predictions", key="nothing")
        elif not view.run_ids:
            no_runs(view.cohort_name)
        else:
            key = ",".join(view.store.mark(run) for run in view.run_ids)
            offer(*_written(str(state.workspace().root), key, view.attribute, tuple(view.run_ids), ""))
    elif not audits:
        empty_state("No audit yet", "Upload a file of predictions: label, score and sensitive attributes are enough.", "audit", "Audit predictions", key="no-audit")
    else:
        names = {a.audit_id: f"{a.about['name']} · {a.about['created'].replace('T', ' ')[:16]}" for a in audits}
        wanted = st.query_params.get("audit")
        chosen = st.selectbox("Audit", list(names), index=list(names).index(wanted) if wanted in names else 0, format_func=names.__getitem__, key="report-audit")
        st.query_params["audit"] = chosen
        offer(*_written(str(state.workspace().root), "", None, (), chosen))
except UserError as error:
    error_state("The report cannot be written", md(str(error)))
