"""The tables of a report that a paper prints, as a LaTeX file that compiles by itself."""

from __future__ import annotations

from core import __version__
from core.errors import UserError
from core.report.document import Report
from core.report.method_table import escaped, latex

PREAMBLE = r"""% Made {created} UTC by multifair {version}. Each table stands alone: it needs the packages booktabs and graphicx.
\documentclass{{article}}
\usepackage{{booktabs}}
\usepackage{{graphicx}}
\usepackage{{iftex}}
\usepackage[a4paper,landscape,margin=15mm]{{geometry}}
\ifPDFTeX
\usepackage[T1]{{fontenc}}
\usepackage[utf8]{{inputenc}}
\usepackage{{textcomp}}
{letters}\fi
\begin{{document}}
\footnotesize
\section*{{{title}}}
"""
LAST_LATIN = 0x17F


def render_latex(report: Report) -> str:
    """The report's paper tables.

    Letters beyond Latin are printed as they are by XeLaTeX and LuaLaTeX with a font that has them, and as their Unicode numbers by pdfLaTeX.

    Raises
    ------
    UserError
        When the report has no such table.
    """
    tables = [table for table in report.tables() if table.paper]
    if not tables:
        raise UserError("this report has no table for a paper: its runs are not compared by an attribute")
    bodies = [latex(t.display, f"{t.title}. {t.caption}".strip(), t.bold, f"tab:{number}") for number, t in enumerate(tables, start=1)]
    whole = escaped(report.title) + "".join(bodies)
    foreign = sorted({letter for letter in whole if ord(letter) > LAST_LATIN})
    letters = "".join(f"\\DeclareUnicodeCharacter{{{ord(letter):04X}}}{{{{[}}U+{ord(letter):04X}{{]}}}}\n" for letter in foreign)
    head = PREAMBLE.format(created=report.created, version=__version__, letters=letters, title=escaped(report.title))
    return head + "\n".join(bodies) + "\\end{document}\n"
