"""All methods in one table, and the same table for a paper."""

from __future__ import annotations

import pandas as pd
import streamlit as st

from core.metrics.catalogue import title
from core.report.method_table import latex, markdown, method_text
from core.results.run_tables import run_table
from core.tables.csv_export import csv_text
from dashboard.number_table import full_table
from dashboard.selection_bar import View


def methods_table(view: View, runs: pd.DataFrame, measure: str, reference: str | None) -> None:
    """A row per method: mean and standard deviation over seeds, and the difference from `reference`."""
    attribute = str(view.attribute)
    numbers = view.memoised_over_cohort(
        f"table of {measure} from {reference}", lambda: run_table(view.store, runs, "methods", attribute, reference=reference, measure=measure)
    )
    written = method_text(numbers, measure, reference)
    st.markdown("## All methods")
    full_table(written, "Mean and standard deviation over seeds of every method", pinned="Method")
    caption = f"Test split of {view.cohort_name}, groups by {attribute}: mean over seeds (standard deviation)" + (
        f"; difference in {title(measure)} from {reference} on the same patients and seeds, 95 % interval." if reference else "."
    )
    st.caption(
        "Mean over seeds, standard deviation in brackets. Rates at a score of .5. The difference is of the same patients and seeds, its p "
        "corrected for all pairs of methods."
    )
    kinds = (
        ("CSV", "text/csv", "csv", lambda: csv_text(numbers)),
        ("Markdown", "text/markdown", "md", lambda: markdown(written)),
        ("LaTeX", "text/x-tex", "tex", lambda: latex(written, caption)),
    )
    with st.container(horizontal=True, key="methods-downloads"):
        for kind, mime, ending, render in kinds:
            st.download_button(
                kind, render, f"methods-by-{attribute}.{ending}", mime, icon=":material/download:", on_click="ignore", key=f"methods-{ending}", type="tertiary"
            )
