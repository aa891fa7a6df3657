"""Patients on whom two runs disagree, by group. Their images and notes are shown only when asked for."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import streamlit as st

from core.charts import text
from core.cohort import load
from core.errors import UserError
from core.results import compare_runs
from dashboard import state
from dashboard.escape import md
from dashboard.number_table import NOTHING, numbers
from dashboard.selection_bar import View

SHOWN = 8
NOTE_CHARACTERS = 280
NOTES = ("text",)


@st.fragment
def disagreement_section(view: View) -> None:
    """Two runs, a table of counts per group, and behind a switch the patients themselves."""
    assert view.attribute is not None
    names, ids = view.names, view.run_ids
    with st.container(horizontal=True, key="disagreement-runs"):
        first = st.selectbox("One run", ids, format_func=lambda i: names[i], key="disagree-a", width=260)
        second = st.selectbox("Another", [i for i in ids if i != first], format_func=lambda i: names[i], key="disagree-b", width=260)
    counts = _counts(view, first, second)
    # Long names of groups leave the numbers in sight on a narrow screen.
    widths = {str(counts.data.columns[0]): st.column_config.Column(width=130)}
    st.dataframe(
        counts, column_config=widths, hide_index=True, width="stretch", height="content", placeholder=NOTHING, alt="Samples decided differently, by group"
    )
    if not st.toggle("Show these patients", value=False, key="show-patients", help="Images and notes of patients. Off unless you ask for them."):
        st.caption("Images and notes of patients stay hidden until you ask for them.")
        return
    group = st.pills("Group", list(view.groups), default=view.groups[0] if view.groups else None, key="disagree-group", format_func=md, wrap=True)
    differ = compare_runs.disagreements(view.store, first, second, view.attribute)
    differ = differ[differ["group"] == group] if group else differ
    if differ.empty:
        st.caption("The two runs agree on everybody here.")
        return
    try:
        cohort = load(state.workspace(), view.cohort_id)
        _patients(cohort, differ.head(SHOWN), names[first], names[second])
    except (UserError, FileNotFoundError) as error:
        st.caption(f"The patients' files cannot be shown: {md(error)}")
    st.caption(f"{min(len(differ), SHOWN)} of {text.plural(len(differ), 'sample')}, the furthest apart first.")


def _counts(view: View, first: str, second: str) -> Any:
    """Samples decided differently, by group, as a table that sorts by its numbers."""
    counts = compare_runs.disagreement_counts(view.store, first, second, str(view.attribute), view.groups)
    counts.insert(3, "share", counts["differ"] / counts["n"].where(counts["n"] > 0))
    heads = {
        "n": "Test samples",
        "differ": "Decided differently",
        "share": "Share",
        "a_right": f"{view.names[first]} right",
        "b_right": f"{view.names[second]} right",
    }
    attribute = str(view.attribute) if view.attribute not in heads.values() else f"{view.attribute} (group)"
    return numbers(counts.rename(columns={"group": attribute, **heads}), {"Share": text.percent})


def _patients(cohort: Any, rows: pd.DataFrame, first: str, second: str) -> None:
    """A card per patient: image, note, what was true and what each run said."""
    place = {sample: index for index, sample in enumerate(cohort.table["sample_id"])}
    pictures = {m.name: cohort.array(m.name) for m in cohort.roles.modalities if m.kind in ("image", "volume")}
    notes = {m.name: cohort.texts(m.name) for m in cohort.roles.modalities if m.kind in NOTES}
    with st.container(horizontal=True, key="patients"):
        for row in rows.to_dict("records"):
            index = place[row["sample_id"]]
            with st.container(border=True, width=210):
                for name, array in pictures.items():
                    if cohort.present[index, cohort.modality_names.index(name)]:
                        st.image(_picture(np.asarray(array[index])), width="stretch", alt=f"{name} of sample {row['sample_id']}")
                st.markdown(f"**{md(row['sample_id'])}**, {'positive' if row['y'] == 1 else 'negative'}")
                st.caption(f"{md(first)}: {text.decimal(row['score_a'], 2)}  \n{md(second)}: {text.decimal(row['score_b'], 2)}")
                for name, texts in notes.items():
                    if texts[index]:
                        st.caption(f"{md(name)}: {md(texts[index][:NOTE_CHARACTERS])}")


def _picture(array: np.ndarray) -> np.ndarray:
    """(C, H, W) image, or the middle slice of an (S, H, W) volume, as (H, W[, 3]) uint8."""
    if array.shape[0] in (1, 3):
        return array[0] if array.shape[0] == 1 else np.moveaxis(array, 0, -1)
    return array[array.shape[0] // 2]
