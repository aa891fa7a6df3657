"""What the checks of a cohort or of predictions found: how grave, what, and the remedy."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal

import streamlit as st

from core.charts.text import plural, whole_sentence
from dashboard.escape import md
from dashboard.page_advice import on_page

Color = Literal["red", "orange", "gray"]
GRAVITY: Mapping[str, tuple[str, Color, str]] = {
    "error": ("must be corrected", "orange", ":material/block:"),
    "warning": ("look at this", "orange", ":material/warning:"),
    "info": ("good to know", "gray", ":material/info:"),
}
FIRST = 5
_ORDER = tuple(GRAVITY)


def show_findings(findings: Sequence[Any], none: str, key: str = "findings", *, audit: bool = False) -> None:
    """The gravest first; beyond the first few, and what is only good to know, is folded.

    `findings`: objects with severity, message, rows, remedy (a cohort's, or with `audit` an audit's).
    """
    if not findings:
        st.badge(none, color="blue", icon=":material/check_circle:")
        return
    ordered = sorted(findings, key=lambda f: _ORDER.index(f.severity))
    open_now = ([f for f in ordered if f.severity == "error"] + [f for f in ordered if f.severity == "warning"])[:FIRST] or ordered[:FIRST]
    rest = [f for f in ordered if f not in open_now]
    with st.container(key=f"findings-{key}", gap="medium"):
        for finding in open_now:
            _one(finding, audit)
    if rest:
        with st.expander(f"{plural(len(rest), 'further note')}"):
            for finding in rest:
                _one(finding, audit)


def _one(finding: Any, audit: bool) -> None:
    words, color, icon = GRAVITY[finding.severity]
    with st.container(gap=None):
        tag = f"{words} · {plural(finding.rows, 'row')}" if finding.rows else words
        said = md(whole_sentence(on_page(finding.message, audit=audit)))
        # In one line of text, so that a long sentence begins beside its tag.
        st.markdown(f":{color}-badge[{icon} {md(tag)}] {f'**{said}**' if finding.severity == 'error' else said}")
        if finding.remedy:
            st.caption(md(whole_sentence(on_page(finding.remedy, audit=audit))))
