"""Where the gradients fight: three strips on one epoch axis with a linked brush."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

import altair as alt
import pandas as pd

from core.charts import text
from core.charts.figure import Figure, Panel, Width, nothing
from core.charts.parts import (
    DECIMALS,
    HATCH,
    colored,
    decimal_axis,
    domain,
    end_labels,
    epoch_axis,
    reference_line,
    tooltips,
)  # fmt: skip
from core.charts.theme import Look, color_scale

# One brush in all strips is what we want: Altair merges the equal parameters and warns each time.
warnings.filterwarnings("ignore", message="Automatically deduplicated selection parameter")

STRIP = 128
ROOM = 1.32
"""The epoch axis is this much longer than the training, for the names at the lines' ends."""
SYMBOLS = {"balance": "B", "factor": "f", "gate": "gate"}
"""What a method calls its series -> the paper's symbol. Other series keep their own name."""


def conflict(frame: pd.DataFrame, names: Mapping[str, str], modalities: Sequence[str], groups: Sequence[str], brushed: tuple[int, int]) -> Figure:
    """The three strips and, under them, the heat map of the brushed epochs; one column per run.

    `frame`: telemetry rows `conflict.*`, `effect.relative_update` and `method.*`.
    `brushed`: first and last epoch (as trained, from 1) that the brush starts with.
    """
    rows = prepared(frame, names)
    if rows[rows["name"] == "conflict.fused"].empty:
        return nothing("gradient-conflict", "These runs recorded no gradient conflict.")
    last = int(rows["trained"].max())
    fused = rows[(rows["name"] == "conflict.fused") & (rows["stat"] != "share_negative")]
    between = rows[(rows["name"] == "conflict.groups") & (rows["stat"] == "mean")]
    limits = (domain([fused["value"]], [0.0]), domain([between["value"]], [0.0]))
    panels = tuple(
        Panel(partial(_strips, rows[rows["run_id"] == run_id].reset_index(drop=True), modalities, groups, last, limits, brushed), name)
        for run_id, name in names.items()
        if ((rows["run_id"] == run_id) & (rows["name"] == "conflict.fused")).any()
    )
    title = finding(rows, names, brushed)
    columns = {"run": "Run", "trained": "Epoch", "name": "Quantity", "stat": "Statistic", "modality": "Modality", "group": "Group", "group_b": "Other group", "value": "Value"}
    drawn = rows[rows["name"].isin(["conflict.fused", "conflict.groups", "effect.relative_update", "conflict.group_modality"]) | rows["name"].str.startswith("method.")]
    return Figure(
        name="gradient-conflict", title=title,
        alt=f"Three strips over {text.plural(last, 'epoch')} and a heat map, one column per run: cosine of each modality's gradient with the fused one, cosine between groups, the factor applied beside the relative update. {title}.",
        data=drawn[list(columns)].reset_index(drop=True), table=columns, panels=panels, columns=min(3, max(1, len(panels))),
        terms=("cosine", "p10", "share_negative", "factor", "relative_update", "conflict_heat"),
        note="Lines: mean over the epoch's steps; thin lines: tenth percentile; shading: share of conflicting steps. Drag across a strip to choose the epochs of the heat map, double-click to clear.",
    )  # fmt: skip


def prepared(frame: pd.DataFrame, names: Mapping[str, str]) -> pd.DataFrame:
    """Telemetry of the chosen runs with `run`, `trained` (epochs, from 1), `pair` and `shown`."""
    rows = frame[frame["run_id"].isin(list(names)) & (frame["epoch"] >= 0)].copy()
    rows["run"] = rows["run_id"].map(dict(names))
    rows["trained"] = rows["epoch"] + 1
    rows["pair"] = rows["group"].fillna("") + " / " + rows["group_b"].fillna("")
    rows["shown"] = [text.decimal(v, 3, True) for v in rows["value"]]
    return rows


def finding(rows: pd.DataFrame, names: Mapping[str, str], brushed: tuple[int, int]) -> str:
    """The modality that conflicts most often with the fused gradient, per run, over the brushed epochs."""
    share = rows[(rows["name"] == "conflict.fused") & (rows["stat"] == "share_negative") & rows["trained"].between(*brushed) & rows["value"].notna()]
    parts = []
    for run_id, name in names.items():
        of_run = share[share["run_id"] == run_id]
        if not of_run.empty:
            means = of_run.groupby("modality", sort=False)["value"].mean().sort_values()
            parts.append((str(means.index[-1]), f"{text.percent(means.iloc[-1])} of steps", name))
    return text.same_verb(parts, "fights the fused gradient in") or "Gradients over the chosen epochs"


def _strips(rows: pd.DataFrame, modalities: Sequence[str], groups: Sequence[str], last: int, limits: tuple[list[float], list[float]],
            brushed: tuple[int, int], look: Look, width: Width) -> Any:  # fmt: skip
    brush = alt.selection_interval(name="epochs", encodings=["x"], value={"x": [brushed[0] - 0.4, brushed[1] + 0.4]},
                                   mark=alt.BrushConfig(fill=look.accent, fillOpacity=0.08, stroke=look.accent, strokeOpacity=0.5, cursor="col-resize"))  # fmt: skip
    x = _x(last)
    strips = [_modality_strip(rows, modalities, x, _x(last, field="left"), limits[0], look).add_params(brush)]
    if (rows["name"] == "conflict.groups").any():
        strips.append(_group_strip(rows, x, limits[1], look).add_params(brush))
    strips.append(_factor_strip(rows, modalities, x, look).add_params(brush))
    strips.append(_update_strip(rows, modalities, _x(last, "Epochs trained"), look).add_params(brush))
    inner = {} if width == "container" else {"width": width}
    drawn = [strip.properties(height=STRIP, **inner) for strip in strips]
    heat = rows[(rows["name"] == "conflict.group_modality") & rows["group"].isin(list(groups))]
    if not heat.empty:
        drawn.append(_brushed_heat(heat, modalities, groups, brush, look).properties(**inner))
    return alt.vconcat(*drawn, spacing=26).resolve_scale(color="independent")


def _x(last: int, title: str | None = None, field: str = "trained") -> alt.X:
    """The epoch axis that all strips share, with room for labels at the right."""
    return alt.X(f"{field}:Q", scale=alt.Scale(domain=[0.5 - 0.11 * last, 0.5 + last * ROOM], nice=False), axis=epoch_axis(last, title, first=1))


def _inner_axis(label: str) -> alt.Axis:
    """Labels on their grid lines inside the plot: stacked views take the page's width with
    nothing outside it, because Vega-Lite fits only single views to a width."""
    return alt.Axis(title=None, labelExpr=label, tickCount=4, labelAlign="left", labelBaseline="bottom", labelPadding=-2, labelOffset=-1, labelFontSize=11, zindex=0)


def _anchor(part: pd.DataFrame, x: alt.X, y: alt.Y) -> alt.Chart:
    """An unseen first layer over the epochs: a brush binds to the fields of the first layer."""
    return alt.Chart(part).mark_point(opacity=0, size=1).encode(x=x, y=y)


def _headed(chart: Any, title: str, look: Look) -> Any:
    return chart.properties(title=alt.TitleParams(title, fontSize=12, fontWeight="normal", color=look.muted, offset=6))


def _modality_strip(rows: pd.DataFrame, modalities: Sequence[str], x: alt.X, left: alt.X, limits: list[float], look: Look) -> Any:
    part = rows[rows["name"] == "conflict.fused"]
    colors = look.modality_colors(modalities)
    mean, tenth, share = (part[part["stat"] == stat].reset_index(drop=True) for stat in ("mean", "p10", "share_negative"))
    worst = share.groupby("trained", as_index=False)["value"].max()
    y = alt.Y("value:Q", scale=alt.Scale(domain=limits, nice=False), axis=_inner_axis(DECIMALS))
    shading = alt.Chart(worst.assign(left=worst["trained"] - 0.5, right=worst["trained"] + 0.5)).mark_rect(color=look.worse).encode(
        x=left, x2="right:Q", opacity=alt.Opacity("value:Q", scale=alt.Scale(domain=[0, 1], range=[0, 0.5]), legend=None)
    )
    wide = mean.merge(tenth[["trained", "modality", "shown"]].rename(columns={"shown": "tenth"}), on=["trained", "modality"], how="left")
    wide = wide.merge(share[["trained", "modality", "value"]].rename(columns={"value": "share"}), on=["trained", "modality"], how="left")
    wide["share"] = [text.percent(v) for v in wide["share"]]
    color = colored("modality", colors)
    lines = alt.Chart(mean).mark_line().encode(x=x, y=y, color=color)
    thin = alt.Chart(tenth).mark_line(strokeWidth=1, strokeDash=[2, 2], opacity=0.9).encode(x=x, y=y, color=color)
    dots = alt.Chart(wide).mark_point(size=36).encode(
        x=x, y=y, color=color,
        tooltip=tooltips({"run": "Run", "modality": "Modality", "trained": "Epoch", "shown": "Mean cosine", "tenth": "Tenth percentile", "share": "Conflicting steps"}),
    )  # fmt: skip
    labels = _labels(mean, "modality", limits, x, color)
    return _headed(_anchor(mean, x, y) + shading + reference_line(look, 0.0) + thin + lines + dots + labels, "Cosine with the fused gradient, by modality", look)


def _group_strip(rows: pd.DataFrame, x: alt.X, limits: list[float], look: Look) -> Any:
    part = rows[(rows["name"] == "conflict.groups") & (rows["stat"] == "mean")].reset_index(drop=True)
    pairs = list(dict.fromkeys(part["pair"]))
    y = alt.Y("value:Q", scale=alt.Scale(domain=limits, nice=False), axis=_inner_axis(DECIMALS))
    dash = alt.StrokeDash("pair:N", scale=alt.Scale(domain=pairs, range=[[1, 0], [6, 3], [2, 3], [8, 3, 2, 3], [4, 2], [1, 2]]), legend=None)
    lines = alt.Chart(part).mark_line(color=look.text, strokeWidth=1.8, opacity=0.8).encode(x=x, y=y, strokeDash=dash, detail="pair:N")
    dots = alt.Chart(part).mark_point(size=34, color=look.text).encode(x=x, y=y, tooltip=tooltips({"run": "Run", "pair": "Groups", "trained": "Epoch", "shown": "Mean cosine"}))
    labels = _labels(part, "pair", limits, x, alt.value(look.text), size=11)
    return _headed(_anchor(part, x, y) + reference_line(look, 0.0) + lines + dots + labels, "Cosine between groups' gradients", look)


def _factor_strip(rows: pd.DataFrame, modalities: Sequence[str], x: alt.X, look: Look) -> Any:
    """B_m, f_mg, gate: whatever the method reports, told apart by dash, coloured by modality."""
    part = rows[rows["name"].str.startswith("method.") & rows["value"].notna()].copy()
    if part.empty:
        # The run's name keeps two such strips apart: equal views would get equal names in a concatenation.
        none = pd.DataFrame({"trained": [1.0], "said": ["this method applies no factor"], "run": [str(rows["run"].iloc[0])]})
        return _headed(alt.Chart(none).mark_text(align="left", color=look.faint, fontStyle="italic").encode(x=x, y=alt.value(STRIP / 2), text="said:N"), "Factor applied", look)
    part["series"] = part["name"].str.removeprefix("method.")
    part["of"] = part["modality"].fillna("all")
    part["line"] = [" ".join(str(v) for v in (s, m, g) if isinstance(v, str)) for s, m, g in zip(part["series"], part["modality"], part["group"], strict=True)]
    series = list(dict.fromkeys(part["series"]))
    limits = domain([part["value"]], least=0.2)
    colors = {**look.modality_colors(modalities), "all": look.text}
    color = alt.Color("of:N", scale=color_scale(colors), legend=None)
    y = alt.Y("value:Q", scale=alt.Scale(domain=limits, nice=False), axis=_inner_axis(DECIMALS))
    dash = alt.StrokeDash("series:N", scale=alt.Scale(domain=series, range=[[1, 0], [5, 3], [2, 2], [8, 3, 2, 3]]), legend=None)
    lines = alt.Chart(part).mark_line(strokeWidth=1.6).encode(x=x, y=y, color=color, strokeDash=dash, detail="line:N")
    dots = alt.Chart(part).mark_point(size=26).encode(x=x, y=y, color=color, tooltip=tooltips({"run": "Run", "line": "Series", "trained": "Epoch", "shown": "Value"}))
    return _headed(lines + dots + _labels(_ends(part), "label", limits, x, color, size=11), "Factor applied, as the method reports it", look)


def _ends(part: pd.DataFrame) -> pd.DataFrame:
    """One label per series and group (or modality): colours tell the modalities apart."""
    last = part[part["trained"] == part["trained"].max()].copy()
    symbol = [SYMBOLS.get(name, name.replace("_", " ")) for name in last["series"]]
    last["label"] = [" ".join([s, *(v for v in (g if isinstance(g, str) else m,) if isinstance(v, str))]) for s, m, g in zip(symbol, last["modality"], last["group"], strict=True)]
    last["of"] = last["of"].where(last["group"].isna(), "all")
    return last.groupby("label", sort=False, as_index=False).agg(value=("value", "mean"), trained=("trained", "max"), of=("of", "first"))


def _update_strip(rows: pd.DataFrame, modalities: Sequence[str], x: alt.X, look: Look) -> Any:
    part = rows[rows["name"] == "effect.relative_update"].copy()
    part["shown"] = [text.decimal(v, 5) for v in part["value"]]
    limits = domain([part["value"]], [0.0], least=1e-6)
    color = colored("modality", look.modality_colors(modalities))
    y = alt.Y("value:Q", scale=alt.Scale(domain=limits, nice=False), axis=_inner_axis("datum.value == 0 ? '0' : format(1000 * datum.value, '.2~f')"))
    lines = alt.Chart(part).mark_line().encode(x=x, y=y, color=color)
    dots = alt.Chart(part).mark_point(size=36).encode(x=x, y=y, color=color, tooltip=tooltips({"run": "Run", "modality": "Modality", "trained": "Epoch", "shown": "Relative update"}))
    return _headed(lines + dots + _labels(part, "modality", limits, x, color), "Relative update that reached each encoder, ‰ per step", look)


def _labels(part: pd.DataFrame, name: str, limits: list[float], x: alt.X, color: Any, size: int = 12) -> Any:
    ends = end_labels(part, "trained", name, limits, STRIP, size)
    return alt.Chart(ends).mark_text(align="left", dx=7, fontSize=size, fontWeight=600).encode(x=x, y=alt.Y("label_y:Q", scale=alt.Scale(domain=limits, nice=False)), text=f"{name}:N", color=color)


def _brushed_heat(heat: pd.DataFrame, modalities: Sequence[str], groups: Sequence[str], brush: Any, look: Look) -> Any:
    """Mean of the brushed epochs' cosines, computed in the browser as the brush moves."""
    base = (
        alt.Chart(heat[["trained", "modality", "group", "value"]])
        .transform_filter(brush)
        .transform_aggregate(value="mean(value)", known="valid(value)", groupby=["modality", "group"])
        .transform_calculate(shown="datum.known ? replace(replace(format(datum.value, '+.2f'), '0.', '.'), '-', '\u2212') : 'n/e'")
        .encode(
            x=alt.X("modality:N", scale=alt.Scale(domain=[m for m in modalities if m in set(heat["modality"])]), axis=alt.Axis(title=None, labelAngle=0)),
            y=alt.Y("group:N", scale=alt.Scale(domain=list(groups)), axis=alt.Axis(title=None, labelAlign="left", labelPadding=-8, labelColor=look.text, labelLimit=90, zindex=1)),
            tooltip=[alt.Tooltip("group:N", title="Group"), alt.Tooltip("modality:N", title="Modality"), alt.Tooltip("shown:N", title="Mean cosine"), alt.Tooltip("known:Q", title="Epochs")],
        )
    )
    most = 0.5
    cells = base.mark_rect(cornerRadius=3, stroke=look.background, strokeWidth=2).encode(
        color=alt.condition("datum.known > 0", alt.Color("value:Q", scale=alt.Scale(domain=[-most, 0, most], range=list(look.diverging), clamp=True), legend=None), alt.value(look.neutral))
    )
    strong = f"datum.known > 0 && abs(datum.value) > {look.on_strong[0] * most}"
    numbers = base.mark_text(fontSize=12).encode(text="shown:N", color=alt.condition(strong, alt.value(look.on_strong[1]), alt.value(look.text)))
    hatched = base.transform_filter("datum.known == 0").mark_point(shape=HATCH, size=320, filled=False, stroke=look.no_estimate, strokeWidth=1)
    return _headed((cells + hatched + numbers).properties(height=max(60, 34 * len(groups))), "Group by modality: mean cosine over the brushed epochs", look)


def magnitudes(frame: pd.DataFrame, names: Mapping[str, str], modalities: Sequence[str]) -> Figure:
    """Magnitude similarity of each modality's gradient with the fused one, over epochs."""
    rows = prepared(frame, names)
    rows = rows[(rows["name"] == "magnitude.fused") & rows["value"].notna()]
    if rows.empty:
        return nothing("magnitude", "These runs recorded no gradient magnitudes.")
    last = int(rows["trained"].max())
    ends = rows[rows["trained"] == last]
    low = ends.sort_values("value").iloc[0]
    title = f"The most unequal gradients at the end: {low['modality']} and the fused one under {low['run']}, similarity {text.decimal(low['value'], 2)}"
    columns = {"run": "Run", "trained": "Epoch", "modality": "Modality", "value": "Magnitude similarity"}
    panels = tuple(Panel(partial(_magnitude_panel, rows[rows["run_id"] == run_id].reset_index(drop=True), modalities, last), name) for run_id, name in names.items() if (rows["run_id"] == run_id).any())
    return Figure(name="magnitude", title=title, alt=f"Lines of magnitude similarity over {text.plural(last, 'epoch')}, one panel per run. {title}.", data=rows[list(columns)], table=columns,
                  panels=panels, columns=min(3, max(1, len(panels))), terms=("magnitude",))  # fmt: skip


def _magnitude_panel(rows: pd.DataFrame, modalities: Sequence[str], last: int, look: Look, width: Width) -> Any:
    limits = [0.0, 1.05]
    x = _x(last, "Epochs trained")
    color = colored("modality", look.modality_colors(modalities))
    base = alt.Chart(rows).encode(x=x, y=alt.Y("value:Q", scale=alt.Scale(domain=limits), axis=decimal_axis("Magnitude similarity", tickCount=4)), color=color)
    dots = base.mark_point(size=36).encode(tooltip=tooltips({"run": "Run", "modality": "Modality", "trained": "Epoch", "shown": "Similarity"}))
    return (base.mark_line() + dots + _labels(rows, "modality", limits, x, color)).properties(width=width, height=STRIP)
