"""What the values of a label mean: which are positive, what uncertain and empty ones are."""

from __future__ import annotations

from dataclasses import dataclass

import pandas as pd
import streamlit as st

from core.errors import UserError
from core.tables.labels import distinct, is_uncertain, known_positive, positive_choices, stated_rule
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


def label_editor(values: pd.Series, title: str, key: str, usual: str | None = None, *, always: bool = False) -> LabelChoice:
    """Draw the controls for a label column and return what they say.

    `usual`: what is chosen at first, else the known word among the values. Nothing is chosen where the
    values do not say it. Columns of zeros and ones need no control unless `always`. Raises UserError for
    a column with too many values to be a label.
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
        help="A value, a grade from which on (>=), or a finding that the cell must contain. All other values are negative.",
    )
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
