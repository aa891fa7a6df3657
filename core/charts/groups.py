"""Who is served worse: group AUCs as a forest, the gap on its null, ROC and calibration."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

import pandas as pd

from core.charts import grammar as alt
from core.charts import text
from core.charts.figure import Figure, Panel, Width, nothing
from core.charts.parts import colored, decimal_axis, domain, interval_texts, reference_line, tooltips, with_gutter
from core.charts.theme import Look

ROW = 34
SQUARE = 250


def forest(frame: pd.DataFrame, names: Mapping[str, str], groups: Sequence[str], attribute: str) -> Figure:
    """Groups down, AUC and interval across, counts at the right; one panel per run.

    `frame`: run_id, group (missing: everybody), value, low, high, n_pos, n_neg, reason.
    """
    rows = frame[frame["run_id"].isin(list(names))].copy()
    if rows.empty or rows["value"].notna().sum() == 0:
        return nothing("group-auc", f"No group of {attribute} has enough positives and negatives in the test split for an AUC.")
    rows["run"] = rows["run_id"].map(dict(names))
    rows["who"] = rows["group"].fillna("everybody")
    rows["shown"] = interval_texts(rows)
    rows["counts"] = [text.positives(p, n) for p, n in zip(rows["n_pos"], rows["n_neg"], strict=True)]
    rows["why"] = [reason if isinstance(reason, str) else "" for reason in rows["reason"]]
    limits = domain([rows["low"], rows["high"], rows["value"]])
    limits = [max(0.0, limits[0]), min(1.0, limits[1])]
    columns = {"run": "Run", "who": attribute, "value": "AUC", "low": "Low", "high": "High", "n_pos": "Positive", "n_neg": "Negative", "why": "Why not estimable"}
    panels = tuple(Panel(partial(_forest_panel, rows[rows["run_id"] == run_id].reset_index(drop=True), groups, limits), name) for run_id, name in names.items() if (rows["run_id"] == run_id).any())
    title = forest_finding(rows, names)
    return Figure(
        name="group-auc", title=title, alt=f"Forest plot of AUC by {attribute}, a row per group with its interval and counts, one panel per run. {title}.",
        data=rows[list(columns)], table=columns, panels=panels, columns=min(3, max(1, len(panels))), terms=("group_auc", "interval"),
        note="Test split, 95 % intervals. The line is the AUC of everybody. At the right: positives and negatives. Hatched: too few for an estimate.",
    )  # fmt: skip


def forest_finding(rows: pd.DataFrame, names: Mapping[str, str]) -> str:
    """Lowest against highest group of the run with the widest gap."""
    best: tuple[float, str] = (-1.0, "No two groups can be compared")
    for run_id, name in names.items():
        known = rows[(rows["run_id"] == run_id) & rows["group"].notna() & rows["value"].notna()].sort_values("value")
        if len(known) < 2:
            continue
        low, high = known.iloc[0], known.iloc[-1]
        gap = float(high["value"] - low["value"])
        if gap > best[0]:
            best = gap, f"{low['group']} is served worst under {name}: {text.decimal(low['value'])} against {text.decimal(high['value'])} for {high['group']}"
    return text.sentence(best[1])


def _forest_panel(rows: pd.DataFrame, groups: Sequence[str], limits: list[float], look: Look, width: Width) -> Any:
    order = [*groups, "everybody"]
    colors = {**look.group_colors(groups), "everybody": look.text}
    y = alt.Y("who:N", sort=order, scale=alt.Scale(domain=order), axis=alt.Axis(title=None, labelColor=look.text, labelFontSize=13))
    wide, ticks = with_gutter(limits, right=0.55)
    x_scale = alt.Scale(domain=wide, nice=False, zero=False)
    known = alt.Chart(rows[rows["value"].notna()]).encode(y=y, color=colored("who", colors))
    unknown = alt.Chart(rows[rows["value"].isna()]).encode(y=y)
    tips = tooltips({"run": "Run", "who": "Group", "shown": "AUC", "counts": "Positive / negative", "why": "Note"})
    rule = known.mark_rule(strokeWidth=2.5).encode(x=alt.X("low:Q", scale=x_scale), x2="high:Q")
    dots = known.mark_point(size=110).encode(x=alt.X("value:Q", scale=x_scale, axis=decimal_axis("AUC", values=ticks, grid=True)), tooltip=tips)
    missing = unknown.mark_text(align="left", text="╱╱ not estimable", color=look.no_estimate, fontSize=12).encode(x=alt.value(6), tooltip=tips)
    counts = alt.Chart(rows).mark_text(align="right", fontSize=12, color=look.muted).encode(y=y, x=alt.value("width"), text="counts:N", tooltip=tips)
    numbers = known.mark_text(fontSize=11, dy=13, color=look.muted).encode(x=alt.X("value:Q", scale=x_scale), text="label:N", color=alt.value(look.muted)).transform_calculate(
        label="replace(format(datum.value, '.3f'), /^0/, '')"
    )
    halo = known.mark_text(fontSize=11, dy=13, stroke=look.background, strokeWidth=4, strokeJoin="round").encode(x=alt.X("value:Q", scale=x_scale), text="label:N", color=alt.value(look.background)).transform_calculate(
        label="replace(format(datum.value, '.3f'), /^0/, '')"
    )
    whole = rows[rows["group"].isna() & rows["value"].notna()]
    layers = [reference_line(look, float(whole["value"].iloc[0]), "x")] if not whole.empty else []
    return alt.layer(*layers, halo, rule, dots, numbers, missing, counts).properties(width=width, height=(ROW + 8) * len(order))


def gap_null(frame: pd.DataFrame, names: Mapping[str, str], attribute: str) -> Figure:
    """The observed gap on the histogram of gaps under shuffled group labels, per run.

    `frame`: run_id, left, right, share, observed, p, q95, permutations.
    """
    if frame.empty:
        return nothing("gap-null", f"Fewer than two groups of {attribute} have enough positives and negatives, so there is no gap to test.")
    rows = frame[frame["run_id"].isin(list(names))].copy()
    rows["run"] = rows["run_id"].map(dict(names))
    rows["shown"] = [text.percent(v, 1) for v in rows["share"]]
    rows["range"] = [f"{text.decimal(a)} to {text.decimal(b)}" for a, b in zip(rows["left"], rows["right"], strict=True)]
    heads = rows.drop_duplicates("run_id").to_dict("records")
    parts = [f"{text.decimal(h['observed'])} under {h['run']} ({text.p_value(h['p'])})" for h in heads]
    real = sum(1 for h in heads if h["p"] is not None and h["p"] < 0.05)
    lead = "The gap is beyond chance" if real == len(heads) else "The gap could be chance" if real == 0 else "The gap is beyond chance for some"
    title = f"{lead}: {text.listing(parts, 4)}"
    top, right = float(rows["share"].max()), 1.05 * max(float(rows["right"].max()), float(rows["observed"].max()))
    panels = tuple(Panel(partial(_null_panel, rows[rows["run_id"] == run_id].reset_index(drop=True), top, right), name) for run_id, name in names.items() if (rows["run_id"] == run_id).any())
    columns = {"run": "Run", "left": "Gap from", "right": "Gap to", "share": "Share of shuffles", "observed": "Observed gap", "p": "p", "q95": "95 % quantile", "permutations": "Shuffles"}
    return Figure(
        name="gap-null", title=title, alt=f"Histogram of the gap between group AUCs when group labels are shuffled, with the observed gap as a line, one panel per run. {title}.",
        data=rows[list(columns)], table=columns, panels=panels, columns=min(3, max(1, len(panels))), terms=("max_gap", "null", "p"),
        note=f"Grey: gaps that chance gives with these group sizes ({text.count(heads[0]['permutations'])} shuffles). The line is the gap observed.",
    )  # fmt: skip


def _null_panel(rows: pd.DataFrame, top: float, right: float, look: Look, width: Width) -> Any:
    head = rows.iloc[0]
    beyond = head["p"] is not None and head["p"] < 0.05
    x_scale = alt.Scale(domain=[0, right], nice=False)
    bars = alt.Chart(rows).mark_rect(color=look.no_estimate, opacity=0.65).encode(
        x=alt.X("left:Q", scale=x_scale, axis=decimal_axis("Gap between group AUCs", tickCount=5)), x2="right:Q",
        y=alt.Y("share:Q", scale=alt.Scale(domain=[0, top * 1.15]), axis=None), y2=alt.datum(0),
        tooltip=tooltips({"run": "Run", "range": "Gap", "shown": "Share of shuffles"}),
    )  # fmt: skip
    mark = pd.DataFrame({"at": [head["observed"]], "words": [f"observed {text.decimal(head['observed'])}"]})
    color = look.worse if beyond else look.better
    late = head["observed"] > 0.6 * right
    line = alt.Chart(mark).mark_rule(color=color, strokeWidth=2.5).encode(x=alt.X("at:Q", scale=x_scale))
    words = alt.Chart(mark).mark_text(align="right" if late else "left", dx=-7 if late else 7, baseline="top", fontWeight=600, color=color).encode(x=alt.X("at:Q", scale=x_scale), y=alt.value(0), text="words:N")
    return (bars + line + words).properties(width=width, height=150)


def roc(frame: pd.DataFrame, names: Mapping[str, str], groups: Sequence[str], attribute: str) -> Figure:
    """ROC curve of each group, one panel per run. `frame`: run_id, group, fpr, tpr, n_pos, n_neg."""
    if frame.empty:
        return nothing("roc", f"No group of {attribute} has enough positives and negatives for a ROC curve.")
    rows = frame[frame["run_id"].isin(list(names))].copy()
    rows["run"] = rows["run_id"].map(dict(names))
    rows["counts"] = [text.positives(p, n) for p, n in zip(rows["n_pos"], rows["n_neg"], strict=True)]
    near = rows[rows["fpr"] <= 0.1].groupby(["run", "group"], sort=False)["tpr"].max()
    if len(near):
        (run, low), (_, high) = near.sort_values().index[0], near.sort_values().index[-1]
        title = f"At one false alarm in ten, sensitivity ranges from {text.percent(near.min())} ({low}, {run}) to {text.percent(near.max())} ({high})"
    else:
        title = f"ROC curves by {attribute}"
    columns = {"run": "Run", "group": attribute, "fpr": "False positive rate", "tpr": "True positive rate", "n_pos": "Positive", "n_neg": "Negative"}
    panels = tuple(Panel(partial(_roc_panel, rows[rows["run_id"] == run_id].reset_index(drop=True), groups), name) for run_id, name in names.items() if (rows["run_id"] == run_id).any())
    return Figure(name="roc", title=title, alt=f"ROC curves, a line per group of {attribute}, one panel per run. {title}.", data=rows[list(columns)], table=columns,
                  panels=panels, columns=min(3, max(1, len(panels))), terms=("roc", "tpr", "fpr"), note="Groups without enough positives and negatives are left out.")  # fmt: skip


def _roc_panel(rows: pd.DataFrame, groups: Sequence[str], look: Look, width: Width) -> Any:
    present = [g for g in groups if g in set(rows["group"])]
    color = colored("group", look.group_colors(groups), alt.Legend(title=None, values=present, columns=3, offset=26))
    x = alt.X("fpr:Q", scale=alt.Scale(domain=[0, 1]), axis=decimal_axis("False positive rate", tickCount=5, grid=True))
    y = alt.Y("tpr:Q", scale=alt.Scale(domain=[0, 1]), axis=decimal_axis("True positive rate", tickCount=5))
    chance = alt.Chart(pd.DataFrame({"fpr": [0, 1], "tpr": [0, 1]})).mark_line(color=look.faint, strokeDash=[4, 4], strokeWidth=1).encode(x=x, y=y)
    lines = alt.Chart(rows).mark_line(interpolate="step-after", strokeWidth=2).encode(x=x, y=y, color=color, order="tpr:Q", tooltip=[*tooltips({"group": "Group", "counts": "Positive / negative"})])
    return (chance + lines).properties(width=width, height=SQUARE)


def calibration(frame: pd.DataFrame, names: Mapping[str, str], groups: Sequence[str], attribute: str) -> Figure:
    """Observed against predicted frequency per group. `frame`: run_id, group, predicted, value, low, high, n."""
    if frame.empty:
        return nothing("calibration", "The scores of these runs are no probabilities, or no bin holds enough patients: calibration cannot be told.")
    rows = frame[frame["run_id"].isin(list(names))].copy()
    rows["run"] = rows["run_id"].map(dict(names))
    rows["shown"] = interval_texts(rows)
    rows["expected"] = [text.decimal(v) for v in rows["predicted"]]
    rows["counts"] = [text.count(n) for n in rows["n"]]
    away = rows[(rows["low"] > rows["predicted"]) | (rows["high"] < rows["predicted"])]
    if away.empty:
        title = "Every bin's interval holds the diagonal: no miscalibration found"
    else:
        most = away.assign(off=(away["value"] - away["predicted"]).abs()).sort_values("off").iloc[-1]
        title = f"Furthest from the diagonal: {most['group']} under {most['run']}, predicted {text.decimal(most['predicted'], 2)}, observed {text.interval(most['value'], most['low'], most['high'], 2)}"
    columns = {"run": "Run", "group": attribute, "predicted": "Predicted", "value": "Observed", "low": "Low", "high": "High", "n": "Samples"}
    panels = tuple(Panel(partial(_calibration_panel, rows[rows["run_id"] == run_id].reset_index(drop=True), groups), name) for run_id, name in names.items() if (rows["run_id"] == run_id).any())
    return Figure(name="calibration", title=title, alt=f"Calibration curves, a line per group of {attribute} with intervals, one panel per run. {title}.", data=rows[list(columns)], table=columns,
                  panels=panels, columns=min(3, max(1, len(panels))), terms=("calibration", "interval"), note="Ten bins of equal width, Wilson 95 % intervals; bins with fewer than ten samples are left out.")  # fmt: skip


def _calibration_panel(rows: pd.DataFrame, groups: Sequence[str], look: Look, width: Width) -> Any:
    present = [g for g in groups if g in set(rows["group"])]
    color = colored("group", look.group_colors(groups), alt.Legend(title=None, values=present, columns=3, offset=26))
    x = alt.X("predicted:Q", scale=alt.Scale(domain=[0, 1]), axis=decimal_axis("Predicted probability", tickCount=5, grid=True))
    y_scale = alt.Scale(domain=[0, 1])
    diagonal = alt.Chart(pd.DataFrame({"predicted": [0, 1], "value": [0, 1]})).mark_line(color=look.faint, strokeDash=[4, 4], strokeWidth=1).encode(x=x, y=alt.Y("value:Q", scale=y_scale))
    base = alt.Chart(rows).encode(x=x, color=color)
    line = base.mark_line(strokeWidth=1.8).encode(y=alt.Y("value:Q", scale=y_scale, axis=decimal_axis("Observed frequency", tickCount=5)))
    rule = base.mark_rule(strokeWidth=1.4, opacity=0.6).encode(y=alt.Y("low:Q", scale=y_scale), y2="high:Q")
    dots = base.mark_point(size=50).encode(y=alt.Y("value:Q", scale=y_scale), tooltip=tooltips({"run": "Run", "group": "Group", "expected": "Predicted", "shown": "Observed", "counts": "Samples"}))
    return (diagonal + line + rule + dots).properties(width=width, height=SQUARE)
