"""Where the gradients fight: strips on one epoch axis with a linked brush."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

import pandas as pd

from core.charts import grammar as alt
from core.charts import text
from core.charts.figure import Figure, Panel, Width, nothing
from core.charts.gradient_factors import factor_strip, inner_axis, said
from core.charts.gradient_pairs import pair_lines
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
from core.charts.theme import Look

STRIP = 128
BETWEEN = {"conflict.modalities": "Cosine between modalities' gradients", "conflict.groups": "Cosine between groups' gradients"}
"""Strips of pairs and their headings."""
BRUSH = "epochs"
ROOM = 1.32
"""The epoch axis is this much longer than the training, for the names at the lines' ends."""

Strip = tuple[Any, alt.TitleParams]
"""A drawing and its heading."""


def conflict(frame: pd.DataFrame, names: Mapping[str, str], modalities: Sequence[str], groups: Sequence[str], brushed: tuple[int, int]) -> Figure:
    """The strips and, under them, the heat map of the brushed epochs; one column per run.

    `frame`: telemetry rows `conflict.*`, `effect.relative_update` and `method.*`.
    `brushed`: first and last epoch (as trained, from 1) that the brush starts with.
    """
    rows = prepared(frame, names)
    if rows[rows["name"] == "conflict.fused"].empty:
        return nothing("gradient-conflict", "These runs recorded no gradient conflict.")
    last = int(rows["trained"].max())
    fused = rows[(rows["name"] == "conflict.fused") & (rows["stat"] != "share_negative")]
    between = [rows[(rows["name"] == name) & (rows["stat"] == "mean")] for name in BETWEEN]
    limits = (domain([fused["value"]], [0.0]), domain([part["value"] for part in between], [0.0]))
    panels = tuple(
        Panel(partial(strips, brushed), name, live=partial(strips, None), values={BRUSH: _brushed(brushed)})
        for run_id, name in names.items()
        if ((rows["run_id"] == run_id) & (rows["name"] == "conflict.fused")).any()
        for strips in [partial(_strips, rows[rows["run_id"] == run_id].reset_index(drop=True), modalities, groups, last, limits)]
    )
    title = finding(rows, names, brushed)
    columns = {"run": "Run", "trained": "Epoch", "name": "Quantity", "stat": "Statistic", "modality": "Modality", "modality_b": "Other modality", "group": "Group", "group_b": "Other group", "value": "Value"}
    drawn = rows[rows["name"].isin(["conflict.fused", *BETWEEN, "effect.relative_update", "conflict.group_modality"]) | rows["name"].str.startswith("method.")]
    return Figure(
        name="gradient-conflict", title=title,
        alt=f"Strips over {text.plural(last, 'epoch')} and a heat map, one column per run: cosine of each modality's gradient with the fused one, cosine between modalities and between groups, the factor applied beside the relative update. {title}.",
        data=drawn[list(columns)].reset_index(drop=True), table=columns, panels=panels, columns=min(3, max(1, len(panels))),
        terms=("cosine", "p10", "share_negative", "factor", "relative_update", "conflict_heat"),
        note="Lines: mean over the epoch's steps; thin lines: tenth percentile; shading: share of conflicting steps. Drag across a strip to choose the epochs of the heat map, double-click to clear.",
    )  # fmt: skip


def prepared(frame: pd.DataFrame, names: Mapping[str, str]) -> pd.DataFrame:
    """Telemetry of the chosen runs with `run`, `trained` (epochs, from 1), `pair` and `shown`."""
    rows = frame[frame["run_id"].isin(list(names)) & (frame["epoch"] >= 0)].copy()
    rows["run"] = rows["run_id"].map(dict(names))
    rows["trained"] = rows["epoch"] + 1
    first, second = (rows[a].where(rows[a].notna(), rows[b]) for a, b in (("group", "modality"), ("group_b", "modality_b")))
    rows["pair"] = first.fillna("") + " / " + second.fillna("")
    rows["shown"] = [text.decimal(v, 3, True) for v in rows["value"]]
    return rows


def finding(rows: pd.DataFrame, names: Mapping[str, str], brushed: tuple[int, int]) -> str:
    """The modality that conflicts most often with the fused gradient, per run, over the brushed epochs."""
    share = rows[(rows["name"] == "conflict.fused") & (rows["stat"] == "share_negative") & rows["trained"].between(*brushed) & rows["value"].notna()]
    mean = rows[(rows["name"] == "conflict.fused") & (rows["stat"] == "mean") & rows["trained"].between(*brushed)]
    parts, calm = [], []
    for run_id, name in names.items():
        of_run = share[share["run_id"] == run_id]
        if of_run.empty:
            continue
        means = of_run.groupby("modality", sort=False)["value"].mean().sort_values()
        modality = str(means.index[-1])
        if means.iloc[-1] == 0:
            calm.append(name)
            continue
        cosine = mean.loc[(mean["run_id"] == run_id) & (mean["modality"] == modality), "value"].mean()
        parts.append((modality, f"{text.percent(means.iloc[-1])} of steps (mean cosine {text.decimal(cosine, 2, True)})", name))
    found = text.same_verb(parts, "is against the fused gradient in")
    peace = f"no modality is ever against the fused gradient under {text.listing(calm)}" if calm else ""
    return text.sentence("; ".join(part for part in (found, peace) if part)) or "Gradients over the chosen epochs"


def _strips(rows: pd.DataFrame, modalities: Sequence[str], groups: Sequence[str], last: int, limits: tuple[list[float], list[float]],
            brushed: tuple[int, int] | None, look: Look, width: Width) -> Any:  # fmt: skip
    x, titled, live = _x(last), _x(last, "Epochs trained"), width == "container"
    inner: dict[str, Any] = {} if live else {"width": width}
    strips = [_modality_strip(rows, modalities, x, _x(last, field="left"), limits[0], look)]
    strips += [_pair_strip(rows, name, heading, x, limits[1], look) for name, heading in BETWEEN.items() if (rows["name"] == name).any()]
    strips += [_factor_strip(rows, modalities, x, look), _update_strip(rows, modalities, titled, look)]
    # A drawing in a file cannot be brushed: its heat map is of the epochs that were brushed when it was made.
    axes = [*[None] * (len(strips) - 1), "Epochs trained"]
    drawn = [
        (_bound(strip, index, rows, last, axis, look) if live else strip).properties(height=STRIP, title=heading, **inner)
        for index, ((strip, heading), axis) in enumerate(zip(strips, axes, strict=True))
    ]
    heat = rows[(rows["name"] == "conflict.group_modality") & rows["group"].isin(list(groups))]
    if not heat.empty:
        chosen = {"param": BRUSH} if live or brushed is None else f"datum.trained >= {brushed[0]} && datum.trained <= {brushed[1]}"
        drawn.append(_brushed_heat(heat, modalities, groups, chosen, look).properties(**inner))
    whole = alt.vconcat(*drawn, spacing=26).resolve_scale(color="independent", strokeDash="independent")
    # The concatenation makes names of views its own, so they are asked of it.
    return whole.properties(params=[_brush([strip.layer[0].name for strip in whole.vconcat[: len(strips)]], look)]) if live else whole


def _brushed(epochs: tuple[int, int]) -> dict[str, list[float]]:
    """What the brush holds when these epochs are chosen."""
    return {"x": [epochs[0] - 0.4, epochs[1] + 0.4]}


def _brush(views: list[str], look: Look) -> alt.TopLevelSelectionParameter:
    """One brush for all strips, declared once and bound to their first layers by name."""
    mark = alt.BrushConfig(fill=look.accent, fillOpacity=0.08, stroke=look.accent, strokeOpacity=0.5, cursor="col-resize")
    select = alt.IntervalSelectionConfig(type="interval", encodings=["x"], mark=mark)
    return alt.TopLevelSelectionParameter(name=BRUSH, select=select, views=views)


def _bound(strip: Any, index: int, rows: pd.DataFrame, last: int, axis: str | None, look: Look) -> Any:
    """The strip behind an unseen layer over the epochs, named for the brush: it binds to that layer's fields.

    The brush's own mark is drawn in one strip only; a band shows the same epochs in all of them.
    """
    trained = sorted(set(rows["trained"]))
    epochs = pd.DataFrame({"trained": trained, "strip": index, "from": [t - 0.5 for t in trained], "to": [t + 0.5 for t in trained]})
    anchor = alt.Chart(epochs, name=f"strip_{index}").mark_point(opacity=0, size=1).encode(x=_x(last, axis))
    band = alt.Chart(epochs).mark_rect(opacity=0.07, color=look.accent).encode(x=_x(last, axis, field="from"), x2="to:Q").transform_filter({"param": BRUSH})
    return alt.layer(anchor, band, strip)


def _x(last: int, title: str | None = None, field: str = "trained") -> alt.X:
    """The epoch axis that all strips share, with room for labels at the right."""
    return alt.X(f"{field}:Q", scale=alt.Scale(domain=[0.5 - 0.11 * last, 0.5 + last * ROOM], nice=False), axis=epoch_axis(last, title, first=1))


def _heading(title: str, look: Look, subtitle: str = "") -> alt.TitleParams:
    more: dict[str, Any] = {"subtitle": subtitle, "subtitleFontSize": 11, "subtitleColor": look.muted} if subtitle else {}
    return alt.TitleParams(title, fontSize=12, fontWeight="normal", color=look.muted, offset=6, **more)


def _modality_strip(rows: pd.DataFrame, modalities: Sequence[str], x: alt.X, left: alt.X, limits: list[float], look: Look) -> Strip:
    part = rows[rows["name"] == "conflict.fused"]
    heading = _heading("Cosine with the fused gradient, by modality", look)
    if part["value"].notna().sum() == 0:
        return said("this method trains with no fused gradient", rows, x, STRIP, look), heading
    colors = look.modality_colors(modalities)
    mean, tenth, share = (part[part["stat"] == stat].reset_index(drop=True) for stat in ("mean", "p10", "share_negative"))
    worst = share.groupby("trained", as_index=False)["value"].max()
    y = alt.Y("value:Q", scale=alt.Scale(domain=limits, nice=False), axis=inner_axis(DECIMALS))
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
    return shading + reference_line(look, 0.0) + thin + lines + dots + labels, heading


def _pair_strip(rows: pd.DataFrame, name: str, heading: str, x: alt.X, limits: list[float], look: Look) -> Strip:
    part = rows[(rows["name"] == name) & (rows["stat"] == "mean") & rows["value"].notna()].reset_index(drop=True)
    if part.empty:
        return said("not measured in this method's training", rows, x, STRIP, look), _heading(heading, look)
    y = alt.Y("value:Q", scale=alt.Scale(domain=limits, nice=False), axis=inner_axis(DECIMALS))
    return reference_line(look, 0.0) + pair_lines(part, x, y, limits, STRIP, "Mean cosine", look), _heading(heading, look)


def _factor_strip(rows: pd.DataFrame, modalities: Sequence[str], x: alt.X, look: Look) -> Strip:
    drawn, styles = factor_strip(rows, modalities, x, STRIP, look)
    return drawn, _heading("Factor applied, as the method reports it", look, styles)


def _update_strip(rows: pd.DataFrame, modalities: Sequence[str], x: alt.X, look: Look) -> Strip:
    part = rows[rows["name"] == "effect.relative_update"].copy()
    part["shown"] = [text.decimal(v, 5) for v in part["value"]]
    limits = domain([part["value"]], [0.0], least=1e-6)
    color = colored("modality", look.modality_colors(modalities))
    y = alt.Y("value:Q", scale=alt.Scale(domain=limits, nice=False), axis=inner_axis("datum.value == 0 ? '0' : format(1000 * datum.value, '.2~f')"))
    lines = alt.Chart(part).mark_line().encode(x=x, y=y, color=color)
    dots = alt.Chart(part).mark_point(size=36).encode(x=x, y=y, color=color, tooltip=tooltips({"run": "Run", "modality": "Modality", "trained": "Epoch", "shown": "Relative update"}))
    return lines + dots + _labels(part, "modality", limits, x, color), _heading("Relative update that reached each encoder, ‰ per step", look)


def _labels(part: pd.DataFrame, name: str, limits: list[float], x: alt.X, color: Any, size: int = 12) -> Any:
    ends = end_labels(part, "trained", name, limits, STRIP, size)
    return alt.Chart(ends).mark_text(align="left", dx=7, fontSize=size, fontWeight=600).encode(x=x, y=alt.Y("label_y:Q", scale=alt.Scale(domain=limits, nice=False)), text=f"{name}:N", color=color)


def _brushed_heat(heat: pd.DataFrame, modalities: Sequence[str], groups: Sequence[str], chosen: Any, look: Look) -> Any:
    """Mean of the brushed epochs' cosines, computed in the browser as the brush moves."""
    base = (
        alt.Chart(heat[["trained", "modality", "group", "value"]])
        .transform_filter(chosen)
        .transform_aggregate(value="mean(value)", known="valid(value)", groupby=["modality", "group"])
        .transform_calculate(shown="datum.known ? replace(replace(format(abs(datum.value) < 0.005 ? 0 : datum.value, abs(datum.value) < 0.005 ? '.2f' : '+.2f'), '0.', '.'), '-', '\u2212') : 'n/e'")
        .encode(
            x=alt.X("modality:N", scale=alt.Scale(domain=["", *(m for m in modalities if m in set(heat["modality"]))]), axis=alt.Axis(title=None, labelAngle=0)),
            y=alt.Y("group:N", scale=alt.Scale(domain=list(groups)), axis=alt.Axis(title=None, labelAlign="left", labelPadding=-2, labelColor=look.text, labelLimit=90, zindex=1)),
            tooltip=[alt.Tooltip("group:N", title="Group"), alt.Tooltip("modality:N", title="Modality"), alt.Tooltip("shown:N", title="Mean cosine"), alt.Tooltip("known:Q", title="Epochs")],
        )
    )
    most = 0.5
    cells = base.mark_rect(cornerRadius=3, stroke=look.background, strokeWidth=2).encode(
        color=alt.condition("datum.known > 0", alt.Color("value:Q", scale=alt.Scale(domain=[-most, 0, most], range=list(look.diverging), interpolate="rgb", clamp=True), legend=None), alt.value(look.neutral))
    )
    strong = f"datum.known > 0 && abs(datum.value) > {look.on_strong[0] * most}"
    numbers = base.mark_text(fontSize=12).encode(text="shown:N", color=alt.condition(strong, alt.value(look.on_strong[1]), alt.value(look.text)))
    hatched = base.transform_filter("datum.known == 0").mark_point(shape=HATCH, size=320, filled=False, stroke=look.no_estimate, strokeWidth=1)
    return (cells + hatched + numbers).properties(height=max(60, 34 * len(groups)), title=_heading("Group by modality: mean cosine over the brushed epochs", look))


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
