"""How a number is spread, and where edges cut it into groups."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from core.charts import grammar as alt
from core.charts.figure import Figure, Panel, Width, nothing
from core.charts.text import count, plural
from core.charts.theme import Look

BARS = 40
HEIGHT = 130


def band_histogram(values: NDArray[np.float64], edges: Sequence[float], labels: Sequence[str], column: str) -> Figure:
    """A histogram with a line at each edge; its title counts the rows of each band.

    Parameters
    ----------
    values : (n,), NaN where there is no number.
    edges : increasing; a band holds its lower edge and not its upper one.
    labels : names of the bands, one more than edges.
    column : name for people.
    """
    known = values[np.isfinite(values)]
    if not len(known):
        return nothing("band_histogram", f"{column} holds no numbers.")
    counts, ends = np.histogram(known, bins=min(BARS, max(len(np.unique(known)), 1)))
    frame = pd.DataFrame({"from": ends[:-1], "to": ends[1:], "rows": counts})
    sizes = np.bincount(np.searchsorted(np.asarray(edges, dtype=float), known, side="right"), minlength=len(labels))
    bands = ", ".join(f"{label} ({count(int(size))})" for label, size in zip(labels, sizes, strict=True))
    title = f"{column} in {plural(len(labels), 'band')}: {bands}."
    return Figure(
        name="band_histogram",
        title=title,
        alt=f"Histogram of {plural(len(known), 'value')} of {column} from {known.min():g} to {known.max():g}; {bands}.",
        data=frame,
        panels=(Panel(partial(_draw, frame, list(edges), column)),),
        note="Lines: the edges. A band holds its lower edge and not its upper one.",
        table={"from": "from", "to": "to", "rows": "rows"},
    )


def _draw(frame: pd.DataFrame, edges: list[float], column: str, look: Look, width: Width) -> Any:
    bars = (
        alt.Chart(frame)
        .mark_bar(color=look.no_estimate)
        .encode(
            x=alt.X("from:Q", scale=alt.Scale(zero=False), axis=alt.Axis(title=column)),
            x2="to:Q",
            y=alt.Y("rows:Q", axis=alt.Axis(title="rows")),
            tooltip=[alt.Tooltip("from:Q", format=".4g"), alt.Tooltip("to:Q", format=".4g"), alt.Tooltip("rows:Q")],
        )
    )
    lines = alt.Chart(pd.DataFrame({"edge": edges})).mark_rule(color=look.text, size=2).encode(x=alt.X("edge:Q"), tooltip=[alt.Tooltip("edge:Q")])
    return alt.layer(bars, lines).properties(width=width, height=HEIGHT)
