"""How much each modality contributes: over epochs, and for whom."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

import pandas as pd

from core.charts import grammar as alt
from core.charts import text
from core.charts.figure import Figure, Panel, Width, nothing, side_by_side
from core.charts.parts import (
    LONGEST,
    colored,
    decimal_axis,
    end_labels,
    end_room,
    epoch_axis,
    heat_map,
    interval_texts,
    least_width,
    reference_line,
    text_colored,
    tooltips,
    wide_enough,
)  # fmt: skip
from core.charts.theme import Look
from core.results.answers import leaning

HEIGHT = 200


def over_epochs(frame: pd.DataFrame, names: Mapping[str, str], modalities: Sequence[str]) -> Figure:
    """Contribution ratio over epochs with its interval, one panel per run.

    `frame`: telemetry columns, rows `contribution.ratio` with missing `group`.
    """
    rows = frame[(frame["name"] == "contribution.ratio") & frame["group"].isna() & frame["run_id"].isin(list(names))].copy()
    if rows["value"].notna().sum() == 0:
        return nothing("contribution-ratio", "No contribution was recorded for these runs: with one modality there is nothing to share.")
    rows["run"] = rows["run_id"].map(dict(names))
    rows["trained"] = rows["epoch"] + 1
    rows["shown"] = interval_texts(rows)
    rows["counts"] = [text.count(n) for n in rows["n"]]
    last = int(rows["trained"].max())
    # In quarters, so that it mostly stays when a run comes or goes.
    most = min(1.0, max(0.5, math.ceil(4 * rows[["value", "high"]].max().max()) / 4))
    leads = leaning(rows, names)
    panels = []
    for run_id, name in names.items():
        own = rows[rows["run_id"] == run_id].reset_index(drop=True)
        if own["value"].notna().any():
            ends = own[own["epoch"] == own["epoch"].max()].to_dict("records")
            told = text.listing([f"{row['modality']} {row['shown']}" for row in ends], len(ends))
            panels.append(
                Panel(
                    partial(_epochs_panel, own, tuple(modalities), last, most),
                    name,
                    alt=f"lines of each modality's contribution ratio over {text.plural(last, 'epoch')}; at the end {told}.",
                )
            )
    columns = {"run": "Run", "trained": "Epochs trained", "modality": "Modality", "value": "Ratio", "low": "Low", "high": "High", "n": "Samples"}
    ends = leads.to_dict("records")
    carried = [(str(row["modality"]), text.percent(row["value"]), str(row["run"])) for row in ends]
    title = text.same_verb(carried, "carries") or "Contribution of each modality"
    said = [f"{row['modality']} has {text.interval(row['value'], row['low'], row['high'])} in {row['run']}" for row in ends]
    return Figure(
        name="contribution-ratio", title=title,
        alt=f"Line chart of each modality's contribution ratio over {text.plural(last, 'epoch')}, one panel per run. At the end {text.listing(said, 6)}.",
        data=rows[list(columns)], table=columns, panels=tuple(panels), columns=side_by_side(panels), terms=("ratio", "phi", "interval"),
        note="Bands are 95 % bootstrap intervals of the validation split. The dashed line is an equal share.",
    )  # fmt: skip


def _epochs_panel(rows: pd.DataFrame, modalities: Sequence[str], last: int, most: float, look: Look, width: Width) -> Any:
    colors = look.modality_colors(modalities)
    limits = [0.0, most]
    labels = end_labels(rows, "trained", "modality", limits, HEIGHT)
    x = alt.X("trained:Q", axis=epoch_axis(last), scale=alt.Scale(domain=[0, last * end_room(labels["modality"])], nice=False))
    y_scale = alt.Scale(domain=limits)
    y = alt.Y("value:Q", axis=decimal_axis("Contribution ratio", tickCount=4), scale=y_scale)
    tips = tooltips({"run": "Run", "modality": "Modality", "trained": "Epochs trained", "shown": "Ratio", "counts": "Samples"})
    base = alt.Chart(rows).encode(x=x, color=colored("modality", colors))
    band = base.mark_area().encode(y=alt.Y("low:Q", scale=y_scale), y2="high:Q")
    line = base.mark_line().encode(y=y)
    points = base.mark_point(size=44).encode(y=y, tooltip=tips)
    names = (
        alt.Chart(labels)
        .mark_text(align="left", dx=8, fontWeight=600, limit=LONGEST)
        .encode(x=x, y=alt.Y("label_y:Q", scale=y_scale), text="modality:N", color=text_colored(look, "modality", colors))
    )
    return (
        (reference_line(look, 1 / max(rows["modality"].nunique(), 1)) + band + line + points + names)
        .resolve_scale(color="independent")
        .properties(width=width, height=HEIGHT)
    )


def by_group(frame: pd.DataFrame, names: Mapping[str, str], modalities: Sequence[str], groups: Sequence[str], attribute: str) -> Figure:
    """Signed Shapley value of each modality for each group: a heat map with the numbers, per run.

    `frame`: telemetry rows `contribution.phi` of one epoch (the last), groups included.
    """
    rows = frame[(frame["name"] == "contribution.phi") & frame["group"].isin(list(groups)) & frame["run_id"].isin(list(names))].copy()
    if rows.empty:
        return nothing(
            "shapley-by-group",
            f"These runs recorded no contribution per {attribute}: they were trained for another attribute. Train for {attribute} to see "
            "it, or choose their attribute above.",
        )
    rows["run"] = rows["run_id"].map(dict(names))
    rows["shown"] = [text.decimal(v, 3, True) for v in rows["value"]]
    rows["estimate"] = interval_texts(rows, signed=True)
    rows["counts"] = [text.count(n) for n in rows["n"]]
    most = max(0.1, math.ceil(10 * rows["value"].abs().max()) / 10) if rows["value"].notna().any() else 0.1
    columns = {"run": "Run", "group": attribute, "modality": "Modality", "value": "Shapley value", "low": "Low", "high": "High", "n": "Samples"}
    panels = []
    for run_id, name in names.items():
        own = rows[rows["run_id"] == run_id].reset_index(drop=True)
        if len(own):
            told = text.listing([f"{row['modality']} for {row['group']} {row['shown']}" for row in own.to_dict("records")], len(own))
            panels.append(Panel(partial(_group_panel, own, tuple(modalities), tuple(groups), most), name, alt=f"heat map of Shapley values: {told}."))
    title = group_finding(rows, attribute)
    return Figure(
        name="shapley-by-group", title=title, data=rows[list(columns)], table=columns, panels=tuple(panels),
        columns=wide_enough(modalities, max(1, len(panels))), least=least_width(modalities),
        alt=f"Heat map of Shapley values, {text.plural(len(groups), 'group')} of {attribute} by {text.plural(len(modalities), 'modality', 'modalities')}, "
            f"one panel per run. {title}.",
        terms=("phi", "interval"), note="Blue adds to the group's AUC, orange takes from it; hatched: not estimable (a group without positives or without "
                                        "negatives).",
    )  # fmt: skip


def group_finding(rows: pd.DataFrame, attribute: str) -> str:
    """The largest difference between groups in what one modality adds, with both intervals."""
    best: tuple[float, str] = (0.0, f"No modality's contribution can be compared between groups of {attribute}")
    cells: dict[tuple[str, str, str], list[Any]] = {}
    for row in rows[rows["value"].notna()].to_dict("records"):
        cells.setdefault((row["run_id"], row["run"], row["modality"]), []).append(row)
    for (_, run, modality), part in cells.items():
        if len(part) < 2:
            continue
        ordered = sorted(part, key=lambda row: float(row["value"]))
        high, low = ordered[-1], ordered[0]
        gap = float(high["value"] - low["value"])
        if gap > best[0]:
            overlap = ", intervals overlap" if low["high"] >= high["low"] else ""
            best = (
                gap,
                f"{modality} adds most for {high['group']} ({text.decimal(high['value'], 3, True)}) and least for {low['group']} "
                f"({text.decimal(low['value'], 3, True)}) under {run}{overlap}",
            )
    return text.sentence(best[1])


def _group_panel(rows: pd.DataFrame, modalities: Sequence[str], groups: Sequence[str], most: float, look: Look, width: Width) -> Any:
    present = [m for m in modalities if m in set(rows["modality"])]
    return heat_map(
        rows, look, width, x="modality", y="group", x_order=present, y_order=groups, limits=(-most, 0.0, most), x_title=None, y_title=None,
        tips={"run": "Run", "group": "Group", "modality": "Modality", "estimate": "Shapley value", "counts": "Samples"},
    )  # fmt: skip
