"""Report files in every format; each is written whole or not at all."""

from __future__ import annotations

import io
import json
import re
import zipfile
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from core import __version__
from core.errors import UserError
from core.report.chai_card import render_chai
from core.report.data_dictionary import data_dictionary, parquet
from core.report.document import Report
from core.report.hf_card import render_card
from core.report.html import render_html
from core.report.latex import render_latex
from core.report.schema import FORM
from core.report.svg import chart_svg
from core.report.tables import csv_text, plain, records
from core.workspace import write_atomic

FORMATS = {"html": "html", "pdf": "pdf", "zip": "zip", "json": "json", "latex": "tex", "card": "card.md", "chai": "chai.xml"}
"""Name of each format, and the ending of its file. card: a model card in Markdown; chai: CHAI's Applied Model Card."""


def parse_formats(text: str) -> tuple[str, ...]:
    """`html,zip` as a tuple without repeats.

    Raises
    ------
    UserError
        For a format that is unknown, whatever else is asked for.
    """
    asked = tuple(dict.fromkeys(part.strip().lower() for part in text.split(",") if part.strip()))
    if not asked:
        raise UserError(f"--format is empty; choose from {', '.join(FORMATS)}")
    for name in asked:
        if name not in FORMATS:
            raise UserError(f"--format {name}: unknown; choose from {', '.join(FORMATS)}")
    return asked


def report_json(report: Report) -> dict[str, Any]:
    """The report without its drawings: sentences, tables as records, the data behind them; `core.report.schema` says in which form."""
    return {
        "form": FORM,
        "title": report.title,
        "subtitle": report.subtitle,
        "created": report.created,
        "version": __version__,
        "facts": dict(report.facts),
        "sections": [
            {"title": section.title, "sentence": section.sentence, "tag": section.tag or None, "notes": list(section.notes)} for section in report.sections
        ],
        "tables": {table.name: records(table.frame) for table in report.tables()},
        "charts": {chart.name: {"title": chart.title, "text": chart.alt_text} for chart in report.charts()},
        "data": plain(report.data),
        "provenance": plain(report.provenance),
    }


def json_text(report: Report) -> str:
    """The report as the text of a JSON file."""
    return json.dumps(report_json(report), indent=1, allow_nan=False, ensure_ascii=False) + "\n"


def tables_zip(report: Report) -> bytes:
    """The tables alone, one CSV each."""
    return _zip((f"{safe_stem(table.name)}.csv", csv_text(table.frame)) for table in report.tables())


def report_zip(report: Report, html: str | None = None) -> bytes:
    """The report with its tables as CSV and Parquet, what their columns mean, its drawings as SVG, LaTeX tables and its JSON."""

    def files() -> Iterable[tuple[str, str | bytes]]:
        yield "report.html", html or render_html(report)
        yield "report.json", json_text(report)
        yield "data-dictionary.csv", csv_text(data_dictionary(report))
        for table in report.tables():
            yield f"tables/{safe_stem(table.name)}.csv", csv_text(table.frame)
            yield f"tables/{safe_stem(table.name)}.parquet", parquet(table)
        if any(table.paper for table in report.tables()):
            yield "tables.tex", render_latex(report)
        for block in report.charts():
            for number, part in enumerate(block.drawings, start=1):
                stem = safe_stem(block.name) + (f"-{number}" if len(block.drawings) > 1 else "")
                yield f"charts/{stem}.svg", chart_svg(part.chart)

    return _zip(files())


def _zip(files: Iterable[tuple[str, str | bytes]]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, text in files:
            # A fixed date keeps the same report the same bytes.
            archive.writestr(zipfile.ZipInfo(name, date_time=(1980, 1, 1, 0, 0, 0)), text, zipfile.ZIP_DEFLATED)
    return buffer.getvalue()


def write(report: Report, out: Path, formats: Iterable[str]) -> list[Path]:
    """Write the chosen formats into `out` (made when absent); returns the files.

    Raises
    ------
    UserError
        When the folder cannot be made or written, or this report has no file of one of the formats: those of the others are written, and named.
    """
    stem = safe_stem(report.name)
    made: list[Path] = []
    refused: list[str] = []
    page: str | None = None
    try:
        out.mkdir(parents=True, exist_ok=True)
        for kind in formats:
            path = out / f"{stem}.{FORMATS[kind]}"
            try:
                content = report_zip(report, page) if kind == "zip" and page else render(report, kind)
            except UserError as error:
                refused.append(f"{kind} is not written: {error}")
                continue
            page = str(content) if kind == "html" else page
            write_atomic(path, content)
            made.append(path)
    except OSError as error:
        raise UserError(f"{out}: the report cannot be written there ({error.strerror}); name another --out folder") from error
    if refused:
        raise UserError("; ".join(refused) + (f"; written: {', '.join(path.name for path in made)}" if made else ""))
    return made


def render(report: Report, kind: str) -> str | bytes:
    """The report in one of `FORMATS`."""
    if kind == "pdf":
        from core.report.pdf import render_pdf  # brings typst, which the other formats do without

        return render_pdf(report)
    writers: dict[str, Callable[[Report], str | bytes]] = {
        "html": render_html,
        "zip": report_zip,
        "json": json_text,
        "latex": render_latex,
        "card": render_card,
        "chai": render_chai,
    }
    return writers[kind](report)


def safe_stem(name: str) -> str:
    """A file name's stem without separators, spaces or leading dots."""
    return re.sub(r"[^A-Za-z0-9_-]+", "-", name).strip("-")[:80] or "report"
