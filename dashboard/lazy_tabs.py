"""Supporting charts behind tabs, of which only the open one is drawn.

A page with every chart at once keeps a reader waiting for what nobody looks at, and is ten
screens long on a telephone.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import streamlit as st


@st.fragment
def lazy_tabs(parts: Mapping[str, Callable[[], None]]) -> None:
    """One tab per part (label -> what draws it). The link names the open one (`?evidence=`); a change of tab runs only this."""
    for tab, draw in zip(st.tabs(list(parts), key="evidence", bind="query-params"), parts.values(), strict=True):
        if tab.open:
            with tab:
                draw()
