"""From a panel to what the browser draws. A figure that is kept is drawn once."""

from __future__ import annotations

from collections import OrderedDict
from typing import Any

from core.charts.figure import Panel
from core.charts.grammar import AutoSizeParams, ConcatChart, Drawing
from core.charts.rows import arrow, stream
from core.charts.theme import Look, styled

MOST = 512
"""Drawn panels kept; each is some tens of kilobytes."""

Drawn = tuple[dict[str, Any], dict[str, bytes]]
"""The specification without its data sets, and these as Arrow streams."""

_drawn: OrderedDict[tuple[int, str], tuple[object, Drawn]] = OrderedDict()
"""(identity of a drawing function, mode) -> (the function, so that no other comes by its identity; what it drew)."""


def spec_of(panel: Panel, look: Look) -> dict[str, Any]:
    """Vega-Lite specification of `panel` as wide as its place, with Arrow bytes as data."""
    draw = panel.live or panel.draw
    key = id(draw), look.mode
    known = _drawn.get(key)
    if known is None:
        known = _drawn[key] = draw, _sent(_fitted(draw(look, "container")), look)
        while len(_drawn) > MOST:
            _drawn.popitem(last=False)
    spec, datasets = known[1]
    made = {**spec, "datasets": datasets}
    if panel.values:
        made["params"] = [{**p, "value": panel.values[p["name"]]} if p["name"] in panel.values else p for p in spec["params"]]
    return made


def drawing_spec(drawing: Drawing, look: Look) -> dict[str, Any]:
    """The same for a drawing that a page has changed after a panel drew it; Streamlit fits it into its place."""
    spec, datasets = _sent(drawing, look)
    return {**spec, "datasets": datasets}


def _sent(drawing: Drawing, look: Look) -> Drawn:
    spec, frames = styled(drawing, look).parts()
    return spec, {name: stream(arrow(frame)) for name, frame in frames.items()}


def _fitted(drawing: Drawing) -> Drawing:
    """Width from the page, height as drawn: Streamlit would otherwise squeeze the axes into the height."""
    if isinstance(drawing, ConcatChart):
        return drawing
    return drawing.properties(autosize=AutoSizeParams(type="fit-x", contains="padding"))  # type: ignore[no-any-return]
