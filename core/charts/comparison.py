"""Methods against each other: accuracy against fairness with its Pareto front, and paired differences."""

from __future__ import annotations

from functools import partial
from typing import Any

import altair as alt
import pandas as pd

from core.charts import text
from core.charts.figure import Figure, Panel, Width, nothing
from core.charts.parts import decimal_axis, domain, interval_texts, spread, tooltips, with_gutter
from core.charts.theme import FAMILY_NAMES, Look, shape_scale

MEASURES = {"es_auc": "ES-AUC", "worst_group_auc": "worst-group AUC", "max_gap": "gap between groups", "auc": "AUC"}
SMALL_IS_GOOD = frozenset({"max_gap"})
HEIGHT = 440
MOST_SEEDS = 1500


def scatter(seeds: pd.DataFrame, methods: pd.DataFrame, measure: str, attribute: str) -> Figure:
    """AUC across, fairness up; methods with crosshair intervals, seeds as faint dots, the Pareto front.

    `seeds`, `methods`: as `core.audit.run_compare.overview` gives them.
    """
    what = MEASURES[measure]
    if methods.empty:
        return nothing("accuracy-fairness", f"No finished run has an AUC and a {what} for {attribute}: fewer than two groups can be judged.")
    rows = methods.copy()
    rows["shown_x"] = [text.interval(v, a, b) for v, a, b in zip(rows["x"], rows["x_low"], rows["x_high"], strict=True)]
    rows["shown_y"] = [text.interval(v, a, b) for v, a, b in zip(rows["y"], rows["y_low"], rows["y_high"], strict=True)]
    rows["runs"] = [text.plural(int(n), "seed") for n in rows["seeds"]]
    rows["family_name"] = rows["family"].map(FAMILY_NAMES)
    dots = seeds.head(MOST_SEEDS).copy()
    dots["shown"] = [f"AUC {text.decimal(x)}, {what} {text.decimal(y)}" for x, y in zip(dots["x"], dots["y"], strict=True)]
    front = rows[rows["front"]].sort_values("x")
    title = f"On the Pareto front: {text.listing(list(front['variant']), 5)}" if len(front) else "No method can be placed on both axes"
    alone = f", beating every other method on AUC and {what}" if len(front) == 1 and len(rows) > 1 else ""
    kinds = sorted(set(rows["kind"]))
    meaning = "; ".join({"over patients": "one or two seeds: mean over them, with the mean of their intervals over patients", "over seeds": "three seeds or more: t intervals of the mean"}[k] for k in kinds)
    columns = {"variant": "Method", "family_name": "Family", "seeds": "Seeds", "x": "AUC", "x_low": "AUC low", "x_high": "AUC high", "y": what, "y_low": f"{what} low", "y_high": f"{what} high", "kind": "Intervals", "front": "On the front"}
    return Figure(
        name="accuracy-fairness", title=title + alone, data=rows[list(columns)], table=columns, panels=(Panel(partial(_scatter_panel, rows.reset_index(drop=True), dots, measure)),),
        alt=f"Scatter plot of {text.plural(len(rows), 'method')}: AUC against {what} by {attribute}. {title}{alone}.", terms=("pareto", "auc", *(("es_auc",) if measure == "es_auc" else ("worst_group",) if measure == "worst_group_auc" else ("max_gap",)), "seed"),
        note=f"Faint dots are seeds. Shape is the family. Crosshairs, 95 %: {meaning}. " + ("Lower is better." if measure in SMALL_IS_GOOD else "Up and right is better."),
    )  # fmt: skip


def _scatter_panel(rows: pd.DataFrame, seeds: pd.DataFrame, measure: str, look: Look, width: Width) -> Any:
    limits_x = domain([rows["x_low"], rows["x_high"], rows["x"], seeds["x"]])
    limits_y = domain([rows["y_low"], rows["y_high"], rows["y"], seeds["y"]])
    wide, ticks = with_gutter([limits_x[0], min(1.0, limits_x[1])], right=0.16)
    scale_x = alt.Scale(domain=wide, nice=False, zero=False)
    scale_y = alt.Scale(domain=limits_y, nice=False, zero=False, reverse=measure in SMALL_IS_GOOD)
    color = alt.Color("variant:N", scale=alt.Scale(domain=list(rows["variant"]), range=[look.method_color(m) for m in rows["method"]]), legend=None)
    x = alt.X("x:Q", scale=scale_x, axis=decimal_axis("AUC", values=ticks, grid=True))
    y = alt.Y("y:Q", scale=scale_y, axis=decimal_axis(MEASURES[measure][:1].upper() + MEASURES[measure][1:], tickCount=6))
    faint = alt.Chart(seeds).mark_point(size=26, opacity=0.35).encode(x=x, y=y, color=color, tooltip=tooltips({"variant": "Method", "seed": "Seed", "shown": "Run"}))
    base = alt.Chart(rows).encode(color=color)
    across = base.mark_rule(strokeWidth=1.3, opacity=0.55).encode(x=alt.X("x_low:Q", scale=scale_x), x2="x_high:Q", y=y)
    up = base.mark_rule(strokeWidth=1.3, opacity=0.55).encode(x=x, y=alt.Y("y_low:Q", scale=scale_y), y2="y_high:Q")
    tips = tooltips({"variant": "Method", "family_name": "Family", "shown_x": "AUC", "shown_y": MEASURES[measure], "runs": "Runs", "kind": "Intervals", "excluded": "Groups left out"})
    families = [f for f in FAMILY_NAMES if f in set(rows["family"])]
    shape = alt.Shape("family:N", scale=shape_scale(), legend=alt.Legend(title=None, values=families, labelExpr=_family_labels(), symbolFillColor=look.muted, symbolStrokeWidth=0, offset=28, columns=2))
    points = base.mark_point(size=170, stroke=look.background, strokeWidth=1.5).encode(x=x, y=y, shape=shape, fill=color, tooltip=tips)
    front = alt.Chart(rows[rows["front"]]).mark_line(color=look.faint, strokeDash=[5, 4], strokeWidth=1.4, interpolate="linear").encode(x=x, y=y, order="x:Q")
    gap = (limits_y[1] - limits_y[0]) * 16 / HEIGHT
    named = rows.assign(label_y=spread(list(rows["y"].astype(float)), gap))
    label = alt.Chart(named).encode(x=x, y=alt.Y("label_y:Q", scale=scale_y), text="variant:N")
    halo = label.mark_text(align="left", dx=11, dy=-9, fontWeight=600, stroke=look.background, strokeWidth=3, strokeJoin="round")
    names = label.mark_text(align="left", dx=11, dy=-9, fontWeight=600).encode(color=color)
    return (faint + across + up + front + halo + names + points).properties(width=width, height=HEIGHT)


def _family_labels() -> str:
    pairs = "".join(f"datum.label == '{key}' ? '{name}' : " for key, name in FAMILY_NAMES.items())
    return f"{pairs}datum.label"


def paired_forest(frame: pd.DataFrame, reference: str, measure: str, attribute: str) -> Figure:
    """Differences from the reference on the same patients, sorted; seeds as faint dots.

    `frame`: as `core.audit.run_compare.paired` gives it.
    """
    what = MEASURES[measure]
    if frame.empty or frame["value"].notna().sum() == 0:
        return nothing("paired-differences", f"No other method shares a seed with {reference}, so there is nothing to compare on the same patients.")
    small = measure in SMALL_IS_GOOD
    rows = frame.copy()
    rows["shown"] = interval_texts(rows, signed=True)
    rows["chance"] = [text.p_value(p) for p in rows["p"]]
    rows["from_to"] = [f"{text.decimal(b)} → {text.decimal(a)}" for a, b in zip(rows["value_a"], rows["value_b"], strict=True)]
    sign = -1 if small else 1
    rows["side"] = ["not estimable" if pd.isna(v) else "unclear" if not (sign * lo > 0 and sign * hi > 0) and not (sign * lo < 0 and sign * hi < 0) else "better" if sign * v > 0 else "worse" for v, lo, hi in zip(rows["value"], rows["low"], rows["high"], strict=True)]
    # Seeds that contradict each other leave it unclear, whatever the first one's interval says.
    rows["side"] = ["unclear" if side in ("better", "worse") and len({d > 0 for d in found}) > 1 else side for side, found in zip(rows["side"], rows["differences"], strict=True)]
    rows["seed_mean"] = [f"{text.decimal(m, 3, True)} over {text.plural(int(n), 'seed')}, better in {int(w if not small else n - w)}" if pd.notna(m) else "—" for m, n, w in zip(rows["mean"], rows["seeds"], rows["wins"].fillna(0), strict=True)]
    better, worse = list(rows.loc[rows["side"] == "better", "variant"]), list(rows.loc[rows["side"] == "worse", "variant"])
    parts = ([f"{text.listing(better)} improve{'s' if len(better) == 1 else ''} the {what}"] if better else []) + ([f"{text.listing(worse)} worsen{'s' if len(worse) == 1 else ''} it" if better else f"{text.listing(worse)} worsen{'s' if len(worse) == 1 else ''} the {what}"] if worse else [])
    title = f"Against {reference}, " + (" and ".join(parts) if parts else f"no method's {what} differs beyond chance")
    order = list(rows.sort_values("value", ascending=small, na_position="last")["variant"])
    dots = pd.DataFrame([{"variant": row["variant"], "value": value, "side": row["side"]} for row in rows.to_dict("records") for value in row["differences"] if value is not None])
    columns = {"variant": "Method", "value": "Difference", "low": "Low", "high": "High", "p": "p", "value_a": "Method's value", "value_b": "Reference's value", "seeds": "Common seeds", "mean": "Mean over seeds", "sd": "Sd over seeds", "reason": "Why not estimable"}
    for column in columns:
        if column not in rows:
            rows[column] = None
    return Figure(
        name="paired-differences", title=title, alt=f"Forest plot of differences in {what} from {reference}, a row per method, sorted. {title}.", data=rows[list(columns)], table=columns,
        panels=(Panel(partial(_paired_panel, rows, dots, order, what, small)),), terms=("paired", "interval", "seed"),
        note="Same test patients, same seed; 95 % paired bootstrap over patients for the lowest common seed, faint dots for each seed. Blue is better, orange worse, grey unclear: the interval holds zero, or seeds contradict each other.",
    )  # fmt: skip


def _paired_panel(rows: pd.DataFrame, dots: pd.DataFrame, order: list[str], what: str, small: bool, look: Look, width: Width) -> Any:
    known = rows[rows["value"].notna()].reset_index(drop=True)
    limits, ticks = with_gutter(domain([known["low"], known["high"], known["value"], dots["value"]], [0.0]), right=0.12)
    scale = alt.Scale(domain=limits, nice=False)
    color = alt.Color("side:N", scale=alt.Scale(domain=["better", "worse", "unclear", "not estimable"], range=[look.better, look.worse, look.muted, look.no_estimate]), legend=None)
    y = alt.Y("variant:N", sort=order, scale=alt.Scale(domain=order), axis=alt.Axis(title=None, labelColor=look.text, labelFontSize=13, labelLimit=190))
    axis = alt.Axis(title=f"Difference in {what}" + (" (left is better)" if small else " (right is better)"), values=ticks, grid=True, labelExpr="datum.value == 0 ? '0' : replace(replace(format(datum.value, '+.2f'), '0.', '.'), '-', '\u2212')")
    zero = alt.Chart(pd.DataFrame({"value": [0.0]})).mark_rule(color=look.faint, strokeWidth=1.2).encode(x=alt.datum(0))
    faint = alt.Chart(dots).mark_point(size=26, opacity=0.4).encode(x=alt.X("value:Q", scale=scale), y=y, color=color)
    base = alt.Chart(known).encode(y=y, color=color)
    rule = base.mark_rule(strokeWidth=2.5).encode(x=alt.X("low:Q", scale=scale), x2="high:Q")
    tips = tooltips({"variant": "Method", "shown": "Difference", "chance": "Test", "from_to": "Reference → method", "seed_mean": "Over seeds"})
    points = base.mark_point(size=110).encode(x=alt.X("value:Q", scale=scale, axis=axis), tooltip=tips)
    words = alt.Chart(known).mark_text(align="right", color=look.muted, fontSize=11, dy=-14).encode(y=y, x=alt.value("width"), text="shown:N")
    return (zero + faint + rule + points + words).properties(width=width, height=44 * len(order))
