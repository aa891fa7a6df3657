"""Cosine or magnitude similarity of every two gradients over epochs: two modalities, or two groups.

M modalities have M(M-1)/2 pairs, 15 for six. Up to `NAMED` of them are named at their ends; of
more, the lowest is drawn in colour with its name and the others stay faint (their names are in the tooltip).
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any

import pandas as pd

from core.charts import grammar as alt
from core.charts import text
from core.charts.figure import Figure, Panel, Width, nothing
from core.charts.parts import decimal_axis, end_labels, epoch_axis, tooltips
from core.charts.theme import Look

NAMED = 3
DASHES = ((1, 0), (6, 3), (2, 3))
LONG = 14
"""Names of pairs beyond so many characters take two lines."""
HEIGHT = 160
ROOM = 1.32


def pairs_of(rows: pd.DataFrame) -> list[str]:
    """Names of the pairs in `rows` (column `pair`), the lowest at the last epoch first."""
    known = rows[rows["value"].notna()]
    last = known.sort_values("trained").groupby("pair", sort=False).tail(1)
    return list(last.sort_values("value", kind="stable")["pair"])


def pair_lines(rows: pd.DataFrame, x: alt.X, y: alt.Y, limits: list[float], height: int, what: str, look: Look) -> Any:
    """Lines, dots and names of the pairs in `rows`: run, pair, trained, value, shown."""
    pairs = pairs_of(rows)
    many = len(pairs) > NAMED
    named = pairs[:1] if many else pairs
    front = rows[rows["pair"].isin(named)].reset_index(drop=True)
    ink = look.worse if many else look.text
    tips = tooltips({"run": "Run", "pair": "Pair", "trained": "Epoch", "shown": what})
    dash = alt.StrokeDash("pair:N", scale=alt.Scale(domain=named, range=[list(dash) for dash in DASHES[: len(named)]]), legend=None)
    layers: list[Any] = []
    if many:
        behind = alt.Chart(rows[~rows["pair"].isin(named)].reset_index(drop=True)).encode(x=x, y=y, detail="pair:N")
        layers += [behind.mark_line(color=look.faint, strokeWidth=1.2, opacity=0.75), behind.mark_point(size=22, color=look.faint, opacity=0.75).encode(tooltip=tips)]
    base = alt.Chart(front).encode(x=x, y=y)
    layers += [base.mark_line(color=ink, strokeWidth=1.8).encode(strokeDash=dash, detail="pair:N"), base.mark_point(size=34, color=ink).encode(tooltip=tips)]
    lines = max((2 if len(pair) > LONG else 1 for pair in named), default=1)
    ends = end_labels(front, "trained", "pair", limits, height, 11 * lines)
    ends["label"] = [pair.replace(" / ", " /\n") if len(pair) > LONG else pair for pair in ends["pair"]]
    names = alt.Chart(ends).mark_text(align="left", baseline="middle", dx=7, fontSize=11, fontWeight=600, color=ink, lineBreak="\n")
    layers.append(names.encode(x=x, y=alt.Y("label_y:Q", scale=alt.Scale(domain=limits, nice=False)), text="label:N"))
    return alt.layer(*layers)


def group_magnitudes(rows: pd.DataFrame, names: Mapping[str, str], attribute: str) -> Figure:
    """Magnitude similarity of every two groups' gradients over epochs, one panel per run.

    `rows`: as `core.charts.gradients.prepared` gives them.
    """
    part = rows[(rows["name"] == "magnitude.groups") & rows["value"].notna()]
    if part.empty:
        return nothing("magnitude-groups", f"These runs recorded no gradients of single groups of {attribute}.")
    last = int(part["trained"].max())
    ends = part[part["trained"] == last].sort_values("value", kind="stable")
    low = ends.iloc[0]
    title = f"The gradients of {low['pair'].replace(' / ', ' and ')} end least alike in size under {low['run']}: similarity {text.decimal(low['value'], 2)}"
    if len(ends) == 1:
        title = f"The gradients of {low['pair'].replace(' / ', ' and ')} end with a similarity in size of {text.decimal(low['value'], 2)} under {low['run']}"
    panels = tuple(Panel(partial(_magnitude_panel, part[part["run_id"] == run_id].reset_index(drop=True), last), name) for run_id, name in names.items() if (part["run_id"] == run_id).any())
    columns = {"run": "Run", "trained": "Epoch", "group": attribute, "group_b": f"other {attribute}", "value": "Magnitude similarity"}
    return Figure(
        name="magnitude-groups", title=title, alt=f"Lines of the magnitude similarity between groups of {attribute} over {text.plural(last, 'epoch')}, one panel per run. {title}.",
        data=part[list(columns)].reset_index(drop=True), table=columns, panels=panels, columns=min(4, max(1, len(panels))), terms=("magnitude",),
        note="1: both groups push equally hard. Near 0: one group's gradient dwarfs the other's." + (" The least alike pair is in colour." if ends["pair"].nunique() > NAMED else ""),
    )  # fmt: skip


def _magnitude_panel(rows: pd.DataFrame, last: int, look: Look, width: Width) -> Any:
    limits = [0.0, 1.05]
    x = alt.X("trained:Q", scale=alt.Scale(domain=[0.5 - 0.11 * last, 0.5 + last * ROOM], nice=False), axis=epoch_axis(last, first=1))
    y = alt.Y("value:Q", scale=alt.Scale(domain=limits), axis=decimal_axis("Magnitude similarity", tickCount=4))
    return pair_lines(rows, x, y, limits, HEIGHT, "Similarity", look).properties(width=width, height=HEIGHT)
