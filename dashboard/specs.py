"""From a panel to what the browser draws, kept between reruns.

Altair builds and checks a layered chart in 50 to 100 ms, and a page has dozens: a filter
must answer in less. The tests check the charts against the schema; here the check is off,
and a panel that was drawn before from the same data is not drawn again.
"""

from __future__ import annotations

import hashlib
import json
import pickle
from collections import OrderedDict
from functools import partial
from typing import Any

import altair as alt
import pandas as pd

from core.charts.figure import Panel
from core.charts.theme import Look, styled
from dashboard.drawing import arrow, lock, quick, stream

MOST = 512
"""Drawn panels kept; each is some tens of kilobytes."""

Drawn = tuple[str, dict[str, bytes]]
"""The specification as JSON text, and its data sets as Arrow streams."""

_drawn: OrderedDict[str, Drawn] = OrderedDict()
_keys: OrderedDict[tuple[int, str], tuple[Any, str | None]] = OrderedDict()
"""(identity of a drawing function, mode) -> (the function, its key). A figure that is kept brings
the same object again, whose data need not be looked through again."""


def spec_of(panel: Panel, look: Look) -> dict[str, Any]:
    """Vega-Lite specification of `panel` as wide as its place, with Arrow bytes as data."""
    with lock:
        key = _known_key(panel.live or panel.draw, look)
        found = _drawn.get(key) if key else None
        if found is None:
            found = _draw(panel, look)
        if key:
            _drawn[key] = found
            _drawn.move_to_end(key)
            while len(_drawn) > MOST:
                _drawn.popitem(last=False)
    text, datasets = found
    spec = {**json.loads(text), "datasets": dict(datasets)}
    for parameter in spec.get("params", ()):
        if parameter["name"] in panel.values:
            parameter["value"] = panel.values[parameter["name"]]
    return spec


def _known_key(draw: Any, look: Look) -> str | None:
    known = _keys.get((id(draw), look.mode))
    if known is None:
        # The function is held, so that no other object can come by its identity.
        known = _keys[id(draw), look.mode] = draw, _key(draw, look)
        while len(_keys) > MOST:
            _keys.popitem(last=False)
    return known[1]


def _key(draw: Any, look: Look) -> str | None:
    """Names a drawing by its function and data; None where that cannot be told (closures)."""
    if not isinstance(draw, partial) or "<locals>" in draw.func.__qualname__:
        return None
    try:
        content = pickle.dumps((draw.func.__module__, draw.func.__qualname__, draw.args, sorted(draw.keywords.items()), look.mode))
    except (pickle.PicklingError, AttributeError, TypeError):
        return None
    return hashlib.blake2b(content, digest_size=16).hexdigest()


def _draw(panel: Panel, look: Look) -> Drawn:
    with quick() as tables:
        spec = _fitted(styled((panel.live or panel.draw)(look, "container"), look)).to_dict(validate=False)
    datasets = {name: stream(table) for name, table in tables.items()}
    datasets |= {name: stream(arrow(pd.DataFrame(rows))) for name, rows in spec.pop("datasets", {}).items()}
    return json.dumps(spec), datasets


def _fitted(chart: Any) -> Any:
    """Width from the page, height as drawn: Streamlit would otherwise squeeze the axes into the height."""
    if isinstance(chart, alt.VConcatChart | alt.HConcatChart | alt.ConcatChart):
        return chart
    return chart.properties(autosize=alt.AutoSizeParams(type="fit-x", contains="padding"))
