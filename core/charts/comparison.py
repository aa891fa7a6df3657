"""Methods against each other: accuracy against fairness with its Pareto front, and paired differences."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import partial
from typing import Any

import pandas as pd

from core.charts import grammar as alt
from core.charts import parts, text
from core.charts.figure import Figure, Panel, Width, nothing
from core.charts.parts import decimal_axis, domain, interval_texts, spread, tooltips, with_gutter
from core.charts.point_labels import CLEAR, place_names
from core.charts.theme import FAMILY_NAMES, Look, shape_scale
from core.methods import of_one_modality
from core.metrics.catalogue import lower_is_better
from core.metrics.catalogue import title as title_of
from core.results.answers import all_pairs, standing

HEIGHT = 440
ALPHA = 0.05
SIGNED = "datum.value == 0 ? '0' : replace(replace(format(datum.value, '+.2f'), '0.', '.'), '-', '\u2212')"
"""Axis label of a difference: its sign, no leading zero."""
MOST_SEEDS = 1500
USUAL_WIDTH = 820.0
"""Of the plot, in pixels, for which names are placed."""
LEAST_WIDTH = 500
"""A narrower drawing has no room for the names."""
LABEL_PIXELS = 230
"""A longer name ends in dots; the tooltip and the table have it whole."""


def headline(best: str, ahead: Sequence[str], open_to: Sequence[str], what: str) -> str:
    """`standing` as a title."""
    if not open_to:
        return standing(best, ahead, open_to, what)
    if not ahead:
        return f"No method is clearly ahead on {what}"
    return f"On {what}, {best} is clearly ahead of {len(ahead)} of {text.plural(len(ahead) + len(open_to), 'other method')}"


def scatter(seeds: pd.DataFrame, methods: pd.DataFrame, measure: str, attribute: str, claim: str = "") -> Figure:
    """AUC across, fairness up; methods with crosshair intervals, seeds as faint dots, the Pareto front.

    `seeds`, `methods`: as `core.results.compare_runs.overview` gives them. claim : the title, as `headline`
    words it; without one the title names the Pareto front. The axes span what the fused methods and
    their intervals span; a network of one modality beyond that stands at the edge with its values.
    """
    what = title_of(measure)
    if methods.empty:
        return nothing("accuracy-fairness", f"No finished run can be placed by AUC and {what} for {attribute}: fewer than two groups can be judged.")
    rows = methods.copy()
    rows["shown_x"] = [text.interval(v, a, b) for v, a, b in zip(rows["x"], rows["x_low"], rows["x_high"], strict=True)]
    rows["shown_y"] = [text.interval(v, a, b) for v, a, b in zip(rows["y"], rows["y_low"], rows["y_high"], strict=True)]
    rows["runs"] = [text.plural(int(n), "seed") for n in rows["seeds"]]
    rows["samples"] = [text.positives(p, n) for p, n in zip(rows["n_pos"], rows["n_neg"], strict=True)]
    rows["family_name"] = rows["family"].map(FAMILY_NAMES)
    dots = seeds.head(MOST_SEEDS).copy()
    dots["shown"] = [f"AUC {text.decimal(x)}, {what} {text.decimal(y)}" for x, y in zip(dots["x"], dots["y"], strict=True)]
    front = text.listing(list(rows[rows["front"]].sort_values("x")["variant"]), 5)
    alone = f"{rows['variant'].iloc[0]}: {what} {rows['shown_y'].iloc[0]} at an AUC of {rows['shown_x'].iloc[0]}"
    title = claim or (alone if len(rows) == 1 else f"On the Pareto front: {front}")
    kinds = sorted(set(rows["kind"]))
    meaning = "; ".join({"patients": "patients, where there is one seed", "patients and seeds": "patients and seeds together"}[k] for k in kinds)
    columns = {
        "variant": "Method",
        "family_name": "Family",
        "seeds": "Seeds",
        "x": "AUC",
        "x_low": "AUC low",
        "x_high": "AUC high",
        "y": what,
        "y_low": f"{what} low",
        "y_high": f"{what} high",
        "kind": "Intervals",
        "front": "On the front",
    }
    front_note = "Dashed: Pareto front of the means. " if _front_is_drawn(rows, dots) else ""
    direction = "Lower is better." if lower_is_better(measure) else "Up and right is better."
    return Figure(
        name="accuracy-fairness", title=title, data=rows[list(columns)], table=columns,
        panels=(Panel(partial(_scatter_panel, rows.reset_index(drop=True), dots, measure)),), least=LEAST_WIDTH,
        alt=f"Scatter plot of {text.plural(len(rows), 'method')}: AUC against {what} by {attribute}. {title}. On the Pareto front of the means: {front}.",
        terms=("pareto", "auc", *(("es_auc",) if measure == "es_auc" else ("worst_group",) if measure == "worst_group_auc" else ("max_gap",)), "seed"),
        note=f"{_whose(rows, what, attribute)} Dots: means over seeds; faint: each seed. Crosshairs: 95 % over {meaning}. {front_note}{direction}",
    )  # fmt: skip


def _whose(rows: pd.DataFrame, what: str, attribute: str) -> str:
    """Whose numbers each axis has: the AUC is of all test samples, the fairness measure of those with a recorded group."""
    known, every = int((rows["n_pos"] + rows["n_neg"]).max()), int(rows["n_all"].max())
    if known == every:
        return f"All {text.count(every)} test samples."
    return f"AUC: all {text.count(every)} test samples. {text.sentence(what)}: the {text.count(known)} of them whose {attribute} is recorded."


def _limits(rows: pd.DataFrame, seeds: pd.DataFrame) -> tuple[list[float], list[float]]:
    """Ranges of both axes, at most 0 to 1: those of the fused methods, and of networks of one modality that lie among them.

    What is drawn is drawn whole, with its interval and its seeds.
    """
    fused = ~rows["method"].isin(of_one_modality())
    own = fused if fused.any() else ~fused
    while True:
        part, dots = rows[own], seeds[seeds["variant"].isin(rows.loc[own, "variant"])]
        x, y = (domain([part[f"{axis}_low"], part[f"{axis}_high"], part[axis], dots[axis]], pad=0.1) for axis in ("x", "y"))
        more = own | (rows["x"].between(x[0], x[1]) & rows["y"].between(y[0], y[1]))
        if more.equals(own):
            return [max(x[0], -0.005), min(x[1], 1.005)], [max(y[0], -0.005), min(y[1], 1.005)]
        own = more


def _front_is_drawn(rows: pd.DataFrame, dots: pd.DataFrame) -> bool:
    """A line needs two points of the front within the axes."""
    limits_x, limits_y = _limits(rows, dots)
    return int((rows["front"] & rows["x"].between(limits_x[0], limits_x[1]) & rows["y"].between(limits_y[0], limits_y[1])).sum()) > 1


def _scatter_panel(rows: pd.DataFrame, seeds: pd.DataFrame, measure: str, look: Look, width: Width) -> Any:
    limits_x, limits_y = _limits(rows, seeds)
    wide, ticks = with_gutter(limits_x, right=0.22)
    scale_x = alt.Scale(domain=wide, nice=False, zero=False, clamp=True)
    scale_y = alt.Scale(domain=limits_y, nice=False, zero=False, clamp=True, reverse=lower_is_better(measure))
    color = alt.Color("variant:N", scale=alt.Scale(domain=list(rows["variant"]), range=[look.method_color(m) for m in rows["method"]]), legend=None)
    x = alt.X("x:Q", scale=scale_x, axis=decimal_axis("AUC", values=ticks, grid=True))
    y = alt.Y("y:Q", scale=scale_y, axis=decimal_axis(text.sentence(title_of(measure)), tickCount=6))
    inside = rows["x"].between(limits_x[0], limits_x[1]) & rows["y"].between(limits_y[0], limits_y[1])
    within, beyond = rows[inside], rows[~inside]
    dots = seeds[seeds["x"].between(limits_x[0], limits_x[1]) & seeds["y"].between(limits_y[0], limits_y[1]) & seeds["variant"].isin(within["variant"])]
    faint = (
        alt.Chart(dots)
        .mark_point(size=26, opacity=0.4, filled=True)
        .encode(x=x, y=y, color=color, tooltip=tooltips({"variant": "Method", "seed": "Seed", "shown": "Run"}))
    )
    base = alt.Chart(within).encode(color=color)
    across = base.mark_rule(strokeWidth=1.3, opacity=0.55).encode(x=alt.X("x_low:Q", scale=scale_x), x2="x_high:Q", y=y)
    up = base.mark_rule(strokeWidth=1.3, opacity=0.55).encode(x=x, y=alt.Y("y_low:Q", scale=scale_y), y2="y_high:Q")
    tips = tooltips(
        {
            "variant": "Method",
            "family_name": "Family",
            "shown_x": "AUC",
            "shown_y": title_of(measure),
            "samples": "Test samples",
            "runs": "Runs",
            "kind": "Intervals over",
            "excluded": "Groups left out",
        }
    )
    families = [f for f in FAMILY_NAMES if f in set(rows["family"])]
    shape = alt.Shape(
        "family:N",
        scale=shape_scale(),
        legend=alt.Legend(title=None, values=families, labelExpr=_family_labels(), symbolFillColor=look.muted, symbolStrokeWidth=0, offset=28, columns=2),
    )
    points = base.mark_point(size=170, stroke=look.background, strokeWidth=1.5).encode(x=x, y=y, shape=shape, fill=color, tooltip=tips)
    front = (
        alt.Chart(within[within["front"]]).mark_line(color=look.faint, strokeDash=[5, 4], strokeWidth=1.4, interpolate="linear").encode(x=x, y=y, order="x:Q")
    )
    layers = faint + across + up + front
    for label in _labels(within, dots, wide, limits_y, lower_is_better(measure), look, x, scale_y):
        layers += label
    layers += points
    if len(beyond):
        layers += _at_the_edge(beyond, limits_x, limits_y, measure, color, x, scale_y, tips, look)
    # Names are darker than their points: with one scale for both the points' would be taken.
    return layers.resolve_scale(color="independent").properties(width=width, height=HEIGHT)


def _labels(
    rows: pd.DataFrame, dots: pd.DataFrame, wide: list[float], limits_y: list[float], reverse: bool, look: Look, x: Any, scale_y: alt.Scale
) -> list[Any]:
    """Names beside their points where they cover least: halo first, then text."""
    per_x, per_y = USUAL_WIDTH / (wide[1] - wide[0]), HEIGHT / (limits_y[1] - limits_y[0]) * (1 if reverse else -1)
    spots, others = (
        [((a - wide[0]) * per_x, (b - limits_y[0]) * per_y + (0 if reverse else HEIGHT)) for a, b in zip(frame["x"], frame["y"], strict=True)]
        for frame in (rows, dots)
    )
    places = place_names(spots, list(rows["variant"]), others, USUAL_WIDTH, HEIGHT, LABEL_PIXELS)
    named = rows.assign(label_y=[float(y) + p.rise / per_y for y, p in zip(rows["y"], places, strict=True)], side=[p.side for p in places])
    words = alt.Color(
        "variant:N", scale=alt.Scale(domain=list(rows["variant"]), range=[look.readable(look.method_color(m)) for m in rows["method"]]), legend=None
    )
    drawn = []
    for side, align in ((1, "left"), (-1, "right")):
        part = named[named["side"] == side]
        if part.empty:
            continue
        label = alt.Chart(part).encode(x=x, y=alt.Y("label_y:Q", scale=scale_y), text="variant:N")
        style: dict[str, Any] = {"align": align, "dx": CLEAR * side, "baseline": "middle", "fontWeight": 600, "limit": LABEL_PIXELS}
        drawn += [label.mark_text(**style, stroke=look.background, strokeWidth=5, strokeJoin="round"), label.mark_text(**style).encode(color=words)]
    return drawn


def _at_the_edge(
    beyond: pd.DataFrame,
    limits_x: list[float],
    limits_y: list[float],
    measure: str,
    color: Any,
    x: Any,
    scale_y: alt.Scale,
    tips: list[alt.Tooltip],
    look: Look,
) -> Any:
    """Methods beyond the axes: an arrowhead at the border, the name with both values beside it."""
    what = title_of(measure)
    reverse = lower_is_better(measure)
    edge = beyond.assign(
        label=[f"{name}: AUC {text.decimal(a)}, {what} {text.decimal(b)}" for name, a, b in zip(beyond["variant"], beyond["x"], beyond["y"], strict=True)],
        angle=[_direction(a, b, limits_x, limits_y, reverse) for a, b in zip(beyond["x"], beyond["y"], strict=True)],
        x=beyond["x"].clip(*limits_x), y=beyond["y"].clip(*limits_y),
    ).sort_values("y")  # fmt: skip
    room = (limits_y[1] - limits_y[0]) * 18 / HEIGHT
    edge["label_y"] = parts.within(spread(list(edge["y"].astype(float)), room), room, [limits_y[0] + room / 2, limits_y[1] - room / 2])
    y = alt.Y("label_y:Q", scale=scale_y)
    base = alt.Chart(edge).encode(x=x, y=y)
    arrow = base.mark_point(shape="triangle", filled=True, size=80, opacity=1).encode(color=color, angle=alt.Angle("angle:Q", scale=None), tooltip=tips)
    left, right = base.transform_filter(alt.datum.x < sum(limits_x) / 2), base.transform_filter(alt.datum.x >= sum(limits_x) / 2)
    behind: dict[str, Any] = {"stroke": look.background, "strokeWidth": 4, "strokeJoin": "round"}
    names = left.mark_text(align="left", dx=10, fontSize=11, color=look.muted) + right.mark_text(align="right", dx=-10, fontSize=11, color=look.muted)
    halo = left.mark_text(align="left", dx=10, fontSize=11, **behind) + right.mark_text(align="right", dx=-10, fontSize=11, **behind)
    return halo.encode(text="label:N") + arrow + names.encode(text="label:N")


def _direction(a: float, b: float, limits_x: list[float], limits_y: list[float], reverse: bool) -> float:
    """Degrees clockwise from up to where a point lies beyond the axes."""
    across = -1 if a < limits_x[0] else 1 if a > limits_x[1] else 0
    up = (-1 if b < limits_y[0] else 1 if b > limits_y[1] else 0) * (-1 if reverse else 1)
    return math.degrees(math.atan2(across, up))


def _family_labels() -> str:
    pairs = "".join(f"datum.label == '{key}' ? '{name}' : " for key, name in FAMILY_NAMES.items())
    return f"{pairs}datum.label"


def paired_forest(frame: pd.DataFrame, reference: str, measure: str) -> Figure:
    """Differences from the reference on the same patients and seeds, sorted; seeds as faint dots.

    `frame`: as `core.results.compare_runs.paired` gives it. Blue and orange only where the corrected p leaves less
    than ALPHA of chance.
    """
    what = title_of(measure)
    if frame.empty or frame["value"].notna().sum() == 0:
        return nothing("paired-differences", f"No other method shares a seed with {reference}, so there is nothing to compare on the same patients.")
    sign = -1 if lower_is_better(measure) else 1
    rows = frame.sort_values("value", ascending=sign < 0, na_position="last", kind="stable").reset_index(drop=True)
    rows["shown"] = interval_texts(rows, signed=True)
    rows["chance"] = [text.p_value(p) + ", corrected" if pd.notna(p) else text.p_value(None) for p in rows["p_adjusted"]]
    rows["from_to"] = [f"{text.decimal(b)} → {text.decimal(a)}" for a, b in zip(rows["value_a"], rows["value_b"], strict=True)]
    rows["samples"] = [text.positives(p, n) for p, n in zip(rows["n_pos"], rows["n_neg"], strict=True)]
    rows["side"] = [_side(value, p, sign) for value, p in zip(rows["value"], rows["p_adjusted"], strict=True)]
    rows["spread"] = [_seeds_in_words(row["differences"], row["sd"], sign) for row in rows.to_dict("records")]
    better, worse = list(rows.loc[rows["side"] == "better", "variant"]), list(rows.loc[rows["side"] == "worse", "variant"])
    clauses = [f"{text.listing(names)} {verb}{'s' if len(names) == 1 else ''} the {what}" for names, verb in ((better, "improve"), (worse, "worsen")) if names]
    title = f"Against {reference}, " + (" and ".join(clauses) if clauses else f"no method's {what} differs beyond chance")
    order = list(rows["variant"])
    dots = pd.DataFrame(
        [
            {"variant": row["variant"], "value": value, "side": row["side"], "shown": text.decimal(value, signed=True)}
            for row in rows.to_dict("records")
            for value in row["differences"]
        ],
        columns=["variant", "value", "side", "shown"],
    )
    columns = {
        "variant": "Method",
        "value": "Difference",
        "low": "Low",
        "high": "High",
        "p": "p",
        "p_adjusted": "p corrected",
        "value_a": "Method's value",
        "value_b": "Reference's value",
        "seeds": "Common seeds",
        "sd": "Sd over seeds",
        "reason": "Why not estimable",
    }
    counted = int(rows["pairs"].iloc[0])
    return Figure(
        name="paired-differences", title=title, alt=f"Forest plot of differences in {what} from {reference}, a row per method, sorted. {title}.",
        data=rows[list(columns)], table=columns,
        panels=(Panel(partial(_paired_panel, rows, dots, order, what, sign < 0)),), terms=("paired", "interval", "seed"),
        note="Mean over all common seeds on the same test patients; 95 % interval over patients (paired bootstrap) and, from two seeds on, the spread "
             f"between seeds; faint: each seed. Blue is better, orange worse, grey unclear after correction for {all_pairs(counted)} of "
             "methods (Holm).",
    )  # fmt: skip


def _side(value: float, p: float, sign: int) -> str:
    if pd.isna(value):
        return "not estimable"
    if not p < ALPHA:
        return "unclear"
    return "better" if sign * value > 0 else "worse"


def _seeds_in_words(differences: Sequence[float], sd: float, sign: int) -> str:
    """`better in 2 of 3, sd .012`."""
    if not differences:
        return "—"
    better = sum(sign * d > 0 for d in differences)
    return f"better in {better} of {len(differences)}" + (f", sd {text.decimal(sd)}" if pd.notna(sd) else "")


def _paired_panel(rows: pd.DataFrame, dots: pd.DataFrame, order: list[str], what: str, small: bool, look: Look, width: Width) -> Any:
    known = rows[rows["value"].notna()].drop(columns="differences").reset_index(drop=True)
    limits, ticks = with_gutter(domain([known["low"], known["high"], known["value"], dots["value"]], [0.0]), right=0.02)
    scale = alt.Scale(domain=limits, nice=False)
    color = alt.Color(
        "side:N",
        scale=alt.Scale(domain=["better", "worse", "unclear", "not estimable"], range=[look.better, look.worse, look.muted, look.no_estimate]),
        legend=None,
    )
    y = alt.Y("variant:N", sort=order, scale=alt.Scale(domain=order), axis=alt.Axis(title=None, labelColor=look.text, labelFontSize=13, labelLimit=190))
    axis = alt.Axis(title=f"Difference in {what}" + (" (left is better)" if small else " (right is better)"), values=ticks, grid=True, labelExpr=SIGNED)
    zero = alt.Chart(pd.DataFrame({"value": [0.0]})).mark_rule(color=look.faint, strokeWidth=1.2).encode(x=alt.datum(0))
    faint = (
        alt.Chart(dots)
        .mark_point(size=26, opacity=0.45, filled=True)
        .encode(x=alt.X("value:Q", scale=scale), y=y, color=color, tooltip=tooltips({"variant": "Method", "shown": "Difference in one seed"}))
    )
    base = alt.Chart(known).encode(y=y, color=color)
    rule = base.mark_rule(strokeWidth=2.5).encode(x=alt.X("low:Q", scale=scale), x2="high:Q")
    tips = tooltips(
        {"variant": "Method", "shown": "Difference", "chance": "Test", "from_to": "Reference → method", "spread": "Seeds", "samples": "Test samples"}
    )
    points = base.mark_point(size=110, filled=True, opacity=1).encode(x=alt.X("value:Q", scale=scale, axis=axis), tooltip=tips)
    # Above its dot and towards the middle, so that it reads as its row's and stays inside on a phone.
    middle = sum(limits) / 2
    whole = zero + faint + rule + points
    for align, dx, part in (("right", 12, known[known["value"] >= middle]), ("left", -12, known[known["value"] < middle])):
        if len(part):
            words = alt.Chart(part).encode(y=y, x=alt.X("value:Q", scale=scale), text="shown:N")
            style: dict[str, Any] = {"align": align, "dx": dx, "dy": -14, "fontSize": 11}
            whole += words.mark_text(**style, stroke=look.background, strokeWidth=5, strokeJoin="round")
            whole += words.mark_text(**style, color=look.muted)
    return whole.properties(width=width, height=44 * len(order))
