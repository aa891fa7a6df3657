"""The bar above every analysis page: cohort, attribute, runs. The choice lives in the URL."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

import pandas as pd
import streamlit as st

from core.charts.text import count, listing, plural
from core.results.cache import memoised
from core.store import Store
from dashboard import run_selection as runs_of
from dashboard import state

Made = TypeVar("Made")

MOST_RUNS = 6
"""Small multiples beyond this cannot be read side by side; Compare shows every run."""


@dataclass(frozen=True)
class View:
    """What the reader has chosen.

    groups : the attribute's groups in their fixed order (the order of the palette).
    runs : chosen finished runs with `name`, unique and readable, in method order.
    finished : all finished runs of the cohort, likewise.
    """

    store: Store
    cohort_id: str
    cohort_name: str
    modalities: tuple[str, ...]
    attribute: str | None
    groups: tuple[str, ...]
    runs: pd.DataFrame
    finished: pd.DataFrame

    @property
    def run_ids(self) -> list[str]:
        return list(self.runs["run_id"])

    @property
    def trained_for(self) -> str:
        """The attributes that the chosen runs were trained for, in words. Telemetry by group is
        of these groups; AUCs of test patients can be had for any attribute."""
        return listing(list(dict.fromkeys(map(str, self.runs["attribute"].dropna())))) or "no attribute"

    @property
    def strangers(self) -> list[str]:
        """Names of the chosen runs that were trained for another attribute than the one chosen, or for none."""
        return list(self.runs.loc[self.runs["attribute"].fillna("") != (self.attribute or ""), "name"])

    @property
    def names(self) -> dict[str, str]:
        """Run id -> name of the chosen runs, in order."""
        return dict(zip(self.runs["run_id"], self.runs["name"], strict=True))

    def once(self, name: str, make: Callable[[], Made]) -> Made:
        """What `make` gives for the chosen finished runs and attribute, kept until the choice or the runs change.

        Shared by all sessions: nobody may write into it. Not for what depends on other choices.
        """
        marks = [f"{run_id}@{self.store.mark(run_id)}@{label}" for run_id, label in self.names.items()]
        made: Made = memoised(self.store, ("page", name, self.cohort_id, self.attribute or "", *marks), make)
        return made

    def once_of_all(self, name: str, make: Callable[[], Made]) -> Made:
        """The same for what depends on all finished runs of the cohort and on the attribute, not on the runs chosen."""
        made: Made = memoised(self.store, ("page of all", name, str(self.store.news), self.cohort_id, self.attribute or ""), make)
        return made


def context_bar(choose_runs: bool = True) -> View | None:
    """Draw the bar and return the choice; None when there is no cohort yet.

    The URL holds `cohort`, `attribute` and `runs` (ids, comma separated): a link reopens
    the view. What a link names that is not there is left out, and the bar says so.
    """
    store = state.store()
    cohorts = runs_of.cohorts(store)
    if cohorts.empty:
        return None
    memory = st.session_state.setdefault("_view", {})
    ids = list(cohorts["cohort_id"])[::-1]
    names = dict(zip(cohorts["cohort_id"], cohorts["name"], strict=True))
    sizes = dict(zip(cohorts["cohort_id"], cohorts["n_patients"], strict=True))
    with st.container(key="context-bar", horizontal=True, vertical_alignment="bottom", gap="small"):
        _seed("view_cohort", _wanted("cohort", memory), ids, ids[0])
        cohort_id = st.selectbox("Cohort", ids, key="view_cohort", format_func=lambda i: f"{names[i]} · {count(sizes[i])} patients", width=270)
        known = state.attributes(cohort_id)
        attribute = None
        if known:
            options = list(known)
            _seed("view_attribute", _wanted("attribute", memory), options, runs_of.usual_attribute(store, cohort_id, options))
            attribute = st.selectbox("Sensitive attribute", options, key="view_attribute", width=190)
        finished = runs_of.finished_runs(store, cohort_id)
        chosen = _choose(finished, runs_of.usual_runs(store, cohort_id, attribute), memory) if choose_runs else list(finished["run_id"])
    memory.update(cohort=cohort_id, attribute=attribute or "")
    if choose_runs:
        memory["runs"] = ",".join(chosen)
    for name, value in memory.items():
        if value and st.query_params.get(name) != value:
            st.query_params[name] = value
    row = cohorts.set_index("cohort_id").loc[cohort_id]
    return View(
        store=store,
        cohort_id=cohort_id,
        cohort_name=str(row["name"]),
        modalities=tuple(row["modalities"]),
        attribute=attribute,
        groups=known.get(attribute, ()) if attribute else (),
        runs=runs_of.chosen_runs(store, cohort_id, chosen),
        finished=finished,
    )


def remember_link() -> None:
    """Keep what the link names for the pages that come later: a change of page may clear the URL."""
    memory = st.session_state.setdefault("_view", {})
    for name in ("cohort", "attribute", "runs"):
        if st.query_params.get(name):
            memory[name] = st.query_params[name]


def _wanted(name: str, memory: dict[str, str]) -> str | None:
    return st.query_params.get(name) or memory.get(name)


def _seed(key: str, wanted: str | None, options: list[str], usual: str) -> None:
    """Give the widget its value; one that is no longer offered is replaced.

    It is assigned in every run: on another page the widget is a new one to Streamlit, and
    without an assignment it would fall back to the first option.
    """
    now = st.session_state.get(key)
    st.session_state[key] = now if now in options else wanted if wanted in options else usual


def _choose(finished: pd.DataFrame, usual: list[str], memory: dict[str, str]) -> list[str]:
    """The multiselect of runs, at most MOST_RUNS of them."""
    options = list(finished["run_id"])
    key = "view_runs"
    now = st.session_state.get(key)
    untouched = now is not None and now == st.session_state.get("_usual_runs")
    if untouched:
        # Another attribute brings the runs that were trained for it, unless the reader has chosen some.
        now = usual
    elif now is None or not set(now) <= set(options):
        wanted = [run for run in (_wanted("runs", memory) or "").split(",") if run in set(options)]
        now = wanted[:MOST_RUNS] or usual
    st.session_state["_usual_runs"] = usual
    st.session_state[key] = now  # in every run, as in `_seed`
    names = dict(zip(finished["run_id"], finished["name"], strict=True))
    return st.multiselect(
        f"Runs ({plural(len(options), 'finished run')})",
        options,
        key=key,
        format_func=lambda run: names.get(run, run),
        max_selections=MOST_RUNS,
        placeholder="Choose runs" if options else "None yet",
        disabled=not options,
        select_all=False,
        width="stretch",
    )
