"""What a report is: a title, an answer, and sections of sentences, charts and tables."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import pandas as pd

from core.charts.figure import Figure
from core.charts.grammar import Drawing as Chart
from core.charts.theme import LIGHT, styled

WIDTH = 900
"""Of the page's column, in pixels."""
ROOM = 150
"""For axis titles and labels beside a plot; SVG scales down where that is not enough."""


@dataclass(frozen=True)
class Drawing:
    """One chart of a figure; `heading` is empty when the figure has only one."""

    chart: Chart
    heading: str = ""


@dataclass(frozen=True)
class ChartBlock:
    """One figure: its drawings, the finding they show, and a sentence for those who cannot see them."""

    name: str
    """File stem, unique in a report: `group_auc`."""
    title: str
    drawings: tuple[Drawing, ...]
    alt_text: str
    caption: str = ""
    columns: int = 1

    @classmethod
    def of(cls, figure: Figure, name: str = "") -> ChartBlock | None:
        """A page's figure as a block; None when it has nothing to draw.

        Panels are drawn one by one, as on the pages, and the page's width arranges them.
        """
        if figure.empty:
            return None
        columns = min(figure.columns, len(figure.panels))
        width = WIDTH // columns - ROOM
        drawings = tuple(Drawing(styled(panel.draw(LIGHT, width), LIGHT), panel.heading) for panel in figure.panels)
        return cls(name or figure.name, figure.title, drawings, figure.alt, figure.note, columns)


def charts(*figures: tuple[str, Figure]) -> list[ChartBlock]:
    """Blocks of those (name, figure) that have something to draw."""
    blocks = (ChartBlock.of(figure, name) for name, figure in figures)
    return [block for block in blocks if block is not None]


@dataclass(frozen=True)
class TableBlock:
    """One table. `frame` is exported as it is; `shown` (default: `frame`) is what is read."""

    name: str
    title: str
    frame: pd.DataFrame
    shown: pd.DataFrame | None = None
    caption: str = ""
    folded: bool = False
    """True: the reader opens it; for long tables."""
    bold: frozenset[tuple[int, int]] = frozenset()
    """(row, column) of cells in `shown` that stand out: a best value that the paired intervals support."""
    paper: bool = False
    """True: one of the tables that a paper prints, and the LaTeX file holds."""

    @property
    def display(self) -> pd.DataFrame:
        return self.frame if self.shown is None else self.shown


@dataclass(frozen=True)
class Section:
    """A question, the sentence that answers it, and the evidence."""

    title: str
    sentence: str = ""
    blocks: tuple[ChartBlock | TableBlock, ...] = ()
    notes: tuple[str, ...] = ()
    tag: str = ""
    """A verdict beside the title: `disparity`, `no disparity found`, `not enough data`."""
    first: bool = False
    """True: the summary, which stands before the table of contents."""


@dataclass(frozen=True)
class Report:
    """A whole report. `data` is the machine-readable part of the JSON export."""

    name: str
    """File stem: letters, digits and dashes."""
    title: str
    subtitle: str
    created: str
    """UTC, ISO 8601 to the minute."""
    facts: tuple[tuple[str, str], ...]
    """Label and value pairs shown under the title."""
    sections: tuple[Section, ...]
    provenance: Mapping[str, Any] = field(default_factory=dict)
    data: Mapping[str, Any] = field(default_factory=dict)

    def tables(self) -> Iterator[TableBlock]:
        for section in self.sections:
            yield from (block for block in section.blocks if isinstance(block, TableBlock))

    def charts(self) -> Iterator[ChartBlock]:
        for section in self.sections:
            yield from (block for block in section.blocks if isinstance(block, ChartBlock))

    def __post_init__(self) -> None:
        names = [block.name for section in self.sections for block in section.blocks]
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            raise ValueError(f"two blocks of one report are named {', '.join(twice)}")
