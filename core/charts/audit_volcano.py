"""Every group and subgroup against all others at once: how large the difference is against how sure it is."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np
import pandas as pd

from core.charts import grammar as alt
from core.charts.figure import Figure, Panel, Width, nothing
from core.charts.parts import decimal_axis, domain, tooltips
from core.charts.text import count, decimal, listing, p_value, plural
from core.charts.theme import Look
from core.metrics.catalogue import short

MOST = 2000
NAMED = 3
FLOOR = 1e-12


def volcano(rest: pd.DataFrame, metric: str, alpha: float = 0.05) -> Figure:
    """One dot per group of an attribute or intersection, against all others of it together.

    Parameters
    ----------
    rest : columns attribute, group, metric, n, difference, p, p_adjusted, worth_a_look; all metrics of one model.
        `p_adjusted` is corrected over all rows.
    metric : the metric to draw.
    alpha : the line above which evidence counts.
    """
    name = f"{metric}_volcano"
    tested = rest.dropna(subset=["difference", "p_adjusted"])
    frame = tested[tested["metric"] == metric]
    if frame.empty:
        return nothing(name, f"No group has enough data to compare its {short(metric)} with that of all others.")
    groups = len(frame)
    frame = frame.sort_values("p_adjusted", kind="stable").head(MOST)
    frame = frame.assign(
        evidence=-np.log10(frame["p_adjusted"].clip(lower=FLOOR)), shown=[decimal(d, signed=True) for d in frame["difference"]],
        p_text=[p_value(p) for p in frame["p_adjusted"]], size=[count(n) for n in frame["n"]],
        who=frame["attribute"].astype(str) + " = " + frame["group"].astype(str),
        strong=frame["worth_a_look"].astype(bool),
    )  # fmt: skip
    strong = frame[frame["strong"]]
    first = frame.iloc[0]
    what = f"{short(metric)} against all others, corrected for {plural(len(tested), 'test')}"
    if len(strong):
        title = (
            f"{plural(len(strong), 'group')} of {count(groups)} {'is' if len(strong) == 1 else 'are'} worth a look in {what}: "
            f"{listing(list(strong['who'].head(NAMED)))}{' first' if len(strong) > NAMED else ''}."
        )
    else:
        title = f"None of {plural(groups, 'group')} stands out in {what}; the strongest is {first['who']}: {first['shown']}, {first['p_text']}."
    columns = ["attribute", "group", "n", "difference", "p", "p_adjusted", "worth_a_look"]
    return Figure(
        name=name,
        title=title,
        alt=title,
        data=frame[columns],
        panels=(Panel(partial(_draw, frame, _apart(strong) if len(strong) else frame.head(1), alpha, metric)),),
        note=f"Above the dashed line: adjusted p below {decimal(alpha, 2)}, corrected over every group, intersection and metric that was "
        "tested. Coloured: beyond the tolerance as well.",
    )


def _apart(strong: pd.DataFrame) -> pd.DataFrame:
    """The strongest groups whose names do not run into each other."""
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
    x = alt.X("difference:Q", scale=alt.Scale(domain=[-reach, reach]), axis=decimal_axis(f"Difference in {short(metric)}", grid=True, tickCount=7))
    y = alt.Y(
        "evidence:Q",
        scale=alt.Scale(domain=[0, max(2.0, float(frame["evidence"].max()) * 1.12)]),
        axis=alt.Axis(title="Evidence (−log10 adjusted p)", tickCount=5),
    )
    base = alt.Chart(frame).encode(x=x, y=y, tooltip=tooltips({"who": "group", "size": "rows", "shown": "difference to all others", "p_text": "adjusted"}))
    dots = base.mark_point(size=55, opacity=0.75).encode(color=alt.condition(alt.datum.strong, alt.value(look.worse), alt.value(look.faint)))
    line = alt.Chart(pd.DataFrame({"y": [-np.log10(alpha)]})).mark_rule(strokeDash=[4, 4], color=look.muted).encode(y="y:Q")
    zero = alt.Chart(pd.DataFrame({"x": [0.0]})).mark_rule(color=look.grid).encode(x="x:Q")
    labels = alt.Chart(named).mark_text(align="center", dy=-11, fontSize=11, color=look.text).encode(x=x, y=y, text="who:N")
    return alt.layer(zero, line, dots, labels).properties(width=width, height=300)
