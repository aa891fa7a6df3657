"""User text made fit to be read: signs that nobody sees, or that turn the line around, are written out."""

from __future__ import annotations

import unicodedata

KEPT = frozenset("\n\t\u200c\u200d\u200b\u00ad")
"""Joiners and places to break a line are needed to write some scripts, and do no harm."""
HARMFUL = frozenset({"Cc", "Cf", "Co", "Cs", "Cn", "Zl", "Zp"})
JOINED = frozenset(range(0xE0020, 0xE0080))
"""Tags inside flags such as that of Scotland."""


def code_point(letter: str) -> str:
    """`⟨U+202E⟩`."""
    return f"\u27e8U+{ord(letter):04X}\u27e9"


def readable(text: str) -> str:
    r"""The text with control signs, direction overrides, unpaired surrogates and unassigned signs as their Unicode numbers.

    >>> readable("a\u202eb")
    'a⟨U+202E⟩b'
    """
    if text.isprintable():
        return text
    return "".join(code_point(c) if _harmful(c) else c for c in text)


def _harmful(letter: str) -> bool:
    return letter not in KEPT and ord(letter) not in JOINED and unicodedata.category(letter) in HARMFUL
