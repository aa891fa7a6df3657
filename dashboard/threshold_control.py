"""A threshold in the score's own units: a number to type, and a slider below it, both the same value."""

from __future__ import annotations

from collections.abc import Sequence

import streamlit as st

from core.charts.text import decimal
from dashboard import address

HELP = "A sample is predicted positive when its score is at least the threshold."


def threshold_control(key: str, cuts: Sequence[float], usual: float | None = None, link: str = "threshold") -> float:
    """Draw both and return one of `cuts` (in rising order), the nearest to what was typed.

    `usual`: where both begin; the cut nearest to .5 by default. `link`: the name under which the address holds the value.
    """
    begin = _nearest(cuts, 0.5 if usual is None else usual)
    number, slider = f"{key}-number", f"{key}-slider"
    linked = address.linked(link)
    if linked is not None and _is_number(linked):
        st.session_state[slider] = _nearest(cuts, float(linked))
    if st.session_state.get(slider) not in cuts:
        st.session_state[slider] = begin
    # One value under two names: whichever the reader moved last is copied to the other before both are drawn.
    st.session_state[number] = st.session_state[slider]
    with st.container(key=f"{key}-control", horizontal=True, vertical_alignment="bottom"):
        st.number_input(
            "Threshold",
            float(cuts[0]),
            float(cuts[-1]),
            step=_step(cuts),
            format="%.3f",
            key=number,
            help=HELP,
            width=150,
            on_change=_typed,
            args=(number, slider, tuple(cuts)),
        )
        st.select_slider(
            "Threshold on the scale of the score", cuts, key=slider, format_func=lambda cut: decimal(cut), label_visibility="collapsed", width="stretch"
        )
    value = float(st.session_state[slider])
    address.name_in_link(**{link: f"{value:g}"})
    return value


def _typed(number: str, slider: str, cuts: tuple[float, ...]) -> None:
    st.session_state[slider] = _nearest(cuts, float(st.session_state[number]))


def _nearest(cuts: Sequence[float], value: float) -> float:
    return min(cuts, key=lambda cut: abs(cut - value))


def _step(cuts: Sequence[float]) -> float:
    return max(0.001, round((cuts[-1] - cuts[0]) / max(len(cuts) - 1, 1), 3))


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True
