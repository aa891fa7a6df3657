"""Who is in this cohort? Bringing data in three steps, then the datasheet."""

from __future__ import annotations

import streamlit as st

from core.charts.text import plural
from dashboard import address, state
from dashboard.cohort_import import bring
from dashboard.components import context_bar, page_title
from dashboard.datasheet import datasheet
from dashboard.sample import offer_sample
from dashboard.trash import delete_button, last_deleted, trash_list

page_title("Who is in this cohort?")
last_deleted()
SHEET, BRING = "Datasheet", "Bring data"
known = not state.store().cohorts().empty
wanted = BRING if st.query_params.get("draft") or not known else SHEET
if "cohort-part" not in st.session_state:
    st.session_state["cohort-part"] = wanted
part = st.segmented_control("Part", [SHEET, BRING], key="cohort-part", required=True, label_visibility="collapsed") if known else BRING

if part == BRING:
    if not known:
        offer_sample()
    saved = bring()
    if saved:
        state.store(fresh=True)
        st.query_params.pop("draft", None)
        address.choose({"cohort": saved, "attribute": "", "runs": ""})
        st.session_state.pop("cohort-part", None)
        st.rerun()
else:
    view = context_bar(choose_runs=False)
    if view is not None:
        datasheet(view.cohort_id, view.attribute)
        runs = len(view.store.runs(view.cohort_id))
        with st.container(horizontal=True, key="cohort-end"):
            delete_button(
                "cohort",
                [view.cohort_id],
                f"the cohort {view.cohort_name}",
                f"Its {plural(runs, 'run')} go with it." if runs else "It has no runs.",
                label="Delete this cohort",
            )
trash_list(["cohort", "upload"])
