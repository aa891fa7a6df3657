"""What a planted cohort is designed to show.

Every modality of a patient carries one hidden score, drawn from a normal
distribution of variance 1 whose mean differs between the classes by the
modality's *separation* in the patient's group. The best AUC of that modality in
that group is therefore Phi(separation / sqrt(2)), whatever model is used.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
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
    mark: tuple[float, ...] = ()
    """Share of patients whose image bears a mark of its acquisition exactly when the label is positive; a half says
    nothing, empty: no marks."""


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
    label_noise: tuple[float, ...] = ()
    """Share of patients per group whose recorded label is turned; empty: none. The best AUCs speak of the label before."""

    @property
    def images(self) -> tuple[Signal, ...]:
        """The modalities that are images."""
        return tuple(s for s in self.signals if s.style in ("disc", "stripes"))


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
        Scenario(
            "no-dominant",
            "As default, but both modalities are equally easy to learn, so that neither leads; one of them serves the majority only.",
            ("majority", "minority"),
            (0.8, 0.2),
            (0.4, 0.4),
            _pair((3.2, 0.0), (2.4, 2.4), neglected_style="disc"),
        ),
        Scenario(
            "minority-dominant",
            "The modality that is learned first serves the minority only; the neglected one would serve everyone.",
            ("majority", "minority"),
            (0.8, 0.2),
            (0.4, 0.4),
            _pair((0.0, 3.2), (2.4, 2.4)),
        ),
        Scenario(
            "label-noise",
            "As default, with the recorded label turned for 2 % of the majority and 20 % of the minority, in every split.",
            ("majority", "minority"),
            (0.8, 0.2),
            (0.4, 0.4),
            _pair((3.2, 0.0), (2.4, 2.4)),
            label_noise=(0.02, 0.2),
        ),
        Scenario(
            "five-modalities",
            "As default, with three more images that say little: one for everyone, one for the majority, one for nobody.",
            ("majority", "minority"),
            (0.8, 0.2),
            (0.4, 0.4),
            (
                *_pair((3.2, 0.0), (2.4, 2.4))[:2],
                Signal("slit_lamp", "disc", (0.8, 0.8)),
                Signal("angiography", "stripes", (1.2, 0.0), contrast=0.7),
                Signal("cornea", "disc", (0.0, 0.0)),
            ),
        ),
        Scenario(
            "two-attributes",
            "Groups are those of site and sex together: the dominant modality serves one site only, and of its women only half as well.",
            ("north-men", "north-women", "south-men", "south-women"),
            (0.4, 0.3, 0.15, 0.15),
            (0.4, 0.4, 0.4, 0.4),
            _pair((3.2, 1.6, 0.0, 0.0), (2.4, 2.4, 2.4, 2.4)),
        ),
        Scenario(
            "acquisition-cue",
            "Both modalities serve everyone alike, but a mark of the device, easy to learn, goes with the label for 9 in 10 of the majority and says "
            "nothing in the minority.",
            ("majority", "minority"),
            (0.8, 0.2),
            (0.4, 0.4),
            (Signal("fundus", "disc", (1.6, 1.6), mark=(0.9, 0.5)), *_pair((1.6, 1.6), (2.4, 2.4))[1:]),
        ),
    )
}


def named_scenario(name: str) -> Scenario:
    """The scenario of this name; `name@0.5` is the same with its bias at half its strength. UserError lists the known ones."""
    plain, _, dose = name.partition("@")
    if plain not in SCENARIOS:
        raise UserError(f"no scenario {name!r}; choose one of: {', '.join(SCENARIOS)}, or one of them with its bias weakened as in default@0.5")
    if not dose:
        return SCENARIOS[plain]
    try:
        return weakened(SCENARIOS[plain], float(dose))
    except ValueError:
        raise UserError(f"{name!r}: the strength after @ is a number from 0 to 1, not {dose!r}") from None


def weakened(design: Scenario, dose: float) -> Scenario:
    """The scenario with its groups made more alike: every value per group is (1 - dose) x the mean over groups (by shares) + dose x itself.

    Separations, absences, marks, prevalence and label noise move so; 1 is the scenario itself, 0 treats all groups
    alike. ValueError outside of 0 to 1.
    """
    if not 0 <= dose <= 1:
        raise ValueError(f"a strength of {dose}")

    def nearer(values: tuple[float, ...]) -> tuple[float, ...]:
        mean = sum(v * s for v, s in zip(values, design.shares, strict=True)) / sum(design.shares) if values else 0.0
        return tuple((1 - dose) * mean + dose * v for v in values)

    signals = tuple(replace(s, separation=nearer(s.separation), absent=nearer(s.absent), mark=nearer(s.mark)) for s in design.signals)
    return replace(design, name=f"{design.name}@{dose:g}", prevalence=nearer(design.prevalence), signals=signals, label_noise=nearer(design.label_noise))


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
    if design.label_noise and (len(design.label_noise) != n or not all(0 <= p < 0.5 for p in design.label_noise)):
        raise UserError("label noise: one share below a half per group")
    for s in design.signals:
        if s.absent and (len(s.absent) != n or not all(0 <= a < 1 for a in s.absent)):
            raise UserError(f"absent of {s.name}: one share below 1 per group")
        if s.mark and (len(s.mark) != n or not all(0 < m < 1 for m in s.mark) or s.style not in ("disc", "stripes")):
            raise UserError(f"mark of {s.name}: one share between 0 and 1 per group, of an image")
    return design
