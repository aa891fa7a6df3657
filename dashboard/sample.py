"""The sample cohort in one click."""

from __future__ import annotations

import streamlit as st

from core.cohort.sample import ingest_sample
from core.errors import UserError
from core.runs.sample_runs import add_shipped_runs
from dashboard import address, state
from dashboard.escape import md


def offer_sample(key: str = "sample") -> None:
    """A card that opens the sample; the page reruns with it chosen."""
    with st.container(border=True, key=f"offer-{key}", horizontal=True, vertical_alignment="center"):
        st.markdown(
            "**Try it on real patients first.** 746 photographs of skin lesions with clinical data, 583 patients"
            " (PAD-UFES-20, CC BY 4.0). It comes with this program.",
            width="stretch",
        )
        pressed = st.button("Open the sample cohort", type="primary", icon=":material/science:", key=f"open-{key}")
    if not pressed:
        return
    place = st.status("Opening the sample cohort")
    try:
        cohort = ingest_sample(state.workspace(), progress=lambda message: place.update(label=message[:1].upper() + message[1:]))
        add_shipped_runs(state.workspace())
    except UserError as error:
        place.update(label="The sample cohort could not be opened", state="error")
        st.error(md(error), icon=":material/error:")
        return
    state.store(fresh=True)
    address.choose({"cohort": cohort.cohort_id})
    st.rerun()
