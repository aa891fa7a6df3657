"""Magnitude similarity over epochs: of each modality's gradient and the fused one, and of every two groups'."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

import pandas as pd

from core.charts import text
from core.charts.figure import Figure, Panel, Width, nothing, side_by_side
from core.charts.gradient_lines import HEIGHT, NAMED, SIMILARITY, of_modalities, of_pairs, rows_of, silent, similarity
from core.charts.theme import Look


def modality_magnitudes(rows: pd.DataFrame, names: Mapping[str, str], modalities: Sequence[str]) -> Figure:
    """Magnitude similarity of each modality's gradient with the fused one, one panel per run.

    `rows`: as `core.charts.gradients.prepared` gives them.
    """
    part = rows[(rows["name"] == "magnitude.fused") & rows["value"].notna()]
    if part.empty:
        return nothing("magnitude", "These runs recorded no gradient magnitudes.")
    low = part[part["trained"] == part["trained"].max()].sort_values("value").iloc[0]
    title = f"The most unequal gradients at the end: {low['modality']} and the fused one under {low['run']}, similarity {text.decimal(low['value'], 2)}"
    return _figure(
        "magnitude",
        title,
        part,
        names,
        {"modality": "Modality"},
        "between each modality's gradient and the fused one",
        partial(_modality_panel, tuple(modalities)),
    )


def group_magnitudes(rows: pd.DataFrame, names: Mapping[str, str], attribute: str) -> Figure:
    """Magnitude similarity of every two groups' gradients, one panel per run.

    `rows`: as `core.charts.gradients.prepared` gives them.
    """
    part = rows[(rows["name"] == "magnitude.groups") & rows["value"].notna()]
    if part.empty:
        return nothing("magnitude-groups", f"These runs recorded no gradients of single groups of {attribute}.")
    ends = part[part["trained"] == part["trained"].max()].sort_values("value", kind="stable")
    low = ends.iloc[0]
    pair, value = low["pair"].replace(" / ", " and "), text.decimal(low["value"], 2)
    title = f"The gradients of {pair} end least alike in size under {low['run']}: similarity {value}"
    if len(ends) == 1:
        title = f"The gradients of {pair} end with a similarity in size of {value} under {low['run']}"
    more = " The least alike pair is in colour." if ends["pair"].nunique() > NAMED else ""
    return _figure(
        "magnitude-groups",
        title,
        part,
        names,
        {"group": attribute, "group_b": f"other {attribute}"},
        f"between the gradients of groups of {attribute}",
        _pair_panel,
        more,
    )


def _figure(name: str, title: str, part: pd.DataFrame, names: Mapping[str, str], of: dict[str, str], between: str, panel: Any, more: str = "") -> Figure:
    last = int(part["trained"].max())
    columns = {"run": "Run", "trained": "Epoch", **of, "value": "Magnitude similarity"}
    panels = []
    for run_id, run in names.items():
        own = part[part["run_id"] == run_id].reset_index(drop=True)
        if own.empty:
            # The column stays, so that a run's drawings stand below one another.
            panels.append(Panel(partial(silent, "not measured in this method's training", last), run, alt="not measured in this method's training."))
            continue
        end = own[own["trained"] == own["trained"].max()]
        told = text.listing(
            [f"{m if isinstance(m, str) else pair} {text.decimal(v, 2)}" for m, pair, v in zip(end["modality"], end["pair"], end["value"], strict=True)], 8
        )
        panels.append(Panel(partial(panel, own, last), run, alt=f"lines of the magnitude similarity {between}; at the end {told}."))
    return Figure(
        name=name, title=title, alt=f"Lines of the magnitude similarity {between} over {text.plural(last, 'epoch')}, one panel per run. {title}.",
        data=part[list(columns)].reset_index(drop=True), table=columns, panels=tuple(panels), columns=side_by_side(panels), terms=("magnitude",),
        note="1: both gradients are equally long. Near 0: one is much longer than the other." + more,
    )  # fmt: skip


def _modality_panel(modalities: Sequence[str], rows: pd.DataFrame, last: int, look: Look, width: Width) -> Any:
    return similarity(of_modalities(rows_of(rows), modalities, SIMILARITY, HEIGHT, "Magnitude similarity", look), last, look, width)


def _pair_panel(rows: pd.DataFrame, last: int, look: Look, width: Width) -> Any:
    return similarity(of_pairs(rows_of(rows), SIMILARITY, HEIGHT, "Magnitude similarity", look), last, look, width)
