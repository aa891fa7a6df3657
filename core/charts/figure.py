"""What a chart function returns: the drawing with everything a reader needs around it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sized
from dataclasses import dataclass, field
from typing import Any

import altair
import pandas as pd

from core.charts import grammar as alt
from core.charts.theme import LIGHT, Look, config

Width = int | str
Draw = Callable[[Look, Width], Any]
"""(look, width in pixels or "container") -> a `core.charts.grammar.Drawing` without configuration."""

PANEL_WIDTH = 300
FULL_WIDTH = 860


@dataclass(frozen=True)
class Panel:
    """One drawing.

    Small multiples are several panels with a heading each; scales are shared by giving all of them the same domains.
    """

    draw: Draw
    heading: str = ""
    live: Draw | None = None
    """How a page draws it, where that differs: with parameters left open..."""
    values: Mapping[str, Any] = field(default_factory=dict)
    """...whose values by name are these; a page sets them without drawing again."""
    alt: str = ""
    """What this panel alone shows, in a sentence. It should not speak of other panels: a browser
    draws a panel again when its sentence changes."""


@dataclass(frozen=True)
class Figure:
    """A chart with its finding.

    title : the finding as a sentence; it changes with the data. Plain text (may hold user
        text: whoever shows it escapes it).
    alt : one or two sentences that give a reader who cannot see the chart the same message.
    data : tidy table behind the drawing; what the CSV download and the table hold.
    columns : panels per row at full width.
    terms : keys of `core.charts.glossary` explained at the title.
    note : one line under the chart (a caveat, what is hatched), plain text.
    hint : how a page's reader works the chart, in a sentence; nothing that is printed says it.
    """

    name: str
    title: str
    alt: str
    data: pd.DataFrame
    panels: tuple[Panel, ...]
    columns: int = 3
    terms: tuple[str, ...] = ()
    note: str = ""
    hint: str = ""
    empty: str = ""
    """Set when there is nothing to draw: the reason, as a sentence. `panels` is then empty."""
    table: dict[str, str] = field(default_factory=dict)
    """Column of `data` -> heading in the table on demand; empty: all columns as they are."""
    least: int = 0
    """Pixels that a panel needs so that its numbers stay apart: a narrower page scrolls it sideways."""
    key: Callable[[Look], Mapping[str, str]] | None = None
    """What the colours of all panels mean, name -> colour, which a page says once above them. A drawing that leaves
    the page alone (a file, a report) says it itself."""

    def chart(self, look: Look = LIGHT, title: bool = True, width: int | None = None) -> altair.TopLevelMixin:
        """All panels as one Altair chart with its title: for downloads, and to be worked on."""
        if not self.panels:
            raise ValueError(f"{self.name} has nothing to draw: {self.empty}")
        many = len(self.panels) > 1
        inner = width or (PANEL_WIDTH if many else FULL_WIDTH)
        drawn = []
        for panel in self.panels:
            chart = panel.draw(look, inner)
            drawn.append(chart.properties(title=alt.TitleParams(panel.heading, fontSize=13)) if panel.heading else chart)
        whole = alt.concat(*drawn, columns=self.columns) if many else drawn[0]
        properties: dict[str, Any] = {"description": self.alt}
        if title:
            properties["title"] = alt.TitleParams(_wrapped(self.title, 110 if many or inner > 600 else 60))
        whole = whole.properties(**properties)
        spec = whole.configure(**{**config(look), "background": look.background}).to_dict()
        return altair.Chart.from_dict(spec)


def panels_per_run(rows: pd.DataFrame, names: Mapping[str, str], draw: Callable[[pd.DataFrame], Draw]) -> tuple[Panel, ...]:
    """A panel for each run of `names` (run id -> name) that has rows, in that order; `draw` gets its rows and returns its drawing."""
    own = {run_id: rows[rows["run_id"] == run_id].reset_index(drop=True) for run_id in names}
    return tuple(Panel(draw(own[run_id]), name) for run_id, name in names.items() if len(own[run_id]))


def side_by_side(panels: Sized, most: int = 3) -> int:
    """How many of the panels stand in a row at full width."""
    return min(most, max(1, len(panels)))


def _wrapped(text: str, characters: int) -> list[str]:
    """Lines of at most `characters`, broken at spaces: Vega does not wrap titles."""
    lines: list[str] = []
    for word in text.split():
        if lines and len(lines[-1]) + 1 + len(word) <= characters:
            lines[-1] += f" {word}"
        else:
            lines.append(word)
    return lines or [""]


def nothing(name: str, why: str) -> Figure:
    """A figure without data: `why` is a sentence that also says what would bring some."""
    return Figure(name=name, title=why, alt=why, data=pd.DataFrame(), panels=(), empty=why)
