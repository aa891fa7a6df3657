"""What a reader must know of a method before choosing it. Free of torch, so that pages can show it at once."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Family = Literal["none", "balance", "fairness", "both"]


@dataclass(frozen=True)
class Card:
    """What a reader must know of a method before choosing it."""

    title: str
    family: Family
    paper: str
    summary: str
    """One plain sentence: what it does."""
    inference_needs: str = "the modalities"
    limits: str = "none known"
