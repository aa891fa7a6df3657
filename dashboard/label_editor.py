"""What the values of a label mean: which are positive, what uncertain and empty ones are."""

from __future__ import annotations

from dataclasses import dataclass

import pandas as pd
import streamlit as st

from core.cohort.classes import MOST, any_but_first
from core.errors import UserError
from core.tables.labels import certain_values, distinct, is_uncertain, joined_findings, known_positive, positive_choices, stated_rule
from dashboard.escape import md

MOST_VALUES = 60
MEANS = {"exclude": "left out", "negative": "negative", "positive": "positive"}
PLAIN_PAIRS = ({"0", "1"}, {"0.0", "1.0"}, {"True", "False"}, {"0"}, {"1"})


@dataclass(frozen=True)
class LabelChoice:
    """What was chosen. `positive` is None where the values say it themselves; `unclear` while somebody has to say it."""

    positive: str | None = None
    uncertain: str = "exclude"
    blank: str = "exclude"
    unclear: bool = False
    classes: tuple[str, ...] = ()
    """Three or more values that are told apart, the one without disease first; only where they were asked for."""


def label_editor(values: pd.Series, title: str, key: str, usual: str | None = None, *, always: bool = False, first: bool = True) -> LabelChoice:
    """Draw the controls for a label column and return what they say.

    `usual`: what is chosen at first, else the known word among the values. Nothing is chosen where the
    values do not say it. Columns of zeros and ones need no control unless `always`. `first`: of classes, the
    one without disease is asked for. Raises UserError for a column with too many values to be a label.
    """
    present = distinct(values.unique())
    usual = usual or known_positive(present)
    if not always and any(set(present) == pair for pair in PLAIN_PAIRS) and not values.isna().any():
        return LabelChoice()
    choices = positive_choices(present)
    if len(choices) > MOST_VALUES:
        raise UserError(f"the column has {len(present)} different values and cannot be the label; choose one with few values")
    if usual is not None and usual not in choices:
        choices = [usual, *choices]
    chosen = st.selectbox(
        title,
        choices,
        index=choices.index(usual) if usual in choices else None,
        key=key,
        placeholder="Choose",
        width=320,
        disabled=bool(st.session_state.get(f"{key}-classes")),
        help="A value, a grade from which on (>=), or a finding that the cell must contain. All other values are negative.",
    )
    if len(present) > 2 and not joined_findings(present):
        classes = _classes(certain_values(present), key, first=first)
        if classes:
            return LabelChoice(any_but_first(classes), classes=classes)
        chosen = _several(present, chosen, key)
    if chosen is None:
        return LabelChoice(unclear=True)
    rule = stated_rule(str(chosen), present)
    uncertain = blank = "exclude"
    if any(is_uncertain(v) for v in present if v not in rule.positive) and len(present) > 2:
        unsure = [v for v in present if is_uncertain(v)]
        uncertain = st.selectbox(f"{md(', '.join(unsure))} (uncertain) means", list(MEANS), format_func=MEANS.__getitem__, key=f"{key}-uncertain", width=320)
    if values.isna().any():
        blank = st.selectbox(
            f"An empty label ({int(values.isna().sum())} rows) means", list(MEANS), format_func=MEANS.__getitem__, key=f"{key}-blank", width=320
        )
    return LabelChoice(str(chosen), uncertain, blank)


def _several(present: list[str], chosen: str | None, key: str) -> str | None:
    """The values that are positive together, where more than one is ticked; else what was chosen before."""
    single = [v for v in present if "|" not in v and "," not in v]
    more = st.multiselect(
        "Positive as well (several values)", [v for v in single if v != chosen], key=f"{key}-more", disabled=chosen not in single, select_all=False,
        help="All values chosen here count as positive together with the one above. Values that are not chosen are negative.",
    )  # fmt: skip
    return "|".join([str(chosen), *more]) if more and chosen in single else chosen


def _classes(present: list[str], key: str, *, first: bool) -> tuple[str, ...]:
    """The classes, where all values shall be told apart; () otherwise."""
    if not 3 <= len(present) <= MOST or not st.checkbox(f"Tell the {len(present)} values apart as classes", key=f"{key}-classes"):
        return ()
    if not first:
        return tuple(present)
    healthy = st.selectbox(
        "The class without disease", present, key=f"{key}-first", width=320, help="Where two classes are needed, every other class counts as positive."
    )
    return (str(healthy), *(v for v in present if v != healthy))
