"""What do we know so far? The cohort, the strongest findings, what is running, what to do next."""

from __future__ import annotations

import streamlit as st

from core.charts.cohort_mosaic import group_label_mosaic
from core.charts.text import count
from core.cohort.composition import group_counts
from dashboard.alerts import alert_lines
from dashboard.components import chart_block, context_bar, md, page_title, section
from dashboard.datasheet import cohort, sentence
from dashboard.navigation import go_to
from dashboard.overview import Findings, next_step, running_now, show_findings, strongest, with_default_runs
from dashboard.sample import offer_sample
from dashboard.tour import tour

page_title("What do we know so far?")
view = context_bar(choose_runs=False)
if view is None:
    st.markdown(
        "A model that reads images, notes and values of a patient may lean on one of them, and serve some patients better than others."
        " MultiFair shows which, for whom, and whether it is real. Nothing leaves this machine."
    )
    offer_sample()
    left, right = st.columns(2, gap="large")
    with left, st.container(border=True, key="own-cohort"):
        st.markdown("**Your own cohort.** A table with one row per sample, and the images beside it.")
        if st.button("Bring a cohort", icon=":material/upload:", key="to-cohort"):
            go_to("cohort")
    with right, st.container(border=True, key="own-predictions"):
        st.markdown("**Predictions you have already.** A CSV with label, score and attributes; no model needed.")
        if st.button("Audit predictions", icon=":material/fact_check:", key="to-audit"):
            go_to("audit")
    st.stop()

view = with_default_runs(view)
tour(view)
data = cohort(view.cohort_id)
running = 0
left, right = st.columns([5, 3], gap="large")
with left:
    section("What was found")
    findings = strongest(view) if len(view.runs) else Findings()
    if findings.first:
        show_findings(findings, view)
    else:
        st.markdown("Nothing yet: no run is finished on this cohort." if not len(view.runs) else "Nothing to judge: this cohort names no sensitive attribute.")
with right:
    with st.container(key="now", gap="small"):
        section("What is running")
        running = running_now()
        if not running:
            st.caption("Nothing.")
        alert_lines(view.runs)
    with st.container(border=True, key="next-step", gap="small"):
        step = next_step(view, findings, running)
        st.markdown("### Next")
        st.markdown(step.text)
        if st.button(step.label, type="primary", key="next", icon=":material/arrow_forward:", width="stretch"):
            go_to(step.page)
section("What is in the cohort")
st.markdown(md(sentence(data)))
serious = [f for f in data.findings if f.severity != "info"]
if serious:
    st.caption(f":material/warning: {md(serious[0].message)}" + (f", and {count(len(serious) - 1)} more under Cohort." if len(serious) > 1 else "."))
if view.attribute is not None:
    chart_block(group_label_mosaic(group_counts(data, view.attribute), data.roles.title(view.attribute)))
