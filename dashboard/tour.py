"""The first-time tour: the argument in five short steps, each with the sentence this cohort gives."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import streamlit as st

from core.results import cohort_claims, group_tables
from core.results.answers import gradients_answer, groups_answer, modalities_answer
from dashboard.components import md
from dashboard.navigation import go_to
from dashboard.selection_bar import View

DONE = "done"
SEEN = "_tour"


@dataclass(frozen=True)
class TourStep:
    title: str
    text: str
    """Our own words, Markdown."""
    sentence: Callable[[View], str]
    page: str


def _cohort(view: View) -> str:
    return f"{view.cohort_name}: {', '.join(view.modalities)}; groups by {view.attribute or 'no attribute'}."


def _modalities(view: View) -> str:
    return modalities_answer(view.store.telemetry(view.run_ids, ["contribution.ratio", "contribution.phi"]), view)[0]


def _groups(view: View) -> str:
    if view.attribute is None:
        return "This cohort has no sensitive attribute."
    performance = group_tables.group_performance(view.store, view.run_ids, view.attribute)
    return groups_answer(performance, cohort_claims.of_runs(view.store, view.cohort_id, view.run_ids, view.attribute), view)[0]


def _gradients(view: View) -> str:
    telemetry = view.store.telemetry(view.run_ids, ["conflict.", "magnitude.", "effect.", "method."])
    trained = telemetry.loc[telemetry["epoch"] >= 0, "epoch"]
    if trained.empty:
        return "These runs recorded no gradients."
    return gradients_answer(telemetry, view, (1, int(trained.max()) + 1))[0]


def _methods(view: View) -> str:
    return f"{len(view.runs)} methods to compare: {', '.join(view.names.values())}."


STEPS = (
    TourStep("Several kinds of evidence", "A model sees more than one **modality** of each patient. Who the patients are, and what is there of them, comes first.", _cohort, "cohort"),
    TourStep("It leans on one", "Training rewards the modality that is easiest to learn. The others are neglected, even where they would help.", _modalities, "modalities"),
    TourStep("That serves some better", "If the favoured modality says more about one group than about another, the model is better for that group. Intervals tell whether that is real.", _groups, "groups"),
    TourStep("The gradients fight", "While training, modalities and groups pull the network in different directions. Here is how often, and what the method did about it.", _gradients, "gradients"),
    TourStep("What can be done", "MultiFair balances both, step by step. Compare it with plain training and with the other methods, on the same patients.", _methods, "compare"),
)


def tour(view: View) -> None:
    """Draw the current step, unless the tour was dismissed. Needs finished runs."""
    wanted = st.query_params.get("tour", st.session_state.get(SEEN, "1"))
    if wanted == DONE or not len(view.runs):
        return
    number = int(wanted) if wanted.isdigit() and 1 <= int(wanted) <= len(STEPS) else 1
    step = STEPS[number - 1]
    with st.container(border=True, key="tour", gap="small"):
        with st.container(horizontal=True, vertical_alignment="center"):
            st.caption(f"The argument in five steps · {number} of {len(STEPS)}", width="stretch")
            if st.button("Close", icon=":material/close:", type="tertiary", key="tour-close"):
                _to(DONE)
        st.markdown(f"## {step.title}")
        st.markdown(step.text)
        st.markdown(f":material/format_quote: {md(step.sentence(view))}")
        with st.container(horizontal=True):
            if number > 1 and st.button("Back", key="tour-back"):
                _to(str(number - 1))
            last = number == len(STEPS)
            if st.button("Finish" if last else "Next", type="primary", key="tour-next"):
                _to(DONE if last else str(number + 1))
            if st.button("See it", icon=":material/arrow_forward:", type="tertiary", key="tour-see"):
                st.session_state[SEEN] = str(min(number + 1, len(STEPS)))
                go_to(step.page)


def _to(value: str) -> None:
    st.session_state[SEEN] = value
    st.query_params["tour"] = value
    st.rerun()
