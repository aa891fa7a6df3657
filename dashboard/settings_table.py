"""Settings of the chosen runs side by side, those that differ first."""

from __future__ import annotations

import pandas as pd
import streamlit as st

from core.charts.text import plural
from core.results.setting_titles import setting_title
from dashboard.escape import md


def settings_section(table: pd.DataFrame) -> None:
    """`table`: setting, differs, and one column of text per run."""
    columns = [name for name in table.columns if name != "differs"]
    table = table.assign(setting=[setting_title(str(name)) for name in table["setting"]])
    differing = table.loc[table["differs"], columns]
    same = table.loc[~table["differs"], columns]
    if differing.empty:
        st.caption("The chosen runs share every setting.")
    else:
        # A table of words: a title that does not fit into its column goes on in a second line.
        st.table(differing.rename(columns={"setting": "Setting"}).map(md).set_index("Setting"))
    if len(same):
        with st.expander(f"{plural(len(same), 'setting')} that all share"):
            st.dataframe(
                same[["setting", columns[1]]].rename(columns={"setting": "Setting", columns[1]: "Value"}),
                hide_index=True,
                width="stretch",
                alt="Settings that all chosen runs share",
            )
