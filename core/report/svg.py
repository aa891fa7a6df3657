"""Charts as SVG text that can stand inside a page, drawn without a network."""

from __future__ import annotations

import re

import altair as alt
import vl_convert

_ID = re.compile(r'\b(id="|url\(#|href="#)')
_VERSION = alt.SCHEMA_VERSION.removeprefix("v").rpartition(".")[0]


def chart_svg(chart: alt.TopLevelMixin, prefix: str = "") -> str:
    """The chart as one `<svg>` element.

    Parameters
    ----------
    chart : altair chart
        With its data inside; at most 5,000 rows (aggregate first).
    prefix : str
        Put before every id. Vega numbers its clip paths from zero in every drawing,
        so two drawings in one page would otherwise clip each other.

    Notes
    -----
    No base address is allowed to the renderer: a chart that names a remote file fails
    instead of fetching it.
    """
    svg = str(vl_convert.vegalite_to_svg(chart.to_dict(), vl_version=_VERSION, allowed_base_urls=[]))
    return _ID.sub(lambda found: found.group(1) + prefix, svg) if prefix else svg
