"""User text inside Markdown: shown as it is, never interpreted."""

from __future__ import annotations

import re

_SPECIAL = re.compile(r"([\\`*_{}\[\]()<>#+\-.!|~$:&^=])")
_SPACE = re.compile(r"[^\S\u00a0\u2009]+")
"""Spaces and line ends; not those that hold a number together."""


_HELD = re.compile(r"(?<=\d) (?=%)|(?<=\b[pn]) (?=[=<] [.\d])|(?<=\b[pn] [=<]) (?=[.\d])")
"""Spaces of `95 %`, `p = .032` and `n = 54`, at which no line ends."""


def md(text: object) -> str:
    """`text` with every character that Markdown, LaTeX or Streamlit's directives know escaped."""
    return _SPECIAL.sub(r"\\\1", _HELD.sub("\u00a0", _SPACE.sub(" ", str(text)).strip()))
