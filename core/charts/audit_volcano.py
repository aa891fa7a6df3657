"""All comparisons of subgroups at once: how large the difference is against how sure it is."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np
import pandas as pd

from core.charts import grammar as alt
from core.charts.audit_matrix import metric_name
from core.charts.figure import Figure, Panel, Width, nothing
from core.charts.parts import decimal_axis, domain, tooltips
from core.charts.text import decimal, interval, p_value, plural
from core.charts.theme import Look

MOST = 2000
NAMED = 3
FLOOR = 1e-12


def volcano(tests: pd.DataFrame, metric: str, alpha: float = 0.05) -> Figure:
    """One dot per pair of subgroups.

    Parameters
    ----------
    tests : columns attribute, group_a, group_b, difference, low, high, p, p_adjusted; one model and
        metric. `p_adjusted` is corrected over everything that was tested.
    alpha : the line above which evidence counts.
    """
    name = f"{metric}_volcano"
    frame = tests.dropna(subset=["difference", "p_adjusted"]).copy()
    if frame.empty:
        return nothing(name, f"No two subgroups have enough data to compare their {metric_name(metric)}.")
    tested = len(frame)
    frame = frame.sort_values("p_adjusted", kind="stable").head(MOST)
    frame["evidence"] = -np.log10(frame["p_adjusted"].clip(lower=FLOOR))
    frame["pair"] = frame["group_a"].astype(str) + " against " + frame["group_b"].astype(str)
    frame["shown"] = [interval(d, lo, hi, signed=True) for d, lo, hi in zip(frame["difference"], frame["low"], frame["high"], strict=True)]
    frame["p_text"] = [p_value(p) for p in frame["p_adjusted"]]
    frame["strong"] = frame["p_adjusted"] < alpha
    strong = int(frame["strong"].sum())
    first = frame.iloc[0]
    title = (
        f"{plural(strong, 'pair')} of {plural(tested, 'comparison')} {'stands' if strong == 1 else 'stand'} out in {metric_name(metric)} after correction"
        if strong
        else f"None of {plural(tested, 'comparison')} of {metric_name(metric)} stands out after correction"
    )
    title += f"; the strongest is {first['pair']}: {decimal(first['difference'], signed=True)}, {first['p_text']}."
    named = _apart(frame[frame["strong"]])
    columns = ["attribute", "group_a", "group_b", "difference", "low", "high", "p", "p_adjusted"]
    return Figure(
        name=name,
        title=title,
        alt=title,
        data=frame[columns],
        panels=(Panel(partial(_draw, frame, named, alpha, metric)),),
        note=f"Above the dashed line: adjusted p below {decimal(alpha, 2)}, corrected over everything that was tested.",
    )


def _apart(strong: pd.DataFrame) -> pd.DataFrame:
    """The strongest pairs whose names do not run into each other."""
    kept: list[int] = []
    wide, high = np.ptp(strong["difference"]) if len(strong) else 0.0, float(strong["evidence"].max()) if len(strong) else 0.0
    places = strong[["difference", "evidence"]].to_numpy(dtype=float)
    for index, (x, y) in enumerate(places):
        if all(abs(x - places[k][0]) > 0.55 * wide or abs(y - places[k][1]) > 0.12 * high for k in kept):
            kept.append(index)
        if len(kept) == NAMED:
            break
    return strong.iloc[kept]


def _draw(frame: pd.DataFrame, named: pd.DataFrame, alpha: float, metric: str, look: Look, width: Width) -> Any:
    limits = domain([frame["difference"]], include=[0.0])
    reach = max(abs(limits[0]), abs(limits[1]))
    x = alt.X("difference:Q", scale=alt.Scale(domain=[-reach, reach]), axis=decimal_axis(f"difference in {metric_name(metric)}", grid=True, tickCount=7))
    y = alt.Y("evidence:Q", scale=alt.Scale(domain=[0, max(2.0, float(frame["evidence"].max()) * 1.12)]), axis=alt.Axis(title="evidence (−log10 adjusted p)", tickCount=5))
    base = alt.Chart(frame).encode(x=x, y=y, tooltip=tooltips({"pair": "pair", "attribute": "attribute", "shown": "difference", "p_text": "adjusted"}))
    dots = base.mark_point(size=55, opacity=0.75).encode(color=alt.condition(alt.datum.strong, alt.value(look.worse), alt.value(look.no_estimate)))
    line = alt.Chart(pd.DataFrame({"y": [-np.log10(alpha)]})).mark_rule(strokeDash=[4, 4], color=look.muted).encode(y="y:Q")
    zero = alt.Chart(pd.DataFrame({"x": [0.0]})).mark_rule(color=look.grid).encode(x="x:Q")
    labels = alt.Chart(named).mark_text(align="center", dy=-11, fontSize=11, color=look.text).encode(x=x, y=y, text="pair:N")
    return alt.layer(zero, line, dots, labels).properties(width=width, height=300)
