"""Calibration by group: the smooth curve with its band, and how many events came out for each one predicted."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np
import pandas as pd

from core.charts import grammar as alt
from core.charts import text
from core.charts.audit_forest import group_palette
from core.charts.figure import Figure, Panel, Width, nothing, panels_per_run, side_by_side
from core.charts.key import group_key, keyed_panels, present_groups
from core.charts.parts import agreement_square, colored, interval_texts, reference_line, smooth_curve, tooltips
from core.charts.theme import Look

SQUARE = 250
ROW = 42
LEAST_REACH = 0.5
"""The axis of O:E reaches at least from half to twice as many events as predicted."""
MOST_REACH = 0.1
"""... and at most from a tenth to tenfold: an interval beyond is cut there, with a mark."""
NOTES = (0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0)
TABLE = {"run": "Run", "group": "", "oe": "Observed / expected events", "oe_low": "Low", "oe_high": "High", "n_pos": "Positive", "n_neg": "Negative"}
MOST_GROUPS, FEW_BANDS = 8, 4
SHARE_OFF = 0.1
"""Share of a curve whose band must miss the diagonal before the group is named; a pointwise band misses some points by chance."""
NO_PROBABILITIES = "The scores of these runs are not probabilities, so calibration cannot be judged."


def curves(frame: pd.DataFrame, names: Mapping[str, str], groups: Sequence[str], attribute: str) -> Figure:
    """Observed against predicted risk, a smooth curve and its pointwise 95 % band per group, one panel per run.

    Parameters
    ----------
    frame : run_id, group, predicted, value, low, high, reason; a group without a curve has one row, with the reason.
    names : run id -> name of the run
    groups : of the attribute, in their order
    """
    if frame.empty:
        return nothing("calibration", NO_PROBABILITIES)
    rows = frame[frame["run_id"].isin(list(names))].copy()
    rows["run"] = rows["run_id"].map(dict(names))
    known = rows[rows["value"].notna()].copy()
    why = "; ".join(f"{group}: {reason}" for group, reason in rows[rows["value"].isna()].drop_duplicates("group")[["group", "reason"]].itertuples(index=False))
    if known.empty:
        return nothing("calibration", f"No group of {attribute} has enough positives and negatives for a calibration curve ({why}).")
    known["shown"] = interval_texts(known)
    known["expected"] = [text.decimal(v) for v in known["predicted"]]
    panels = keyed_panels(known, names, _curve_panel, groups)
    columns = {"run": "Run", "group": attribute, "predicted": "Predicted risk", "value": "Observed risk", "low": "Low", "high": "High"}
    title = _finding(known)
    return Figure(
        name="calibration", title=title, alt=f"Smooth calibration curves, a line with its band per group of {attribute}, one panel per run. {title}.",
        key=partial(group_key, present_groups(known, groups), groups), data=known[list(columns)], table=columns,
        panels=panels, columns=side_by_side(panels), terms=("calibration", "interval"),
        note="Lines: observed risk by a smooth fit; bands: 95 % at each point. Above the dashed line more happens than predicted, below it less."
             + (f" No curve for {why}." if why else ""),
    )  # fmt: skip


def _finding(known: pd.DataFrame) -> str:
    """Where the observed risk lies furthest from the predicted one, among points whose band leaves the diagonal out."""
    away = known[(known["low"] > known["predicted"]) | (known["high"] < known["predicted"])]
    if away.empty:
        return "No curve's band leaves the diagonal: predicted risks agree with what was observed, as far as this data tells"
    most = away.assign(off=(away["value"] - away["predicted"]).abs()).sort_values("off", kind="stable").iloc[-1]
    return (
        f"Furthest from the diagonal: {most['group']} under {most['run']}, where a risk of {text.decimal(most['predicted'], 2)} is predicted "
        f"and {text.interval(most['value'], most['low'], most['high'], 2)} observed"
    )


def _curve_panel(rows: pd.DataFrame, groups: Sequence[str], keyed: bool, look: Look, width: Width) -> Any:
    legend = alt.Legend(title=None, values=present_groups(rows, groups), columns=3, offset=34, symbolOpacity=1) if keyed else None
    color = colored("group", look.group_colors(groups), legend)
    x, y, diagonal = agreement_square(look, ("predicted", "Predicted risk"), ("value", "Observed risk"), grid=True)
    tips = tooltips({"run": "Run", "group": "Group", "expected": "Predicted risk", "shown": "Observed risk"})
    # Bands of many groups lie on each other: fainter, the lines stay to be told apart.
    band = 0.16 if len(present_groups(rows, groups)) <= FEW_BANDS else 0.06
    return alt.layer(diagonal, *smooth_curve(alt.Chart(rows).encode(x=x, color=color), y, tips, band)).properties(width=width, height=SQUARE)


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
        return nothing(name, f"No calibration curve: {text.listing(reasons)}." if reasons else "Calibration needs scores that are probabilities.")
    groups = [str(g) for g in dict.fromkeys(frame["group"])]
    shown = [g for g in groups if g in set(drawn["group"])][:MOST_GROUPS]
    off = []
    for group in shown:
        part = drawn[drawn["group"] == group]
        missed = (part["low"] > part["predicted"]) | (part["high"] < part["predicted"])
        if missed.mean() > SHARE_OFF:
            side = "too low" if (part.loc[missed, "observed"] > part.loc[missed, "predicted"]).mean() > 0.5 else "too high"
            off.append(f"{side} for {group}")
    title = f"Predicted risks are {text.listing(off)}." if off else "No group's observed risk is shown to differ from the predicted one."
    without = frame[frame["reason"].notna()]
    note = "Line: observed risk; shade: 95 % band, point by point; dashed: predicted and observed risk agree."
    if len(without):
        note += " No curve for " + "; ".join(f"{g} ({r})" for g, r in zip(without["group"], without["reason"], strict=True)) + "."
    panels = tuple(
        Panel(partial(_group_curve, drawn[drawn["group"] == g], g, groups), f"{g}, O:E {ratios[g]}" if ratios and ratios.get(g) else g) for g in shown
    )
    return Figure(
        name=name, title=title, alt=title, data=drawn.drop(columns="reason"), panels=panels, columns=2, terms=("calibration",), note=note,
    )  # fmt: skip


def _group_curve(part: pd.DataFrame, group: str, groups: list[str], look: Look, width: Width) -> Any:
    x, y, diagonal = agreement_square(look, ("predicted", "Predicted risk"), ("observed", "Observed risk"))
    told = part.assign(
        at=part["predicted"].map(text.decimal), shown=[text.interval(*row) for row in zip(part["observed"], part["low"], part["high"], strict=True)]
    )
    curve = smooth_curve(alt.Chart(told).encode(x=x), y, tooltips({"at": "predicted", "shown": "observed"}), color=group_palette(look, groups)[group])
    return alt.layer(diagonal, *curve).properties(width=width, height=190)


def observed_over_expected(frame: pd.DataFrame, names: Mapping[str, str], groups: Sequence[str], attribute: str) -> Figure:
    """Observed over expected events of each group with its 95 % interval, one panel per run.

    `frame`: run_id, group, oe, oe_low, oe_high, n_pos, n_neg; other columns and repeated groups are left aside.
    """
    if frame.empty:
        return nothing("observed-expected", NO_PROBABILITIES)
    rows = frame[frame["run_id"].isin(list(names)) & frame["oe"].notna()].drop_duplicates(["run_id", "group"]).copy()
    if rows.empty:
        return nothing("observed-expected", f"No group of {attribute} has enough positives and negatives to compare observed with predicted events.")
    rows["run"] = rows["run_id"].map(dict(names))
    rows["shown"] = [f"{v:.2f} [{low:.2f}, {high:.2f}]" for v, low, high in rows[["oe", "oe_low", "oe_high"]].itertuples(index=False)]
    rows["counts"] = [text.positives(p, n) for p, n in zip(rows["n_pos"], rows["n_neg"], strict=True)]
    reach = _reach(rows)
    for end in ("oe", "oe_low", "oe_high"):
        rows[f"{end}_drawn"] = rows[end].clip(*reach)
    panels = panels_per_run(rows, names, lambda own: partial(_ratio_panel, own, groups, reach))
    title = _ratio_finding(rows)
    cut = " Arrows: the interval goes on beyond the axis." if ((rows["oe_low"] < reach[0]) | (rows["oe_high"] > reach[1])).any() else ""
    columns = {**TABLE, "group": attribute}
    return Figure(
        name="observed-expected", title=title, alt=f"Observed over expected events by {attribute}, a row per group with its interval, one panel per run. "
                                                   f"{title}.",
        data=rows[list(columns)], table=columns, panels=panels, columns=side_by_side(panels), terms=("oe_ratio", "interval"),
        note=f"1, dashed: as many events as predicted; 2: twice as many. 95 % intervals, each group on its own.{cut}",
    )  # fmt: skip


def _reach(rows: pd.DataFrame) -> tuple[float, float]:
    """Ends of the axis, equally far from 1 on the logarithm."""
    ends = rows[["oe_low", "oe_high", "oe"]].to_numpy(dtype=float)
    logs = np.abs(np.log(ends[np.isfinite(ends) & (ends > 0)]))
    far = float(np.exp(-logs.max())) if logs.size else LEAST_REACH
    low = float(np.clip(far * 0.95, MOST_REACH, LEAST_REACH))
    return low, 1 / low


def _ratio_finding(rows: pd.DataFrame) -> str:
    off = rows[(rows["oe_low"] > 1) | (rows["oe_high"] < 1)]
    if off.empty:
        return "Observed events agree with the predicted ones in every group, within the intervals"
    most = off.iloc[int(np.abs(np.log(off["oe"].to_numpy(dtype=float))).argmax())]
    word = "more" if most["oe"] > 1 else "fewer"
    return f"{text.sentence(str(most['group']))} has {word} events than predicted under {most['run']}: {most['shown']} observed for each one expected"


def _ratio_panel(rows: pd.DataFrame, groups: Sequence[str], reach: tuple[float, float], look: Look, width: Width) -> Any:
    order = [g for g in groups if g in set(rows["group"])]
    y = alt.Y("group:N", sort=order, scale=alt.Scale(domain=order), axis=alt.Axis(title=None, labelColor=look.text, labelFontSize=13))
    x_scale = alt.Scale(type="log", domain=list(reach), nice=False)
    ticks = [v for v in NOTES if reach[0] <= v <= reach[1]]
    base = alt.Chart(rows).encode(y=y, color=colored("group", look.group_colors(groups)))
    tips = tooltips({"run": "Run", "group": "Group", "shown": "Observed / expected", "counts": "Positive / negative"})
    axis = alt.Axis(title="Observed / expected events", values=ticks, format="~g", grid=True)
    rule = base.mark_rule(strokeWidth=2.5).encode(x=alt.X("oe_low_drawn:Q", scale=x_scale), x2="oe_high_drawn:Q")
    dots = base.mark_point(size=110).encode(x=alt.X("oe_drawn:Q", scale=x_scale, axis=axis), tooltip=tips)
    words = base.mark_text(fontSize=11, dy=14).encode(x=alt.X("oe_drawn:Q", scale=x_scale), text="shown:N", color=alt.value(look.muted))
    # A number may stand on the dashed line: its ground is cleared first.
    ground = base.mark_text(fontSize=11, dy=14, stroke=look.background, strokeWidth=4, strokeJoin="round").encode(
        x=alt.X("oe_drawn:Q", scale=x_scale), text="shown:N", color=alt.value(look.background)
    )
    layers = [reference_line(look, 1.0, "x"), ground, rule, dots, words]
    for end, symbol, beyond in (("oe_low", "triangle-left", rows["oe_low"] < reach[0]), ("oe_high", "triangle-right", rows["oe_high"] > reach[1])):
        if beyond.any():
            part = alt.Chart(rows[beyond]).encode(y=y, color=colored("group", look.group_colors(groups)))
            layers.append(part.mark_point(shape=symbol, size=60).encode(x=alt.X(f"{end}_drawn:Q", scale=x_scale)))
    return alt.layer(*layers).properties(width=width, height=ROW * len(order))
