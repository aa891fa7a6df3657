"""The files of an audit, in which small counts are hidden unless the reader wants them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import streamlit as st

from core.errors import UserError
from core.report.bundle import json_text, tables_zip
from core.report.html import render_html
from core.report.of_audit import audit_report
from core.report.suppression import USUAL, suppressed
from dashboard.escape import md


def audit_downloads(document: Mapping[str, Any], name: str) -> None:
    """The buttons; a file is made when its button is pressed.

    document : of the audit. name : of the files, without ending.
    """
    hide = st.toggle(
        f"Hide counts below {USUAL}",
        value=True,
        key="audit-hide",
        help="Counts of few patients, and what would reveal them, are left out of these files, which leave this machine. The page shows them.",
    )
    try:
        shown = suppressed(document, USUAL) if hide and not document.get("suppression") else document
    except UserError as error:
        st.error(md(f"{error}. Turn hiding off to download what is shown."), icon=":material/error:")
        return
    report = audit_report(shown, name=name)
    files = (
        ("html", "Report (HTML)", lambda: render_html(report), ".html", "text/html"),
        ("tables", "Tables (zip of CSV)", lambda: tables_zip(report), "-tables.zip", "application/zip"),
        ("json", "Everything (JSON)", lambda: json_text(report), ".json", "application/json"),
    )
    for key, label, made, ending, mime in files:
        st.download_button(label, made, f"{name}{ending}", mime, on_click="ignore", key=f"audit-{key}", width="stretch")
