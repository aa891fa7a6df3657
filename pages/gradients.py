"""Where do the gradients conflict, and what did the method do about it?"""

import pandas as pd
import streamlit as st

from core.charts import curvature, gradients
from core.charts.figure import nothing
from core.charts.gradient_pairs import group_magnitudes
from core.charts.seeds import over_seeds
from core.results.answers import Answer, gradients_answer
from dashboard import state
from dashboard.components import (
    answer,
    chart_block,
    how_to_read,
    other_attribute_note,
    runs_page,
    section,
)
from dashboard.conflict_table import conflict_table
from dashboard.lazy_tabs import lazy_tabs
from dashboard.seeds import Seeds, methods_view, seeds_choice, single_runs_note

view = runs_page("Where do the gradients conflict, and what did the method do about it?")


def every_seed(seeds: Seeds) -> pd.DataFrame:
    """What the answer and the table need, of all seeds of the chosen methods."""
    series = ["conflict.fused", "conflict.groups", "effect.relative_update"]
    return view.memoised_over_cohort(f"gradients of seeds {list(seeds.names)}", lambda: view.store.telemetry(seeds.run_ids, series))


def answer_over(seeds: Seeds) -> Answer:
    """The answer about methods, by the means over their seeds."""
    every = every_seed(seeds)
    sentence, verdict, detail = gradients_answer(over_seeds(every, seeds.method_of), methods_view(view, seeds), (1, int(every["epoch"].max()) + 1))
    return sentence, verdict, f"Means over seeds. {detail}"


telemetry = view.memoised("gradients", lambda: view.store.telemetry(view.run_ids, ["conflict.", "magnitude.", "effect.", "method."]))
trained = telemetry.loc[telemetry["epoch"] >= 0, "epoch"]
if trained.empty:
    chart_block(nothing("gradient-conflict", "These runs recorded no gradients: a network with one modality has none to compare."))
    st.stop()
last = int(trained.max()) + 1
ready = view.memoised("prepared", lambda: gradients.prepared(telemetry, view.names))
place = st.container(key="first")
seeds = seeds_choice(view, "The strips further down are")
with place:
    if seeds is None:
        told = view.memoised("gradients-answer", lambda: gradients_answer(telemetry, view, (1, last)))
    else:
        over = seeds
        told = view.memoised_over_cohort(f"gradients-answer over seeds {list(over.names)}", lambda: answer_over(over))
    answer(*told, terms=("cosine", "share_negative", "relative_update"))
other_attribute_note(view, "Gradients of single groups are those of the attribute that a run was trained for.")
known = state.attributes(view.cohort_id)
trained_for = list(dict.fromkeys(view.runs["attribute"].dropna()))
groups = tuple(dict.fromkeys(group for attribute in trained_for for group in known.get(attribute, ())))
if seeds is None:
    conflict_table(view, telemetry)
else:
    conflict_table(methods_view(view, seeds), every_seed(seeds), seeds.method_of)


section("In detail, for specialists")
single_runs_note(view, seeds)


@st.fragment
def strips() -> None:
    """Only this part runs again when the slider moves."""
    with st.container(horizontal=True, key="epoch-range"):
        brushed = (
            st.slider(
                "Epochs of the heat maps",
                1,
                last,
                gradients.measured_epochs(telemetry),
                key="epochs",
                bind="query-params",
                help="The brush of every column starts here; drag in a strip to move one alone.",
            )
            if last > 1
            else (1, 1)
        )
    chart_block(view.memoised(f"conflict {brushed}", lambda: gradients.conflict(ready, view.names, view.modalities, groups, brushed)))


strips()


def with_the_fused() -> None:
    """Norms of the modalities' gradients beside the fused one."""
    chart_block(view.memoised("magnitudes", lambda: gradients.magnitudes(ready, view.names, view.modalities)))


def between_groups() -> None:
    """Norms of the groups' gradients."""
    chart_block(view.memoised("group-magnitudes", lambda: group_magnitudes(ready, view.names, view.trained_for)))


def how_it_bends() -> None:
    """How sharply the loss bends along each encoder's own gradient."""
    chart_block(view.memoised("curvature", lambda: curvature.over_epochs(ready, view.names, view.modalities)))


lazy_tabs(
    {
        "Size beside the fused gradient": with_the_fused,
        **({"Size between groups": between_groups} if groups else {}),
        **({"Curvature": how_it_bends} if curvature.recorded(telemetry) else {}),
    }
)

how_to_read(
    "**Heat map**: for which group a modality's gradient works against the group's, over the epochs that the slider or your own brush marks. "
    "**First strip**: above zero the modality's gradient and the fused one pull the same way; where its dotted line lies below zero, at least one step "
    "in ten points the other way. Half of the steps do so where the two have nothing to do with each other. **Between modalities** and "
    "**between groups**: a falling line means that what helps one begins to harm the other; "
    "of more than three pairs the lowest is in colour. **The last two strips** belong together: a factor far from 1 with an unchanged "
    "relative update never reached the weights, because AdamW "
    "divides out a lasting scaling of gradients. **Sizes**, below: two gradients may point the same way while one is too long for the other to count. "
    "**Curvature** belongs to the relative update: where it is high, a step of the same length is more likely to be too long.",
    terms=("cosine", "p10", "share_negative", "factor", "relative_update", "conflict_heat", "magnitude", "curvature"),
)
