"""User text inside Markdown: shown as it is, never interpreted."""

from __future__ import annotations

import re

_SPECIAL = re.compile(r"([\\`*_{}\[\]()<>#+\-.!|~$:&^=])")


def md(text: object) -> str:
    """`text` with every character that Markdown, LaTeX or Streamlit's directives know escaped."""
    return _SPECIAL.sub(r"\\\1", " ".join(str(text).split()))
