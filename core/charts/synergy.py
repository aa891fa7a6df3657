"""What modalities are worth together beyond what they are worth apart."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

import pandas as pd

from core.charts import text
from core.charts.figure import Figure, Panel, Width, nothing
from core.charts.parts import heat_map, interval_texts, least_width, wide_enough
from core.charts.theme import Look

EVERYBODY = "Everybody"


def synergy(frame: pd.DataFrame, names: Mapping[str, str], groups: Sequence[str], attribute: str) -> Figure:
    """Shapley interaction of each two modalities, for everybody and each group: a heat map with the numbers, per run.

    `frame`: telemetry rows `contribution.synergy` of one epoch (the last), groups included.
    """
    rows = frame[
        (frame["name"] == "contribution.synergy") & frame["run_id"].isin(list(names)) & (frame["group"].isna() | frame["group"].isin(list(groups)))
    ].copy()
    if rows["value"].notna().sum() == 0:
        return nothing(
            "synergy",
            "No synergy was measured for these runs: it needs two to six modalities, and runs of earlier versions do not have it. Train them again to see it.",
        )
    rows["run"] = rows["run_id"].map(dict(names))
    rows["group"] = rows["group"].fillna(EVERYBODY)
    rows["pair"] = rows["modality"] + " and " + rows["modality_b"]
    rows["across"] = rows["modality"] + "\nand " + rows["modality_b"]
    rows["shown"] = [text.decimal(v, 3, True) for v in rows["value"]]
    rows["estimate"] = interval_texts(rows, signed=True)
    rows["counts"] = [text.count(n) for n in rows["n"]]
    most = max(0.1, math.ceil(10 * rows["value"].abs().max()) / 10)
    order = (EVERYBODY, *(group for group in groups if group in set(rows["group"])))
    panels = []
    for run_id, name in names.items():
        own = rows[rows["run_id"] == run_id].reset_index(drop=True)
        if len(own):
            told = text.listing([f"{row['pair']} for {row['group']} {row['estimate']}" for row in own.to_dict("records")], len(own))
            panels.append(Panel(partial(_panel, own, order, most), name, alt=f"heat map of synergies: {told}."))
    title, pairs = finding(rows), list(dict.fromkeys(rows["pair"]))
    columns = {"run": "Run", "group": attribute or "Group", "pair": "Modalities", "value": "Synergy", "low": "Low", "high": "High", "n": "Samples"}
    return Figure(
        name="synergy", title=title, data=rows[list(columns)], table=columns, panels=tuple(panels),
        columns=wide_enough(pairs, max(1, len(panels))), least=least_width(pairs),
        alt=f"Heat map of the synergy of each two modalities, one panel per run. {title}.", terms=("synergy", "phi", "interval"),
        note="Blue: together they add more than apart. Orange: they say the same, and one could stand in for the other. Validation split, last epoch.",
    )  # fmt: skip


def finding(rows: pd.DataFrame) -> str:
    """The pair whose interval for everybody lies furthest from 0, or that none leaves it."""
    known = rows[(rows["group"] == EVERYBODY) & rows["low"].notna() & ((rows["low"] > 0) | (rows["high"] < 0))]
    if known.empty:
        return "No two modalities are clearly worth more or less together than apart"
    top = known.sort_values("value", key=abs).to_dict("records")[-1]
    how = "add to each other" if top["value"] > 0 else "say partly the same"
    return text.sentence(f"{top['pair']} {how} under {top['run']}: {top['estimate']} AUC together beyond apart")


def _panel(rows: pd.DataFrame, groups: Sequence[str], most: float, look: Look, width: Width) -> Any:
    return heat_map(
        rows, look, width, x="across", y="group", x_order=list(dict.fromkeys(rows["across"])), y_order=list(groups), limits=(-most, 0.0, most),
        x_title=None, y_title=None,
        tips={"run": "Run", "group": "Group", "pair": "Modalities", "estimate": "Synergy", "counts": "Samples"},
    )  # fmt: skip
