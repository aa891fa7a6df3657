"""The finished runs of a cohort: their names, and which of them a page opens with.

What is read from the store is kept until a refresh finds a change, so that a filter need not wait for it.
"""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd

from core.charts.theme import method_rank
from core.methods import first_choice, of_one_modality, ours, reference
from core.methods.source import cards
from core.results.cache import memoised
from core.results.unique_labels import added, unique_labels
from core.store import Store

DEFAULT_RUNS = 3


def cohorts(store: Store) -> pd.DataFrame:
    """`Store.cohorts`, kept."""
    return memoised(store, ("cohorts", str(store.revision)), store.cohorts)


def finished_runs(store: Store, cohort_id: str) -> pd.DataFrame:
    """All finished runs of the cohort with their `name`, in method order."""
    return memoised(store, ("finished", str(store.revision), cohort_id), lambda: named(store.runs(cohort_id, status="done", whole=True)))


def chosen_runs(store: Store, cohort_id: str, run_ids: Sequence[str]) -> pd.DataFrame:
    """Some of `finished_runs`, named among themselves: without the seed when it tells nothing apart."""

    def choose() -> pd.DataFrame:
        finished = finished_runs(store, cohort_id)
        return named(finished[finished["run_id"].isin(run_ids)].drop(columns="name"))

    return memoised(store, ("chosen", str(store.revision), cohort_id, *run_ids), choose)


def usual_runs(store: Store, cohort_id: str, attribute: str | None) -> list[str]:
    """`default_runs` of the cohort, kept."""
    return list(memoised(store, ("usual", str(store.revision), cohort_id, attribute or ""), lambda: default_runs(finished_runs(store, cohort_id), attribute)))


def usual_attribute(store: Store, cohort_id: str, options: Sequence[str]) -> str:
    """The attribute that most runs were trained for, else the first."""

    def choose() -> str:
        trained = store.runs(cohort_id)["attribute"].dropna()
        return next((a for a in trained.value_counts().index if a in options), options[0])

    return str(memoised(store, ("usual attribute", str(store.revision), cohort_id, *options), choose))


def named(runs: pd.DataFrame) -> pd.DataFrame:
    """`runs` with a `name` that tells them apart, in method, then seed order.

    The label alone where that is enough; else with the seed and whatever else differs
    among the runs of that name (see `core.results.unique_labels`).
    """
    ordered = runs.assign(_rank=[method_rank(str(m)) for m in runs["method"]]).sort_values(["_rank", "method", "label", "seed", "run_id"])
    ordered = ordered.drop(columns="_rank").reset_index(drop=True)
    name = unique_labels(added(ordered["label"].astype(str), "seed " + ordered["seed"].astype(str)), ordered)
    return ordered.assign(name=name)


def default_runs(finished: pd.DataFrame, attribute: str | None) -> list[str]:
    """At most DEFAULT_RUNS runs of `finished`, one per method and all of one seed where that can be.

    Runs trained for `attribute`, else those of the attribute that most were trained for. The
    seed is the one with most methods, the lowest of several. The reference comes first, then
    the methods that are chosen by default, then this project's own, then the others, and published
    programs with their defects last (`Card.role`); networks of one modality only when there is nothing else.
    """
    several = finished[~finished["method"].isin(of_one_modality())]
    pool = several if len(several) else finished
    if pool.empty:
        return []
    trained = pool["attribute"].fillna("")
    wanted = attribute if (trained == attribute).any() else trained.value_counts().index[0]
    pool = pool[trained == wanted]
    reach = pool.groupby("seed")["label"].nunique()
    seed = reach[reach == reach.max()].index.min()
    pool = pool.assign(_seed=(pool["seed"] != seed).astype(int), _place=[_place(str(m)) for m in pool["method"]])
    first = pool.sort_values(["_seed", "seed"], kind="stable").drop_duplicates(["method", "label"])
    order = {run: rank for rank, run in enumerate(finished["run_id"])}
    best = first.assign(_order=first["run_id"].map(order)).sort_values(["_place", "_seed", "_order"], kind="stable")
    return sorted(best["run_id"].head(DEFAULT_RUNS), key=order.__getitem__)


def _place(method: str) -> int:
    """Rank of a method among the default runs; see `default_runs`."""
    first = dict.fromkeys((reference(), *first_choice(), ours()))
    if method in first:
        return list(first).index(method)
    card = cards().get(method)
    return len(first) + (card is not None and card.role == "replica")
