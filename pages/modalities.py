"""Which modality does the model lean on, and for whom?"""

from dataclasses import replace
from functools import partial

import pandas as pd

from core.charts import contribution, modality_auc
from core.charts.cohort_availability import availability
from core.charts.figure import Figure, nothing
from core.charts.many_groups import ranking
from core.charts.seeds import OF_SEEDS, over_seeds
from core.charts.synergy import synergy
from core.results import group_tables
from core.results.answers import modalities_answer
from dashboard.components import (
    answer,
    chart_block,
    how_to_read,
    other_attribute_note,
    runs_page,
)
from dashboard.datasheet import cohort
from dashboard.group_search import searched_view
from dashboard.lazy_tabs import lazy_tabs
from dashboard.seeds import seeds_choice

view = runs_page("Which modality does the model lean on, and for whom?")

telemetry = view.memoised("contributions", lambda: view.store.telemetry(view.run_ids, ["contribution.ratio", "contribution.phi"]))
attribute = view.attribute or ""
performance = group_tables.modality_performance(view.store, view.run_ids, attribute) if attribute else pd.DataFrame()
answer(*view.memoised("modalities-answer", lambda: modalities_answer(telemetry, view, performance)), terms=("ratio", "phi", "unimodal"))
other_attribute_note(view, f"Contributions by group are those of its own attribute; the AUCs below are by {attribute}.")
seeds = seeds_choice(view)
names = view.names if seeds is None else seeds.names
if attribute:
    view, _ = searched_view(view, ranking(performance))
if seeds is None:
    chart_block(view.memoised("over-epochs", lambda: contribution.over_epochs(telemetry, names, view.modalities)))
else:
    method_of = seeds.method_of
    drawn = view.memoised_over_cohort(
        f"contributions over seeds {list(names)}",
        lambda: over_seeds(view.store.telemetry(list(method_of), ["contribution.ratio", "contribution.phi"]), method_of),
    )
    figure = view.memoised_over_cohort(f"over-epochs over seeds {list(names)}", lambda: contribution.over_epochs(drawn, names, view.modalities))
    chart_block(replace(figure, note="Lines are means over seeds, bands run from the lowest to the highest seed. The dashed line is an equal share."))


def alone() -> None:
    """AUC of every modality alone, by group."""
    rows = performance[performance["kind"] == "unimodal"]
    if seeds is None:
        chart_block(view.memoised("unimodal", lambda: modality_auc.unimodal(view.labelled(rows), names, view.modalities, view.group_labels, attribute)))
        return
    every = group_tables.modality_performance(view.store, seeds.run_ids, attribute)
    mean = over_seeds(view.labelled(every[every["kind"] == "unimodal"]), seeds.method_of)
    figure = view.memoised_over_cohort(
        f"unimodal over seeds {list(names)}", lambda: modality_auc.unimodal(mean, names, view.modalities, view.group_labels, attribute)
    )
    chart_block(replace(figure, note=f"Test split. {seeds.count} Beside each group: positive and negative samples. Dashed: chance."))


def has() -> None:
    """Who has which modality."""
    data = cohort(view.cohort_id)
    shares = partial(group_tables.availability, view.store, view.cohort_id, attribute, data.present, data.modality_names)
    chart_block(view.memoised("availability", lambda: availability(shares(), data.roles.title(attribute))))


def take_away() -> None:
    """AUC by group with every modality but one."""
    kinds = ["all", "without"]
    if seeds is None:
        rows = view.labelled(performance[performance["kind"].isin(kinds)])
        chart_block(view.memoised("take-away", lambda: modality_auc.take_away(rows, view.names, view.modalities, view.group_labels, attribute)))
        return

    def over() -> Figure:
        every = group_tables.modality_performance(view.store, seeds.run_ids, attribute)
        mean = over_seeds(view.labelled(every[every["kind"].isin(kinds)]), seeds.method_of)
        figure = modality_auc.take_away(mean, names, view.modalities, view.group_labels, attribute)
        return replace(figure, note=f"{modality_auc.SLOPES} Test split. {OF_SEEDS}")

    chart_block(view.memoised_over_cohort(f"take-away over seeds {list(names)}", over))


def together() -> None:
    """What two modalities are worth together beyond apart."""

    def drawn(runs: list[str], method_of: dict[str, str] | None) -> Figure:
        rows = view.store.telemetry(runs, ["contribution.synergy"])
        latest = view.labelled(rows[rows["epoch"] == rows.groupby("run_id")["epoch"].transform("max")])
        return synergy(latest if method_of is None else over_seeds(latest, method_of), names, view.group_labels, attribute)

    if seeds is None:
        chart_block(view.memoised("synergy", lambda: drawn(view.run_ids, None)))
        return
    figure = view.memoised_over_cohort(f"synergy over seeds {list(names)}", lambda: drawn(seeds.run_ids, seeds.method_of))
    chart_block(replace(figure, note=f"Means over seeds. {figure.note}"))


if not attribute:
    chart_block(nothing("shapley-by-group", "This cohort has no sensitive attribute, so modalities cannot be compared between groups."))
else:
    rows = telemetry if seeds is None else drawn
    last = view.labelled(rows[rows["epoch"] == rows.groupby("run_id")["epoch"].transform("max")])
    if seeds is None:
        chart_block(view.memoised("by-group", lambda: contribution.by_group(last, names, view.modalities, view.group_labels, attribute)))
    else:
        figure = view.memoised_over_cohort(
            f"by-group over seeds {list(names)}", lambda: contribution.by_group(last, names, view.modalities, view.group_labels, attribute)
        )
        chart_block(replace(figure, note=f"Means over seeds. {figure.note}"))
    lazy_tabs({"Each modality alone": alone, "Who has which modality": has, "Take it away": take_away, "Together": together})

how_to_read(
    "The **ratio** says how much of what the model gets from its inputs comes from one modality; the **heat map** says for whom. "
    "A modality that leads overall may serve the largest group only: look for a row in which its cell is pale while the other modality's "
    "own AUC (under **Each modality alone**) is high. **Take it away** is the strictest test: a flat slope means that the fused model did not "
    "use the modality for that group. "
    "**Together** says whether two modalities add to each other or say the same. "
    "Contributions are measured on the validation split while training, the AUCs on the test split afterwards.",
    terms=("ratio", "phi", "unimodal", "availability", "take_away", "group_auc", "interval"),
)
