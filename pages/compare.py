"""Which method is most accurate and most fair?"""

import streamlit as st

from core.audit.wording import sentence
from core.charts import comparison
from core.charts.figure import Figure
from core.metrics.catalogue import AUC_SUMMARIES, title
from core.results import compare_runs
from core.results.answers import Answer, compare_answer
from dashboard.components import (
    View,
    answer,
    chart_block,
    context_bar,
    empty_state,
    how_to_read,
    no_cohort,
    no_runs,
    page_title,
)
from dashboard.disagreements import disagreement_section
from dashboard.escape import md
from dashboard.methods_table import methods_table
from dashboard.settings_table import settings_section

page_title("Which method is most accurate, and most fair?")
shown = context_bar()
if shown is None:
    no_cohort()
    st.stop()
view: View = shown
if view.finished.empty:
    no_runs(view)
    st.stop()
if view.attribute is None:
    empty_state(
        "No sensitive attribute",
        "This cohort names no sensitive attribute, so methods can be compared on accuracy only: see Reports.",
        "reports",
        "Go to Reports",
    )
    st.stop()

MEASURES = AUC_SUMMARIES
runs = view.finished[view.finished["attribute"] == view.attribute]
whose = f"every finished run that was trained for {view.attribute}" if len(runs) else "every finished run: none was trained for " + str(view.attribute)
runs = runs if len(runs) else view.finished


def overview(measure: str) -> tuple[Answer, Figure, list[str]]:
    """The answer, the scatter plot, and the methods in it."""
    attribute = str(view.attribute)
    seeds, methods = compare_runs.overview(view.store, runs, attribute, measure)
    fair, accurate = (compare_runs.lead(methods, compare_runs.pairs(view.store, runs, attribute, m), m, axis) for m, axis in ((measure, "y"), ("auc", "x")))
    ahead = (fair, accurate) if fair and accurate else None
    claim = comparison.headline(fair.best, fair.ahead, fair.open, title(measure)) if fair and len(methods) > 1 else ""
    return (
        compare_answer(methods, measure, attribute, ahead),
        comparison.scatter(seeds, methods, measure, attribute, claim),
        [] if methods.empty else list(methods["variant"]),
    )


def differences(measure: str, reference: str) -> Figure:
    """Every method against the reference, paired."""
    return comparison.paired_forest(compare_runs.paired(view.store, runs, reference, str(view.attribute), measure), reference, measure)


@st.fragment
def methods_section() -> None:
    """Only this part runs again when the measure or the reference changes."""
    measure = (
        st.segmented_control(
            "Fairness measured as",
            list(MEASURES),
            default="es_auc",
            required=True,
            format_func=lambda m: sentence(title(m)),
            key="measure",
            bind="query-params",
        )
        or "es_auc"
    )
    with st.spinner(f"Summarising {len(runs)} runs", show_time=True):
        found, scatter, variants = view.memoised_over_cohort(f"methods by {measure}", lambda: overview(measure))
    answer(*found, terms=("pareto", "es_auc", "paired"))
    chart_block(scatter)
    if len(variants) == 1:
        empty_state(
            "One method has nothing to be compared with",
            "Train a second one on the same patients: differences from it are then shown here, with the same seeds and patients under both.",
            "train",
            "Train another method",
        )
    elif variants:
        usual = variants.index("ERM (fused)") if "ERM (fused)" in variants else 0
        reference = st.selectbox("Reference method", variants, index=usual, key="reference", bind="query-params", width=320)
        chart_block(view.memoised_over_cohort(f"differences in {measure} from {reference}", lambda: differences(measure, reference)))
        methods_table(view, runs, measure, reference)


st.caption(
    md(f"The answer, the charts and the table of all methods hold {whose}. The runs chosen above are those of the settings and of the patients further down.")
)
methods_section()

if len(view.runs) > 1:
    st.markdown("## Settings that differ")
    settings_section(view.memoised("settings", lambda: compare_runs.settings(view.runs)))
    st.markdown("## Patients on whom two runs disagree")
    disagreement_section(view)

how_to_read(
    "**Scatter**: a method up and to the right of another is better in both; those that no other beats in both are joined by the dashed line. "
    "Crosshairs may overlap and two methods still differ, because both judge the same patients. So look at the **paired differences**: the same patients and "
    "seeds under both methods, which takes out what they have in common and makes the interval narrower. Grey is unclear, not equal: "
    "chance explains the difference once all pairs that could be compared are counted. "
    "ES-AUC is shown for one attribute at a time, because it falls with the number of groups.",
    terms=("pareto", "paired", "es_auc", "es_trap", "worst_group", "max_gap", "seed"),
)
