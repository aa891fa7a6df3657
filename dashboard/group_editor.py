"""Groups of an attribute as a page lets them be changed: values put together, numbers cut into bands."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import pandas as pd
import streamlit as st

from core.audit.input.banding import MAX_SINGLE_VALUES, band_labels, numbers, quantile_edges
from core.charts.band_histogram import band_histogram
from core.charts.text import listing, plural
from core.errors import UserError
from core.tables.groups import merge_text, propose_groups
from core.tables.numbers import to_number
from dashboard.chart_block import chart_block
from dashboard.escape import md

MOST_GROUPS = 40
"""Attributes with more values are not merged by hand."""


def merge_boxes(values: pd.Series, attribute: str, key: str, before: Sequence[str] = ()) -> list[str]:
    """A box for values that look like one group, or like no group; returns the merges that are ticked, as `--merge` takes them."""
    chosen = []
    for proposal in propose_groups(values, attribute):
        text = merge_text(attribute, proposal)
        does = f"count {listing(list(proposal.members))} as missing" if proposal.name is None else f"merge them as {proposal.name}"
        label = f"{md(attribute)}: {md(proposal.reason)} ({plural(proposal.rows, 'row')}): {md(does)}"
        if st.checkbox(label, value=text in before, key=f"merge-{key}-{text}"):
            chosen.append(text)
    by_hand = _by_hand(values, attribute, key)
    return [*chosen, by_hand] if by_hand else chosen


def _by_hand(values: pd.Series, attribute: str, key: str) -> str | None:
    """Groups that a person puts together, such as small ones, as `--merge` takes them; None where none are."""
    counts = values.dropna().astype(str).value_counts()
    free = [str(v) for v in counts.index if not set(str(v)) & set(",:")]
    if not 3 <= len(counts) <= MOST_GROUPS or len(free) < 2:
        return None
    with st.expander(f"Merge groups of {md(attribute)}", icon=":material/merge:"):
        together = st.multiselect("Groups", free, key=f"together-{key}-{attribute}", format_func=lambda v: f"{v} ({counts[v]})", select_all=False)
        name = st.text_input("Name of the new group", value=" or ".join(together), key=f"together-name-{key}-{attribute}-{len(together)}", width=320)
    if len(together) < 2 or not name.strip():
        return None
    if set(name) & set(",:"):
        raise UserError(f"the name '{name}' of a group holds a comma or a colon; leave these out")
    return f"{attribute}={name.strip()}:{','.join(v for v in together if v != name.strip())}"


def is_banded(values: pd.Series) -> bool:
    """Whether an attribute is a number of so many values that it has to be cut into bands."""
    found = values.dropna().unique()
    return len(found) > MAX_SINGLE_VALUES and to_number(values) is not None


def band_editor(values: pd.Series, attribute: str, key: str, before: Sequence[float] = ()) -> tuple[float, ...]:
    """Histogram and edges of a numeric attribute; returns the edges: at first those of `before`, else the quartiles.

    Raises UserError for edges that are not increasing numbers.
    """
    known = to_number(values)
    if known is None:
        raise UserError(f"{attribute} holds no numbers and cannot be cut into bands")
    usual = tuple(before) or quantile_edges(known.dropna().to_numpy(dtype=float))
    with st.expander(f"Bands of {md(attribute)}", icon=":material/bar_chart:"):
        text = st.text_input(
            "Edges, from low to high", value=", ".join(f"{edge:g}" for edge in usual), key=f"bands-{key}-{attribute}", width=320,
            help="Groups are made between the edges: 18, 40 makes <18, 18 to <40 and 40+. The first ones make groups of about equal size.",
        )  # fmt: skip
        edges = edges_in(text, attribute)
        chart_block(band_histogram(known.to_numpy(dtype=float), edges, band_labels(edges), attribute), key=f"bands-{key}-{attribute}")
    return edges


def edges_in(text: str, attribute: str) -> tuple[float, ...]:
    """`18, 40, 65` as numbers. Raises UserError."""
    found = numbers([part.strip() for part in text.split(",") if part.strip()])
    if found is None or any(high <= low for low, high in itertools.pairwise(found)):
        raise UserError(f"bands of {attribute}: '{text}' must be increasing numbers, for example 18, 40, 65")
    return tuple(float(edge) for edge in found)
