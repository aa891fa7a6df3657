"""From a panel to what the browser draws. A figure that is kept is drawn once."""

from __future__ import annotations

import hashlib
import json
import pickle
from collections import OrderedDict
from collections.abc import Mapping
from functools import partial
from itertools import count
from typing import Any

from core.charts.figure import Draw, Panel
from core.charts.grammar import AutoSizeParams, ConcatChart, Drawing
from core.charts.rows import records
from core.charts.theme import Look, styled

UNIT = ("data", "name", "mark", "encoding", "transform", "params")
"""What belongs to a drawing with one mark, and not to the whole around it."""
COMPOSED = ("layer", "vconcat", "concat")
MOST = 512
"""Drawn panels kept; each is some tens of kilobytes."""

_drawn: OrderedDict[str, dict[str, Any]] = OrderedDict()
"""Key of a drawing -> its specification."""
_keys: OrderedDict[tuple[int, str], tuple[object, str]] = OrderedDict()
"""(identity of a drawing function, mode) -> (the function, so that no other comes by its identity; its key)."""
_own = count()


def spec_of(panel: Panel, look: Look) -> dict[str, Any]:
    """Vega-Lite specification of `panel` as wide as its place, with its rows inside."""
    draw = panel.live or panel.draw
    key = _key(draw, look)
    spec = _drawn.get(key)
    if spec is None:
        spec = _drawn[key] = drawing_spec(_fitted(draw(look, "container")), look)
        _forget(_drawn)
    if not panel.values:
        return spec
    return {**spec, "params": [{**p, "value": panel.values[p["name"]]} if p["name"] in panel.values else p for p in spec["params"]]}


def _key(draw: Draw, look: Look) -> str:
    """Names a drawing by its function and data: a run's panel is the same whichever runs stand beside it.

    A figure that is kept brings the same function again, whose data need not be looked through
    a second time. A closure is the same only as long as it is the same object.
    """
    known = _keys.get((id(draw), look.mode))
    if known is None:
        key = f"own {next(_own)}"
        if isinstance(draw, partial) and "<locals>" not in draw.func.__qualname__:
            content = pickle.dumps((draw.func.__module__, draw.func.__qualname__, draw.args, sorted(draw.keywords.items()), look.mode))
            key = hashlib.blake2b(content, digest_size=16).hexdigest()
        known = _keys[id(draw), look.mode] = draw, key
        _forget(_keys)
    return known[1]


def _forget(kept: OrderedDict[Any, Any]) -> None:
    while len(kept) > MOST:
        kept.popitem(last=False)


def drawing_spec(drawing: Drawing, look: Look) -> dict[str, Any]:
    """The same for a drawing that a page has changed after a panel drew it; Streamlit fits it into its place.

    Rows inside the specification are there when the browser first draws. Rows sent beside it, as
    Streamlit does, make it draw everything twice: without them, and again when they are put in.
    """
    spec, frames = styled(drawing, look).parts()
    if "mark" in spec:
        # Streamlit takes rows away that stand at the top.
        unit = {name: spec.pop(name) for name in UNIT if name in spec}
        spec["layer"] = [unit]
    # Only columns that the drawing speaks of are sent.
    said = json.dumps(spec)
    rows = {name: records(frame[[column for column in frame.columns if str(column) in said]]) for name, frame in frames.items()}
    return _filled(spec, rows)  # type: ignore[no-any-return]


def _filled(part: Any, rows: Mapping[str, list[dict[str, Any]]]) -> Any:
    """`part` with rows in the place of their name."""
    if isinstance(part, list):
        return [_filled(item, rows) for item in part]
    if not isinstance(part, dict):
        return part
    made = {name: _filled(item, rows) if name in COMPOSED else item for name, item in part.items()}
    if "data" in part:
        made["data"] = {"values": rows[part["data"]["name"]]}
    return made


def _fitted(drawing: Drawing) -> Drawing:
    """Width from the page, height as drawn: Streamlit would otherwise squeeze the axes into the height."""
    if isinstance(drawing, ConcatChart):
        return drawing
    return drawing.properties(autosize=AutoSizeParams(type="fit-x", contains="padding"))  # type: ignore[no-any-return]
