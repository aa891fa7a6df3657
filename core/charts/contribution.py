"""How much each modality contributes: over epochs, per group, alone, and taken away."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

import pandas as pd

from core.charts import grammar as alt
from core.charts import text
from core.charts.figure import Figure, Panel, Width, nothing
from core.charts.parts import (
    colored,
    decimal_axis,
    domain,
    end_labels,
    epoch_axis,
    heat_map,
    interval_texts,
    reference_line,
    tooltips,
)  # fmt: skip
from core.charts.theme import Look

HEIGHT = 220
SLOPE_HEIGHT = 170


def leaning(frame: pd.DataFrame, names: Mapping[str, str]) -> pd.DataFrame:
    """The last epoch's leading modality of each run: run_id, name, modality, value, low, high, n.

    `frame`: telemetry rows `contribution.ratio` of all groups together. Runs with one
    modality are left out: they have nothing to lean away from.
    """
    rows = []
    for run_id, name in names.items():
        part = frame[(frame["run_id"] == run_id) & frame["group"].isna() & frame["value"].notna()]
        if part["modality"].nunique() > 1:
            last = part[part["epoch"] == part["epoch"].max()]
            rows.append({**last.sort_values("value").iloc[-1].to_dict(), "run": name})
    return pd.DataFrame(rows)


def over_epochs(frame: pd.DataFrame, names: Mapping[str, str], modalities: Sequence[str]) -> Figure:
    """Contribution ratio over epochs with its interval, one panel per run.

    `frame`: telemetry columns, rows `contribution.ratio` with missing `group`.
    """
    rows = frame[(frame["name"] == "contribution.ratio") & frame["group"].isna() & frame["run_id"].isin(list(names))].copy()
    if rows["value"].notna().sum() == 0:
        return nothing("contribution-ratio", "No contribution was recorded for these runs: with one modality there is nothing to share.")
    rows["run"] = rows["run_id"].map(dict(names))
    rows["trained"] = rows["epoch"] + 1
    rows["shown"] = interval_texts(rows)
    rows["counts"] = [text.count(n) for n in rows["n"]]
    last = int(rows["trained"].max())
    leads = leaning(rows, names)
    panels = tuple(
        Panel(partial(_epochs_panel, rows[rows["run_id"] == run_id].reset_index(drop=True), modalities, last), name)
        for run_id, name in names.items()
        if rows.loc[rows["run_id"] == run_id, "value"].notna().any()
    )
    columns = {"run": "Run", "trained": "Epochs trained", "modality": "Modality", "value": "Ratio", "low": "Low", "high": "High", "n": "Patients"}
    ends = leads.to_dict("records")
    carried = [(str(row["modality"]), text.percent(row["value"]), str(row["run"])) for row in ends]
    title = text.same_verb(carried, "carries") or "Contribution of each modality"
    return Figure(
        name="contribution-ratio", title=title,
        alt=f"Line chart of each modality's contribution ratio over {text.plural(last, 'epoch')}, one panel per run. At the end " + text.listing([f"{row['modality']} has {text.interval(row['value'], row['low'], row['high'])} in {row['run']}" for row in ends], 6) + ".",
        data=rows[list(columns)], table=columns, panels=panels, columns=min(3, max(1, len(panels))), terms=("ratio", "phi", "interval"),
        note="Bands are 95 % bootstrap intervals over validation patients. The dashed line is an equal share.",
    )  # fmt: skip


def _epochs_panel(rows: pd.DataFrame, modalities: Sequence[str], last: int, look: Look, width: Width) -> Any:
    colors = look.modality_colors(modalities)
    limits = [0.0, 1.0]
    labels = end_labels(rows, "trained", "modality", limits, HEIGHT)
    x = alt.X("trained:Q", axis=epoch_axis(last), scale=alt.Scale(domain=[0, last * 1.28], nice=False))
    y_scale = alt.Scale(domain=limits)
    y = alt.Y("value:Q", axis=decimal_axis("Contribution ratio", tickCount=5), scale=y_scale)
    tips = tooltips({"run": "Run", "modality": "Modality", "trained": "Epochs trained", "shown": "Ratio", "counts": "Patients"})
    base = alt.Chart(rows).encode(x=x, color=colored("modality", colors))
    band = base.mark_area().encode(y=alt.Y("low:Q", scale=y_scale), y2="high:Q")
    line = base.mark_line().encode(y=y)
    points = base.mark_point(size=44).encode(y=y, tooltip=tips)
    names = alt.Chart(labels).mark_text(align="left", dx=8, fontWeight=600).encode(x=x, y=alt.Y("label_y:Q", scale=y_scale), text="modality:N", color=colored("modality", colors))
    return (reference_line(look, 1 / max(rows["modality"].nunique(), 1)) + band + line + points + names).properties(width=width, height=HEIGHT)


def by_group(frame: pd.DataFrame, names: Mapping[str, str], modalities: Sequence[str], groups: Sequence[str], attribute: str) -> Figure:
    """Signed Shapley value of each modality for each group: a heat map with the numbers, per run.

    `frame`: telemetry rows `contribution.phi` of one epoch (the last), groups included.
    """
    rows = frame[(frame["name"] == "contribution.phi") & frame["group"].isin(list(groups)) & frame["run_id"].isin(list(names))].copy()
    if rows.empty:
        return nothing("shapley-by-group", f"These runs recorded no contribution per {attribute}: they were trained for another attribute. Train for {attribute} to see it, or choose their attribute above.")
    rows["run"] = rows["run_id"].map(dict(names))
    rows["shown"] = [text.decimal(v, 3, True) for v in rows["value"]]
    rows["estimate"] = interval_texts(rows, signed=True)
    rows["counts"] = [text.count(n) for n in rows["n"]]
    most = float(rows["value"].abs().max()) if rows["value"].notna().any() else 0.1
    columns = {"run": "Run", "group": attribute, "modality": "Modality", "value": "Shapley value", "low": "Low", "high": "High", "n": "Patients"}
    panels = tuple(Panel(partial(_group_panel, rows[rows["run_id"] == run_id].reset_index(drop=True), modalities, groups, most), name) for run_id, name in names.items() if (rows["run_id"] == run_id).any())
    title = group_finding(rows, attribute)
    return Figure(
        name="shapley-by-group", title=title, data=rows[list(columns)], table=columns, panels=panels, columns=min(3, max(1, len(panels))),
        alt=f"Heat map of Shapley values, {text.plural(len(groups), 'group')} of {attribute} by {text.plural(len(modalities), 'modality', 'modalities')}, one panel per run. {title}.",
        terms=("phi", "interval"), note="Blue adds to the group's AUC, orange takes from it; hatched: not estimable (a group without positives or without negatives).",
    )  # fmt: skip


def group_finding(rows: pd.DataFrame, attribute: str) -> str:
    """The largest difference between groups in what one modality adds, with both intervals."""
    best: tuple[float, str] = (0.0, f"No modality's contribution can be compared between groups of {attribute}")
    for (_, run, modality), part in rows[rows["value"].notna()].groupby(["run_id", "run", "modality"], sort=False):
        if len(part) < 2:
            continue
        ordered = part.sort_values("value")
        high, low = ordered.iloc[-1], ordered.iloc[0]
        gap = float(high["value"] - low["value"])
        if gap > best[0]:
            overlap = ", intervals overlap" if low["high"] >= high["low"] else ""
            best = gap, f"{modality} adds most for {high['group']} ({text.decimal(high['value'], 3, True)}) and least for {low['group']} ({text.decimal(low['value'], 3, True)}) under {run}{overlap}"
    return text.sentence(best[1])


def _group_panel(rows: pd.DataFrame, modalities: Sequence[str], groups: Sequence[str], most: float, look: Look, width: Width) -> Any:
    present = [m for m in modalities if m in set(rows["modality"])]
    return heat_map(
        rows, look, width, x="modality", y="group", x_order=present, y_order=groups, limits=(-most, 0.0, most), x_title=None, y_title=None,
        tips={"run": "Run", "group": "Group", "modality": "Modality", "estimate": "Shapley value", "counts": "Patients"},
    )  # fmt: skip


def unimodal(frame: pd.DataFrame, names: Mapping[str, str], modalities: Sequence[str], groups: Sequence[str], attribute: str) -> Figure:
    """AUC of each modality's own classifier, per group, with intervals.

    `frame`: run_id, modality, group, value, low, high, n_pos, n_neg, reason.
    """
    rows = frame[frame["group"].isin(list(groups)) & frame["run_id"].isin(list(names))].copy()
    if rows["value"].notna().sum() == 0:
        return nothing("unimodal-auc", f"No group of {attribute} has enough test patients of both outcomes for a modality's own AUC.")
    rows["run"] = rows["run_id"].map(dict(names))
    rows["shown"] = interval_texts(rows)
    rows["counts"] = [text.positives(p, n) for p, n in zip(rows["n_pos"], rows["n_neg"], strict=True)]
    limits = domain([rows["low"], rows["high"], rows["value"]], include=[0.5])
    columns = {"run": "Run", "modality": "Modality", "group": attribute, "value": "AUC", "low": "Low", "high": "High", "n_pos": "Positive", "n_neg": "Negative", "reason": "Why not estimable"}
    panels = tuple(Panel(partial(_unimodal_panel, rows[rows["run_id"] == run_id].reset_index(drop=True), modalities, groups, limits), name) for run_id, name in names.items() if (rows["run_id"] == run_id).any())
    best = rows.dropna(subset=["value"]).sort_values("value").groupby("group").tail(1).sort_values("group").to_dict("records")
    title = "Alone, " + text.listing([f"{row['modality']} serves {row['group']} best ({text.decimal(row['value'])}, {row['run']})" for row in best], 3)
    return Figure(
        name="unimodal-auc", title=title, alt=f"Dots with intervals: AUC of each modality alone, by {attribute}. {title}.", data=rows[list(columns)], table=columns,
        panels=panels, columns=min(3, max(1, len(panels))), terms=("unimodal", "group_auc", "interval"), note="Test split, 95 % intervals. Dashed: chance.",
    )  # fmt: skip


def _unimodal_panel(rows: pd.DataFrame, modalities: Sequence[str], groups: Sequence[str], limits: list[float], look: Look, width: Width) -> Any:
    colors = look.modality_colors(modalities)
    y = alt.Y("group:N", sort=list(groups), scale=alt.Scale(domain=list(groups)), axis=alt.Axis(title=None))
    offset = alt.YOffset("modality:N", sort=list(modalities))
    x_scale = alt.Scale(domain=limits, nice=False, zero=False)
    base = alt.Chart(rows[rows["value"].notna()]).encode(y=y, yOffset=offset, color=colored("modality", colors, alt.Legend(title=None)))
    rule = base.mark_rule(strokeWidth=2).encode(x=alt.X("low:Q", scale=x_scale), x2="high:Q")
    dots = base.mark_point(size=80).encode(
        x=alt.X("value:Q", scale=x_scale, axis=decimal_axis("AUC of the modality alone", tickCount=5, grid=True)),
        tooltip=tooltips({"run": "Run", "modality": "Modality", "group": "Group", "shown": "AUC", "counts": "Positive / negative"}),
    )
    return (reference_line(look, 0.5, "x") + rule + dots).properties(width=width, height=max(110, (18 * len(modalities) + 16) * len(groups)))


def take_away(frame: pd.DataFrame, names: Mapping[str, str], modalities: Sequence[str], groups: Sequence[str], attribute: str, most: int | None = None) -> Figure:
    """Slopes from all modalities to all but one, per group: one panel per run and modality.

    `frame`: run_id, modality (missing: nothing taken away), group, value, low, high, n_pos, n_neg, reason.
    `most`: draw only as many modalities, those whose loss moves any group furthest; the table has all.
    """
    count = frame.groupby("run_id")["modality"].nunique()
    rows = frame[frame["run_id"].isin(list(count[count > 1].index)) & frame["group"].isin(list(groups)) & frame["run_id"].isin(list(names))].copy()
    if rows.empty or rows["modality"].dropna().empty or rows["value"].notna().sum() == 0:
        return nothing("take-away", "Nothing can be taken away from these runs: they use one modality.")
    rows["run"] = rows["run_id"].map(dict(names))
    rows["shown"] = interval_texts(rows)
    rows["counts"] = [text.positives(p, n) for p, n in zip(rows["n_pos"], rows["n_neg"], strict=True)]
    limits = domain([rows["low"], rows["high"], rows["value"]], include=[0.5])
    panels, falls = [], []
    used = [m for m in modalities if m in set(rows["modality"].dropna())]
    drawn = _furthest(rows, used, most)
    # A row per run, a column per modality: which line falls is read across.
    for run_id, name in names.items():
        part = rows[rows["run_id"] == run_id]
        for modality in used:
            after = f"without {modality}"
            if not (part["modality"] == modality).any():
                continue
            ends = pd.concat([part[part["modality"].isna()].assign(step="all"), part[part["modality"] == modality].assign(step=after)], ignore_index=True)
            if modality in drawn:
                panels.append(Panel(partial(_slope_panel, ends, groups, after, limits), f"{name}, {after}"))
            wide = ends.pivot_table(index="group", columns="step", values="value", aggfunc="first")
            if "all" in wide and after in wide:
                falls += [(float(fall), modality, str(group), name) for group, fall in (wide["all"] - wide[after]).dropna().items()]
    columns = {"run": "Run", "modality": "Taken away", "group": attribute, "value": "AUC", "low": "Low", "high": "High", "n_pos": "Positive", "n_neg": "Negative", "reason": "Why not estimable"}
    worst = max(falls, default=None)
    title = f"Without {worst[1]}, {worst[2]} falls furthest: {text.decimal(-worst[0], 3, True)} AUC under {worst[3]}" if worst and worst[0] > 0 else "Taking a modality away costs no group AUC"
    return Figure(
        name="take-away", title=title, alt=f"Slope charts from all modalities to all but one, a line per group of {attribute}. {title}.", data=rows[list(columns)], table=columns,
        panels=tuple(panels), columns=min(4, max(2, len(drawn))), terms=("take_away", "group_auc", "interval"),
        note="Test split, 95 % intervals. The modality is replaced by its training mean." + (f" Drawn are the {len(drawn)} of {len(used)} modalities that matter most." if len(drawn) < len(used) else ""),
    )  # fmt: skip


def _furthest(rows: pd.DataFrame, used: Sequence[str], most: int | None) -> list[str]:
    """The `most` modalities of `used`, in their order, without which some group's AUC moves furthest."""
    if most is None or len(used) <= most:
        return list(used)
    whole = rows[rows["modality"].isna()].set_index(["run_id", "group"])["value"]
    part = rows[rows["modality"].notna()]
    before = whole.reindex(pd.MultiIndex.from_frame(part[["run_id", "group"]])).to_numpy(dtype=float)
    moved = abs(part["value"].to_numpy(dtype=float) - before)
    reach = pd.Series(moved, index=part["modality"].to_numpy()).groupby(level=0).max()
    kept = set(reach.sort_values(ascending=False).index[:most])
    return [m for m in used if m in kept]


def _slope_panel(rows: pd.DataFrame, groups: Sequence[str], after: str, limits: list[float], look: Look, width: Width) -> Any:
    colors = look.group_colors(groups)
    known = rows[rows["value"].notna()]
    labels = end_labels(known[known["step"] == after], "step", "group", limits, SLOPE_HEIGHT)
    x = alt.X("step:N", sort=["all", after], scale=alt.Scale(domain=["all", after], padding=0.5), axis=alt.Axis(title=None, labelAngle=0))
    y_scale = alt.Scale(domain=limits, nice=False, zero=False)
    base = alt.Chart(known).encode(x=x, color=colored("group", colors))
    line = base.mark_line(strokeWidth=2.5).encode(y=alt.Y("value:Q", scale=y_scale, axis=decimal_axis("AUC", tickCount=5)), detail="group:N")
    rule = base.mark_rule(strokeWidth=1.2, opacity=0.55).encode(y=alt.Y("low:Q", scale=y_scale), y2="high:Q")
    dots = base.mark_point(size=70).encode(y=alt.Y("value:Q", scale=y_scale), tooltip=tooltips({"run": "Run", "step": "Modalities", "group": "Group", "shown": "AUC", "counts": "Positive / negative"}))
    names = alt.Chart(labels).mark_text(align="left", dx=9, fontWeight=600).encode(x=x, y=alt.Y("label_y:Q", scale=y_scale), text="group:N", color=colored("group", colors))
    return (rule + line + dots + names).properties(width=width, height=SLOPE_HEIGHT)
