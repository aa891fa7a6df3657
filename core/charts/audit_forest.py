"""One metric, group by group: a dot with its interval, counts beside the name, everybody as a line."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import partial
from typing import Any

import pandas as pd

from core.charts import grammar as alt
from core.charts.figure import Figure, Panel, Width, nothing
from core.charts.group_names import group_order
from core.charts.many_groups import MOST_COLOURS, MOST_ROWS, drawn_groups, ranking, said
from core.charts.parts import HATCH, decimal_axis, domain, interval_texts, tooltips, with_gutter
from core.charts.text import decimal, interval, positives
from core.charts.theme import Look
from core.metrics.catalogue import CATALOGUE, short

ROW = 40
HALF_A_LABEL = 0.18
"""Of the width of a panel in a report: a label that would stand over the edge, on the names, stands this far inside it."""
MISSING_GROUPS = ("missing", "(missing)")


def group_palette(look: Look, groups: Iterable[str]) -> dict[str, str]:
    """Colours of groups in their fixed order; the group of missing values is grey and shifts nobody's colour."""
    known = group_order({str(g) for g in groups} - set(MISSING_GROUPS))
    # Beyond the palette a colour would stand for two groups; rows have their names.
    colors = look.group_colors(known) if len(known) <= MOST_COLOURS else dict.fromkeys(known, look.muted)
    return {**colors, **dict.fromkeys(MISSING_GROUPS, look.no_estimate)}


def metric_forest(groups: pd.DataFrame, overall: pd.DataFrame, attribute: str, metric: str, searched: Sequence[str] = (), chosen: str | None = None) -> Figure:
    """Forest plot of one attribute and metric, a panel per model.

    Parameters
    ----------
    groups : columns model, group, n_pos, n_neg, value, low, high, estimable, reason.
    overall : columns model, value: everybody together.
    attribute : name for people.
    metric : the metric's key.
    searched : of more than MOST_ROWS groups the lowest, the highest and these are drawn.
    chosen : the model that the title speaks of; the first one without it.
    """
    name = f"{metric}_by_group"
    place = {name: at for at, name in enumerate(group_order(set(groups["group"].astype(str)) - set(MISSING_GROUPS)))}
    frame = groups.sort_values("group", key=lambda names: names.astype(str).map(place).fillna(len(place)), kind="stable").reset_index(drop=True)
    known = frame["estimable"].astype(bool) & frame["value"].notna()
    if not known.any():
        return nothing(name, f"{short(metric)} cannot be estimated in any group by {attribute}: too few positives or negatives.")
    frame["known"] = known
    frame.loc[~known, ["value", "low", "high"]] = float("nan")
    frame["shown"] = interval_texts(frame)
    frame["counts"] = [positives(p, q) for p, q in zip(frame["n_pos"], frame["n_neg"], strict=True)]
    frame["label"] = frame["group"].astype(str) + "\n" + frame["counts"]
    frame["reason"] = frame["reason"].fillna("")
    models = list(dict.fromkeys(frame["model"]))
    limits = domain([frame["value"], frame["low"], frame["high"], overall["value"]])
    title = _finding(frame[known], attribute, metric, models[0] if chosen is None else chosen, len(models) > 1)
    values = "; ".join(f"{m}, {g}: {s}" for m, g, s in zip(frame["model"], frame["group"], frame["shown"], strict=True))
    drawn = drawn_groups(tuple(dict.fromkeys(frame["group"].astype(str))), ranking(frame), MOST_ROWS, searched)
    panels = []
    for model in models:
        part = frame[(frame["model"] == model) & frame["group"].astype(str).isin(drawn)]
        everybody = overall.loc[overall["model"] == model, "value"].dropna()
        line = float(everybody.iloc[0]) if len(everybody) else None
        panels.append(Panel(partial(_draw, part, frame, line, limits, metric), model if len(models) > 1 else ""))
    return Figure(
        name=name,
        title=title,
        alt=f"{title} {values}.",
        data=frame[["model", "group", "n_pos", "n_neg", "value", "low", "high", "reason"]],
        panels=tuple(panels),
        columns=2,
        terms=(*((metric,) if metric in ("auc", "tpr", "fpr", "ppv", "ece") else ()), "interval"),
        note="Dashed line: everybody together."
        + ("" if known.all() else " Hatched: too few positives or negatives to estimate.")
        + said(len(drawn), frame["group"].nunique()),
    )


def _finding(known: pd.DataFrame, attribute: str, metric: str, model: str, several: bool) -> str:
    part = known[known["model"] == model].sort_values("value", kind="stable")
    named = f"{model}: " if several else ""
    if len(part) < 2:
        return f"{named}{short(metric)} can be estimated in {'only one group' if len(part) else 'no group'} by {attribute}."
    low, high = part.iloc[0], part.iloc[-1]
    if decimal(low["value"]) == decimal(high["value"]):
        return f"{named}{short(metric)} is {decimal(low['value'])} in every group by {attribute}."
    first, second = (high, low) if metric in CATALOGUE and CATALOGUE[metric].better != "higher" else (low, high)
    word = "highest" if first is high else "lowest"
    other = "lowest" if first is high else "highest"
    return (
        f"{named}{short(metric)} is {word} for {first['group']}, {interval(first['value'], first['low'], first['high'])},"
        f" and {other} for {second['group']}, {interval(second['value'], second['low'], second['high'])}."
    )


def _draw(part: pd.DataFrame, whole: pd.DataFrame, line: float | None, limits: list[float], metric: str, look: Look, width: Width) -> Any:
    order = list(part["label"])
    colors = group_palette(look, whole["group"])
    axis = alt.Axis(title=None, labelExpr="split(datum.label, '\\n')", labelLineHeight=15, labelLimit=170, labelOffset=-7)
    room = HALF_A_LABEL * (limits[1] - limits[0])
    inside = part["value"].clip(limits[0] + room, limits[1] - room)
    base = alt.Chart(part.assign(color=[colors[str(g)] for g in part["group"]], words_at=inside)).encode(
        y=alt.Y("label:N", sort=order, scale=alt.Scale(domain=order), axis=axis),
        color=alt.Color("color:N", scale=None),
        tooltip=tooltips({"group": "group", "shown": short(metric), "counts": "positives / negatives", "reason": "note"}),
    )
    scale = alt.Scale(domain=limits, nice=False)
    known = base.transform_filter(alt.datum.known)
    x = alt.X("value:Q", scale=scale, axis=decimal_axis(short(metric), grid=True, gridColor=look.grid, values=[t for t in with_gutter(limits)[1] if t <= 1]))
    beside = alt.X("words_at:Q", scale=scale)
    layers: list[Any] = []
    if line is not None:
        layers.append(alt.Chart(pd.DataFrame({"line": [line]})).mark_rule(strokeDash=[4, 4], color=look.muted).encode(x=alt.X("line:Q", scale=scale)))
    words = known.mark_text(dy=-13, fontSize=11.5, color=look.text)
    # A word may stand on the dashed line: its ground is cleared first.
    layers.append(
        known.mark_text(dy=-13, fontSize=11.5, stroke=look.background, strokeWidth=4, strokeJoin="round").encode(
            x=beside, text="shown:N", color=alt.value(look.background)
        )
    )
    layers.append(known.mark_rule(strokeWidth=2.4).encode(x=alt.X("low:Q", scale=scale), x2="high:Q"))
    layers.append(known.mark_point(size=95).encode(x=x))
    layers.append(words.encode(x=beside, text="shown:N", color=alt.value(look.text)))
    unknown = base.transform_filter(~alt.datum.known)
    middle = (limits[0] + limits[1]) / 2
    layers.append(unknown.mark_point(shape=HATCH, size=260, filled=False, strokeWidth=1).encode(x=alt.datum(middle), color=alt.value(look.no_estimate)))
    return alt.layer(*layers).properties(width=width, height=alt.Step(ROW))
