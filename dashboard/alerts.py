"""What trainings have warned of, as captions."""

from __future__ import annotations

import pandas as pd
import streamlit as st

from core.charts.text import plural
from dashboard.escape import md

SHOWN = 6


def alert_lines(runs: pd.DataFrame) -> None:
    """A line per alert of these runs (columns label, seed, alerts); nothing where there are none."""
    told = [(row["label"], row["seed"], message) for row in runs.to_dict("records") for message in str(row["alerts"] or "").splitlines()]
    if not told:
        return
    with st.container(key="alerts", gap="small"):
        for label, seed, message in told[:SHOWN]:
            st.caption(f":material/notification_important: **{md(label)}** · seed {seed} · {md(message)}")
        if len(told) > SHOWN:
            st.caption(f"and {plural(len(told) - SHOWN, 'more alert')}: `multifair runs` lists all.")
