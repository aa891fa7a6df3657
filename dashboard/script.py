"""What each session runs, behind the door of dashboard/app.py: the navigation and the chosen page."""

from __future__ import annotations

import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
if str(ROOT) not in sys.path:
    # Streamlit puts only this file's folder on the path; `core` and `dashboard` lie one above.
    sys.path.insert(0, str(ROOT))

import streamlit as st  # noqa: E402

from dashboard import address  # noqa: E402
from dashboard.components import frame  # noqa: E402
from dashboard.login import require_login  # noqa: E402
from dashboard.navigation import navigation  # noqa: E402

ABOUT = "**MultiFair** audits and compares multimodal medical classifiers for fairness. Nothing leaves this machine."

# Before the navigation, which would fetch the icon of a page without one from Google's fonts. The entry of our
# own brings the menu with the theme (system, light, dark), which is hidden without one.
st.set_page_config(page_icon=str(Path(__file__).with_name("icon.png")), layout="wide", initial_sidebar_state="auto", menu_items={"About": ABOUT})
require_login()
page = navigation()
st.set_page_config(page_title=f"{page.title} · MultiFair")
frame()
try:
    page.run()
finally:
    # Also for a page that stopped early.
    address.write()
