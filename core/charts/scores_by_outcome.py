"""How the scores of both outcomes lie, group by group."""

from __future__ import annotations

from functools import partial
from typing import Any

import pandas as pd

from core.charts import grammar as alt
from core.charts.audit_forest import group_palette
from core.charts.figure import Figure, Panel, Width, nothing
from core.charts.parts import decimal_axis, tooltips
from core.charts.text import decimal
from core.charts.theme import Look

MOST_GROUPS = 8
OUTCOMES = {1: "with the outcome", 0: "without it"}


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
