"""Clinical use of a score, group by group: decision curves and calibration."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from types import MappingProxyType
from typing import Any

import pandas as pd

from core.charts import grammar as alt
from core.charts.audit_forest import group_palette
from core.charts.audit_threshold import without
from core.charts.figure import Figure, Panel, Width, nothing
from core.charts.parts import agreement_square, decimal_axis, smooth_curve, tooltips
from core.charts.text import decimal, interval, listing
from core.charts.theme import Look

MOST_GROUPS = 8
HIGHEST = 0.8
"""Thresholds above this are left out of decision curves: odds explode and nothing is decided there."""
LINES = {"net_benefit": "by the score", "treat_all": "treat everybody", "treat_none": "treat nobody"}
FEW = 10


def decision_curves(frame: pd.DataFrame, too_small: Mapping[str, str] = MappingProxyType({})) -> Figure:
    """Net benefit over thresholds against treating everybody and nobody, a panel per group.

    Parameters
    ----------
    frame : columns group, threshold, net_benefit, treat_all, treat_none; one model and attribute.
    too_small : groups that cannot be judged, with the reason: they are not drawn, and said to be left out.
    """
    name = "decision_curves"
    part = frame[frame["threshold"] <= HIGHEST] if len(frame) else frame
    if part.empty or part["net_benefit"].notna().sum() == 0:
        return nothing(name, "Net benefit needs scores that are probabilities.")
    part, gone = without(part, too_small)
    if part.empty:
        return nothing(name, f"No group is large enough for its net benefit.{gone}")
    groups = list(dict.fromkeys(part["group"]))[:MOST_GROUPS]
    part = part[part["group"].isin(groups)]
    best = part[["treat_all", "treat_none"]].max(axis=1)
    useful = part.assign(gain=part["net_benefit"] - best)
    shares = useful.groupby("group", sort=False)["gain"].agg(lambda g: float((g > 0).mean()))
    low, high = str(shares.idxmin()), str(shares.idxmax())
    reach = {str(group): _range(useful[useful["group"] == group]) for group in groups}
    where = f"for {high} at {reach[high]}, for {low} at {reach[low]}"
    if len(set(reach.values())) == 1:
        where = f"for {'every group' if len(groups) > 1 else high} at {reach[high]}"
    title = f"Deciding by the score has more net benefit than treating everybody or nobody {where}."
    top = float(part["net_benefit"].max()) * 1.15
    long = part.melt(["group", "threshold"], list(LINES), var_name="rule", value_name="benefit").dropna()
    long["rule"] = long["rule"].map(LINES)
    long["shown"] = long["benefit"].map(decimal)
    long["at"] = long["threshold"].map(lambda t: decimal(t, 2))
    panels = tuple(Panel(partial(_decision, long[long["group"] == g], g, groups, top), str(g)) for g in groups)
    return Figure(
        name=name, title=title, alt=title, data=part[["group", "threshold", "net_benefit", "treat_all", "treat_none"]], panels=panels, columns=2,
        note="Solid: by the score. Dashed: everybody. Line at zero: nobody. Net benefit counts a false alarm as threshold / (1 − threshold) of a hit." + gone,
    )  # fmt: skip


def _range(group: pd.DataFrame) -> str:
    """The thresholds of one group at which it gains, in words that do not hide where it does not."""
    gains = group.loc[group["gain"] > 0, "threshold"]
    if gains.empty:
        return "no threshold"
    first, last = float(gains.min()), float(gains.max())
    between = int(group["threshold"].between(first, last).sum())
    some = "" if len(gains) == between else "most " if len(gains) > between / 2 else "some "
    return f"{some}thresholds from {decimal(first, 2)} to {decimal(last, 2)}"


def _decision(part: pd.DataFrame, group: str, groups: list[str], top: float, look: Look, width: Width) -> Any:
    color = group_palette(look, groups)[group]
    y = alt.Y("benefit:Q", scale=alt.Scale(domain=[-0.35 * top, top]), axis=decimal_axis("Net benefit", tickCount=5))
    x = alt.X("threshold:Q", scale=alt.Scale(domain=[0, HIGHEST]), axis=decimal_axis("Threshold", tickCount=5))
    base = alt.Chart(part).encode(x=x, y=y, tooltip=tooltips({"rule": "rule", "at": "threshold", "shown": "net benefit"}))
    nobody = base.transform_filter(alt.datum.rule == LINES["treat_none"]).mark_line(color=look.faint, strokeWidth=1)
    everybody = base.transform_filter(alt.datum.rule == LINES["treat_all"]).mark_line(color=look.muted, strokeDash=[5, 4], strokeWidth=1.4, clip=True)
    score = base.transform_filter(alt.datum.rule == LINES["net_benefit"]).mark_line(color=color, clip=True)
    return alt.layer(nobody, everybody, score).properties(width=width, height=190)


def reliability(frame: pd.DataFrame, smooth: pd.DataFrame | None = None) -> Figure:
    """Observed frequency against mean score, a panel per group: dots as large as their bins, over the smooth curve and its band.

    Parameters
    ----------
    frame : columns group, n, predicted, observed, low, high; one model and attribute.
    smooth : columns group, predicted, observed, low, high of the smooth curves; None or empty in documents made without.
    """
    name = "reliability"
    part = frame[frame["n"] > 0] if len(frame) else frame
    fitted = pd.DataFrame(columns=["group", "predicted", "observed", "low", "high"]) if smooth is None or smooth.empty else smooth.dropna(subset=["observed"])
    if part.empty and fitted.empty:
        return nothing(name, "Calibration needs scores that are probabilities, and ten samples of a group with about the same score.")
    every = list(dict.fromkeys([*part["group"], *([] if smooth is None or smooth.empty else smooth["group"])]))
    drawn = [group for group in every if group in {*part["group"], *fitted["group"]}]
    groups, bare = drawn[:MOST_GROUPS], [str(group) for group in every if group not in drawn]
    part = part[part["group"].isin(groups)].copy()
    part["shown"] = [interval(v, lo, hi) for v, lo, hi in zip(part["observed"], part["low"], part["high"], strict=True)]
    part["mean"] = part["predicted"].map(decimal)
    off = part[(part["n"] >= FEW) & ((part["low"] > part["predicted"]) | (part["high"] < part["predicted"]))]
    names = list(dict.fromkeys(off["group"]))
    title = (
        f"Predicted probabilities differ from the observed frequencies for {listing(names)}."
        if names
        else "No group's predicted probabilities are shown to differ from the observed frequencies."
    )
    panels = tuple(Panel(partial(_reliability, part[part["group"] == g], fitted[fitted["group"] == g], g, groups), str(g)) for g in groups)
    return Figure(
        name=name, title=title, alt=title, data=part[["group", "n", "predicted", "observed", "low", "high"]], panels=panels, columns=2,
        terms=("calibration", "ece"),
        note="On the dashed diagonal, the score is the frequency. Dots: bins of equal width, as large as their samples, with 95 % intervals."
             + (" Line and band: smooth fit, 95 % at each point." if len(fitted) else "")
             + (f" Not drawn: {listing(bare)}, with fewer than {FEW} samples in every bin." if bare else ""),
    )  # fmt: skip


def _reliability(part: pd.DataFrame, fitted: pd.DataFrame, group: str, groups: list[str], look: Look, width: Width) -> Any:
    color = group_palette(look, groups)[group]
    x, y, diagonal = agreement_square(look, ("predicted", "Mean score"), ("observed", "Observed frequency"))
    base = alt.Chart(part).encode(x=x, tooltip=tooltips({"mean": "mean score", "shown": "observed", "n": "samples"}))
    bars = base.mark_rule(color=color, strokeWidth=1.6, opacity=0.7).encode(y=alt.Y("low:Q", scale=alt.Scale(domain=[0, 1])), y2="high:Q")
    dots = base.mark_point(color=color).encode(y=y, size=alt.Size("n:Q", scale=alt.Scale(range=[25, 220]), legend=None))
    curve = smooth_curve(alt.Chart(fitted).encode(x=x), y, color=color) if len(fitted) else []
    return alt.layer(diagonal, *curve, bars, dots).properties(width=width, height=190)
