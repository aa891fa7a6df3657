"""One self-contained HTML file: drawings inline, every text escaped, no address outside."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import jinja2
from markupsafe import Markup

from core import __version__
from core.report.cells import columns, rows
from core.report.document import ChartBlock, Report, TableBlock
from core.report.interactive import START, library, packed, policy
from core.report.readable import readable
from core.report.svg import chart_svg, readable_spec
from core.report.tables import plain
from core.report.template import PAGE, STYLE

LONGEST_TABLE = 500
LONG_CELL = 44
# A name without spaces of more letters may be broken anywhere in print, or its table would be cut.
LONG_WORD = 24
"""Characters above which a cell may be broken into lines."""


def render_html(report: Report) -> str:
    """The report as one HTML document.

    Names that come from a user's file (groups, columns, cohorts) pass through the
    template's escaping; only drawings, made by the renderer from data, are trusted.
    """
    specs = {
        f"f{number}-{part}": json.loads(readable_spec(one.chart)) for number, block in enumerate(report.charts()) for part, one in enumerate(block.drawings)
    }
    scripts = (library(), START) if specs else ()
    environment = jinja2.Environment(autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True, finalize=_readable)
    numbers = {block.name: index for index, block in enumerate(report.charts())}

    def drawing(block: ChartBlock, part: int) -> Markup:
        return Markup(chart_svg(block.drawings[part].chart, prefix=f"f{numbers[block.name]}-{part}-"))

    environment.globals.update(
        drawing=drawing,
        is_chart=lambda block: isinstance(block, ChartBlock),
        columns=columns,
        rows=_rows,
        is_long=lambda cell: len(cell) > LONG_CELL,
        is_whole=lambda cell: max(map(len, cell.split()), default=0) > LONG_WORD,
        place=lambda block, part: f"f{numbers[block.name]}-{part}",
        tag_class=lambda tag: {"disparity": "disparity", "no disparity found": "none"}.get(tag, "unknown"),
    )
    return environment.from_string(PAGE).render(
        report=report,
        style=Markup(STYLE),
        version=__version__,
        policy=Markup(policy(*scripts)),
        scripts=[Markup(script) for script in scripts],
        packed=Markup(packed(specs)) if specs else "",
        provenance=json.dumps(plain(report.provenance), indent=1, ensure_ascii=False),
    )


def _readable(value: Any) -> Any:
    """Text of users without signs that would turn the line around; drawings are Markup and stay."""
    return readable(value) if isinstance(value, str) and not isinstance(value, Markup) else value


def _rows(block: TableBlock) -> Iterator[list[tuple[str, bool, bool]]]:
    """Cells as (text, whether it is a number, whether it stands out)."""
    flags = [number for _, number in columns(block)]
    for y, row in enumerate(rows(block, LONGEST_TABLE)):
        yield [(cell, number, (y, x) in block.bold) for x, (cell, number) in enumerate(zip(row, flags, strict=True))]
    if len(block.display) > LONGEST_TABLE:
        rest = f"… {len(block.display) - LONGEST_TABLE} more rows: see the tables folder"
        yield [(rest if index == 0 else "", False, False) for index in range(len(flags))]
