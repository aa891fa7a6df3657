"""What all sessions share: the workspace, its store, and the look of the moment."""

from __future__ import annotations

import time

import streamlit as st

from core.charts.group_names import group_order
from core.charts.theme import LOOKS, Look
from core.store import Store
from core.workspace import Workspace
from dashboard.login import own_folder

REFRESH_SECONDS = 2.0
"""Run folders are looked at again at most this often: a scan of 200 costs tens of milliseconds."""


def workspace() -> Workspace:
    """The workspace of this server ($MULTIFAIR_HOME, else the user's data folder), or of who is logged in where users log in."""
    shared = Workspace.open()
    folder = own_folder(shared.root)
    return shared if folder == shared.root else Workspace.open(folder)


@st.cache_resource(show_spinner=False)
def _opened(root: str) -> tuple[Store, list[float]]:
    return Store.open(Workspace.open(root)), [float("-inf")]


def store(fresh: bool = False) -> Store:
    """The results store, up to date to within two seconds (or to now, when `fresh`)."""
    opened, last = _opened(str(workspace().root))
    if fresh or time.monotonic() - last[0] > REFRESH_SECONDS:
        opened.refresh()
        last[0] = time.monotonic()
    return opened


@st.cache_data(show_spinner=False, max_entries=64)
def _attributes(root: str, cohort_id: str) -> dict[str, tuple[str, ...]]:  # noqa: ARG001 -- part of the cache's key
    frame = store().attributes(cohort_id)
    known = frame[frame["value"].notna()]
    return {str(name): group_order(part["value"].unique()) for name, part in known.groupby("attribute", sort=False)}


def attributes(cohort_id: str) -> dict[str, tuple[str, ...]]:
    """Sensitive attribute -> its groups in their fixed order. Cohorts never change, so neither does this."""
    return _attributes(str(workspace().root), cohort_id)


def look() -> Look:
    """Colours for the theme that the reader's browser shows."""
    return LOOKS["dark" if st.context.theme.type == "dark" else "light"]
