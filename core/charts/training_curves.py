"""What a run does while it trains: validation AUC and losses, epoch by epoch."""

from __future__ import annotations

from functools import partial
from typing import Any

import pandas as pd

from core.charts import grammar as alt
from core.charts.figure import Figure, Panel, Width, nothing
from core.charts.parts import colored, decimal_axis, domain, end_labels, text_colored
from core.charts.text import decimal, plural
from core.charts.theme import Look

AUC, LOSS = "validation_auc", "validation_loss"
HEIGHT = 220
NAME_PIXELS, LETTER, PANEL = 150, 5.8, 300
"""Most room for a name at the end of a line, that of a letter, and the width of the narrowest panel."""
MOST_NAMED = 8
"""Methods beyond this cannot be named at the ends of their lines; the tooltip names them."""


def training_curves(epochs: pd.DataFrame, runs: pd.DataFrame) -> Figure:
    """Validation AUC and loss of several runs.

    Parameters
    ----------
    epochs : columns run_id, epoch, train_loss, validation_loss, validation_auc.
    runs : columns run_id, method, label, seed, status.
    """
    name = "training_curves"
    frame = epochs.merge(runs[["run_id", "method", "label", "seed", "status"]], on="run_id")
    frame = frame[frame["epoch"] >= 0].assign(epoch=lambda f: f["epoch"] + 1)
    if frame.empty or not frame["validation_auc"].notna().any():
        return nothing(name, "No epoch is finished yet: the curves begin with the first.")
    best = frame.iloc[int(frame["validation_auc"].fillna(-1.0).to_numpy().argmax())]
    going = int((runs["status"] == "running").sum())
    state = f"{plural(going, 'run')} under way" if going else "All runs have ended"
    best_is = "the best validation AUC so far is" if going else "the best validation AUC was"
    title = f"{state}; {best_is} {decimal(best['validation_auc'])} ({best['label']}, seed {best['seed']}, epoch {int(best['epoch'])})."
    panels = tuple(
        Panel(partial(_draw, frame, column), heading, alt=_alt(frame, column))
        for column, heading in ((AUC, "Validation AUC"), (LOSS, "Validation loss (solid) and training loss (dashed)"))
    )
    columns = ["run_id", "label", "seed", "epoch", "train_loss", "validation_loss", "validation_auc"]
    return Figure(name=name, title=title, alt=title, data=frame[columns], panels=panels, columns=2, terms=("auc",))


def _alt(frame: pd.DataFrame, column: str) -> str:
    """The last value of each run's curve: for readers who cannot see it."""
    last = frame.dropna(subset=[column]).sort_values("epoch").groupby("run_id", sort=False).tail(1)
    ends = [f"{row['label']}, seed {row['seed']}: {decimal(row[column])} after epoch {int(row['epoch'])}" for row in last.to_dict("records")]
    return f"Lines over {plural(int(frame['epoch'].max()), 'epoch')}, one per run. " + "; ".join(ends) + "."


def _draw(frame: pd.DataFrame, column: str, look: Look, width: Width) -> Any:
    methods = list(dict.fromkeys(frame.sort_values("method")["label"]))
    names = frame.drop_duplicates("label").set_index("label")["method"]
    colors = colored("label", {label: look.method_color(str(names[label])) for label in methods})
    named_colors = text_colored(look, "label", {label: look.method_color(str(names[label])) for label in methods})
    last = int(frame["epoch"].max())
    named = column == AUC and len(methods) <= MOST_NAMED
    # Room at the right end for the names of the methods.
    words = min(NAME_PIXELS, 8 + LETTER * max(map(len, methods)))
    end = max(last, 2) * (max(1.45, PANEL / (PANEL - words)) if named else 1.0)
    scale = alt.Scale(domain=[1 - 0.02 * end, end], nice=False)
    step = max(1, -(-last // 6))
    x = alt.X("epoch:Q", scale=scale, axis=alt.Axis(title="epoch", values=list(range(1, last + 1, step)), format="d", grid=False))
    limits = domain([frame["validation_auc"]]) if column == AUC else domain([frame["validation_loss"], frame["train_loss"]])
    y = alt.Y(f"{column}:Q", scale=alt.Scale(domain=limits, nice=False), axis=decimal_axis(None, tickCount=5))
    base = alt.Chart(frame).encode(
        x=x,
        color=colors,
        detail="run_id:N",
        tooltip=[
            alt.Tooltip("label:N", title="method"), alt.Tooltip("seed:Q"), alt.Tooltip("epoch:Q"),
            alt.Tooltip("validation_auc:Q", title="validation AUC", format=".3f"),
            alt.Tooltip("validation_loss:Q", title="validation loss", format=".3f"),
            alt.Tooltip("train_loss:Q", title="training loss", format=".3f"),
        ],
    )  # fmt: skip
    layers: list[Any] = [base.mark_line().encode(y=y), base.mark_point(size=28).encode(y=y)]
    if column == LOSS:
        layers.insert(
            0, base.mark_line(strokeDash=[4, 4], strokeWidth=1.4, opacity=0.8).encode(y=alt.Y("train_loss:Q", scale=alt.Scale(domain=limits, nice=False)))
        )
    if named:
        ends = end_labels(frame.assign(value=frame[AUC]), "epoch", "label", limits, HEIGHT)
        layers.append(
            alt.Chart(ends)
            .mark_text(align="left", dx=9, fontWeight=600, fontSize=12, limit=NAME_PIXELS)
            .encode(x=x, y=alt.Y("label_y:Q", scale=alt.Scale(domain=limits, nice=False)), text="label:N", color=named_colors)
        )
    return alt.layer(*layers).resolve_scale(color="independent").properties(width=width, height=HEIGHT)
