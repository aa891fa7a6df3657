"""Before training: which groups the splits leave with too few positives or negatives to be judged."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import streamlit as st

from core.charts.text import listing, plural
from core.cohort.cohort import Cohort
from core.results.run_audits import OPTIONS
from core.results.split_plan import plan_sentences, split_plan
from dashboard.escape import md
from dashboard.number_table import NOTHING, numbers

NEEDED = min(OPTIONS.min_positives, OPTIONS.min_negatives)
JUDGED = {"test": "the AUCs of its groups", "validation": "what is measured while training"}
"""Split -> what is computed on it by group."""


def small_groups(data: Cohort, attribute: str) -> pd.DataFrame:
    """Columns split, group, n_pos, n_neg: groups that a split leaves with fewer than NEEDED of a kind."""
    table = pd.DataFrame({"split": data.table["split"], "group": data.table[attribute], "y": data.positive}).dropna(subset=["group"])
    groups = sorted(table["group"].unique())
    rows = []
    for split in JUDGED:
        part = table[table["split"] == split]
        for group in groups:
            own = part.loc[part["group"] == group, "y"]
            positive, negative = int((own == 1).sum()), int((own == 0).sum())
            if min(positive, negative) < NEEDED:
                rows.append({"split": split, "group": str(group), "n_pos": positive, "n_neg": negative})
    return pd.DataFrame(rows, columns=["split", "group", "n_pos", "n_neg"])


def split_warning(data: Cohort, attribute: str | None) -> None:
    """Says it beside the plan, with what can be done; draws nothing where every group can be judged."""
    small = small_groups(data, attribute) if attribute is not None else pd.DataFrame()
    if small.empty:
        return
    lines = []
    for split, part in small.groupby("split", sort=False):
        named = listing([f"{row['group']} has {plural(row['n_pos'], 'positive')} and {plural(row['n_neg'], 'negative')}" for row in part.to_dict("records")], 4)
        lines.append(f"In the {split} split {named}: {JUDGED[str(split)]} will not be estimable there.")
    title = data.roles.title(attribute) if attribute else ""
    help_text = (
        f"A group of {title} needs {NEEDED} positives and {NEEDED} negatives in a split. What helps: merge small groups, or give the split "
        "more patients (bring the table again), or cross-validation, in which every patient is judged once."
    )
    with st.container(key="split-warning"):
        st.warning("  \n".join(md(line) for line in lines) + "  \n" + md(help_text), icon=":material/balance:")


@st.cache_data(show_spinner=False, max_entries=16)
def _plan(folder: str, attribute: str) -> pd.DataFrame:
    return split_plan(Cohort(Path(folder)), attribute)


def split_plan_table(data: Cohort, attribute: str | None) -> None:
    """What each split allows to be found, per group, and what to do about it; nothing without a sensitive attribute."""
    if attribute is None:
        return
    plan = _plan(str(data.folder), attribute)
    with st.expander("What these splits allow to be found", icon=":material/straighten:", key="split-plan"):
        for sentence in plan_sentences(plan, data.roles.title(attribute)):
            st.markdown(f"- {md(sentence)}")
        heads = {"part": "Split", "group": "Group", "n_pos": "Positives", "n_neg": "Negatives", "detectable": "Smallest AUC gap", "advice": "What helps"}
        frame = plan[list(heads)].rename(columns=heads)
        st.dataframe(
            numbers(frame, {"Smallest AUC gap": lambda gap: f"{gap:.2f}"}), hide_index=True, width="stretch", placeholder=NOTHING,
            alt="; ".join(f"{r['part']}, {r['group']}: {r['n_pos']} positives, {r['n_neg']} negatives" for r in plan.to_dict("records")),
        )  # fmt: skip
        st.caption("Planned with the audit's own tests, an AUC of .85 in every group and these patients; a dash means that no gap would be found.")
