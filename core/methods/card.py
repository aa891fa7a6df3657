"""What a reader must know of a method before choosing it. Free of torch, so that pages can show it at once."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Family = Literal["none", "balance", "fairness", "both"]
Role = Literal["reference", "rival", "replica", "ours"]
LAST_PLACE = 1000
"""Place in lists of a method whose card names none."""


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
    departures: str = "none known"
    """Where it differs from the published method, and why; a setting that undoes it is named."""
    order: int = LAST_PLACE
    """Place in lists, smallest first."""
    colour: tuple[str, str] | None = None
    """In charts, on light and on dark ground, as #RRGGBB; None: the next free one."""
    default: bool = False
    """Chosen on the training page before anybody has chosen."""
    role: Role = "rival"
    """`reference`: the others are compared with it; `ours`: this project's own, which is compared with all others;
    `replica`: a published program, its defects included, which shows what they cost and is nobody's first look."""
    one_modality: bool = False
    """Trained once for each modality, on that one alone (the setting `modality`): it fuses nothing."""
