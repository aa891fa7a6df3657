"""How sharply the loss bends along each encoder's own gradient, over epochs: what makes a step too long."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial

import pandas as pd

from core.charts import grammar as alt
from core.charts import text
from core.charts.figure import Figure, Panel, Width, nothing, panels_per_run, side_by_side
from core.charts.gradient_lines import HEIGHT, epochs_x, marks, of_modalities, room_for, rows_of
from core.charts.gradients import prepared
from core.charts.parts import domain, reference_line
from core.charts.theme import Look

SERIES = "effect.curvature"
LABELS = "replace(replace(format(datum.value, '.3~r'), /^([-\u2212]?)0\\./, '$1.'), '-', '\u2212')"
"""Labels of an axis whose values may be hundreds or thousandths."""


def recorded(frame: pd.DataFrame) -> bool:
    """Whether these runs measured curvature: those of earlier versions did not."""
    return bool((frame["name"].eq(SERIES) & frame["value"].notna()).any())


def over_epochs(frame: pd.DataFrame, names: Mapping[str, str], modalities: Sequence[str]) -> Figure:
    """Curvature of the fused loss along each encoder's gradient, one panel per run.

    `frame`: telemetry rows, as stored or as `core.charts.gradients.prepared` gives them.
    """
    rows = prepared(frame, names)
    part = rows[(rows["name"] == SERIES) & rows["value"].notna()]
    if part.empty:
        return nothing("curvature", "These runs recorded no curvature: they were trained by an earlier version, or without telemetry.")
    ends = part[part["trained"] == part.groupby("run_id")["trained"].transform("max")]
    most = ends.sort_values("value", kind="stable").iloc[-1]
    title = f"The loss bends most along the gradient of {most['modality']} at the end of {most['run']}: curvature {text.decimal(most['value'], 2)}"
    if most["value"] <= 0:
        title = f"At the end the loss bends upwards along no encoder's gradient: the highest curvature is {text.decimal(most['value'], 2, True)}"
    last, limits = int(part["trained"].max()), domain([part["value"]], [0.0], least=1e-3)
    found = panels_per_run(part, names, lambda own: partial(_panel, own, tuple(modalities), last, limits))
    columns = {"run": "Run", "trained": "Epoch", "modality": "Modality", "value": "Curvature", "n": "Training samples"}
    return Figure(
        name="curvature", title=title,
        alt=f"Lines of the curvature along each encoder's gradient over {text.plural(last, 'epoch')}, one panel per run. {title}.",
        data=part[list(columns)].reset_index(drop=True), table=columns,
        panels=tuple(Panel(panel.draw, panel.heading, alt=_sentence(part[part["run"] == panel.heading])) for panel in found),
        columns=side_by_side(found), terms=("curvature", "relative_update"),
        note="On a fixed batch of training samples. At 0 a step changes the loss as its gradient says; the higher, the sooner a step is too long. "
             "Below 0 a longer step gains more than its gradient says.",
    )  # fmt: skip


def _sentence(rows: pd.DataFrame) -> str:
    """What the panel of one run shows."""
    ends = rows[rows["trained"] == rows["trained"].max()]
    told = [f"{modality} {text.decimal(value, 2)}" for modality, value in zip(ends["modality"], ends["value"], strict=True)]
    return f"lines of the curvature along each encoder's gradient; at the end {text.listing(told, 8)}."


def _panel(rows: pd.DataFrame, modalities: Sequence[str], last: int, limits: Sequence[float], look: Look, width: Width) -> alt.LayerChart:
    lines = of_modalities(rows_of(rows), modalities, limits, HEIGHT, "Curvature", look)
    axis = alt.Axis(title="Curvature, loss per squared unit of weight", labelExpr=LABELS, tickCount=4)
    drawn = marks(lines.points, lines.names, epochs_x(last, room=room_for(lines.names)), alt.Scale(domain=list(limits), nice=False), axis, look)
    return alt.layer(reference_line(look, 0.0), *drawn).properties(width=width, height=HEIGHT)
