"""How many patients of each group have the outcome: a mosaic, its areas in proportion to counts."""

from __future__ import annotations

from functools import partial
from typing import Any

import pandas as pd

from core.charts import grammar as alt
from core.charts.figure import Figure, Panel, Width, nothing
from core.charts.group_names import group_label, group_order
from core.charts.many_groups import MOST_COLOURS
from core.charts.text import count, listing, percent, plural, positives
from core.charts.theme import Look

STEP = 46
THICKEST = 36
MISSING = "not recorded"
FEW = 5
THIN = 20
"""Pixels of a bar that is less high than the number beside it."""


def group_label_mosaic(counts: pd.DataFrame, attribute: str, unit: str = "samples") -> Figure:
    """Bars as thick as the group is large, split by the share with the outcome.

    Parameters
    ----------
    counts : columns group (None or NaN where the value is missing), n_pos, n_neg; one row per group.
    attribute : name for people.
    unit : what a count counts.
    """
    name = "group_by_outcome"
    frame = counts.copy()
    frame["missing"] = frame["group"].isna()
    frame["group"] = frame["group"].astype(object).where(~frame["missing"], MISSING).astype(str)
    frame["n"] = frame["n_pos"] + frame["n_neg"]
    order = {name: place for place, name in enumerate(group_order(frame.loc[~frame["missing"], "group"]))}
    frame = frame[frame["n"] > 0].sort_values("group", key=lambda names: names.map(order).fillna(len(order)), ignore_index=True)
    frame["group"] = [group_label(attribute, group) for group in frame["group"]]
    if frame.empty:
        return nothing(name, f"No {unit} to count by {attribute}.")
    frame["share"] = frame["n_pos"] / frame["n"]
    frame["counts"] = [positives(p, q) for p, q in zip(frame["n_pos"], frame["n_neg"], strict=True)]
    frame["label"] = frame["group"] + "\n" + frame["counts"]
    frame["thickness"] = (THICKEST * frame["n"] / frame["n"].max()).clip(lower=2)
    title = _finding(frame, attribute, unit)
    alt_text = f"{title} " + "; ".join(f"{g}: {c}" for g, c in zip(frame["group"], frame["counts"], strict=True)) + "."
    return Figure(
        name=name,
        title=title,
        alt=alt_text,
        data=frame[["group", "n", "n_pos", "n_neg", "share"]],
        panels=(Panel(partial(_draw, frame, unit)),),
        note="Height of a bar: size of the group. Full colour: with the outcome.",
        table={"group": attribute, "n": unit, "n_pos": "with the outcome", "n_neg": "without", "share": "share"},
    )


def _finding(frame: pd.DataFrame, attribute: str, unit: str) -> str:
    """The most important thing first: missing values that tell the label, then thin groups, then spread."""
    gone = frame[frame["missing"]]
    known = frame[~frame["missing"]]
    if len(gone) and int(gone["n"].iloc[0]) >= 2 * FEW and gone["share"].iloc[0] in (0.0, 1.0):
        which = "without" if gone["share"].iloc[0] == 0 else "with"
        return f"{attribute} is not recorded for {count(gone['n'].iloc[0])} {unit}, and every one of them is {which} the outcome."
    thin = known[(known["n_pos"] < FEW) | (known["n_neg"] < FEW)]
    if len(thin):
        names = listing(list(thin["group"]))
        return f"Too few {unit} to judge {names} by {attribute}: fewer than {FEW} with or without the outcome."
    if len(known) < 2:
        return f"All {unit} with a known {attribute} are in one group."
    shares = known["share"].to_numpy()
    high, low = known.iloc[int(shares.argmax())], known.iloc[int(shares.argmin())]
    if percent(low["share"]) == percent(high["share"]):
        return f"{plural(len(known), 'group')} by {attribute}; the outcome is seen in {percent(low['share'])} of each."
    return (
        f"{plural(len(known), 'group')} by {attribute}; the outcome is seen in {percent(low['share'])} of {low['group']}"
        f" and {percent(high['share'])} of {high['group']}."
    )


def _draw(frame: pd.DataFrame, unit: str, look: Look, width: Width) -> Any:
    order = list(frame["label"])
    known = list(frame.loc[~frame["missing"], "group"])
    # Beyond the palette a colour would stand for two groups; bars have their names.
    colors = {**(look.group_colors(known) if len(known) <= MOST_COLOURS else dict.fromkeys(known, look.muted)), MISSING: look.no_estimate}
    data = frame.assign(color=[colors[g] for g in frame["group"]])
    tooltip = [
        alt.Tooltip("group:N"), alt.Tooltip("n:Q", title=unit), alt.Tooltip("n_pos:Q", title="with the outcome"),
        alt.Tooltip("n_neg:Q", title="without"), alt.Tooltip("share:Q", title="share", format=".1%"),
    ]  # fmt: skip
    axis = alt.Axis(title=None, labelExpr="split(datum.label, '\\n')", labelLineHeight=15, labelLimit=160, labelOffset=-7)
    base = alt.Chart(data).encode(
        y=alt.Y("label:N", sort=order, axis=axis),
        color=alt.Color("color:N", scale=None),
        size=alt.Size("thickness:Q", scale=None),
        tooltip=tooltip,
    )
    x = alt.X("share:Q", scale=alt.Scale(domain=[0, 1]), axis=alt.Axis(format="%", title="share with the outcome", values=[0, 0.25, 0.5, 0.75, 1]))
    rest = base.mark_bar(opacity=0.22).encode(x=x, x2=alt.datum(1))
    part = base.mark_bar().encode(x=x, x2=alt.datum(0))
    words = alt.Chart(data).encode(x=x, y=alt.Y("label:N", sort=order), text=alt.Text("share:Q", format=".0%"))
    style: dict[str, Any] = {"align": "left", "dx": 7, "fontWeight": 600}
    # A thin bar runs through the number: its ground is cleared first.
    thin = alt.datum.thickness < THIN
    halo = words.transform_filter(thin).mark_text(**style, stroke=look.background, strokeWidth=5, strokeJoin="round").encode(color=alt.value(look.background))
    label = words.mark_text(**style, color=look.text)
    return alt.layer(rest, part, halo, label).properties(width=width, height=alt.Step(STEP))
