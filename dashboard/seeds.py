"""Mean over seeds or single runs: what the charts of Groups and Modalities show."""

from __future__ import annotations

from dataclasses import dataclass, replace

import streamlit as st

from core.charts.text import listing, plural
from core.results.compare_runs import variants
from dashboard import run_selection
from dashboard.escape import md
from dashboard.selection_bar import View

MEAN, SINGLE = "Mean over seeds", "Chosen runs"


@dataclass(frozen=True)
class Seeds:
    """Methods of the chosen runs with all their finished seeds.

    method_of : run id -> the id under which its method is drawn (that of its first run).
    names : that id -> the method's name, in order.
    """

    method_of: dict[str, str]
    names: dict[str, str]

    @property
    def count(self) -> str:
        """How many seeds the means are of."""
        sizes = sorted({list(self.method_of.values()).count(first) for first in self.names})
        how_many = plural(sizes[0], "seed") if len(sizes) == 1 else f"{sizes[0]} to {plural(sizes[-1], 'seed')}"
        return f"Dots are means over {how_many}; lines run from the lowest to the highest seed."

    @property
    def run_ids(self) -> list[str]:
        return list(self.method_of)


def seeds_choice(view: View, of_single: str = "The answer above is") -> Seeds | None:
    """The switch, where a chosen method was trained with several seeds; None when single runs are to be shown.

    A page opens with the mean; who has chosen runs sees these. `of_single` : what of the page is of single runs nevertheless.
    """
    seeds = view.memoised("seeds", lambda: seeds_of(view))
    if len(seeds.method_of) <= len(seeds.names):
        return None
    usual = view.run_ids == run_selection.usual_runs(view.store, view.cohort_id, view.attribute)
    with st.container(key="seeds-choice", horizontal=True, vertical_alignment="center"):
        shown = st.segmented_control(
            "Seeds",
            [MEAN, SINGLE],
            default=MEAN if usual else SINGLE,
            required=True,
            key=f"seeds-{'usual' if usual else 'chosen'}",
            label_visibility="collapsed",
        )
        if shown == MEAN:
            st.caption(md(f"{seeds.count} {of_single} of {listing(list(view.names.values()), 3)}, {_which(view)}."), width="stretch")
    return seeds if shown == MEAN else None


def single_runs_note(view: View, seeds: Seeds | None) -> None:
    """Over a chart that cannot be averaged over seeds, while the rest of the page is."""
    if seeds is not None:
        st.caption(md(f"Single runs: {listing(list(view.names.values()), 3)}, {_which(view)}. Choose other runs above to see theirs."))


def methods_view(view: View, seeds: Seeds) -> View:
    """The view with a row per method, under the id and the name by which `seeds` has it."""
    rows = view.finished[view.finished["run_id"].isin(list(seeds.names))]
    return replace(view, runs=rows.assign(name=rows["run_id"].map(seeds.names)))


def _which(view: View) -> str:
    found = sorted(set(map(int, view.runs["seed"])))
    return f"seed {found[0]} each" if len(found) == 1 else f"seeds {listing(list(map(str, found)))}"


def seeds_of(view: View) -> Seeds:
    """The methods of the chosen runs with all their finished seeds."""
    finished = variants(view.finished)
    own = finished.loc[finished["run_id"].isin(view.run_ids)]
    kinds = own[["variant", "attribute"]].fillna("").drop_duplicates().itertuples(index=False, name=None)
    method_of: dict[str, str] = {}
    names: dict[str, str] = {}
    for variant, attribute in kinds:
        runs = finished[(finished["variant"] == variant) & (finished["attribute"].fillna("") == attribute)].sort_values("seed")
        first = str(runs["run_id"].iloc[0])
        names[first] = str(variant)
        method_of |= {str(run): first for run in runs["run_id"]}
    return Seeds(method_of, names)
