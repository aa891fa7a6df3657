"""The three verdicts as the pages show them."""

from __future__ import annotations

from typing import Literal

from core.audit.inference.verdicts import Word as Verdict

TAGS: dict[Verdict, tuple[str, Literal["orange", "blue", "gray"], str]] = {
    "disparity": ("disparity", "orange", ":material/error:"),
    "no disparity found": ("none found", "blue", ":material/check_circle:"),
    "not enough data": ("not enough data", "gray", ":material/help:"),
}
"""Verdict -> words, colour, icon. The icon says it as well, for those who do not see the colour."""
