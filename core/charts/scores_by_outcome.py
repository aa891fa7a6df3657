"""Predicted risks against what happened: smooth calibration curves with their bands, and how the scores of both outcomes lie."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any

import pandas as pd

from core.charts import grammar as alt
from core.charts.audit_forest import group_palette
from core.charts.figure import Figure, Panel, Width, nothing
from core.charts.parts import decimal_axis, tooltips
from core.charts.text import decimal, interval, listing
from core.charts.theme import Look

MOST_GROUPS = 8
SHARE_OFF = 0.1
"""Share of a curve whose band must miss the diagonal before the group is named; a pointwise band misses some points by chance."""
OUTCOMES = {1: "with the outcome", 0: "without it"}


def smooth_calibration(frame: pd.DataFrame, ratios: Mapping[str, str] | None = None) -> Figure:
    """Observed risk over predicted risk, a curve with its pointwise band per group.

    Parameters
    ----------
    frame : columns group, predicted, observed, low, high, reason (why a group has no curve); one model and attribute.
    ratios : what stands beside a group's name: its O:E with interval.
    """
    name = "smooth_calibration"
    drawn = frame[frame["observed"].notna()] if len(frame) else frame
    if drawn.empty:
        reasons = list(dict.fromkeys(frame["reason"].dropna())) if len(frame) else []
        return nothing(name, f"No calibration curve: {listing(reasons)}." if reasons else "Calibration needs scores that are probabilities.")
    groups = [str(g) for g in dict.fromkeys(frame["group"])]
    shown = [g for g in groups if g in set(drawn["group"])][:MOST_GROUPS]
    off = []
    for group in shown:
        part = drawn[drawn["group"] == group]
        missed = (part["low"] > part["predicted"]) | (part["high"] < part["predicted"])
        if missed.mean() > SHARE_OFF:
            side = "too low" if (part.loc[missed, "observed"] > part.loc[missed, "predicted"]).mean() > 0.5 else "too high"
            off.append(f"{side} for {group}")
    title = f"Predicted risks are {listing(off)}." if off else "No group's observed risk is shown to differ from the predicted one."
    without = frame[frame["reason"].notna()]
    note = "Line: observed risk; shade: 95 % band, point by point; dashed: predicted and observed risk agree."
    if len(without):
        note += " No curve for " + "; ".join(f"{g} ({r})" for g, r in zip(without["group"], without["reason"], strict=True)) + "."
    panels = tuple(Panel(partial(_smooth, drawn[drawn["group"] == g], g, groups), f"{g}, O:E {ratios[g]}" if ratios and ratios.get(g) else g) for g in shown)
    return Figure(
        name=name, title=title, alt=title, data=drawn.drop(columns="reason"), panels=panels, columns=2, terms=("calibration",), note=note,
    )  # fmt: skip


def _smooth(part: pd.DataFrame, group: str, groups: list[str], look: Look, width: Width) -> Any:
    color = group_palette(look, groups)[group]
    scale = alt.Scale(domain=[0, 1])
    x = alt.X("predicted:Q", scale=scale, axis=decimal_axis("Predicted risk", tickCount=5))
    y = alt.Y("observed:Q", scale=scale, axis=decimal_axis("Observed risk", tickCount=5))
    diagonal = (
        alt.Chart(pd.DataFrame({"a": [0.0, 1.0]}))
        .mark_line(color=look.faint, strokeDash=[4, 4], strokeWidth=1)
        .encode(x=alt.X("a:Q", scale=scale), y=alt.Y("a:Q", scale=scale))
    )
    told = part.assign(at=part["predicted"].map(decimal), shown=[interval(*row) for row in zip(part["observed"], part["low"], part["high"], strict=True)])
    base = alt.Chart(told).encode(x=x, tooltip=tooltips({"at": "predicted", "shown": "observed"}))
    band = base.mark_area(color=color, opacity=0.2).encode(y=alt.Y("low:Q", scale=scale), y2="high:Q")
    line = base.mark_line(color=color, strokeWidth=2).encode(y=y)
    return alt.layer(diagonal, band, line).properties(width=width, height=190)


def score_distribution(frame: pd.DataFrame, threshold: float | None = None) -> Figure:
    """Shares of the positives (above the line) and of the negatives (below it) by score, a panel per group.

    Parameters
    ----------
    frame : columns group, outcome (1, 0), bin_low, bin_high, n, share; one model and attribute.
    threshold : from which score on a prediction is positive, drawn where there is one.
    """
    name = "score_distribution"
    if frame.empty:
        return nothing(name, "No scores to show.")
    groups = [str(g) for g in dict.fromkeys(frame["group"])]
    shown = groups[:MOST_GROUPS]
    signed = frame.assign(height=frame["share"].where(frame["outcome"] == 1, -frame["share"]), outcome=frame["outcome"].map(OUTCOMES), base=0.0)
    signed["amount"] = signed["share"].map(lambda share: decimal(share, 2))
    ends = (float(frame["bin_low"].min()), float(frame["bin_high"].max()))
    top = float(frame["share"].max()) * 1.05
    title = "How the scores of those with and without the outcome lie in each group."
    panels = tuple(Panel(partial(_scores, signed[signed["group"] == g], g, groups, ends, top, threshold), g) for g in shown)
    return Figure(
        name=name, title=title, alt=title, data=frame, panels=panels, columns=2,
        note="Above the line: rows with the outcome; below it: rows without. Heights are shares of each."
             + ("" if threshold is None else " Dashed: the threshold."),
    )  # fmt: skip


def _scores(part: pd.DataFrame, group: str, groups: list[str], ends: tuple[float, float], top: float, threshold: float | None, look: Look, width: Width) -> Any:
    color = group_palette(look, groups)[group]
    x = alt.X("bin_low:Q", scale=alt.Scale(domain=list(ends)), axis=decimal_axis("Score", tickCount=5))
    y = alt.Y(
        "height:Q", scale=alt.Scale(domain=[-top, top]), axis=alt.Axis(title="Share", tickCount=5, format=".1f", labelExpr="replace(datum.label, /[-−]/, '')")
    )
    base = alt.Chart(part).encode(x=x, x2="bin_high:Q", y=y, y2="base:Q", tooltip=tooltips({"outcome": "outcome", "amount": "share", "n": "rows"}))
    with_it = base.transform_filter(alt.datum.outcome == OUTCOMES[1]).mark_bar(color=color)
    without = base.transform_filter(alt.datum.outcome == OUTCOMES[0]).mark_bar(color=color, opacity=0.45)
    layers = [with_it, without]
    if threshold is not None and ends[0] <= threshold <= ends[1]:
        at = pd.DataFrame({"t": [threshold]})
        layers.append(alt.Chart(at).mark_rule(color=look.muted, strokeDash=[4, 3]).encode(x=alt.X("t:Q", scale=alt.Scale(domain=list(ends)))))
    return alt.layer(*layers).properties(width=width, height=150)
