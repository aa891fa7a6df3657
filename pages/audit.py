"""Are these predictions fair? Anybody's predictions, without a model."""

from __future__ import annotations

import streamlit as st

from core.api.class_audits import CAVEAT
from core.api.saved_audits import find, saved
from core.errors import UserError
from dashboard import state
from dashboard.audit_downloads import audit_downloads
from dashboard.audit_form import audit_form
from dashboard.audit_start import audit_start
from dashboard.audit_view import audit_view
from dashboard.components import error_state, md, page_title
from dashboard.draft import Draft
from dashboard.trash import delete_button, last_deleted, trash_list

page_title("Are these predictions fair?")
last_deleted()
workspace = state.workspace()
known = saved(workspace)
current = find(workspace, st.query_params.get("audit"))

if current is None:
    if st.query_params.get("audit"):
        error_state("This audit is not here", "The link names an audit that this workspace does not have. Upload the predictions again, or choose one below.")
    made = audit_form()
    if made is not None:
        st.query_params["audit"] = made.audit_id
        uploaded = Draft.open(workspace, st.query_params.get("file"))
        if uploaded is not None:
            # The audit keeps a copy of its own.
            uploaded.discard()
        st.query_params.pop("file", None)
        st.rerun()
    if not st.query_params.get("file"):
        audit_start(known)
    trash_list(["audit", "upload"])
    st.stop()

document = current.document
with st.container(horizontal=True, vertical_alignment="center", key="audit-bar"):
    st.markdown(f":material/table: **{md(document['source'])}**", width="stretch")
    if st.button("Another file", icon=":material/upload:", key="another-audit"):
        for name in ("audit", "model", "by", "metric"):
            st.query_params.pop(name, None)
        st.rerun()
    delete_button("audit", [current.audit_id], f"the audit of {document['source']}", "With its copy of the file.", key="this-audit")
    with st.popover("Download", icon=":material/download:", on_change="rerun", key="audit-downloads") as downloads:
        if downloads.open:
            audit_downloads(document, f"audit-{current.audit_id}")
of_class = current.about.get("classes") or {}
if len(of_class) > 1:
    shown = next((name for name, audit in of_class.items() if audit == current.audit_id), None)
    chosen = st.segmented_control("Class, against all others", list(of_class), default=shown, format_func=md, key=f"audit-class-{current.audit_id}")
    st.caption(CAVEAT.format(n=len(of_class)))
    if chosen is not None and chosen != shown and find(workspace, of_class[chosen]) is not None:
        st.query_params["audit"] = of_class[chosen]
        st.rerun()
try:
    audit_view(document)
except UserError as error:
    error_state("This audit cannot be shown", str(error))
