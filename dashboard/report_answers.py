"""The form for what only people can say; its answers close items of reporting guidelines, and are kept with the audit or the cohort."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import streamlit as st

from core.charts.text import plural
from core.report.answers import LONGEST, QUESTIONS, save_answers, saved_answers


def answers_form(folder: Path, kept_with: str, key: str) -> Mapping[str, str]:
    """The answers that are kept in `folder`; the form below a fold.

    kept_with : "this audit" or the cohort's name. key : tells the fields of one audit or cohort from those of another.
    """
    known = saved_answers(folder)
    left = len(QUESTIONS) - len(known)
    with st.expander(
        f"Questions that only people can answer: {plural(left, 'question')} open" if left else "Questions that only people can answer: all answered",
        icon=":material/edit_note:",
    ):
        st.caption(
            f"The answers are kept with {kept_with} and printed in the report's checklist of reporting guidelines. What is not answered stands there as open."
        )
        with st.form(f"answers-{key}", border=False):
            given = {
                q.key: st.text_area(q.label, known.get(q.key, ""), help=q.hint, max_chars=LONGEST, height=68, key=f"answer-{key}-{q.key}") for q in QUESTIONS
            }
            if st.form_submit_button("Keep the answers", icon=":material/save:"):
                save_answers(folder, given)
                st.rerun()
    return known
