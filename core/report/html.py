"""One self-contained HTML file: drawings inline, every text escaped, no address outside."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from typing import Any

import jinja2
import pandas as pd
from markupsafe import Markup

from core import __version__
from core.report.document import ChartBlock, Report, TableBlock
from core.report.svg import chart_svg
from core.report.tables import plain
from core.report.template import PAGE, STYLE

UNDEFINED = "–"
LONGEST_TABLE = 500
LONG_CELL = 44
"""Characters above which a cell may be broken into lines."""


def render_html(report: Report) -> str:
    """The report as one HTML document.

    Names that come from a user's file (groups, columns, cohorts) pass through the
    template's escaping; only drawings, made by the renderer from data, are trusted.
    """
    environment = jinja2.Environment(autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True)
    numbers = {block.name: index for index, block in enumerate(report.charts())}

    def drawing(block: ChartBlock, part: int) -> Markup:
        return Markup(chart_svg(block.drawings[part].chart, prefix=f"f{numbers[block.name]}-{part}-"))

    environment.globals.update(
        drawing=drawing,
        is_chart=lambda block: isinstance(block, ChartBlock),
        columns=_columns,
        rows=_rows,
        is_long=lambda cell: len(cell) > LONG_CELL,
        tag_class=lambda tag: {"disparity": "disparity", "no disparity found": "none"}.get(tag, "unknown"),
    )
    return environment.from_string(PAGE).render(
        report=report,
        style=Markup(STYLE),
        version=__version__,
        provenance=json.dumps(plain(report.provenance), indent=1, ensure_ascii=False),
    )


def _columns(block: TableBlock) -> list[tuple[str, bool]]:
    frame = block.display
    return [(str(name), _is_number(frame[name])) for name in frame.columns]


def _rows(block: TableBlock) -> Iterator[list[tuple[str, bool]]]:
    flags = [number for _, number in _columns(block)]
    for row in block.display.head(LONGEST_TABLE).itertuples(index=False, name=None):
        yield [(cell_text(value), number) for value, number in zip(row, flags, strict=True)]
    if len(block.display) > LONGEST_TABLE:
        rest = f"… {len(block.display) - LONGEST_TABLE} more rows: see the tables folder"
        yield [(rest if index == 0 else "", False) for index in range(len(flags))]


def _is_number(column: pd.Series) -> bool:
    return bool(pd.api.types.is_numeric_dtype(column)) and not pd.api.types.is_bool_dtype(column)


def cell_text(value: Any) -> str:
    """A cell as text: whole numbers whole, others with four significant digits, undefined as a dash."""
    value = plain(value)
    if value is None:
        return UNDEFINED
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        if value.is_integer() and math.fabs(value) < 1e15:
            return str(int(value))
        return f"{value:.4g}"
    return str(value)
