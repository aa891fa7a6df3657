"""The chart block: a finding as a title, and the chart.

With its sentence for readers who cannot see it, downloads that are rendered only when asked for, and the table on demand.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from html import escape
from typing import Any

import streamlit as st

from core.charts.figure import Figure, Panel
from core.charts.glossary import explain
from core.charts.theme import LIGHT
from core.report.chart_counts import tells_small_counts
from core.report.suppression import USUAL
from core.tables.csv_export import csv_text
from dashboard import state
from dashboard.escape import md
from dashboard.number_table import NOTHING, numbers
from dashboard.specs import spec_of
from dashboard.style import NARROWEST, least_step

PNG_SCALE = 2.0


def chart_block(figure: Figure, key: str | None = None) -> None:
    """Show `figure` in the place where it is called.

    key : unique on the page; the figure's name by default.
    """
    key = key or figure.name
    with st.container(key=f"block-{key}", gap="small"):
        st.markdown(f"## {md(figure.title)}", help=explain(figure.terms) or None)
        if figure.empty:
            return
        look = state.look()
        if figure.key is not None:
            _key(figure.key(look))
        for start in range(0, len(figure.panels), figure.columns):
            row = figure.panels[start : start + figure.columns]
            places = st.columns(figure.columns, gap="medium") if len(figure.panels) > 1 and figure.columns > 1 else [st.container()]
            for offset, (place, panel) in enumerate(zip(places, row, strict=False)):
                with place:
                    if panel.heading:
                        st.markdown(f":gray[**{md(panel.heading)}**]")
                    with roomy(figure, f"{key}-{start + offset}"):
                        st.vega_lite_chart(spec=spec_of(panel, look), theme=None, width="stretch", key=f"chart-{key}-{start + offset}", alt=_alt(figure, panel))
        _below(figure, key)


def roomy(figure: Figure, key: str) -> AbstractContextManager[Any]:
    """Where a drawing goes: a telephone scrolls one that needs more than its width sideways, instead of squeezing its numbers."""
    return st.container(key=f"least-{least_step(figure.least)}-{key}") if figure.least > NARROWEST else nullcontext()


def _key(colors: Mapping[str, str]) -> None:
    """Names beside their colours, once for all panels."""
    chips = "".join(f'<span><i style="background:{color}"></i>{escape(name)}</span>' for name, color in colors.items())
    st.html(f'<div class="chart-key">{chips}</div>')


def _alt(figure: Figure, panel: Panel) -> str:
    """The panel's own sentence, else the figure's without its title, which stands above and changes with the other panels."""
    if not panel.heading:
        return panel.alt or figure.alt
    return f"{panel.heading}: {panel.alt or figure.alt.replace(figure.title, '').rstrip(' .') + '.'}"


@st.fragment
def _below(figure: Figure, key: str) -> None:
    """Note on the left, table and downloads on the right."""
    with st.container(horizontal=True, vertical_alignment="center", key=f"below-{key}"):
        st.caption(md(" ".join(part for part in (figure.hint, figure.note) if part)) or " ", width="stretch")
        with st.popover("Table", icon=":material/table:", type="tertiary", on_change="rerun", key=f"table-{key}") as table:
            if table.open:
                shown = figure.data[list(figure.table)].rename(columns=figure.table) if figure.table else figure.data
                st.dataframe(numbers(shown), hide_index=True, width="stretch", placeholder=NOTHING, alt=figure.alt)
        with st.popover("Download", icon=":material/download:", type="tertiary", on_change="rerun", key=f"get-{key}") as get:
            if get.open:
                _downloads(figure, key)


def _downloads(figure: Figure, key: str) -> None:
    if tells_small_counts(figure, USUAL) and st.toggle(
        f"Hide counts below {USUAL}",
        value=True,
        key=f"hide-{key}",
        help="Files leave this machine. Files of reports hide small counts and what would reveal them.",
    ):
        st.caption(
            f"This chart shows counts below {USUAL}, or steps of single patients, so it is not offered as a file. Turn hiding off to download it as it is."
        )
        return
    st.caption("As shown here.")
    kinds: tuple[tuple[str, str, Callable[[], bytes]], ...] = (
        ("PNG", "image/png", lambda: image(figure, "png")),
        ("SVG", "image/svg+xml", lambda: image(figure, "svg")),
        ("CSV", "text/csv", lambda: table_csv(figure)),
    )
    for kind, mime, render in kinds:
        st.download_button(
            kind,
            render,
            f"{figure.name}.{kind.lower()}",
            mime,
            key=f"get-{key}-{kind}",
            on_click="ignore",
            type="tertiary",
            icon=":material/download:",
            width="stretch",
        )


def image(figure: Figure, kind: str) -> bytes:
    """The figure as it goes into a paper: light, with its title. `kind`: "png" or "svg"."""
    buffer: Any = io.BytesIO() if kind == "png" else io.StringIO()
    chart: Any = figure.chart(LIGHT)
    chart.save(buffer, format=kind, **({"scale_factor": PNG_SCALE} if kind == "png" else {}))
    value = buffer.getvalue()
    return value if isinstance(value, bytes) else value.encode()


def table_csv(figure: Figure) -> bytes:
    """The data behind the figure, one row per mark, under the headings of its table.

    Cells that a spreadsheet would run as a formula are led by an apostrophe.
    """
    named = figure.data[list(figure.table)].rename(columns=figure.table) if figure.table else figure.data
    return csv_text(named).encode()
