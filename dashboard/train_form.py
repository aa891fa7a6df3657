"""Choosing what to train: method cards, then the plan with its time and what is there already."""

from __future__ import annotations

import heapq
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import pandas as pd
import streamlit as st

from core.charts.text import plural
from core.charts.theme import FAMILY_NAMES, method_rank
from core.cohort.cohort import Cohort
from core.methods import of_one_modality
from core.methods.card import Card
from core.runs.estimate import expected_seconds
from core.runs.folds import of_every_fold
from core.runs.own_methods import cards_here
from core.runs.queue_settings import parallel
from core.runs.setting_types import parse_settings
from core.runs.spec import RunSpec, plan
from core.training.presets import PRESETS
from dashboard import address, state
from dashboard.escape import md

MOST_SEEDS = 20
THERE = {"done": "finished", "running": "running", "queued": "queued"}
"""Status of a run that is not trained again -> what the plan says of it."""
OPEN = ("none", "both")
"""Families shown at once; the others are a click away."""


@dataclass(frozen=True)
class Choice:
    """What the reader wants trained."""

    methods: tuple[str, ...]
    modalities: tuple[str, ...]
    """Of the unimodal runs."""
    attribute: str | None
    seeds: tuple[int, ...]
    preset: str
    settings: dict[str, Any]
    folds: bool = False
    """Cross-validation: once for each fold of the cohort."""


def duration(seconds: float | None) -> str:
    """`40 s`, `3 min`, `1 h 20 min`; `unknown` when there is nothing to go by."""
    if seconds is None:
        return "unknown"
    if seconds < 90:
        return f"{max(1, round(seconds))} s"
    minutes = round(seconds / 60)
    if minutes < 90:
        return f"{minutes} min"
    return f"{minutes // 60} h {minutes % 60} min"


def method_cards(modalities: Sequence[str]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Draw the cards by family; returns the methods chosen, and the modalities of the unimodal runs."""
    chosen, alone = [], tuple(modalities)
    families: dict[str, dict[str, Card]] = {}
    for name, card in sorted(cards_here(state.workspace()).items(), key=lambda item: (method_rank(item[0]), item[0])):
        families.setdefault(card.family, {})[name] = card
    for family in (*OPEN, *(f for f in FAMILY_NAMES if f not in OPEN)):
        names = families.get(family, {})
        if not names:
            continue
        if family in OPEN:
            st.markdown(f"### {FAMILY_NAMES[family].capitalize()}")
            chosen += _family(names)
        else:
            ticked = sum(bool(st.session_state.get(f"method-{name}", st.session_state.get("_methods", {}).get(name))) for name in names)
            label = f"{FAMILY_NAMES[family].capitalize()} · {plural(len(names), 'method')}" + (f", {ticked} chosen" if ticked else "")
            with st.expander(label, key=f"family-{family}"):
                chosen += _family(names)
    address.name_in_link(methods=",".join(chosen))
    if of_one_modality() & set(chosen) and len(modalities) > 1:
        picked = st.pills(
            "Unimodal networks of", list(modalities), default=list(modalities), selection_mode="multi", key="unimodal-modalities", format_func=md, wrap=True
        )
        alone = tuple(m for m in modalities if m in picked) or tuple(modalities)
    return tuple(chosen), alone


def _family(cards: Mapping[str, Card]) -> list[str]:
    chosen, names = [], list(cards)
    for start in range(0, len(names), 2):
        for place, name in zip(st.columns(2, gap="small"), names[start : start + 2], strict=False):
            with place.container(border=True, key=f"card-{name}", gap=None, height="stretch"):
                if _card(name, cards[name]):
                    chosen.append(name)
    return chosen


def _card(name: str, card: Card) -> bool:
    key = f"method-{name}"
    # Streamlit forgets a widget when its page is left; what was ticked is kept beside it.
    kept: dict[str, bool] = st.session_state.setdefault("_methods", {})
    linked = address.linked("methods")
    if linked is not None:
        st.session_state[key] = name in linked.split(",")
    st.session_state.setdefault(key, kept.get(name, card.default))
    # The label is also what a screen reader says, so it holds no marks; titles come from
    # the program or from a file that was added to this workspace by command, and a label shows no HTML.
    ticked = st.checkbox(card.title, key=key, help=f"{md(card.paper)}\n\nAt inference it needs {md(card.inference_needs)}. Limits: {md(card.limits)}.")
    kept[name] = ticked
    st.caption(md(card.summary))
    return ticked


def budget_controls() -> tuple[tuple[int, ...], str, dict[str, Any]]:
    """Seeds, preset and changed settings."""
    preset = st.segmented_control("Budget", list(PRESETS), default="quick", required=True, key="preset", bind="query-params", width="stretch")
    st.caption(md(PRESETS[str(preset)].summary[:1].upper() + PRESETS[str(preset)].summary[1:] + "."))
    number = st.number_input(
        "Seeds",
        1,
        MOST_SEEDS,
        1,
        key="seeds",
        bind="query-params",
        help="Runs of each method that differ in chance only. Three or more show how much chance there is.",
    )
    settings: dict[str, Any] = {}
    with st.expander("Change settings"):
        usual = PRESETS[str(preset)].budget.epochs
        epochs = st.number_input("Epochs", 1, 1000, usual, key=f"epochs-{preset}", bind="query-params")
        if epochs != usual:
            settings["epochs"] = int(epochs)
        text = st.text_area(
            "Further settings, one “key = value” a line",
            key="settings",
            bind="query-params",
            height=90,
            placeholder="lr = 0.0005\nbatch_size = 64",
            help="Of the methods, the budget or the network; what a method does not know is not given to it.",
        )
        settings.update(parse_settings((f"settings, line {number}", line) for number, line in enumerate(text.splitlines(), start=1) if line.strip()))
    return tuple(range(1, int(number) + 1)), str(preset), settings


def folds_control(cohort: Cohort) -> bool:
    """Whether to train once for each fold; asked only where the cohort has folds."""
    if not cohort.n_folds:
        return False
    return st.checkbox(
        f"Cross-validation ({cohort.n_folds} folds)",
        key="cross-validation",
        help=(
            "One run for each fold. When all are done their predictions are pooled: every patient is judged once, by a network that was not trained on "
            "them. A test set that came with the table stays locked."
        ),
    )


def make_plan(cohort: Cohort, choice: Choice) -> list[RunSpec]:
    """The runs of a choice. UserError when it does not fit."""
    specs = plan(cohort, choice.methods, choice.attribute, choice.seeds, choice.preset, choice.settings, cache=state.workspace().cache)
    if choice.folds:
        specs = of_every_fold(specs, cohort.n_folds)
    return [spec for spec in specs if spec.modality is None or spec.modality in choice.modalities]


def show_plan(specs: Sequence[RunSpec]) -> int:
    """The plan as a table with its time; returns how many runs are still to be trained."""
    workspace = state.workspace()
    known = state.store().runs().set_index("key")["status"].to_dict()
    seconds = expected_seconds(workspace, specs)
    rows, words, waiting = [], [], []
    for spec, length in zip(specs, seconds, strict=True):
        there = THERE.get(str(known.get(spec.key)), "")
        # Sorted by the time that is still to be spent; what is there needs none.
        rows.append({"Run": spec.describe()["label"], "Seed": spec.train.seed, "Time": 0.0 if there else length})
        words.append(there or duration(length))
        if not there:
            waiting.append(length)
    cached = words.count(THERE["done"])
    jobs = parallel(workspace)
    text = f"**{plural(len(specs), 'run')}**"
    if cached:
        text += f", {cached} finished already"
    if waiting:
        total = makespan([s for s in waiting if s is not None], jobs) if all(s is not None for s in waiting) else None
        text += f", {jobs} at a time" if jobs > 1 else ""
        text += f", about **{duration(total)}**" if total is not None else ". How long they take is known once the first is done"
    st.markdown(text + ".")
    frame = pd.DataFrame(rows).astype({"Time": "float64"})
    table = frame.style
    for place, said in enumerate(words):
        table = table.format(partial(_said, said), subset=pd.IndexSlice[[place], ["Time"]], na_rep=said)
    widths = {"Run": st.column_config.Column(width=150), "Seed": st.column_config.Column(width=50), "Time": st.column_config.Column(width=95)}
    st.dataframe(
        table,
        hide_index=True,
        width="stretch",
        column_config=widths,
        placeholder=duration(None),
        alt="; ".join(f"{r['Run']} seed {r['Seed']}: {text}" for r, text in zip(rows, words, strict=True)),
    )
    return len(waiting)


def _said(words: str, _: object) -> str:
    """`words`, whatever the number: a table sorts by the number and shows them."""
    return words


def makespan(lengths: Sequence[float], jobs: int) -> float:
    """Seconds until all are done when the first free of `jobs` places takes the next one."""
    places = [0.0] * max(1, jobs)
    for length in lengths:
        heapq.heappush(places, heapq.heappop(places) + length)
    return max(places)
