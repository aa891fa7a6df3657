"""Every verdict at once: attributes down, metrics across, the strongest evidence first."""

from __future__ import annotations

from functools import partial
from typing import Any

import pandas as pd

from core.charts import grammar as alt
from core.charts.figure import Figure, Panel, Width, nothing
from core.charts.parts import HATCH, tooltips
from core.charts.text import decimal, listing, missing, p_value, plural
from core.charts.theme import Look, ink_over, rgb
from core.metrics.catalogue import CATALOGUE, short

DISPARITY, NONE, UNKNOWN = "disparity", "no disparity found", "not enough data"
WORDS = {DISPARITY: "disparity", NONE: "none found", UNKNOWN: "not enough data"}
CELL = 46


def verdict_matrix(verdicts: pd.DataFrame, model: str = "") -> Figure:
    """Cells coloured by verdict with the gap in them.

    Parameters
    ----------
    verdicts : columns attribute, metric, verdict, reason, evidence (-log10 p), p, gap, and primary (asked beforehand; all where it is absent); one model.
    model : its name, where several stand beside one another.
    """
    name = "verdicts"
    if verdicts.empty:
        return nothing(name, "No attribute was audited: choose at least one that splits the rows into two groups.")
    frame = verdicts.copy()
    # Nothing is bolder than a disparity: verdicts come first, the evidence within them second.
    rank = {DISPARITY: 2, NONE: 1, UNKNOWN: 0}
    frame["_rank"] = frame["verdict"].map(rank)
    frame["_evidence"] = frame["evidence"].fillna(-1.0)
    score = frame.assign(key=[(r == 2) * 1000.0 + e for r, e in zip(frame["_rank"], frame["_evidence"], strict=True)])
    attributes = list(score.groupby("attribute", sort=False)["key"].max().sort_values(ascending=False, kind="stable").index)
    metrics = [m for m in CATALOGUE if m in set(frame["metric"])]
    metrics += [m for m in dict.fromkeys(frame["metric"]) if m not in metrics]
    frame["metric_name"] = frame["metric"].map(short)
    frame["shown"] = [decimal(gap) if not missing(gap) else "" for gap in frame["gap"]]
    frame["gap_text"] = [decimal(gap) for gap in frame["gap"]]
    frame["p_text"] = [p_value(p) for p in frame["p"]]
    title, asked = (f"{model}: " if model else "") + _finding(frame), _asked(frame)
    return Figure(
        name=name,
        title=title,
        alt=f"{title} " + "; ".join(f"{a}, {m}: {WORDS[v]}" for a, m, v in zip(frame["attribute"], frame["metric_name"], frame["verdict"], strict=True)) + ".",
        data=frame[["attribute", "metric", "verdict", "gap", "evidence", "p", "reason"]],
        panels=(Panel(partial(_draw, frame, attributes, [short(m) for m in metrics])),),
        terms=("max_gap",),
        note="Orange with a dark edge: disparity. Blue: none found. Hatched: not enough data. Numbers: largest observed gap between groups. "
        f"Attributes with the strongest evidence first.{asked}",
    )


def _asked(frame: pd.DataFrame) -> str:
    """Which columns answer what was asked beforehand, where others stand beside them."""
    if "primary" not in frame or frame["primary"].all() or not frame["primary"].any():
        return ""
    names = listing(list(dict.fromkeys(frame.loc[frame["primary"], "metric_name"])), 6)
    return f" Asked beforehand: {names}; the rest is exploratory."


def _finding(frame: pd.DataFrame) -> str:
    if "primary" not in frame or frame["primary"].all() or not frame["primary"].any():
        return _counted(frame)
    asked, rest = frame[frame["primary"]], frame[~frame["primary"]]
    return f"Asked beforehand: {_briefly(asked)}. Exploratory: {_briefly(rest)}."


def _briefly(frame: pd.DataFrame) -> str:
    """`1 disparity (race), 2 within the tolerance, 3 open`; what there is none of is left out."""
    real, clear, open_ = (frame[frame["verdict"] == word] for word in (DISPARITY, NONE, UNKNOWN))
    by = f" ({listing(list(dict.fromkeys(real['attribute'])))})"
    parts = [f"{plural(len(real), 'disparity', 'disparities')}{by}" if len(real) else "", f"{len(clear)} within the tolerance" if len(clear) else "",
             f"{len(open_)} without enough data" if len(open_) else ""]  # fmt: skip
    return ", ".join(part for part in parts if part)


def _counted(frame: pd.DataFrame) -> str:
    real = frame[frame["verdict"] == DISPARITY]
    clear = int((frame["verdict"] == NONE).sum())
    open_ = int((frame["verdict"] == UNKNOWN).sum())
    if len(real):
        by = listing(list(dict.fromkeys(real["attribute"])))
        return (
            f"{plural(len(real), 'disparity', 'disparities')} ({by}); "
            f"{plural(clear, 'gap')} {'is' if clear == 1 else 'are'} shown to lie within the tolerance, and for {open_} there is not enough data."
        )
    if clear == len(frame):
        return "No disparity: every gap is shown to lie within the tolerance."
    if not clear:
        return f"No disparity is shown, and none is ruled out: there is not enough data for any of the {len(frame)} gaps."
    return f"No disparity is shown: {clear} of {len(frame)} gaps are shown to lie within the tolerance, and for {open_} there is not enough data."


def _draw(frame: pd.DataFrame, attributes: list[str], metrics: list[str], look: Look, width: Width) -> Any:
    base = alt.Chart(frame).encode(
        x=alt.X(
            "metric_name:N",
            sort=metrics,
            axis=alt.Axis(title=None, orient="top", labelAngle=-38, labelAlign="left", domain=False, labelLimit=90, labelOverlap=False),
        ),
        y=alt.Y("attribute:N", sort=attributes, axis=alt.Axis(title=None, labelLimit=170)),
        tooltip=tooltips(
            {"attribute": "attribute", "metric_name": "metric", "verdict": "verdict", "gap_text": "largest gap", "p_text": "evidence", "reason": "why"}
        ),
    )
    known = base.transform_filter(alt.FieldOneOfPredicate("verdict", [DISPARITY, NONE]))
    unknown = base.transform_filter(alt.datum.verdict == UNKNOWN)
    look_up = alt.Scale(domain=[DISPARITY, NONE], range=[look.worse, look.better])
    cells = known.mark_rect(cornerRadius=4, stroke=look.background, strokeWidth=3).encode(color=alt.Color("verdict:N", scale=look_up, legend=None))
    # In black and white both colours are the same grey.
    edges = base.transform_filter(alt.datum.verdict == DISPARITY).mark_rect(cornerRadius=4, filled=False, stroke=look.text, strokeWidth=2)
    inks = [alt.value(ink_over(rgb(color))) for color in (look.worse, look.better)]
    numbers = known.mark_text(fontSize=12, fontWeight=600).encode(text="shown:N", color=alt.condition(alt.datum.verdict == DISPARITY, *inks))
    blank = unknown.mark_rect(cornerRadius=4, stroke=look.background, strokeWidth=3, color=look.neutral)
    hatched = unknown.mark_point(shape=HATCH, size=380, filled=False, stroke=look.no_estimate, strokeWidth=1)
    # What was observed stands there as well: without a verdict it is an estimate all the same.
    halo = unknown.mark_text(fontSize=11, stroke=look.neutral, strokeWidth=5, strokeJoin="round").encode(text="shown:N", color=alt.value(look.neutral))
    observed = unknown.mark_text(fontSize=11).encode(text="shown:N", color=alt.value(look.text))
    return alt.layer(blank, hatched, halo, observed, cells, edges, numbers).properties(width=width, height=alt.Step(CELL))
