"""The dashboard: `streamlit run dashboard/app.py`, from any working directory."""

from __future__ import annotations

import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
if str(ROOT) not in sys.path:
    # Streamlit puts only this file's folder on the path; `core` and `dashboard` lie one above.
    sys.path.insert(0, str(ROOT))

import streamlit as st  # noqa: E402

from dashboard.components import frame  # noqa: E402
from dashboard.navigation import navigation  # noqa: E402

st.set_page_config(page_title="MultiFair", page_icon=str(Path(__file__).with_name("icon.png")), layout="wide", initial_sidebar_state="auto")
page = navigation()
frame()
page.run()
