"""What every threshold does to each group: rates as the threshold slides."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from types import MappingProxyType
from typing import Any

import pandas as pd

from core.charts import grammar as alt
from core.charts.audit_forest import group_palette
from core.charts.figure import Figure, Width, nothing
from core.charts.group_names import group_order
from core.charts.key import keyed_panel
from core.charts.parts import colored, decimal_axis, tooltips
from core.charts.text import decimal, listing, percent
from core.charts.theme import Look
from core.metrics.catalogue import short

RATES = ("tpr", "fpr", "ppv", "selection_rate")
STRIP, AXIS_PIXELS = 96, 40


def sliding(frame: pd.DataFrame, attribute: str, threshold: float | None, too_small: Mapping[str, str] = MappingProxyType({})) -> Figure:
    """TPR, FPR, PPV and share selected of each group over all thresholds, a panel per rate.

    Parameters
    ----------
    frame : columns group, threshold, tpr, fpr, ppv, selection_rate; one model and attribute.
    threshold : where a line is drawn and the finding is read; None for neither.
    too_small : groups that cannot be judged, with the reason: they are not drawn, and said to be left out.
    """
    name = "sliding_threshold"
    if frame.empty:
        return nothing(name, "Rates over thresholds were not asked for.")
    frame, gone = without(frame, too_small)
    if frame.empty:
        return nothing(name, f"No group by {attribute} is large enough for its rates over thresholds.{gone}")
    groups = list(group_order(set(frame["group"])))
    long = frame.melt(["group", "threshold"], list(RATES), var_name="rate", value_name="value").dropna(subset=["value"])
    long["value"] = long["value"].astype(float)
    long["shown"], long["at"] = long["value"].map(decimal), long["threshold"].map(decimal)
    title = _finding(frame, attribute, threshold)
    limits = [float(frame["threshold"].min()), float(frame["threshold"].max())]
    panels = tuple(keyed_panel(_draw, (long[long["rate"] == rate], groups, limits, threshold), short(rate)) for rate in RATES)
    return Figure(
        name=name, title=title, alt=title, data=frame[["group", "threshold", *RATES]], panels=panels, columns=1, key=partial(_key, groups),
        terms=("threshold", "tpr", "fpr", "ppv", "selected"),
        note="Rates at each threshold as they are in this data; their intervals are those of the estimates at the operating point." + gone,
    )  # fmt: skip


def without(frame: pd.DataFrame, too_small: Mapping[str, str]) -> tuple[pd.DataFrame, str]:
    """The rows of the other groups, and what to say of these."""
    gone = [group for group in dict.fromkeys(frame["group"]) if group in too_small]
    said = f" Not drawn: {listing([f'{group} ({too_small[group]})' for group in gone])}." if gone else ""
    return frame[~frame["group"].isin(gone)], said


def at_threshold(frame: pd.DataFrame, threshold: float) -> pd.DataFrame:
    """Each group's row at the frame's threshold next above the given one (the highest, beyond it): group, threshold, rates, selected.

    The operating point's threshold is among the frame's.
    """
    above = frame[frame["threshold"] >= threshold - 1e-12]
    rows = above if len(above) else frame
    pick = rows.groupby("group", sort=False)["threshold"].transform("min" if len(above) else "max")
    return rows[rows["threshold"] == pick].reset_index(drop=True)


def _finding(frame: pd.DataFrame, attribute: str, threshold: float | None) -> str:
    if threshold is None:
        return f"How the rates of groups by {attribute} move with the threshold."
    here = at_threshold(frame, threshold).dropna(subset=["tpr"])
    if len(here) < 2:
        return f"At a threshold of {decimal(threshold, 2)} the sensitivity of fewer than two groups by {attribute} is known."
    ordered = here.sort_values("tpr", kind="stable")
    group, tpr = list(ordered["group"]), [float(v) for v in ordered["tpr"]]
    if percent(tpr[0]) == percent(tpr[-1]):
        return f"At a threshold of {decimal(threshold, 2)}, {percent(tpr[0])} of the positives of every group are found."
    return (
        f"At a threshold of {decimal(threshold, 2)}, {percent(tpr[0])} of the positives of {group[0]} are found and {percent(tpr[-1])} of those of {group[-1]}."
    )


def _key(groups: list[str], look: Look) -> dict[str, str]:
    colors = group_palette(look, groups)
    return {group: colors[group] for group in groups}


def _draw(part: pd.DataFrame, groups: list[str], limits: list[float], threshold: float | None, keyed: bool, look: Look, width: Width) -> Any:
    x = alt.X("threshold:Q", scale=alt.Scale(domain=limits, nice=False), axis=decimal_axis("Threshold", tickCount=8))
    # As wide as the slider's own margin on the page, so that its thumb stands over the line.
    y = alt.Y("value:Q", scale=alt.Scale(domain=[0, 1]), axis=decimal_axis("", tickCount=3, minExtent=AXIS_PIXELS, maxExtent=AXIS_PIXELS))
    legend = alt.Legend(title=None, values=groups, columns=3) if keyed else None
    tips = tooltips({"group": "group", "at": "threshold", "shown": "rate"})
    lines = alt.Chart(part).mark_line().encode(x=x, y=y, color=colored("group", group_palette(look, groups), legend), tooltip=tips)
    if threshold is None or not limits[0] <= threshold <= limits[1]:
        return lines.properties(width=width, height=STRIP)
    rule = alt.Chart(pd.DataFrame({"threshold": [threshold]})).mark_rule(strokeDash=[4, 4], color=look.muted).encode(x="threshold:Q")
    return alt.layer(lines, rule).properties(width=width, height=STRIP)
