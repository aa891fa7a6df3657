"""A user's table on a page: read by the one reader, with the choices that only its user can make."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import streamlit as st

from core.tables import Table, read
from core.tables.encoding import CANDIDATES
from core.tables.workbooks import SPREADSHEETS, sheet_names
from dashboard.escape import md
from dashboard.page_advice import on_page


@dataclass(frozen=True)
class ReadChoices:
    """The table, and what was chosen for reading it (None where nothing had to be)."""

    table: Table
    sheet: str | None = None
    encoding: str | None = None
    join: tuple[str, ...] = ()
    """Further tables as `ingest` takes them."""


@st.cache_resource(show_spinner="Reading the table", max_entries=3)
def _read(path: str, fingerprint: int, sheet: str | None, encoding: str | None) -> Table:  # noqa: ARG001 -- part of the cache's key
    return read(path, sheet=sheet, encoding=encoding)


@st.cache_data(show_spinner=False, max_entries=8)
def _sheets(path: str, fingerprint: int) -> list[str]:  # noqa: ARG001 -- part of the cache's key
    return sheet_names(Path(path))


def choose_and_read(path: Path, key: str) -> ReadChoices:
    """Read the table; draw a choice of the sheet where it has several, and of the encoding where that is a guess.

    Raises UserError.
    """
    fingerprint = path.stat().st_mtime_ns
    sheet = encoding = None
    if path.suffix.lower() in SPREADSHEETS:
        names = _sheets(str(path), fingerprint)
        if len(names) > 1:
            sheet = st.selectbox("Sheet", names, key=f"sheet-{key}", width=320)
    table = _read(str(path), fingerprint, sheet, None)
    guess = next((f for f in table.findings if f.code == "encoding-guessed"), None)
    if guess is not None:
        st.warning(md(on_page(guess.message)), icon=":material/translate:")
        known = [table.encoding, *(e for e in CANDIDATES if e != table.encoding)]
        encoding = st.selectbox("Encoding of the file", known, key=f"encoding-{key}", width=320)
        table = _read(str(path), fingerprint, sheet, encoding)
    return ReadChoices(table, sheet, encoding)
