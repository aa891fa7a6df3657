"""User text in Markdown is shown, never interpreted."""

from __future__ import annotations

import pytest

from core.charts.text import count
from dashboard.escape import md


@pytest.mark.parametrize(
    "text", ["**bold**", "[x](javascript:alert(1))", "<script>", "$x$", ":red[x]", ":material/home:", "`code`", "# head", "a|b", "~~x~~", "\\"]
)
def test_special_characters_are_escaped(text: str) -> None:
    escaped = md(text)
    assert escaped != text
    assert escaped.replace("\\", "") == text.replace("\\", "")


def test_lines_become_spaces() -> None:
    assert md("a\n\n# b") == "a \\# b"


def test_numbers_are_not_torn_apart() -> None:
    """On a telephone a line ended with "corrected p" and the next began with "= .367"."""
    held = md("95 % of them, p = .367 and p < .001 (n = 54)").replace("\\", "")
    assert held == "95\u00a0% of them, p\u00a0=\u00a0.367 and p\u00a0<\u00a0.001 (n\u00a0=\u00a054)"
    assert md("the group n = none") == "the group n \\= none"
    assert md(f"n\u00a0=\u00a0{count(12345)}") == "n\u00a0\\=\u00a012\u2009345"
