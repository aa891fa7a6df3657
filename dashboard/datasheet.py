"""The datasheet of a cohort: who is in it, what is there of them, what the checks found."""

from __future__ import annotations

import numpy as np
import pandas as pd
import streamlit as st

from core.charts.cohort_availability import availability
from core.charts.cohort_mosaic import group_label_mosaic
from core.charts.text import count, listing, percent, plural
from core.cohort.cohort import Cohort, load
from core.cohort.composition import group_counts
from core.report.datasheet import split_counts
from dashboard import state
from dashboard.chart_block import chart_block
from dashboard.components import answer, section
from dashboard.escape import md
from dashboard.findings import show_findings
from dashboard.number_table import NOTHING, numbers
from dashboard.split_checks import split_plan_table

IMAGES_PER_GROUP = 5
MOST_ASIDE = 200


@st.cache_resource(show_spinner=False, max_entries=4)
def _cohort(root: str, cohort_id: str) -> Cohort:  # noqa: ARG001 -- part of the cache's key
    return load(state.workspace(), cohort_id)


def cohort(cohort_id: str) -> Cohort:
    """The cohort; cohorts never change, so it is opened once."""
    return _cohort(str(state.workspace().root), cohort_id)


def presence(data: Cohort, attribute: str) -> pd.DataFrame:
    """Columns modality, group (None where missing), n, present."""
    values = data.table[attribute].astype(object).where(data.table[attribute].notna(), None).to_numpy()
    rows = []
    for index, modality in enumerate(data.modality_names):
        there = data.present[:, index]
        for group in dict.fromkeys(values):
            mask = np.array([v == group for v in values]) if group is not None else np.array([v is None for v in values])
            rows.append({"modality": modality, "group": group, "n": int(mask.sum()), "present": int(there[mask].sum())})
    return pd.DataFrame(rows)


def sentence(data: Cohort) -> str:
    """Who is in the cohort, in one sentence."""
    kinds = listing([f"{name} ({kind})" if name != kind else name for name, kind in data.modality_kinds.items()], 8)
    return (
        f"{plural(data.n, 'sample')} of {plural(data.n_patients, 'patient')}, {count(int(data.positive.sum()))} with the outcome"
        f" ({percent(float(data.positive.mean()))}); {plural(len(data.modality_names), 'modality', 'modalities')}: {kinds}."
    )


def datasheet(cohort_id: str, attribute: str | None) -> None:
    """Draw the whole datasheet."""
    data = cohort(cohort_id)
    serious = [f for f in data.findings if f.severity != "info"]
    detail = f"{plural(len(serious), 'thing')} to look at before training, below." if serious else "The checks found no problem."
    answer(sentence(data), detail=detail)
    if attribute is not None:
        title = data.roles.title(attribute)
        chart_block(group_label_mosaic(group_counts(data, attribute), title))
        there = availability(presence(data, attribute), title)
        if there.empty:
            chart_block(there)
            _splits(data)
        else:
            left, right = st.columns(2, gap="large")
            with left:
                chart_block(there)
            with right:
                _splits(data)
    else:
        st.info("No column is marked as a sensitive attribute: groups cannot be compared on this cohort.", icon=":material/info:")
        _splits(data)
    split_plan_table(data, attribute)
    section("What the checks found")
    show_findings(data.findings, "Every check passed", key="cohort-findings")
    _set_aside(data)
    if attribute is not None:
        _samples(data, attribute)


def _splits(data: Cohort) -> None:
    frame = split_counts(data)
    made = data.manifest.get("splits_made", False)
    origin = "Splits made here, by patient, with labels and groups in equal shares" if made else f"Splits as the column {data.roles.split} says"
    if data.n_folds:
        origin += f", and {data.n_folds} folds for cross-validation"
    with st.container(key="block-splits"):
        st.markdown(f"## {md(origin)}; no patient is in two splits.")
    heads = {"split": "Split", "samples": "Samples", "patients": "Patients", "positives": "With the outcome", "share": "Share"}
    st.dataframe(
        numbers(frame.rename(columns=heads), {"Share": percent}), hide_index=True, width="stretch", placeholder=NOTHING,
        alt="; ".join(f"{r['split']}: {r['samples']} samples" for r in frame.to_dict("records")),
    )  # fmt: skip


def _set_aside(data: Cohort) -> None:
    if not data.set_aside:
        return
    rows = pd.DataFrame(data.set_aside)
    with st.expander(f"{plural(len(rows), 'row')} of the table set aside, with the reason", icon=":material/block:"):
        st.dataframe(rows.head(MOST_ASIDE), hide_index=True, width="stretch", alt="Rows that are not in the cohort")
        if len(rows) > MOST_ASIDE:
            st.caption(f"The first {MOST_ASIDE} of {count(len(rows))}.")


def _samples(data: Cohort, attribute: str) -> None:
    """Images of patients, drawn only when somebody asks."""
    names = [m.name for m in data.roles.modalities if m.kind in ("image", "volume")]
    if not names:
        return
    section("Sample images")
    if not st.toggle(
        "Show images of patients", key="show-samples", help="Hidden until you ask for them, because they show patients. They do not leave this machine."
    ):
        return
    name = names[0] if len(names) == 1 else st.segmented_control("Modality", names, default=names[0], required=True, key="sample-modality", format_func=md)
    array = data.array(str(name))
    there = data.present[:, data.modality_names.index(str(name))]
    values = data.table[attribute].to_numpy(dtype=object)
    for group in data.groups(attribute):
        rows = np.flatnonzero((values == group) & there)[:IMAGES_PER_GROUP]
        if not len(rows):
            continue
        st.markdown(f"**{md(group)}**")
        captions = [data.classes[data.y[row]] if data.classes else "with the outcome" if data.y[row] else "without" for row in rows]
        st.image([_picture(array[row]) for row in rows], caption=captions, width=128, alt=[f"{name}, {group}, {c}" for c in captions])


def _picture(pixels: np.ndarray) -> np.ndarray:
    """(C, H, W) image or (S, H, W) volume as (H, W[, 3]): a volume's middle slice."""
    if pixels.shape[0] == 3:
        return np.ascontiguousarray(pixels.transpose(1, 2, 0))
    return np.asarray(pixels[pixels.shape[0] // 2])
