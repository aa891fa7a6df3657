"""The pages, in their three groups. Other files link to a page by its name here."""

from __future__ import annotations

from pathlib import Path
from typing import Any, NoReturn

import streamlit as st

from dashboard import address

PAGES = Path(__file__).resolve().parent.parent / "pages"

GROUPS: dict[str, tuple[tuple[str, str, str], ...]] = {
    "Study": (
        ("overview", "Overview", ":material/home:"),
        ("cohort", "Cohort", ":material/group:"),
        ("train", "Train", ":material/model_training:"),
    ),
    "Analyse": (
        ("modalities", "Modalities", ":material/join:"),
        ("gradients", "Gradients", ":material/north_east:"),
        ("groups", "Groups", ":material/diversity_3:"),
        ("compare", "Compare", ":material/compare_arrows:"),
    ),
    "Report": (
        ("audit", "Audit predictions", ":material/fact_check:"),
        ("reports", "Reports", ":material/description:"),
    ),
}
"""Navigation group -> (file name in pages/, title, icon)."""


def page_path(name: str) -> str:
    """What `st.switch_page` and `st.page_link` take for a page of this dashboard."""
    return str(PAGES / f"{name}.py")


def go_to(name: str, **choice: str) -> NoReturn:
    """Open another page, with another cohort, attribute or runs chosen where `choice` names them."""
    address.choose(choice)
    st.switch_page(page_path(name))


def navigation() -> Any:
    """Build the navigation; returns the page to run. A page that is not there is left out."""
    sections = {
        group: [
            st.Page(PAGES / f"{name}.py", title=title, icon=icon, url_path=name, default=name == "overview")
            for name, title, icon in pages
            if (PAGES / f"{name}.py").exists()
        ]
        for group, pages in GROUPS.items()
    }
    return st.navigation({group: pages for group, pages in sections.items() if pages}, expanded=True)
