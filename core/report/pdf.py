"""A report as a PDF file: pages with numbers, contents, drawings as lines and letters, headings and tables tagged."""

from __future__ import annotations

import json
import re
from datetime import datetime
from typing import Any

from core import __version__
from core.report import cells, glyphs
from core.report.document import ChartBlock, Report, Section, TableBlock
from core.report.pdf_template import PAGE
from core.report.print_layout import TEXT_WIDTH, Part, drawing_width, parts
from core.report.readable import code_point, readable
from core.report.svg import chart_svg

FONTS = ("Inter", "Source Sans 3", "Segoe UI", "Helvetica Neue", "Liberation Sans", "Arial", "Noto Sans", "DejaVu Sans", "Libertinus Serif")
"""As on the pages; of these the first that the machine has, the last is typst's own."""
FOLDED_ROWS, OPEN_ROWS = 40, 200
"""Longest tables that are printed: those a reader of the page has to open, and those that stand open."""
GUTTER = 8.0
MOST_NAMED = 12


def render_pdf(report: Report) -> bytes:
    """The report as one PDF file; the same report gives the same bytes on a machine with the same fonts.

    Every text is handed to typst as data, so none can be taken for markup. Letters that no font of the machine
    draws are written as their Unicode numbers, and the last page says which.
    """
    import typst

    missing: set[str] = set()

    def text(value: str) -> str:
        return breakable(glyphs.with_fallback(readable(value), missing))

    made = datetime.strptime(report.created, "%Y-%m-%d %H:%M")
    content: dict[str, Any] = {
        "title": text(report.title),
        "subtitle": text(report.subtitle),
        "version": __version__,
        "date": [made.year, made.month, made.day, made.hour, made.minute],
        "footer": f"Made {report.created} UTC by multifair {__version__}",
        "fonts": [name for name in FONTS if name in glyphs.families()],
        "facts": [[text(label), text(value)] for label, value in report.facts],
        "sections": [_section(section, text, missing) for section in report.sections],
    }
    content["note"] = _missing_note(missing)
    files: Any = {"main.typ": PAGE.encode(), "report.json": json.dumps(content, ensure_ascii=False).encode("utf-8", "replace")}
    # PDF/UA-1: headings, tables and drawings can be read aloud.
    return bytes(typst.compile(files, format="pdf", pdf_standards="ua-1"))


LONG_WORD = re.compile(r"\S{25,}")
PIECE = re.compile(r"[^_\-./\\:;,&=|\u27e9]{0,11}(?:[_\-./\\:;,&=|\u27e9]|$)|.{1,8}")
"""Of a long word: up to its next joint where that is near, else eight letters."""


def breakable(text: str) -> str:
    r"""Words of more than 24 letters may be broken: they would run over the edge of their column.

    >>> breakable("model_B_with_an_extremely_long_name").split("\u200b")
    ['model_', 'B_', 'with_', 'an_', 'extremely_', 'long_', 'name']
    """
    return LONG_WORD.sub(lambda found: "\u200b".join(piece for piece in PIECE.findall(found.group()) if piece), text)


def _missing_note(missing: set[str]) -> str:
    if not missing:
        return ""
    named = ", ".join(code_point(letter) for letter in sorted(missing)[:MOST_NAMED])
    more = f" and {len(missing) - MOST_NAMED} more" if len(missing) > MOST_NAMED else ""
    return (
        f"No font of the machine that made this file draws {named}{more}; these letters are written as their Unicode numbers. The HTML report "
        "shows them as they are."
    )


def _section(section: Section, text: Any, missing: set[str]) -> dict[str, Any]:
    blocks = [_chart(b, text, missing) if isinstance(b, ChartBlock) else _table(b, text) for b in section.blocks]
    return {
        "title": text(section.title),
        "tag": section.tag,
        "first": section.first,
        "sentence": text(section.sentence),
        "notes": [text(note) for note in section.notes],
        "blocks": blocks,
    }


def _chart(block: ChartBlock, text: Any, missing: set[str]) -> dict[str, Any]:
    column = (TEXT_WIDTH - GUTTER * (block.columns - 1)) / block.columns
    drawn = []
    for part in block.drawings:
        # Replaced before names are measured: afterwards they would be longer than their room.
        svg = chart_svg(part.chart, letters=lambda spec: glyphs.with_fallback(spec, missing))
        alt = f"{block.alt_text} {part.heading}".strip()
        drawn.append({"svg": svg, "heading": text(part.heading), "width": drawing_width(svg, column), "alt": readable(alt) or "A chart"})
    return {"kind": "chart", "title": text(block.title), "caption": text(block.caption), "columns": block.columns, "parts": drawn}


def _table(block: TableBlock, text: Any) -> dict[str, Any]:
    """A long table is not printed in part: where its rows are kept is said instead."""
    most = FOLDED_ROWS if block.folded else OPEN_ROWS
    rows = len(block.display)
    shown: list[Part] = []
    more = ""
    if rows > most:
        more = f"{rows} rows: too long to print; they are in the zip and in the JSON under the name {block.name}."
    elif rows:
        heads = cells.columns(block)
        body = [[text(cell) for cell in row] for row in cells.rows(block, most)]
        shown = parts([text(name) for name, _ in heads], [number for _, number in heads], body, block.bold)
    else:
        more = "No rows."
    return {"kind": "table", "title": text(block.title), "caption": text(block.caption), "parts": [part.to_dict() for part in shown], "more": more}
