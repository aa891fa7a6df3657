"""Who is served worse: group AUCs as a forest, the gap on its null, and ROC curves."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

import pandas as pd

from core.charts import grammar as alt
from core.charts import text
from core.charts.figure import Draw, Figure, Panel, Width, nothing, panels_per_run, side_by_side
from core.charts.key import group_key, keyed_panels, present_groups
from core.charts.many_groups import MOST_COLOURS, MOST_ROWS, drawn_groups, ranking, said
from core.charts.parts import (
    colored,
    decimal_axis,
    domain,
    interval_texts,
    reference_line,
    share_domain,
    tooltips,
    with_gutter,
)
from core.charts.seeds import OF_SEEDS, gaps, nulls_over_seeds, over_seeds
from core.charts.theme import Look

ROW = 34
SQUARE = 250
ALPHA = 0.05
RIDGE = 74
"""Height of a run's row among the gaps by chance, in pixels..."""
RIDGE_HEAD, RIDGE_TOP, RIDGE_BASE = 0.16, 0.34, 0.9
"""...and where in it the words, the top and the foot of the histogram are."""


def forest(
    frame: pd.DataFrame, names: Mapping[str, str], groups: Sequence[str], attribute: str, seeds: Mapping[str, str] | None = None, searched: Sequence[str] = ()
) -> Figure:
    """Groups down, AUC and interval across, counts at the right; one panel per run.

    `frame`: run_id, group (missing: everybody), value, low, high, n_pos, n_neg, reason.
    `seeds`: run id -> id of its method, for a panel per method: the mean, the range over seeds, and each seed as a
    faint dot. `names` are then those of the methods.
    `searched`: of more than MOST_ROWS groups the lowest, the highest and these are drawn.
    """
    single = frame[:0]
    if seeds is not None:
        single = frame[frame["run_id"].isin(list(seeds)) & frame["value"].notna()].assign(run_id=lambda part: part["run_id"].map(dict(seeds)))
        single["who"] = single["group"].fillna(_everybody(groups))
        spans = gaps(frame, seeds)
        frame = over_seeds(frame, seeds)
    rows = frame[frame["run_id"].isin(list(names))].copy()
    if rows.empty or rows["value"].notna().sum() == 0:
        return nothing("group-auc", f"No group of {attribute} has enough positives and negatives in the test split for an AUC.")
    rows["run"] = rows["run_id"].map(dict(names))
    rows["who"] = rows["group"].fillna(_everybody(groups))
    rows["shown"] = interval_texts(rows)
    rows["number"] = [text.decimal(value) for value in rows["value"]]
    rows["counts"] = [text.positives(p, n) for p, n in zip(rows["n_pos"], rows["n_neg"], strict=True)]
    rows["why"] = [reason if isinstance(reason, str) else "" for reason in rows["reason"]]
    limits = share_domain([rows["low"], rows["high"], rows["value"]])
    columns = {
        "run": "Run",
        "who": attribute,
        "value": "AUC",
        "low": "Low",
        "high": "High",
        "n_pos": "Positive",
        "n_neg": "Negative",
        "why": "Why not estimable",
    }

    drawn = drawn_groups(groups, ranking(rows), MOST_ROWS, searched)
    single = single[single["group"].isna() | single["group"].isin(drawn)]

    def panel(own: pd.DataFrame) -> Draw:
        return partial(_forest_panel, own, single[single["run_id"] == own["run_id"].iloc[0]].reset_index(drop=True), drawn, groups, limits)

    panels = panels_per_run(rows[rows["group"].isna() | rows["group"].isin(drawn)], names, panel)
    title = forest_finding(rows, names)
    if seeds is not None:
        title += _in_single_seeds(spans, names)
    means = f"Test split. {OF_SEEDS} Faint: each seed. "
    marks = "Test split, 95 % intervals. " if seeds is None else means
    hatched = " Hatched: too few for an estimate." if rows["value"].isna().any() else ""
    return Figure(
        name="group-auc", title=title, alt=f"Forest plot of AUC by {attribute}, a row per group with its interval and counts, one panel per run. {title}.",
        data=rows[list(columns)], table=columns, panels=panels, columns=side_by_side(panels), terms=("group_auc", "interval"),
        note=f"{marks}Dashed: the AUC of everybody{_unknown(rows, attribute)}. At the right: positives and negatives.{hatched}"
             f"{said(len(drawn), len(groups))}",
    )  # fmt: skip


def _in_single_seeds(spans: pd.DataFrame, names: Mapping[str, str]) -> str:
    """From which to which gap the seeds of each method go; nothing where all are written alike, which the title has said."""
    several = [row for row in spans.to_dict("records") if row["seeds"] > 1 and row["run_id"] in names]
    if len({text.decimal(row[end]) for row in several for end in ("low", "high")}) < 2:
        return ""
    told = [f"{text.decimal(row['low'])} to {text.decimal(row['high'])} under {names[row['run_id']]}" for row in several]
    return f". In single seeds the gap is {text.listing(told, 3)}"


def _unknown(rows: pd.DataFrame, attribute: str) -> str:
    """How many samples of the row of everybody belong to no group beside it, in words; empty where there are none."""
    sizes = (rows["n_pos"] + rows["n_neg"]).groupby([rows["run_id"], rows["group"].isna()]).sum().unstack(fill_value=0)
    if True not in sizes.columns or False not in sizes.columns:
        return ""
    more = int((sizes[True] - sizes[False]).max())
    return f", {text.plural(more, 'sample')} without a recorded {attribute} included" if more > 0 else ""


def _everybody(groups: Sequence[str]) -> str:
    """What the row of all samples is called: no group's own name."""
    name = "everybody"
    while name in groups:
        name += " together"
    return name


def forest_finding(rows: pd.DataFrame, names: Mapping[str, str]) -> str:
    """Lowest against highest group of the run with the widest gap."""
    best: tuple[float, str] = (-1.0, "No two groups can be compared")
    known = rows[rows["group"].notna() & rows["value"].notna()]
    alike = {text.decimal(value) for value in known["value"]}
    if len(alike) == 1 and known.groupby("run_id").size().max() > 1:
        return f"All groups have an AUC of {alike.pop()}" + (" under every run" if known["run_id"].nunique() > 1 else "")
    for run_id, name in names.items():
        known = rows[(rows["run_id"] == run_id) & rows["group"].notna() & rows["value"].notna()].sort_values("value")
        if len(known) < 2:
            continue
        low, high = known.iloc[0], known.iloc[-1]
        gap = float(high["value"] - low["value"])
        if gap > best[0]:
            if text.decimal(low["value"]) == text.decimal(high["value"]):
                best = gap, f"All groups have an AUC of {text.decimal(low['value'])} under {name}"
                continue
            best = (
                gap,
                f"{low['group']} has the lowest AUC under {name}: {text.decimal(low['value'])} against {text.decimal(high['value'])} for {high['group']}",
            )
    return text.sentence(best[1])


def _forest_panel(rows: pd.DataFrame, single: pd.DataFrame, drawn: Sequence[str], groups: Sequence[str], limits: list[float], look: Look, width: Width) -> Any:
    together = _everybody(groups)
    order = [*drawn, together]
    # Beyond the palette a colour would stand for two groups; the rows have their names.
    known = look.group_colors(groups) if len(groups) <= MOST_COLOURS else dict.fromkeys(drawn, look.muted)
    colors = {**known, together: look.text}
    y = alt.Y("who:N", sort=order, scale=alt.Scale(domain=order), axis=alt.Axis(title=None, labelColor=look.text, labelFontSize=13))
    wide, ticks = with_gutter(limits, right=0.55)
    x_scale = alt.Scale(domain=wide, nice=False, zero=False)
    estimated = alt.Chart(rows[rows["value"].notna()]).encode(y=y, color=colored("who", colors))
    unknown = alt.Chart(rows[rows["value"].isna()]).encode(y=y)
    tips = tooltips({"run": "Run", "who": "Group", "shown": "AUC", "counts": "Positive / negative", "why": "Note"})
    rule = estimated.mark_rule(strokeWidth=2.5).encode(x=alt.X("low:Q", scale=x_scale), x2="high:Q")
    dots = estimated.mark_point(size=110).encode(x=alt.X("value:Q", scale=x_scale, axis=decimal_axis("AUC", values=ticks, grid=True)), tooltip=tips)
    style: dict[str, Any] = {"align": "left", "text": "╱╱ not estimable", "fontSize": 12}
    missing = [
        unknown.mark_text(**style, stroke=look.background, strokeWidth=4, strokeJoin="round").encode(x=alt.value(6), color=alt.value(look.background)),
        unknown.mark_text(**style, color=look.muted).encode(x=alt.value(6), tooltip=tips),
    ]
    counts = alt.Chart(rows).mark_text(align="right", fontSize=12, color=look.muted).encode(y=y, x=alt.value("width"), text="counts:N", tooltip=tips)
    at = alt.X("value:Q", scale=x_scale)
    numbers = estimated.mark_text(fontSize=11, dy=13, color=look.muted).encode(x=at, text="number:N", color=alt.value(look.muted))
    # A number may stand on the dashed line: its ground is cleared first.
    halo = estimated.mark_text(fontSize=11, dy=13, stroke=look.background, strokeWidth=4, strokeJoin="round").encode(
        x=at, text="number:N", color=alt.value(look.background)
    )
    whole = rows[rows["group"].isna() & rows["value"].notna()]
    layers = [reference_line(look, float(whole["value"].iloc[0]), "x")] if not whole.empty else []
    if rows["value"].isna().any():
        layers += missing
    if len(single):
        layers.append(alt.Chart(single[["who", "value"]]).mark_point(size=28, opacity=0.35, aria=False).encode(y=y, x=at, color=colored("who", colors)))
    return alt.layer(*layers, halo, rule, dots, numbers, counts).properties(width=width, height=(ROW + 8) * len(order))


def gap_null(frame: pd.DataFrame, names: Mapping[str, str], attribute: str, seeds: Mapping[str, str] | None = None) -> Figure:
    """The observed gap on the gaps that chance gives among groups of equal AUC: one chart, a row per run; a picture, not a claim.

    `frame`: run_id, left, right, share, observed, p, q95, draws.
    `seeds`: run id -> id of its method, for a row per method: the mean gap, the range over seeds, each seed as a faint dot, and
    the gaps by chance of all its seeds. `names` are then those of the methods.
    """
    if frame.empty:
        return nothing("gap-null", f"Fewer than two groups of {attribute} have enough positives and negatives, so there is no gap to test.")
    frame = frame.assign(observed_low=frame["observed"], observed_high=frame["observed"]) if seeds is None else nulls_over_seeds(frame, seeds)
    order = {run_id: place for place, run_id in enumerate(run for run in names if (frame["run_id"] == run).any())}
    rows = frame[frame["run_id"].isin(list(order))].copy()
    rows["run"] = rows["run_id"].map(dict(names))
    rows["row"] = rows["run_id"].map(order)
    heads = rows.drop_duplicates("run_id").sort_values("row").to_dict("records")
    parts = [f"{_gap_text(h)} under {h['run']} (chance alone reaches {text.decimal(h['q95'])})" for h in heads]
    title = f"Gap between group AUCs{'' if seeds is None else ', mean over seeds'}: {text.listing(parts, 4)}"
    columns = {"run": "Run" if seeds is None else "Method", "left": "Gap from", "right": "Gap to", "share": "Share of draws", "observed": "Observed gap"}
    columns |= {"p": "p (this run alone)"} if seeds is None else {"observed_low": "Lowest seed", "observed_high": "Highest seed", "seeds": "Seeds"}
    columns |= {"q95": "95 % quantile", "draws": "Draws"}
    return Figure(
        name="gap-null", title=title, alt="Histogram of the gap between group AUCs that chance gives among groups of equal AUC, a row per "
                                          f"{'run' if seeds is None else 'method'} on one axis, with the observed gap as a marked line. {title}.",
        data=rows[list(columns)], table=columns, panels=(Panel(partial(_null_panel, _ridges(rows), _observed(heads), _singles(heads),
            domain([rows["right"], rows["observed_high"]], include=[0.0])[1])),), terms=("max_gap", "null"),
        note=f"Grey: gaps that chance gives {'a run' if seeds is None else 'a single seed'} where all groups have the same AUC, with these group sizes "
             f"({text.count(heads[0]['draws'])} draws); dashed, and in the title: 95 % of them are smaller. "
             + ("" if seeds is None else "Large dot: the mean over seeds; small dots: each seed; line: from the lowest to the highest seed. ")
             + f"A look at one {'run' if seeds is None else 'method'}; whether a difference may be claimed is said in the answer above, which corrects for "
             "all that was searched.",
    )  # fmt: skip


def _gap_text(head: Mapping[Any, Any]) -> str:
    """`.087`, and over seeds `.087 (.038 to .121)`."""
    low, high = text.decimal(head["observed_low"]), text.decimal(head["observed_high"])
    return text.decimal(head["observed"]) + ("" if low == high else f" ({low} to {high})")


def _singles(heads: Sequence[Mapping[Any, Any]]) -> pd.DataFrame:
    """The gap of every single seed, where rows are means: base, gap."""
    return pd.DataFrame(
        [{"base": h["row"] + RIDGE_BASE, "gap": gap} for h in heads for gap in (h.get("each") or ()) if len(h["each"]) > 1], columns=["base", "gap"]
    )


def _ridges(rows: pd.DataFrame) -> pd.DataFrame:
    """Steps of each run's histogram, all histograms of one height: row, step, and base and top, counted in rows from above."""
    found = []
    for place in sorted(rows["row"].unique()):
        bins = rows[rows["row"] == place]
        base = float(place) + RIDGE_BASE
        tops = [base - (RIDGE_BASE - RIDGE_TOP) * share / float(bins["share"].max()) for share in bins["share"]]
        found += [
            {"row": int(place), "step": step, "base": base, "top": top}
            for step, top in zip([*bins["left"], bins["right"].max()], [*tops, tops[-1]], strict=True)
        ]
    return pd.DataFrame(found)


def _observed(heads: Sequence[Mapping[Any, Any]]) -> pd.DataFrame:
    """A row per run: where its line, dot and words stand."""
    return pd.DataFrame([
        {
            "run": h["run"], "row": int(h["row"]), "observed": h["observed"], "q95": h["q95"], "head": h["row"] + RIDGE_HEAD, "top": h["row"] + RIDGE_TOP,
            "base": h["row"] + RIDGE_BASE,
            "low": h["observed_low"], "high": h["observed_high"],
            "words": f"{_gap_text(h)}, chance {text.decimal(h['q95'])}", "gap": _gap_text(h), "chance": text.decimal(h["q95"]),
        }
        for h in heads
    ])  # fmt: skip


def _null_panel(ridges: pd.DataFrame, observed: pd.DataFrame, singles: pd.DataFrame, right: float, look: Look, width: Width) -> Any:
    count = len(observed)
    y_scale = alt.Scale(domain=[count, 0], nice=False, zero=False)

    def y(field: str) -> alt.Y:
        return alt.Y(f"{field}:Q", scale=y_scale, axis=None)

    x_scale = alt.Scale(domain=[0, right], nice=False)
    axis = decimal_axis("Gap between group AUCs", tickCount=5, grid=True)
    chance = (
        alt.Chart(ridges)
        .mark_area(opacity=0.5, interpolate="step-after", color=look.no_estimate)
        .encode(x=alt.X("step:Q", scale=x_scale, axis=axis), y=y("top"), y2="base:Q", detail="row:O")
    )
    known = alt.Chart(observed)
    color = alt.value(look.text)
    at = alt.X("observed:Q", scale=x_scale)
    tips = tooltips({"run": "Run", "gap": "Observed gap", "chance": "95 % of chance gaps below"})
    floor = known.mark_rule(color=look.faint, strokeWidth=1).encode(y=y("base"))
    edge = known.mark_rule(color=look.muted, strokeDash=[3, 3], strokeWidth=1).encode(x=alt.X("q95:Q", scale=x_scale), y=y("top"), y2="base:Q")
    # Beside its dashed line, on the side where the observed gap is not.
    edge_words = [
        alt.Chart(part)
        .mark_text(align=align, baseline="top", dx=dx, fontSize=11, text="95 %", color=look.muted)
        .encode(x=alt.X("q95:Q", scale=x_scale), y=y("top"))
        for align, dx, part in (("left", 4, observed[observed["observed"] <= observed["q95"]]), ("right", -4, observed[observed["observed"] > observed["q95"]]))
        if len(part)
    ]
    line = known.mark_rule(strokeWidth=2.5).encode(x=at, y=y("top"), y2="base:Q", color=color)
    dot = known.mark_point(size=110).encode(x=at, y=y("base"), color=color, tooltip=tips)
    spread = known.mark_rule(strokeWidth=2.5).encode(x=alt.X("low:Q", scale=x_scale), x2="high:Q", y=y("base"), color=color)
    layers = [chance, floor, edge, *edge_words, line, spread, dot]
    if len(singles):
        layers.append(alt.Chart(singles).mark_point(size=30, opacity=0.5, aria=False).encode(x=alt.X("gap:Q", scale=x_scale), y=y("base"), color=color))
    name = known.mark_text(align="left", fontSize=13, fontWeight=600, limit=215, color=look.text).encode(x=alt.value(0), y=y("head"), text="run:N")
    words = known.mark_text(align="right", fontSize=13, fontWeight=600).encode(x=alt.value("width"), y=y("head"), text="words:N", color=color)
    return alt.layer(*layers, name, words).properties(width=width, height=RIDGE * count)


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
        same = text.percent(near.min()) == text.percent(near.max())
        title = (
            f"At one false alarm in ten, sensitivity is {text.percent(near.min())} in every group"
            if same
            else f"At one false alarm in ten, sensitivity ranges from {text.percent(near.min())} ({low}, {run}) to {text.percent(near.max())} ({high})"
        )
    else:
        title = f"ROC curves by {attribute}"
    columns = {"run": "Run", "group": attribute, "fpr": "False positive rate", "tpr": "True positive rate", "n_pos": "Positive", "n_neg": "Negative"}
    panels = keyed_panels(rows, names, _roc_panel, groups)
    return Figure(name="roc", title=title, alt=f"ROC curves, a line per group of {attribute}, one panel per run. {title}.", data=rows[list(columns)],
                  key=partial(group_key, present_groups(rows, groups), groups), table=columns,
                  panels=panels, columns=side_by_side(panels), terms=("roc", "tpr", "fpr"),
                  note="Groups without enough positives and negatives are left out.")  # fmt: skip


def _roc_panel(rows: pd.DataFrame, groups: Sequence[str], keyed: bool, look: Look, width: Width) -> Any:
    present = present_groups(rows, groups)
    color = colored("group", look.group_colors(groups), alt.Legend(title=None, values=present, columns=3, offset=34) if keyed else None)
    x = alt.X("fpr:Q", scale=alt.Scale(domain=[0, 1]), axis=decimal_axis("False positive rate", tickCount=5, grid=True))
    y = alt.Y("tpr:Q", scale=alt.Scale(domain=[0, 1]), axis=decimal_axis("True positive rate", tickCount=5))
    chance = alt.Chart(pd.DataFrame({"fpr": [0, 1], "tpr": [0, 1]})).mark_line(color=look.faint, strokeDash=[4, 4], strokeWidth=1).encode(x=x, y=y)
    lines = (
        alt.Chart(rows)
        .mark_line(interpolate="step-after", strokeWidth=2)
        .encode(x=x, y=y, color=color, order="tpr:Q", tooltip=[*tooltips({"group": "Group", "counts": "Positive / negative"})])
    )
    return (chance + lines).properties(width=width, height=SQUARE)
