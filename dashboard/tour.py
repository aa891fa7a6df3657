"""The first-time tour: five questions, each with the answer that this cohort gives."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import streamlit as st

from core.charts.seeds import over_seeds
from core.charts.text import listing, plural
from core.results import cohort_claims, group_tables
from core.results.answers import gradients_answer, groups_answer, modalities_answer
from core.results.compare_runs import variants
from dashboard.components import md
from dashboard.navigation import go_to
from dashboard.seeds import methods_view, seeds_of
from dashboard.selection_bar import View

DONE = "done"
SEEN = "_tour"


@dataclass(frozen=True)
class TourStep:
    """One page of the tour: what it is for, what it says of the cohort at hand, and where it leads."""

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
    # By the means over seeds, as the Gradients page opens with: a single seed may say the opposite.
    seeds = seeds_of(view)
    telemetry = view.store.telemetry(seeds.run_ids, ["conflict.fused", "conflict.groups", "effect.relative_update"])
    trained = telemetry.loc[telemetry["epoch"] >= 0, "epoch"]
    if trained.empty:
        return "These runs recorded no gradients."
    return gradients_answer(over_seeds(telemetry, seeds.method_of), methods_view(view, seeds), (1, int(trained.max()) + 1))[0]


def _methods(view: View) -> str:
    """What Compare has: all methods that were trained for the attribute, else all, with their seeds."""
    own = view.finished[view.finished["attribute"] == view.attribute]
    sizes = variants(own if len(own) else view.finished).groupby("variant", sort=False).size()
    seeds = plural(int(sizes.min()), "seed") if sizes.nunique() == 1 else f"{sizes.min()} to {plural(int(sizes.max()), 'seed')}"
    return f"{plural(len(sizes), 'method')} to compare here, {seeds} each: {listing(list(map(str, sizes.index)), 6)}."


STEPS = (
    TourStep(
        "What does the model see?",
        "More than one **modality** of each patient: images, values, notes. The first question is who the patients are and what is recorded about them.",
        _cohort,
        "cohort",
    ),
    TourStep(
        "Does it lean on one modality?",
        "Training first learns what is easiest. If one modality is enough for most patients, the model may hardly use the others. In this cohort:",
        _modalities,
        "modalities",
    ),
    TourStep(
        "Is a group served worse?",
        "A model that leans on one modality serves those patients best for whom that modality is informative. Whether groups differ, and "
        "whether by more than chance, is a separate question. In this cohort:",
        _groups,
        "groups",
    ),
    TourStep(
        "Do the gradients conflict?",
        "While training, modalities and groups can pull the network in different directions, or agree. In these runs:",
        _gradients,
        "gradients",
    ),
    TourStep(
        "What can be done?",
        "Methods balance modalities, groups or both. Compare them with plain training on the same patients: a method may also change nothing.",
        _methods,
        "compare",
    ),
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
            st.caption(f"Five questions · {number} of {len(STEPS)}", width="stretch")
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
