"""How well each modality works alone, per group, and what each group loses without it."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

import pandas as pd

from core.charts import grammar as alt
from core.charts import text
from core.charts.figure import Figure, Panel, Width, nothing, side_by_side
from core.charts.parts import ESTIMATE, SLANTED, crowded, decimal_axis, domain, end_labels, interval_texts, reference_line, tooltips, with_gutter
from core.charts.theme import Look

HEAD, ROW = 28, 20
"""Pixels of a group's heading and of a modality's row below it."""
GUTTER, WIDE_GUTTER = 0.42, 0.62
"""Room for the names of the modalities, as a share of the range of AUCs: up to LONG letters, and beyond."""
LONG = 12
SLOPE_HEIGHT = 230
BEFORE, AFTER = 0.18, 0.82
"""Where in its place on the axis a slope begins and ends."""
SLOPES = "Each slope goes from the AUC with all modalities to that without the one named below it, replaced by its training mean."
WIDE = 4
"""More modalities than this need wider panels."""


def _rows(frame: pd.DataFrame, names: Mapping[str, str], groups: Sequence[str]) -> pd.DataFrame:
    rows = frame[frame["group"].isin(list(groups)) & frame["run_id"].isin(list(names))].copy()
    rows["run"] = rows["run_id"].map(dict(names))
    rows["shown"] = interval_texts(rows)
    rows["counts"] = [text.positives(p, n) for p, n in zip(rows["n_pos"], rows["n_neg"], strict=True)]
    return rows


def unimodal(frame: pd.DataFrame, names: Mapping[str, str], modalities: Sequence[str], groups: Sequence[str], attribute: str) -> Figure:
    """AUC of each modality's own classifier, per group, with intervals; one panel per run.

    `frame`: run_id, modality, group, value, low, high, n_pos, n_neg, reason.
    """
    rows = _rows(frame, names, groups)
    if rows["value"].notna().sum() == 0:
        return nothing("unimodal-auc", f"No group of {attribute} has enough test samples of both outcomes for a modality's own AUC.")
    limits = tuple(domain([rows["low"], rows["high"], rows["value"]], include=[0.5]))
    columns = {"run": "Run", "modality": "Modality", "group": attribute, **ESTIMATE}
    panels = []
    for run_id, name in names.items():
        own = rows[rows["run_id"] == run_id].reset_index(drop=True)
        if len(own):
            told = [f"{row['modality']} for {row['group']} {row['shown']}" for row in own.to_dict("records")]
            panels.append(
                Panel(
                    partial(_unimodal_panel, own, tuple(modalities), tuple(groups), limits),
                    name,
                    alt=f"AUC of each modality alone, by {attribute}: {text.listing(told, len(told))}.",
                )
            )
    best = rows.dropna(subset=["value"]).sort_values("value").groupby("group").tail(1).sort_values("group").to_dict("records")
    title = _best_alone(best)
    return Figure(
        name="unimodal-auc", title=title, alt=f"Dots with intervals: AUC of each modality alone, by {attribute}. {title}.", data=rows[list(columns)],
        table=columns,
        panels=tuple(panels), columns=side_by_side(panels), terms=("unimodal", "group_auc", "interval"),
        note="Test split, 95 % intervals. Beside each group: positive and negative samples. Dashed: chance.",
    )  # fmt: skip


def _best_alone(best: Sequence[Mapping[Any, Any]]) -> str:
    """Which modality alone serves each group best; said once where it is the same for all."""
    leaders = list(dict.fromkeys(str(row["modality"]) for row in best))
    if not leaders:
        return "No group has enough positives and negatives for an AUC of one modality"
    values = [f"{row['group']} {text.decimal(row['value'])}" for row in best]
    if len(leaders) == 1 and len(best) > 1:
        return f"Alone, {leaders[0]} serves every group best: {text.listing(values, 4)}"
    return "Alone, " + text.listing([f"{row['modality']} serves {row['group']} best ({text.decimal(row['value'])}, {row['run']})" for row in best], 3)


def _unimodal_panel(rows: pd.DataFrame, modalities: Sequence[str], groups: Sequence[str], limits: Sequence[float], look: Look, width: Width) -> Any:
    """Rows at fixed heights: the names stand at their dots, and no panel needs a legend."""
    colors = look.modality_colors(modalities)
    found = {(row["group"], row["modality"]): row for row in rows.to_dict("records")}
    heads, sides, dots, height = [], [], [], 0.0
    for group in groups:
        mine = [found[group, modality] for modality in modalities if (group, modality) in found]
        if not mine:
            continue
        heads.append({"y": height + HEAD - 13, "name": group, "counts": mine[0]["counts"]})
        height += HEAD
        for row in mine:
            estimable = pd.notna(row["value"])
            place = {"y": height + ROW / 2, "ink": colors[row["modality"]]}
            sides.append({**place, "ink": look.readable(colors[row["modality"]]), "name": row["modality"]})
            dots.append(
                {
                    **place,
                    **{name: row[name] for name in ("run", "modality", "group", "value", "low", "high", "shown", "counts")},
                    "why": "" if estimable else text.NOT_ESTIMABLE,
                }
            )
            height += ROW
    scale = alt.Scale(domain=[height, 0], nice=False, zero=False)
    y = alt.Y("y:Q", scale=scale, axis=None)
    long = max(map(len, modalities), default=0) > LONG
    across, ticks = with_gutter(limits, left=WIDE_GUTTER if long else GUTTER)
    x_scale = alt.Scale(domain=across, nice=False, zero=False)
    ink = alt.Color("ink:N", scale=None)
    base = alt.Chart(pd.DataFrame(dots)).encode(y=y, color=ink)
    rule = base.mark_rule(strokeWidth=2).encode(x=alt.X("low:Q", scale=x_scale), x2="high:Q")
    points = base.mark_point(size=70).encode(
        x=alt.X("value:Q", scale=x_scale, axis=decimal_axis("AUC of the modality alone", values=ticks, grid=True)),
        tooltip=tooltips({"run": "Run", "modality": "Modality", "group": "Group", "shown": "AUC", "counts": "Positive / negative"}),
    )
    why = alt.Chart(pd.DataFrame([dot for dot in dots if dot["why"]] or dots[:1])).transform_calculate(left=str(limits[0]))
    why = why.encode(x=alt.X("left:Q", scale=x_scale), y=y, text="why:N")
    style: dict[str, Any] = {"align": "left", "fontStyle": "italic", "fontSize": 11}
    # The words may stand on the line of chance: their ground is cleared first.
    halo = why.mark_text(**style, stroke=look.background, strokeWidth=4, strokeJoin="round").encode(color=alt.value(look.background))
    words = why.mark_text(**style, color=look.muted)
    of_modality = (
        alt.Chart(pd.DataFrame(sides))
        .mark_text(align="left", dx=10, fontWeight=600, limit=112 if long else 84)
        .encode(x=alt.value(0), y=y, text="name:N", color=ink)
    )
    of_group = alt.Chart(pd.DataFrame(heads)).encode(y=y)
    title = of_group.mark_text(align="left", fontWeight=600, color=look.text).encode(x=alt.value(0), text="name:N")
    counts = of_group.mark_text(align="right", fontSize=11, color=look.muted).encode(x=alt.value("width"), text="counts:N")
    return alt.layer(reference_line(look, 0.5, "x"), halo, rule, points, words, of_modality, title, counts).properties(width=width, height=height)


def take_away(frame: pd.DataFrame, names: Mapping[str, str], modalities: Sequence[str], groups: Sequence[str], attribute: str) -> Figure:
    """Slopes from all modalities to all but one, a line per group, a place per modality; one panel per run.

    `frame`: run_id, modality (missing: nothing taken away), group, value, low, high, n_pos, n_neg, reason.
    """
    count = frame.groupby("run_id")["modality"].nunique()
    rows = _rows(frame[frame["run_id"].isin(list(count[count > 1].index))], names, groups)
    if rows.empty or rows["modality"].dropna().empty or rows["value"].notna().sum() == 0:
        return nothing("take-away", "Nothing can be taken away from these runs: they use one modality.")
    limits = tuple(domain([rows["low"], rows["high"], rows["value"]], include=[0.5]))
    used = tuple(m for m in modalities if m in set(rows["modality"].dropna()))
    panels = []
    falls: list[tuple[float, str, str, str]] = []
    for run_id, name in names.items():
        own = rows[rows["run_id"] == run_id].reset_index(drop=True)
        if own.empty:
            continue
        lost = _losses(own)
        falls += [(loss, modality, group, name) for (modality, group), loss in lost.items()]
        told = [f"without {modality} {group} {text.decimal(-loss, 3, True)}" for (modality, group), loss in lost.items()]
        panels.append(
            Panel(
                partial(_slopes, own, used, tuple(groups), limits), name, alt=f"change of each group's AUC: {text.listing(told, len(told)) or 'not estimable'}."
            )
        )
    columns = {"run": "Run", "modality": "Taken away", "group": attribute, **ESTIMATE}
    worst = max(falls, default=None)
    title = (
        f"Without {worst[1]}, {worst[2]} falls furthest: {text.decimal(-worst[0], 3, True)} AUC under {worst[3]}"
        if worst and worst[0] > 0
        else "Taking a modality away costs no group AUC"
    )
    return Figure(
        name="take-away", title=title, alt=f"Slopes from all modalities to all but one, a line per group of {attribute}. {title}.", data=rows[list(columns)],
        table=columns,
        panels=tuple(panels), columns=side_by_side(panels, 3 if len(used) <= WIDE else 2), terms=("take_away", "group_auc", "interval"),
        note=f"{SLOPES} Test split, 95 % intervals.",
    )  # fmt: skip


def _losses(rows: pd.DataFrame) -> dict[tuple[str, str], float]:
    """(modality, group) -> what the group's AUC falls by without the modality, of one run."""
    whole = {row["group"]: row["value"] for row in rows.to_dict("records") if not isinstance(row["modality"], str)}
    both = [(row["modality"], row["group"], whole.get(row["group"]), row["value"]) for row in rows.to_dict("records") if isinstance(row["modality"], str)]
    return {(modality, group): float(before - after) for modality, group, before, after in both if before is not None and pd.notna(before) and pd.notna(after)}


def _slopes(rows: pd.DataFrame, modalities: Sequence[str], groups: Sequence[str], limits: Sequence[float], look: Look, width: Width) -> Any:
    colors = look.group_colors(groups)
    known = [row for row in rows.to_dict("records") if pd.notna(row["value"])]
    points = []
    for row in known:
        head = {name: row[name] for name in ("run", "group", "value", "low", "high", "shown", "counts")} | {"ink": colors[row["group"]]}
        for place, modality in enumerate(modalities):
            if row["modality"] == modality:
                points.append({**head, "x": place + AFTER, "line": f"{modality} {row['group']}", "step": f"without {modality}"})
            elif not isinstance(row["modality"], str):
                points.append({**head, "x": place + BEFORE, "line": f"{modality} {row['group']}", "step": "all"})
    frame = pd.DataFrame(points)
    frame["word"] = [look.readable(color) for color in frame["ink"]]
    names = end_labels(frame[frame["x"] > len(modalities) - 1], "x", "group", limits, SLOPE_HEIGHT)
    # Names of modalities may be anything: as JSON they are a list of texts to the expression, and nothing else.
    said = f"{json.dumps([f'−{modality}' for modality in modalities])}[floor(datum.value)]"
    upright: dict[str, Any] = {"labelAngle": 0, "labelLimit": 90} if not crowded(modalities) else {**SLANTED, "labelAlign": "right", "labelLimit": 130}
    axis = alt.Axis(title=None, values=[place + 0.5 for place in range(len(modalities))], grid=False, **{**upright, "labelExpr": said})
    x = alt.X("x:Q", scale=alt.Scale(domain=[0, len(modalities) * 1.22], nice=False), axis=axis)
    y_scale = alt.Scale(domain=list(limits), nice=False, zero=False)
    base = alt.Chart(frame).encode(x=x, color=alt.Color("ink:N", scale=None))
    line = base.mark_line(strokeWidth=2.5).encode(y=alt.Y("value:Q", scale=y_scale, axis=decimal_axis("AUC", tickCount=5)), detail="line:N")
    rule = base.mark_rule(strokeWidth=1.2, opacity=0.5).encode(y=alt.Y("low:Q", scale=y_scale), y2="high:Q")
    dots = base.mark_point(size=60).encode(
        y=alt.Y("value:Q", scale=y_scale),
        tooltip=tooltips({"run": "Run", "step": "Modalities", "group": "Group", "shown": "AUC", "counts": "Positive / negative"}),
    )
    labels = (
        alt.Chart(names)
        .mark_text(align="left", dx=8, fontWeight=600)
        .encode(x=x, y=alt.Y("label_y:Q", scale=y_scale), text="group:N", color=alt.Color("word:N", scale=None))
    )
    return (rule + line + dots + labels).properties(width=width, height=SLOPE_HEIGHT)
