"""The bar above every analysis page: cohort, attribute, runs. The choice lives in the URL."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

import pandas as pd
import streamlit as st

from core.charts.group_names import group_label, labelled
from core.charts.text import count, listing, plural
from core.results.cache import memoised
from core.store import Store
from dashboard import address, state
from dashboard import run_selection as runs_of
from dashboard.escape import md

Made = TypeVar("Made")

MOST_RUNS = 6
"""Small multiples beyond this cannot be read side by side; Compare shows every run."""


@dataclass(frozen=True)
class View:
    """What the reader has chosen.

    groups : the attribute's groups in their fixed order (the order of the palette).
    shown : those of them that charts by group show; None for all (see `dashboard.group_search`).
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
    shown: tuple[str, ...] | None = None

    @property
    def group_labels(self) -> tuple[str, ...]:
        """The groups shown, as charts write them: a bare number carries its attribute."""
        return tuple(group_label(self.attribute or "", group) for group in (self.groups if self.shown is None else self.shown))

    def labelled(self, frame: pd.DataFrame) -> pd.DataFrame:
        """A table by group of this attribute, its groups written so too; without the groups that are not shown."""
        if self.shown is not None and len(self.shown) < len(self.groups):
            hidden = set(self.groups) - set(self.shown)
            sides = [name for name in ("group", "positive", "negative") if name in frame.columns]
            frame = frame[~frame[sides].isin(hidden).any(axis=1)]
        return labelled(frame, self.attribute or "")

    @property
    def run_ids(self) -> list[str]:
        return list(self.runs["run_id"])

    @property
    def trained_for(self) -> str:
        """The attributes that the chosen runs were trained for, in words.

        Telemetry by group is of these groups; AUCs of test patients can be had for any attribute.
        """
        return listing(list(dict.fromkeys(map(str, self.runs["attribute"].dropna())))) or "no attribute"

    @property
    def trained_for_another(self) -> list[str]:
        """Names of the chosen runs that were trained for another attribute than the one chosen, or for none."""
        return list(self.runs.loc[self.runs["attribute"].fillna("") != (self.attribute or ""), "name"])

    @property
    def names(self) -> dict[str, str]:
        """Run id -> name of the chosen runs, in order."""
        return dict(zip(self.runs["run_id"], self.runs["name"], strict=True))

    def memoised(self, name: str, make: Callable[[], Made]) -> Made:
        """What `make` gives for the chosen finished runs and attribute, kept until the choice or the runs change.

        Shared by all sessions: nobody may write into it. Not for what depends on other choices.
        """
        fingerprints = [f"{run_id}@{self.store.predictions_fingerprint(run_id)}@{label}" for run_id, label in self.names.items()]
        made: Made = memoised(self.store, ("page", name, self.cohort_id, self.attribute or "", *(self.shown or ()), "", *fingerprints), make)
        return made

    def memoised_over_cohort(self, name: str, make: Callable[[], Made]) -> Made:
        """The same for what depends on all finished runs of the cohort and on the attribute, not on the runs chosen."""
        made: Made = memoised(self.store, ("page of all", name, str(self.store.revision), self.cohort_id, self.attribute or "", *(self.shown or ())), make)
        return made


def context_bar(choose_runs: bool = True) -> View | None:
    """Draw the bar and return the choice; None when there is no cohort yet.

    The address holds `cohort`, `attribute` and `runs` (ids, comma separated): a link reopens
    the view. What a link names that is not here is said below the bar, with what is shown instead.
    """
    store = state.store()
    cohorts = runs_of.cohorts(store)
    if cohorts.empty:
        return None
    ids = list(cohorts["cohort_id"])[::-1]
    names = dict(zip(cohorts["cohort_id"], cohorts["name"], strict=True))
    sizes = dict(zip(cohorts["cohort_id"], cohorts["n_patients"], strict=True))
    notes: list[str] = []
    with st.container(key="context-bar", horizontal=True, vertical_alignment="bottom", gap="small"):
        linked = address.arrived("cohort") or _cohort_of_link(store)
        usual = ids[0]
        if linked and linked not in ids:
            notes.append(f"The link names a cohort that is not in this workspace ({linked}). Shown instead: {names[usual]}.")
        _seed("cohort", linked, ids, usual)
        cohort_id = st.selectbox("Cohort", ids, key="view_cohort", format_func=lambda i: f"{names[i]} · {count(sizes[i])} patients", width=270)
        known = state.attributes(cohort_id)
        attribute = None
        linked = address.arrived("attribute")
        if known:
            options = list(known)
            usual = runs_of.usual_attribute(store, cohort_id, options)
            if linked and linked not in options:
                notes.append(f"The link names the attribute “{linked}”, which {names[cohort_id]} does not have. Shown instead: {usual}.")
            _seed("attribute", linked, options, usual)
            attribute = st.selectbox("Sensitive attribute", options, key="view_attribute", width=190)
        finished = runs_of.finished_runs(store, cohort_id)
        chosen = _choose(store, finished, runs_of.usual_runs(store, cohort_id, attribute), notes) if choose_runs else list(finished["run_id"])
    address.record({"cohort": cohort_id, "attribute": attribute or "", **({"runs": ",".join(chosen)} if choose_runs else {})})
    _notice(notes, (cohort_id, attribute, tuple(chosen) if choose_runs else ()))
    weights = memoised(store, ("weights", cohort_id), lambda: store.sampling_weights(cohort_id))
    if weights is not None:
        st.caption(f"Test results count every sample by its sampling weight (column {md(weights.name)}); training and its telemetry do not.")
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


def _cohort_of_link(store: Store) -> str | None:
    """The cohort of the runs that a link names without naming their cohort."""
    named = address.waiting("runs")
    if not named:
        return None
    runs = store.runs()
    found = runs.loc[runs["run_id"].isin(named.split(",")), "cohort_id"]
    return str(found.iloc[0]) if len(found) else None


def _seed(name: str, linked: str | None, options: list[str], usual: str) -> None:
    """Give the widget its value: what a link names, else what it holds, else what any page last showed.

    It is assigned in every run: on another page the widget is a new one to Streamlit, and
    without an assignment it would fall back to the first option.
    """
    key = f"view_{name}"
    if linked and linked not in options:
        st.session_state[key] = usual
        return
    wanted = (linked, st.session_state.get(key), address.shown(name), usual)
    st.session_state[key] = next(value for value in wanted if value in options)


def _choose(store: Store, finished: pd.DataFrame, usual: list[str], notes: list[str]) -> list[str]:
    """The multiselect of runs, at most MOST_RUNS of them."""
    options = list(finished["run_id"])
    names = dict(zip(finished["run_id"], finished["name"], strict=True))
    key = "view_runs"
    now = st.session_state.get(key)
    untouched = now is not None and now == st.session_state.get("_usual_runs")
    linked = address.arrived("runs")
    if linked:
        named = list(dict.fromkeys(filter(None, linked.split(","))))
        here = [run for run in named if run in names]
        now = here[:MOST_RUNS] or usual
        notes += _missing_runs(store, named, here, [names[run] for run in now])
    elif untouched:
        # Another attribute brings the runs that were trained for it, unless the reader has chosen some.
        now = usual
    elif now is None or not set(now) <= set(options):
        now = [run for run in (address.shown("runs") or "").split(",") if run in names][:MOST_RUNS] or usual
    st.session_state["_usual_runs"] = usual
    st.session_state[key] = now  # in every run, as in `_seed`
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


def _missing_runs(store: Store, named: list[str], here: list[str], shown: list[str]) -> list[str]:
    """What is to be said of runs that a link names and that the page cannot show."""
    instead = f"Shown {'instead' if not here else 'here'}: {listing(shown, MOST_RUNS)}." if shown else "No run is finished here."
    found = []
    gone = [run for run in named if run not in here]
    unfinished = set(store.runs()["run_id"]) & set(gone)
    if gone:
        why = "not finished, or of another cohort" if set(gone) <= unfinished else "not here"
        which = f"The run that the link names is {why}" if len(named) == 1 else f"{len(gone)} of the {len(named)} runs that the link names are {why}"
        found.append(f"{which} ({listing(gone, 3)}). {instead}")
    if len(here) > MOST_RUNS:
        found.append(f"A page shows at most {MOST_RUNS} runs side by side: the first {MOST_RUNS} of the {len(here)} that the link names.")
    return found


def _notice(notes: list[str], view: tuple[object, ...]) -> None:
    """What a link could not bring, said for as long as the page shows the same."""
    place = (address.path(), *view)
    if notes:
        st.session_state["_link_notes"] = place, notes
    about, said = st.session_state.get("_link_notes", (None, []))
    if about == place:
        with st.container(key="link-notes"):
            st.warning("  \n".join(md(note) for note in said), icon=":material/link_off:")
