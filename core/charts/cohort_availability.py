"""Which share of each group has each modality at all."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np
import pandas as pd

from core.charts import grammar as alt
from core.charts.figure import Figure, Panel, Width, nothing
from core.charts.group_names import group_order
from core.charts.text import count, percent
from core.charts.theme import INKS, Look, ink_over, rgb

MISSING = "not recorded"
NAMES_ABREAST = 36
"""Characters of all modalities' names that find room side by side."""


def _who(group: str, attribute: str) -> str:
    return f"those without a known {attribute}" if group == MISSING else group


def availability(shares: pd.DataFrame, attribute: str) -> Figure:
    """A cell per group and modality with the share in it.

    Parameters
    ----------
    shares : columns modality, group (None where missing), n, present (counts).
    attribute : name for people.
    """
    name = "availability"
    if shares.empty:
        return nothing(name, "No modality to look for.")
    frame = shares.copy()
    frame["group"] = frame["group"].astype(object).where(frame["group"].notna(), MISSING).astype(str)
    frame["share"] = frame["present"] / frame["n"]
    groups = [*group_order(set(frame["group"]) - {MISSING}), *({MISSING} & set(frame["group"]))]
    modalities = list(dict.fromkeys(frame["modality"]))
    spread = {name: float(np.ptp(frame.loc[frame["modality"] == name, "share"])) for name in modalities}
    widest = max(spread, key=spread.__getitem__)
    if float(frame["share"].min()) == 1.0:
        return nothing(name, "Every modality is available for everybody.")
    if spread[widest] < 0.005:
        title = f"Modalities are missing about equally in all groups by {attribute}."
    else:
        part = frame[frame["modality"] == widest].sort_values("share", kind="stable")
        low, high = part.iloc[0], part.iloc[-1]
        least, most = (f"{percent(end['share'])} of {_who(end['group'], attribute)}" for end in (low, high))
        title = f"{widest} is available for {least} and {most}."
    cells = zip(frame["modality"], frame["group"], frame["share"], frame["n"], strict=True)
    text = "; ".join(f"{m}, {g}: {percent(s)} of {count(n)}" for m, g, s, n in cells)
    return Figure(
        name=name,
        title=title,
        alt=f"{title} {text}.",
        data=frame[["modality", "group", "n", "present", "share"]],
        panels=(Panel(partial(_draw, frame, groups, modalities)),),
        terms=("availability",),
        table={"modality": "modality", "group": attribute, "n": "samples", "present": "with the modality", "share": "share"},
    )


def _cell(share: float, look: Look) -> tuple[float, ...]:
    """Red, green and blue of the cell of `share`."""
    low, high = map(rgb, look.sequential)
    return tuple(a + (b - a) * share for a, b in zip(low, high, strict=True))


def _draw(frame: pd.DataFrame, groups: list[str], modalities: list[str], look: Look, width: Width) -> Any:
    aslant: dict[str, Any] = {"labelAngle": 0}
    if sum(map(len, modalities)) > NAMES_ABREAST:
        aslant = {"labelAngle": -35, "labelAlign": "left", "labelLimit": 105}
    base = alt.Chart(frame.assign(light=[ink_over(_cell(share, look)) == INKS[0] for share in frame["share"]])).encode(
        y=alt.Y("group:N", sort=groups, axis=alt.Axis(title=None)),
        x=alt.X("modality:N", sort=modalities, axis=alt.Axis(orient="top", title=None, domain=False, **aslant)),
        tooltip=[
            alt.Tooltip("modality:N"), alt.Tooltip("group:N"), alt.Tooltip("present:Q", title="with the modality"),
            alt.Tooltip("n:Q", title="samples"), alt.Tooltip("share:Q", format=".1%"),
        ],
    )  # fmt: skip
    cells = base.mark_rect(stroke=look.background, strokeWidth=3, cornerRadius=6).encode(
        color=alt.Color("share:Q", scale=alt.Scale(domain=[0, 1], range=list(look.sequential), interpolate="rgb"), legend=None)
    )
    numbers = base.mark_text(fontWeight=600).encode(
        text=alt.Text("share:Q", format=".0%"), color=alt.condition(alt.datum.light, alt.value(INKS[0]), alt.value(INKS[1]))
    )
    return alt.layer(cells, numbers).properties(width=width, height=alt.Step(36))
