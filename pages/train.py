"""Which methods shall be trained? Method cards, the plan, the queue."""

from __future__ import annotations

import streamlit as st

from core.charts.text import plural
from core.errors import UserError
from core.runs.queue import submit
from dashboard import state
from dashboard.components import context_bar, md, no_cohort, page_title
from dashboard.datasheet import cohort
from dashboard.finished_runs import finished_runs
from dashboard.queue_view import queue_view
from dashboard.split_checks import split_plan_table, split_warning
from dashboard.train_form import Choice, budget_controls, folds_control, make_plan, method_cards, show_plan
from dashboard.trash import last_deleted, trash_list

page_title("Which methods do you want to train?")
view = context_bar(choose_runs=False)
if view is None:
    no_cohort()
    st.stop()

data = cohort(view.cohort_id)
last_deleted()
problem = st.session_state.pop("_queue_problem", None)
if problem:
    st.error(md(problem), icon=":material/error:")
left, right = st.columns([5, 3], gap="large")
with left:
    st.markdown("## Methods")
    methods, modalities = method_cards(data.modality_names)
with right, st.container(key="plan"):
    st.markdown("## Plan")
    try:
        seeds, preset, settings = budget_controls()
        folds = folds_control(data)
        if not methods:
            st.info("Choose at least one method on the left.", icon=":material/info:")
        else:
            specs = make_plan(data, Choice(methods, modalities, view.attribute, seeds, preset, settings, folds))
            remaining = show_plan(specs)
            split_warning(data, view.attribute)
            split_plan_table(data, view.attribute)
            label = f"Train {plural(remaining, 'run')}" if remaining else "All of these runs are finished or under way"
            if st.button(label, type="primary", icon=":material/play_arrow:", key="start-training", disabled=not remaining, width="stretch"):
                submit(state.workspace(), specs)
                state.store(fresh=True)
                st.rerun()
    except UserError as error:
        st.error(md(error), icon=":material/error:")
queue_view(view.cohort_id)
finished_runs(view)
trash_list(["run"])
