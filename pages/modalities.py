"""Which modality does the model lean on, and for whom?"""

import streamlit as st

from core.audit import run_views
from core.charts import contribution
from core.charts.cohort_availability import availability
from core.charts.figure import nothing
from dashboard.answers import modalities_answer
from dashboard.components import (
    answer,
    chart_block,
    how_to_read,
    other_attribute_note,
    runs_page,
)
from dashboard.datasheet import cohort

MOST_TAKEN = 2

view = runs_page("Which modality does the model lean on, and for whom?")

telemetry = view.once("contributions", lambda: view.store.telemetry(view.run_ids, ["contribution.ratio", "contribution.phi"]))
performance = run_views.modality_performance(view.store, view.run_ids, view.attribute) if view.attribute is not None else None
answer(*view.once("modalities-answer", lambda: modalities_answer(telemetry, view, performance)), terms=("ratio", "phi", "unimodal"))
other_attribute_note(view, f"Contributions by group are those of its own attribute; the AUCs below are by {view.attribute}.")
chart_block(view.once("over-epochs", lambda: contribution.over_epochs(telemetry, view.names, view.modalities)))

if view.attribute is None or performance is None:
    chart_block(nothing("shapley-by-group", "This cohort has no sensitive attribute: for whom a modality works cannot be told."))
else:
    last = telemetry[telemetry["epoch"] == telemetry.groupby("run_id")["epoch"].transform("max")]
    chart_block(view.once("by-group", lambda: contribution.by_group(last, view.names, view.modalities, view.groups, str(view.attribute))))
    alone = performance[performance["kind"] == "unimodal"]
    without = performance[performance["kind"].isin(["all", "without"])]
    chart_block(view.once("unimodal", lambda: contribution.unimodal(alone, view.names, view.modalities, view.groups, str(view.attribute))))
    data = cohort(view.cohort_id)
    chart_block(
        view.once(
            "availability",
            lambda: availability(run_views.availability(view.store, view.cohort_id, str(view.attribute), data.present, data.modality_names), data.roles.title(str(view.attribute))),
        )
    )
    # Twelve slopes are a wall on a screen and a mile on a phone: first those that move somebody.
    several = len(view.modalities) > MOST_TAKEN
    every = several and st.toggle(f"Take away each of the {len(view.modalities)} modalities", key="take-every", help=f"Off: the {MOST_TAKEN} without which some group's AUC moves furthest.")
    most = None if every else MOST_TAKEN
    chart_block(view.once(f"take-away {most}", lambda: contribution.take_away(without, view.names, view.modalities, view.groups, str(view.attribute), most)))

how_to_read(
    "The **ratio** says how much of what the model gets from its inputs comes from one modality; the **heat map** says for whom. "
    "A modality that leads overall may serve the largest group only: look for a row in which its cell is pale while the other modality's "
    "own AUC (third chart) is high. **Take it away** is the acid test: a flat line means that the fused model did not use the modality for that group. "
    "Contributions are measured on the validation split while training, the AUCs on the test split afterwards.",
    terms=("ratio", "phi", "unimodal", "availability", "take_away", "group_auc", "interval"),
)
