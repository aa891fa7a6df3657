"""What every result of the API can do: say its finding, show a table and a chart, and become JSON."""

from __future__ import annotations

import html
import json
from abc import ABC, abstractmethod
from itertools import count
from typing import TYPE_CHECKING, Any

from core.errors import UserError

if TYPE_CHECKING:
    import altair
    import pandas as pd

    from core.charts.figure import Figure

SHOWN_ROWS = 20
_shown = count(1)


class Result(ABC):
    """A finding with what it rests on. In a notebook it shows as a sentence, a chart and a table."""

    @property
    @abstractmethod
    def headline(self) -> str:
        """The finding in a sentence, plain text."""

    @abstractmethod
    def table(self) -> pd.DataFrame:
        """The main numbers, one row per estimate or run."""

    @abstractmethod
    def figure(self) -> Figure:
        """The main chart with its title and its sentence for those who cannot see it."""

    @abstractmethod
    def to_dict(self) -> dict[str, Any]:
        """Everything, JSON-ready: undefined values are None."""

    def chart(self) -> altair.TopLevelMixin:
        """`figure` as an Altair chart. Raises UserError, with the reason, when there is nothing to draw."""
        return drawn(self.figure())

    def to_json(self) -> str:
        """`to_dict` as JSON text."""
        return json.dumps(self.to_dict(), indent=1, allow_nan=False, ensure_ascii=False)

    def summary_table(self) -> pd.DataFrame:
        """What a notebook shows beside the finding."""
        return self.table()

    def __repr__(self) -> str:
        return f"<{type(self).__name__}: {self.headline}>"

    def _repr_html_(self) -> str:
        frame = self.summary_table()
        more = "" if len(frame) <= SHOWN_ROWS else f"<p>{len(frame) - SHOWN_ROWS} more rows: see .table()</p>"
        table = frame.head(SHOWN_ROWS).to_html(index=False, escape=True, border=0, na_rep="–", float_format=lambda value: f"{value:.3f}")
        return f"<div><p><strong>{html.escape(self.headline)}</strong></p>{self._drawing()}{table}{more}</div>"

    def _drawing(self) -> str:
        """The main chart as it stands in a page, with its sentence for those who cannot see it; empty where there is nothing to draw."""
        from core.report.svg import chart_svg

        figure = self.figure()
        if figure.empty:
            return ""
        # Two results of one notebook must not clip each other's drawings.
        prefix = f"r{next(_shown)}-"
        return f'<div role="img" aria-label="{html.escape(figure.alt)}">{chart_svg(figure.chart(), prefix)}</div>'


def drawn(figure: Figure) -> altair.TopLevelMixin:
    """A figure as an Altair chart. Raises UserError, with the reason, when there is nothing to draw."""
    if figure.empty:
        raise UserError(figure.empty)
    return figure.chart()
