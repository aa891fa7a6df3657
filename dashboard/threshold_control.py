"""A threshold in the score's own units: a number to type, and a slider over the chart that it moves, both the same value."""

from __future__ import annotations

import math
from collections.abc import Sequence

import streamlit as st

from dashboard import address

HELP = "A sample is predicted positive when its score is at least the threshold."
STEPS = 200
"""At least as many lie between the slider's ends."""


def threshold_control(key: str, ends: tuple[float, float], usual: float = 0.5, cuts: Sequence[float] = (), link: str = "threshold") -> float:
    """Draw both and return the threshold. The slider runs evenly from one of `ends` to the other, as an axis does.

    `usual`: where both begin. `cuts`: evenly spaced thresholds beside which there are none. `link`: the name under which the address holds the value.
    """
    low, high = ends
    number, slider = f"{key}-number", f"{key}-slider"
    linked = address.linked(link)
    if linked is not None and _is_number(linked):
        st.session_state[slider] = _inside(float(linked), ends)
    held = st.session_state.get(slider)
    value = _inside(float(usual if held is None else held), ends)
    st.session_state[slider] = _nearest(cuts, value) if cuts else value
    # One value under two names: whichever the reader moved last is copied to the other before both are drawn.
    st.session_state[number] = st.session_state[slider]
    by = round(cuts[1] - cuts[0], 6) if cuts else _step(high - low)
    if not low < high:
        return low
    st.number_input("Threshold", low, high, step=by, format="%.3f", key=number, help=HELP, width=150, on_change=_typed, args=(number, slider))
    with st.container(key=f"{key}-over-chart"):
        st.slider("Threshold on the scale of the score", low, high, step=by, key=slider, format="%.3f", label_visibility="collapsed", width="stretch")
    value = float(st.session_state[slider])
    address.name_in_link(**{link: f"{value:g}"})
    return value


def _nearest(cuts: Sequence[float], value: float) -> float:
    return min(cuts, key=lambda cut: abs(cut - value))


def _typed(number: str, slider: str) -> None:
    st.session_state[slider] = float(st.session_state[number])


def _inside(value: float, ends: tuple[float, float]) -> float:
    return min(max(value, ends[0]), ends[1])


def _step(length: float) -> float:
    """A tenth, hundredth, ... that divides `length` into STEPS parts or more."""
    return 10.0 ** math.floor(math.log10(length / STEPS)) if length > 0 else 0.001


def _is_number(text: str) -> bool:
    try:
        return math.isfinite(float(text))
    except ValueError:
        return False
