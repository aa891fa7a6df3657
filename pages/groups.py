"""Who is served worse, and is it real?"""

import streamlit as st

from core.charts import calibration as smooth
from core.charts import consequences, groups
from core.charts.figure import Figure
from core.charts.group_names import labelled
from core.charts.many_groups import ranking
from core.results import classes, cohort_claims, group_tables
from core.results import intersections as crossed
from core.results.answers import groups_answer
from dashboard import state
from dashboard.components import (
    answer,
    chart_block,
    empty_state,
    how_to_read,
    runs_page,
    section,
    too_little_data,
)
from dashboard.group_search import searched_view
from dashboard.lazy_tabs import lazy_tabs
from dashboard.number_table import full_table, numbers
from dashboard.seeds import Seeds, seeds_choice, single_runs_note
from dashboard.threshold_control import threshold_control

view = runs_page("Who is served worse, and is it real?")
if view.attribute is None:
    empty_state(
        "No sensitive attribute",
        "This cohort names no sensitive attribute, so there are no groups to compare. Bring the table again and mark a column as sensitive.",
        "cohort",
        "Go to Cohort",
    )
    st.stop()

store, run_ids, attribute = view.store, view.run_ids, view.attribute
performance = group_tables.group_performance(store, run_ids, attribute)
found = cohort_claims.of_runs(store, view.cohort_id, run_ids, attribute)
answer(*view.memoised("groups-answer", lambda: groups_answer(performance, found, view)), terms=("group_auc", "max_gap", "interval"))


def forest_of(seeds: Seeds) -> Figure:
    """Methods by the mean of their seeds."""
    every = labelled(group_tables.group_performance(store, seeds.run_ids, attribute), attribute)
    return groups.forest(every, seeds.names, everyone, attribute, seeds.method_of, searched)


def gaps_of(seeds: Seeds) -> Figure:
    """The gaps of methods, and those by chance, over their seeds."""
    return groups.gap_null(group_tables.gap_null(store, seeds.run_ids, attribute), seeds.names, attribute, seeds.method_of)


chosen = seeds_choice(view)
everyone = view.group_labels
view, searched = searched_view(view, ranking(performance))
if chosen is None:
    chart_block(view.memoised("forest", lambda: groups.forest(labelled(performance, attribute), view.names, everyone, attribute, searched=searched)))
    chart_block(view.memoised("gap-null", lambda: groups.gap_null(group_tables.gap_null(store, run_ids, attribute), view.names, attribute)))
else:
    seeds = chosen
    chart_block(view.memoised_over_cohort(f"forest over seeds {list(seeds.names)}", lambda: forest_of(seeds)))
    chart_block(view.memoised_over_cohort(f"gap-null over seeds {list(seeds.names)}", lambda: gaps_of(seeds)))

by_class = classes.class_performance(store, run_ids, attribute)
if len(by_class):
    section("By class")
    single_runs_note(view, chosen)
    st.caption(
        "Each class against all others, audited as a label of its own; the last row of a method is the mean over its classes (macro). "
        "Everything above counts every class but the first as positive."
    )
    full_table(numbers(classes.in_words(by_class, view.names)), "AUC of each class by run and group", key="by-class")


def es_auc() -> None:
    """ES-AUC and worst group of every run, or of every method over its seeds."""
    if chosen is None:
        chart_block(view.memoised("equity", lambda: consequences.equity(group_tables.summaries(store, run_ids, attribute), view.names, attribute)))
        return
    over = chosen
    chart_block(
        view.memoised_over_cohort(
            f"equity over seeds {list(over.names)}",
            lambda: consequences.equity(group_tables.summaries(store, over.run_ids, attribute), over.names, attribute, over.method_of),
        )
    )


@st.fragment
def threshold() -> None:
    """Only this part runs again when the slider moves; the grid of thresholds is known beforehand."""
    single_runs_note(view, chosen)
    grid_ends = group_tables.GRID[0], group_tables.GRID[-1]
    at = threshold_control("threshold", grid_ends, cuts=group_tables.GRID)
    grid = view.labelled(group_tables.consequences(store, run_ids, attribute))
    chart_block(consequences.thresholds(grid, view.names, view.group_labels, attribute, at))
    if not grid.empty:
        full_table(consequences.selected_table(grid, view.names, at, attribute), "Samples selected per run and group at the threshold", pinned="Run")


def roc() -> None:
    """ROC curves by group."""
    single_runs_note(view, chosen)
    chart_block(view.memoised("roc", lambda: groups.roc(view.labelled(group_tables.roc(store, run_ids, attribute)), view.names, view.group_labels, attribute)))


def calibration() -> None:
    """Smooth calibration curves by group, and observed over expected events."""

    def drawn() -> tuple[Figure, Figure]:
        frame = view.labelled(group_tables.calibration(store, run_ids, attribute))
        arguments = (frame, view.names, view.group_labels, attribute)
        return smooth.curves(*arguments), smooth.observed_over_expected(*arguments)

    single_runs_note(view, chosen)
    curves, ratios = view.memoised("calibration", drawn)
    chart_block(curves)
    if not curves.empty:
        chart_block(ratios)


def between_groups() -> None:
    """How often positives of one group outrank negatives of another."""
    single_runs_note(view, chosen)
    chart_block(
        view.memoised(
            "cross-group",
            lambda: consequences.cross_group(view.labelled(group_tables.cross_group(store, run_ids, attribute)), view.names, view.group_labels, attribute),
        )
    )


@st.fragment
def intersections() -> None:
    """Intersections of one run, beginning with the chosen attribute."""
    others = [name for name in state.attributes(view.cohort_id) if name != attribute]
    if not others:
        too_little_data("Nothing to intersect", "This cohort names one sensitive attribute. With a second one its groups can be crossed.", key="one-attribute")
        return
    with st.container(horizontal=True, key="intersection-choice"):
        run = st.selectbox("Run", run_ids, format_func=lambda i: view.names[i], key="intersection-run", width=240)
        inner = st.multiselect("Intersect with", others, default=others[:1], max_selections=2, key="intersection-with", width=320)
    if inner:
        chart_block(consequences.intersections(crossed.intersections(store, run, [attribute, *inner]), view.names[run], [attribute, *inner]))


lazy_tabs({"ES-AUC": es_auc, "Threshold": threshold, "ROC": roc, "Calibration": calibration, "Between groups": between_groups, "Intersections": intersections})

how_to_read(
    "**Forest**: a group whose interval lies left of the line is ranked worse than all samples together. The next chart shows whether that is more than "
    "chance: small groups have gaps even when the attribute means nothing, and the grey histogram shows how large. "
    "**Threshold**: a model with equal AUCs can still find fewer of one group's positives at the same threshold. "
    "**Calibration**: where a curve lies above the dashed line, more of the group's patients have the outcome than the score says, and below it fewer. "
    "Observed over expected events say the same in one number. "
    "**Ranking between groups**: a pale cell off the diagonal means that one group's positives do not rise above the other's negatives, so a common "
    "threshold serves them unequally. **Intersections** are estimated only with at least five positives and five negatives; "
    "a group without an estimate may still be served worse.",
    terms=("group_auc", "max_gap", "null", "es_auc", "tpr", "fpr", "ppv", "calibration", "oe_ratio", "cross_auc", "intersection"),
)
