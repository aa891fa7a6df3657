"""What a method multiplied by, on the epoch axis of the gradient strips: B_m, f, the gate, mixing weights."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pandas as pd

from core.charts import grammar as alt
from core.charts.parts import DECIMALS, domain, end_labels, tooltips
from core.charts.theme import Look, color_scale

SYMBOLS = {"balance": "B", "factor": "f", "gate": "gate"}
"""What a method calls its series -> the paper's symbol. Other series keep their own name."""
MEASUREMENTS = ("_loss", "_auc", "_accuracy", "gap", "reference", "distance")
"""Ends of the names of series that a method reports but multiplies nothing by."""
STYLES = (([1, 0], "solid"), ([6, 3], "dashed"), ([2, 3], "dotted"), ([8, 3, 2, 3], "dash-dot"), ([10, 4], "long dashes"), ([1, 5], "sparse dots"))
ALL = "all"


def applied(rows: pd.DataFrame) -> pd.DataFrame:
    """The rows of `method.*` that are factors, with `series`, `style` (told apart by dash), `of` (colour) and `line`."""
    part = rows[rows["name"].str.startswith("method.") & rows["value"].notna()].copy()
    part["series"] = part["name"].str.removeprefix("method.")
    part = part[~part["series"].str.endswith(MEASUREMENTS)]
    if (part["series"] == "factor").any():
        # The combined factor says what the partial one contributes to.
        part = part[part["series"] != "fairness_factor"]
    symbol = [SYMBOLS.get(name, name.replace("_by_group", "").replace("_", " ")) for name in part["series"]]
    part["style"] = [f"{s} {g}" if isinstance(g, str) else s for s, g in zip(symbol, part["group"], strict=True)]
    part["of"] = part["modality"].where(part["modality"].notna(), ALL)
    part["line"] = [" ".join([s, *([m] if isinstance(m, str) else [])]) for s, m in zip(part["style"], part["modality"], strict=True)]
    return part.reset_index(drop=True)


def factor_strip(rows: pd.DataFrame, modalities: Sequence[str], x: alt.X, height: int, look: Look) -> tuple[Any, str]:
    """The strip and the line under its heading that says which dash is which."""
    part = applied(rows)
    if part.empty:
        return said("this method applies no factor", rows, x, height, look), " "
    styles = list(dict.fromkeys(part["style"]))
    limits = domain([part["value"]], least=0.2)
    color = alt.Color("of:N", scale=color_scale({**look.modality_colors(modalities), ALL: look.text}), legend=None)
    y = alt.Y("value:Q", scale=alt.Scale(domain=limits, nice=False), axis=inner_axis(DECIMALS))
    dash = alt.StrokeDash("style:N", scale=alt.Scale(domain=styles, range=[STYLES[i % len(STYLES)][0] for i in range(len(styles))]), legend=None)
    lines = alt.Chart(part).mark_line(strokeWidth=1.6).encode(x=x, y=y, color=color, strokeDash=dash, detail="line:N")
    dots = alt.Chart(part).mark_point(size=22).encode(x=x, y=y, color=color, tooltip=tooltips({"run": "Run", "line": "Series", "trained": "Epoch", "shown": "Value"}))
    ends = end_labels(_ends(part), "trained", "label", limits, height, 11)
    names = alt.Chart(ends).mark_text(align="left", dx=7, fontSize=11, fontWeight=600).encode(x=x, y=alt.Y("label_y:Q", scale=alt.Scale(domain=limits, nice=False)), text="label:N", color=color)
    told = " · ".join(f"{style} {STYLES[i % len(STYLES)][1]}" for i, style in enumerate(styles)) if len(styles) > 1 else styles[0]
    return lines + dots + names, told


def _ends(part: pd.DataFrame) -> pd.DataFrame:
    """One label per modality, at the mean of its lines in the leading series, and one per series without a modality."""
    last = part[part["trained"] == part["trained"].max()]
    own = last[last["of"] != ALL]
    lead = "factor" if (own["series"] == "factor").any() else own["series"].iloc[0] if len(own) else ""
    labelled = pd.concat([own[own["series"] == lead].assign(label=lambda f: f["of"]), last[last["of"] == ALL].assign(label=lambda f: f["style"])])
    return labelled.groupby("label", sort=False, as_index=False).agg(value=("value", "mean"), trained=("trained", "max"), of=("of", "first"))


def said(words: str, rows: pd.DataFrame, x: alt.X, height: int, look: Look) -> Any:
    """A strip without lines that says why. The run's name keeps two such strips apart: equal
    views would get equal names in a concatenation."""
    none = pd.DataFrame({"trained": [1.0], "said": [words], "run": [str(rows["run"].iloc[0])]})
    return alt.Chart(none).mark_text(align="left", color=look.muted, fontStyle="italic").encode(x=x, y=alt.value(height / 2), text="said:N")


def inner_axis(label: str) -> alt.Axis:
    """Labels on their grid lines inside the plot: stacked views take the page's width with
    nothing outside it, because Vega-Lite fits only single views to a width."""
    return alt.Axis(title=None, labelExpr=label, tickCount=4, labelAlign="left", labelBaseline="bottom", labelPadding=-2, labelOffset=-1, labelFontSize=11, zindex=0)
