"""What a threshold does to each group; ES-AUC beside the gap; ranking between groups; intersections."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

import pandas as pd

from core.charts import grammar as alt
from core.charts import text
from core.charts.figure import Figure, Panel, Width, nothing, panels_per_run, side_by_side
from core.charts.key import group_key, keyed_panels, present_groups
from core.charts.parts import ESTIMATE, colored, decimal_axis, heat_map, interval_texts, least_width, share_domain, tooltips, wide_enough, with_gutter
from core.charts.seeds import OF_SEEDS, over_seeds
from core.charts.theme import Look
from core.metrics.catalogue import short

INDENT = "\u2060\u2003"
"""A wide space behind a joiner: Vega trims labels that begin with a space."""
RATES = ("tpr", "fpr", "ppv", "selection_rate")


def thresholds(frame: pd.DataFrame, names: Mapping[str, str], groups: Sequence[str], attribute: str, threshold: float) -> Figure:
    """TPR, FPR, PPV and share selected of each group at one threshold; one panel per run.

    `frame`: run_id, threshold, group, metric, value, low, high, selected, n, reason.
    """
    rows = frame[frame["run_id"].isin(list(names)) & ((frame["threshold"] - threshold).abs() < 1e-6)].copy() if not frame.empty else frame
    if rows.empty:
        return nothing("thresholds", "There are no test predictions to put a threshold on.")
    rows["run"] = rows["run_id"].map(dict(names))
    rows["what"] = rows["metric"].map(short)
    rows["shown"] = interval_texts(rows, 2)
    rows["chosen"] = [f"{text.count(s)} of {text.count(n)}" for s, n in zip(rows["selected"], rows["n"], strict=True)]
    rows["why"] = [reason if isinstance(reason, str) else "" for reason in rows["reason"]]
    tpr = rows[(rows["metric"] == "tpr") & rows["value"].notna()].sort_values("value")
    title = f"At a threshold of {text.decimal(threshold, 2)}"
    widest = _widest(tpr)
    if widest and widest[0] == widest[2]:
        title += f", {widest[0]} of the positives of every group are found"
    elif widest:
        title += f", {widest[0]} of the positives of {widest[1]} are found and {widest[2]} of those of {widest[3]} under {widest[4]}"
    else:
        title += ", the sensitivity of fewer than two groups can be estimated"
    columns = {
        "run": "Run",
        "threshold": "Threshold",
        "group": attribute,
        "what": "Rate",
        "value": "Value",
        "low": "Low",
        "high": "High",
        "selected": "Selected",
        "n": "Samples",
        "why": "Why not estimable",
    }
    panels = keyed_panels(rows, names, _threshold_panel, groups)
    return Figure(
        name="thresholds", title=title, key=partial(group_key, present_groups(rows, groups), groups),
        alt=f"Dots with intervals: TPR, FPR, PPV and share selected by {attribute} at one threshold, one panel per run. {title}.",
        data=rows[list(columns)], table=columns, panels=panels, columns=side_by_side(panels), terms=("threshold", "tpr", "fpr", "ppv", "selected"),
        note=f"Test split, Wilson 95 % intervals.{_unknown_rates(rows)}",
    )  # fmt: skip


def _unknown_rates(rows: pd.DataFrame) -> str:
    """Which rates are not drawn, and why."""
    gone = rows.loc[rows["value"].isna() & (rows["why"] != ""), ["what", "group", "why"]].drop_duplicates()
    told = [f"{what} of {group} ({why})" for what, group, why in gone.itertuples(index=False)]
    return f" Not estimable: {text.listing(told, 3)}." if told else ""


def _widest(tpr: pd.DataFrame) -> tuple[str, str, str, str, str] | None:
    best: tuple[float, tuple[str, str, str, str, str]] | None = None
    for run, part in tpr.groupby("run", sort=False):
        if len(part) > 1:
            low, high = part.iloc[0], part.iloc[-1]
            gap = float(high["value"] - low["value"])
            if best is None or gap > best[0]:
                best = gap, (text.percent(low["value"]), str(low["group"]), text.percent(high["value"]), str(high["group"]), str(run))
    return None if best is None else best[1]


def _threshold_panel(rows: pd.DataFrame, groups: Sequence[str], keyed: bool, look: Look, width: Width) -> Any:
    colors = look.group_colors(groups)
    present = present_groups(rows, groups)
    order = [short(rate) for rate in RATES]
    y = alt.Y("what:N", sort=order, scale=alt.Scale(domain=order), axis=alt.Axis(title=None))
    offset = alt.YOffset("group:N", sort=present, scale=alt.Scale(domain=present, paddingOuter=0.6))
    x_scale = alt.Scale(domain=[0, 1])
    base = alt.Chart(rows[rows["value"].notna()]).encode(
        y=y, yOffset=offset, color=colored("group", colors, alt.Legend(title=None, values=present, columns=3) if keyed else None)
    )
    rule = base.mark_rule(strokeWidth=2).encode(x=alt.X("low:Q", scale=x_scale), x2="high:Q")
    tips = tooltips({"run": "Run", "group": "Group", "what": "Rate", "shown": "Value", "chosen": "Selected"})
    dots = base.mark_point(size=75).encode(x=alt.X("value:Q", scale=x_scale, axis=decimal_axis("Rate", tickCount=5, grid=True)), tooltip=tips)
    return (rule + dots).properties(width=width, height=len(order) * max(40, 18 * len(present)))


def selected_table(frame: pd.DataFrame, names: Mapping[str, str], threshold: float, attribute: str) -> pd.DataFrame:
    """Patients selected per run and group at the threshold, as text for a table."""
    rows = frame[frame["run_id"].isin(list(names)) & ((frame["threshold"] - threshold).abs() < 1e-6)]
    rows = rows.assign(
        run=rows["run_id"].map(dict(names)), shown=[text.interval(v, lo, hi, 2) for v, lo, hi in zip(rows["value"], rows["low"], rows["high"], strict=True)]
    )
    wide = rows.pivot_table(index=["run", "group", "selected", "n"], columns="metric", values="shown", aggfunc="first", sort=False).reset_index()
    return wide.rename(
        columns={
            "run": "Run",
            "group": attribute,
            "selected": "Selected",
            "n": "Samples",
            **{rate: short(rate) for rate in RATES},
            "selection_rate": "Share selected",
        }
    )


def equity(frame: pd.DataFrame, names: Mapping[str, str], attribute: str, seeds: Mapping[str, str] | None = None) -> Figure:
    """AUC, ES-AUC and worst-group AUC of each run with intervals. `frame`: run_id, metric, value, low, high, excluded.

    `seeds`: run id -> id of its method, for a row per method: the mean and the range over seeds. `names` are then those of the methods.
    """
    if seeds is not None and not frame.empty:
        frame = over_seeds(frame, seeds)
    rows = frame[frame["run_id"].isin(list(names)) & frame["metric"].isin(["auc", "es_auc", "worst_group_auc"])].copy() if not frame.empty else frame
    if rows.empty or rows["value"].notna().sum() == 0:
        return nothing("equity", f"Fewer than two groups of {attribute} can be judged, so there is no ES-AUC.")
    rows["run"] = rows["run_id"].map(dict(names))
    rows["what"] = rows["metric"].map(short)
    rows["shown"] = interval_texts(rows)
    limits = share_domain([rows["low"], rows["high"], rows["value"]])
    best = rows[(rows["metric"] == "es_auc") & rows["value"].notna()].sort_values("value")
    title = (
        "ES-AUC is not estimable: fewer than two groups can be judged"
        if best.empty
        else _same(best["value"], "ES-AUC", "run")
        or f"ES-AUC {'is highest ' if len(best) > 1 else ''}under {best.iloc[-1]['run']}: "
        + text.interval(best.iloc[-1]["value"], best.iloc[-1]["low"], best.iloc[-1]["high"])
    )
    if seeds is not None and not best.empty:
        title += ", mean over seeds and the range of its seeds"
    left_out = sorted({name.removeprefix("without ") for value in rows["excluded"].dropna() for name in str(value).split(", ") if name})
    note = "Test split, 95 % intervals. " if seeds is None else f"Test split. {OF_SEEDS} "
    note += "Read it with the group AUCs and the gap: ES-AUC falls with every further group and counts ranking between groups as unfairness."
    if left_out:
        better = "" if best.empty else ", so ES-AUC may look better than it is"
        note = f"{text.listing(left_out)} cannot be judged and {'is' if len(left_out) == 1 else 'are'} left out{better}. " + note
    columns = {"run": "Run" if seeds is None else "Method", "what": "Measure", "value": "Value", "low": "Low", "high": "High", "excluded": "Left out"}
    return Figure(name="equity", title=title, alt=f"Dots with intervals of AUC, ES-AUC and worst-group AUC, a row per run. {title}.", data=rows[list(columns)],
                  table=columns,
                  panels=(Panel(partial(_equity_panel, rows.reset_index(drop=True), list(names.values()), limits)),),
                  terms=("es_auc", "es_trap", "worst_group", "interval"), note=note)  # fmt: skip


def _same(values: pd.Series, what: str, of: str) -> str:
    """What is to be said where all `values` are written alike: a lowest and a highest would differ by nothing."""
    written = {text.decimal(value) for value in values}
    return f"{what}: {written.pop()} for every {of}" if len(written) == 1 and len(values) > 1 else ""


def _equity_panel(rows: pd.DataFrame, order: Sequence[str], limits: list[float], look: Look, width: Width) -> Any:
    kinds = [kind for kind in (short(name) for name in ("auc", "es_auc", "worst_group_auc")) if kind in set(rows["what"])]
    colors = dict(zip((short(name) for name in ("auc", "es_auc", "worst_group_auc")), (look.faint, look.accent, look.text), strict=True))
    y = alt.Y("run:N", sort=list(order), scale=alt.Scale(domain=list(order)), axis=alt.Axis(title=None, labelColor=look.text, labelLimit=180))
    offset = alt.YOffset("what:N", sort=kinds, scale=alt.Scale(domain=kinds, paddingOuter=0.5))
    x_scale = alt.Scale(domain=limits, nice=False, zero=False)
    base = alt.Chart(rows[rows["value"].notna()]).encode(y=y, yOffset=offset, color=colored("what", colors, alt.Legend(title=None)))
    rule = base.mark_rule(strokeWidth=2).encode(x=alt.X("low:Q", scale=x_scale), x2="high:Q")
    dots = base.mark_point(size=80).encode(
        x=alt.X("value:Q", scale=x_scale, axis=decimal_axis("AUC", tickCount=6, grid=True)),
        tooltip=tooltips({"run": "Run", "what": "Measure", "shown": "Value"}),
    )
    return (rule + dots).properties(width=width, height=56 * len(order))


def cross_group(frame: pd.DataFrame, names: Mapping[str, str], groups: Sequence[str], attribute: str) -> Figure:
    """Ranking between groups: positives of the row against negatives of the column, per run.

    `frame`: run_id, positive, negative, value, low, high, n_pos, n_neg, reason.
    """
    rows = frame[frame["run_id"].isin(list(names))].copy() if not frame.empty else frame
    if rows.empty or rows["value"].notna().sum() == 0:
        return nothing("cross-group", f"No two groups of {attribute} have enough positives and negatives to be ranked against each other.")
    rows["run"] = rows["run_id"].map(dict(names))
    rows["shown"] = ["—" if text.missing(v) else text.decimal(v) for v in rows["value"]]
    rows["estimate"] = interval_texts(rows)
    rows["counts"] = [text.positives(p, n) for p, n in zip(rows["n_pos"], rows["n_neg"], strict=True)]
    off = rows[(rows["positive"] != rows["negative"]) & rows["value"].notna()].sort_values("value")
    title = "No ranking between groups is estimable"
    if not off.empty:
        low = off.iloc[0]
        title = (
            _same(off["value"], "Ranking between groups", "pair")
            or f"Hardest to rank between groups: positives of {low['positive']} against negatives of {low['negative']} under {low['run']}, "
            f"{text.interval(low['value'], low['low'], low['high'])}"
        )
    columns = {"run": "Run", "positive": "Positives of", "negative": "Negatives of", **ESTIMATE}
    panels = panels_per_run(rows, names, lambda own: partial(_cross_panel, own, groups))
    hatched = " Hatched: not estimable." if rows["value"].isna().any() else ""
    return Figure(name="cross-group", title=title, alt=f"Matrix of ranking between groups of {attribute}, one panel per run. {title}.",
                  data=rows[list(columns)], table=columns,
                  panels=panels, columns=wide_enough(groups, max(1, len(panels))), least=least_width(groups), terms=("cross_auc",),
                  note=f"Rows: whose positives. Columns: whose negatives. The diagonal is each group's own AUC.{hatched}")  # fmt: skip


def _cross_panel(rows: pd.DataFrame, groups: Sequence[str], look: Look, width: Width) -> Any:
    return heat_map(rows, look, width, x="negative", y="positive", x_order=groups, y_order=groups, limits=(0.5, 0.75, 1.0), x_title=None, y_title=None,
                    tips={"run": "Run", "positive": "Positives of", "negative": "Negatives of", "estimate": "AUC",
                          "counts": "Positive / negative"})  # fmt: skip


def intersections(frame: pd.DataFrame, run: str, attributes: Sequence[str]) -> Figure:
    """Groups and their intersections as an indented list with intervals; ends where counts end.

    `frame`: path (text), label, depth (0-based), order, value, low, high, n_pos, n_neg, reason.
    """
    if frame.empty:
        return nothing("intersections", "There is nothing to intersect: no test predictions with known attributes.")
    rows = frame.copy()
    rows["who"] = [(INDENT * int(depth)) + ("↳ " if depth else "") + str(label) for depth, label in zip(rows["depth"], rows["label"], strict=True)]
    rows["shown"] = interval_texts(rows)
    rows["counts"] = [text.positives(p, n) for p, n in zip(rows["n_pos"], rows["n_neg"], strict=True)]
    rows["why"] = [reason if isinstance(reason, str) else "" for reason in rows["reason"]]
    known = rows[rows["value"].notna() & (rows["depth"] > 0)].sort_values("value")
    ended = int(rows["value"].isna().sum())
    title = (
        "No intersection has enough positives and negatives"
        if known.empty
        else f"Lowest: {known.iloc[0]['path']}, {text.interval(known.iloc[0]['value'], known.iloc[0]['low'], known.iloc[0]['high'])} under {run}"
    )
    columns = {
        "path": " × ".join(attributes),
        "value": "AUC",
        "low": "Low",
        "high": "High",
        "n_pos": "Positive",
        "n_neg": "Negative",
        "why": "Why not estimable",
    }
    stopped = f"Not estimable (//): {text.plural(ended, 'row')} with too few positives or negatives."
    note = stopped if ended else "Every row has enough positives and negatives."
    return Figure(name="intersections", title=title, alt=f"Indented list of groups of {' and '.join(attributes)} with AUC and interval. {title}.",
                  data=rows[list(columns)], table=columns,
                  panels=(Panel(partial(_tree_panel, rows.reset_index(drop=True), share_domain([rows["low"], rows["high"], rows["value"]]))),),
                  terms=("intersection", "group_auc"),
                  note=note)  # fmt: skip


def _tree_panel(rows: pd.DataFrame, limits: list[float], look: Look, width: Width) -> Any:
    order = list(rows["path"])
    names = dict(zip(rows["path"], rows["who"], strict=True))
    wide = pd.DataFrame({"path": order, "who": [names[p] for p in order]})
    wider, ticks = with_gutter(limits, left=0.5, right=0.4)
    x_scale = alt.Scale(domain=wider, nice=False, zero=False)
    y = alt.Y("path:N", sort=order, scale=alt.Scale(domain=order), axis=None)
    label = alt.Chart(wide).mark_text(align="left", color=look.text).encode(y=y, x=alt.value(0), text="who:N")
    known = alt.Chart(rows[rows["value"].notna()]).encode(y=y)
    tips = tooltips({"path": "Group", "shown": "AUC", "counts": "Positive / negative", "why": "Note"})
    rule = known.mark_rule(strokeWidth=2, color=look.accent, opacity=0.8).encode(x=alt.X("low:Q", scale=x_scale), x2="high:Q")
    dots = known.mark_point(size=80, color=look.accent).encode(
        x=alt.X("value:Q", scale=x_scale, axis=decimal_axis("AUC", values=ticks, grid=True)), tooltip=tips
    )
    ended = (
        alt.Chart(rows[rows["value"].isna()])
        .mark_text(align="right", color=look.muted, fontSize=12)
        .encode(y=y, x=alt.value("width"), text="ends:N", tooltip=tips)
        .transform_calculate(ends="'╱╱ ' + datum.counts")
    )
    counts = known.mark_text(align="right", fontSize=12, color=look.muted).encode(x=alt.value("width"), text="counts:N")
    return (rule + dots + label + ended + counts).properties(width=width, height=30 * len(order))
