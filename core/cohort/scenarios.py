"""What a planted cohort is designed to show.

Every modality of a patient carries one hidden score, drawn from a normal
distribution of variance 1 whose mean differs between the classes by the
modality's *separation* in the patient's group. The best AUC of that modality in
that group is therefore Phi(separation / sqrt(2)), whatever model is used.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from core.errors import UserError

Style = Literal["disc", "stripes", "value", "words"]


@dataclass(frozen=True)
class Signal:
    """How one modality speaks. Tuples have one entry per group."""

    name: str
    style: Style
    """disc: the brightness of a spot in the middle of an image, which any network
    learns within an epoch. stripes: how strong level stripes are among upright ones
    of any strength, which takes several epochs. value: a number. words: a word in a note."""
    separation: tuple[float, ...]
    """Distance of the class means in standard deviations; 0: says nothing about the label."""
    contrast: float = 1.0
    """Ease: how far the hidden score stands out from what else varies in the image (1: clearly)."""
    absent: tuple[float, ...] = ()
    """Share of patients without this modality; empty: none."""


@dataclass(frozen=True)
class Scenario:
    """A planted cohort's design."""

    name: str
    purpose: str
    groups: tuple[str, ...]
    shares: tuple[float, ...]
    prevalence: tuple[float, ...]
    signals: tuple[Signal, ...]
    size: int = 24
    """Edge of the images in pixels."""
    noise: float = 28.0
    """Standard deviation of the pixel noise, of 255."""
    cue: float = 10.0
    """How much darker the border of an image is per group, of 255: lets a network tell the groups apart, if it cares to."""
    attribute: str = field(default="group")


def _pair(
    dominant: tuple[float, ...],
    neglected: tuple[float, ...],
    *,
    absent: dict[str, tuple[float, ...]] | None = None,
    neglected_style: Style = "stripes",
    contrast: float = 0.7,
) -> tuple[Signal, ...]:
    gaps = absent or {}
    n = len(dominant)
    return (
        Signal("fundus", "disc", dominant, absent=gaps.get("fundus", ())),
        Signal("oct", neglected_style, neglected, contrast=contrast if neglected_style == "stripes" else 1.0, absent=gaps.get("oct", ())),
        Signal("notes", "words", (0.3,) * n, absent=gaps.get("notes", ())),
        Signal("labs", "value", (0.3,) * n),
    )


SCENARIOS: dict[str, Scenario] = {
    s.name: s
    for s in (
        Scenario(
            "default",
            "A dominant modality that serves the majority only, and a neglected one, harder to learn, that would serve everyone.",
            ("majority", "minority"),
            (0.8, 0.2),
            (0.4, 0.4),
            _pair((3.2, 0.0), (2.4, 2.4)),
        ),
        Scenario(
            "three-groups",
            "As default, with a third group that the dominant modality serves half as well.",
            ("alpha", "beta", "gamma"),
            (0.6, 0.2, 0.2),
            (0.4, 0.4, 0.4),
            _pair((3.2, 1.2, 0.0), (2.4, 2.4, 2.4)),
        ),
        Scenario(
            "null",
            "Nothing planted: two equally easy modalities that serve both groups alike.",
            ("majority", "minority"),
            (0.5, 0.5),
            (0.4, 0.4),
            _pair((1.6, 1.6), (1.6, 1.6), neglected_style="disc"),
            cue=0.0,
        ),
        Scenario(
            "missing",
            "As default, with modalities missing at random for a part of the patients, more often in the minority.",
            ("majority", "minority"),
            (0.8, 0.2),
            (0.4, 0.4),
            _pair((3.2, 0.0), (2.4, 2.4), absent={"fundus": (0.05, 0.1), "oct": (0.1, 0.25), "notes": (0.2, 0.2)}),
        ),
        Scenario(
            "prevalence",
            "No modality serves a group worse, but the groups differ in prevalence: rates differ where ranking does not.",
            ("low", "high"),
            (0.5, 0.5),
            (0.25, 0.55),
            _pair((1.6, 1.6), (1.6, 1.6), neglected_style="disc"),
        ),
    )
}


def named_scenario(name: str) -> Scenario:
    """The scenario of this name. UserError lists the known ones."""
    if name not in SCENARIOS:
        raise UserError(f"no scenario {name!r}; choose one of: {', '.join(SCENARIOS)}")
    return SCENARIOS[name]


def validated(design: Scenario) -> Scenario:
    """The design itself, or UserError naming what does not fit."""
    n = len(design.groups)
    if n < 2 or len(set(design.groups)) != n:
        raise UserError("a scenario needs at least two groups with different names")
    for what, values in (("shares", design.shares), ("prevalence", design.prevalence), *((f"separation of {s.name}", s.separation) for s in design.signals)):
        if len(values) != n:
            raise UserError(f"{what}: {len(values)} values for {n} groups")
    if abs(sum(design.shares) - 1) > 1e-6 or min(design.shares) <= 0:
        raise UserError("shares must be positive and sum to 1")
    if not all(0 < p < 1 for p in design.prevalence):
        raise UserError("prevalence must lie between 0 and 1")
    for s in design.signals:
        if s.absent and (len(s.absent) != n or not all(0 <= a < 1 for a in s.absent)):
            raise UserError(f"absent of {s.name}: one share below 1 per group")
    return design
