"""Coverage and size of everything said about calibration and prevalence, on cohorts of known truth.

    python -m tests.benchmarks.measure_calibration [repeats] [seed]

prints one line a setting. Labels of a patient's rows and their scores share half of their variance; groups are compared with 5 events
or more in each, as an audit does. The settings are none that the methods were chosen on.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import brentq
from scipy.special import expit, ndtr, ndtri

from core.metrics.calibration import bin_of_score
from core.metrics.calibration_curve import calibration_curves
from core.metrics.calibration_error import calibration_error_intervals
from core.metrics.calibration_fit import CalibrationFit, calibration_fit
from core.metrics.prevalence import FORMULAS, STANDARDISED, standardise

NODES = np.linspace(-8, 8, 40_001)
DENSITY = np.exp(-(NODES**2) / 2) / np.exp(-(NODES**2) / 2).sum()
LEAST = 5


@dataclass(frozen=True)
class Setting:
    """A group: patients, prevalence, spread of the scores' logits, rows a patient, true risk expit(a + b logit), spread of log weights."""

    patients: int
    prevalence: float
    spread: float = 1.0
    rows: int = 1
    a: float = 0.0
    b: float = 1.0
    weights: float = 0.0

    @property
    def centre(self) -> float:
        """Mean logit of the scores at which the true prevalence is as stated."""
        return float(brentq(lambda m: DENSITY @ expit(self.a + self.b * (m + self.spread * NODES)) - self.prevalence, -40, 40))

    def truth(self) -> dict[str, float]:
        x = self.centre + self.spread * NODES
        risk, score = expit(self.a + self.b * x), expit(x)
        return {
            "intercept": float(brentq(lambda t: DENSITY @ (risk - expit(x + t)), -20, 20)),
            "slope": self.b,
            "log_oe": float(np.log((DENSITY @ risk) / (DENSITY @ score))),
            "ece": float(np.abs(np.bincount(bin_of_score(score, 10), DENSITY * (risk - score), 10)).sum()),
        }

    def draw(self, rng: np.random.Generator, repeats: int) -> Cohorts:
        patient = np.arange(repeats * self.patients * self.rows) // self.rows
        x = self.centre + self.spread * noise(rng, patient, self.rows)
        y = ndtr(noise(rng, patient, self.rows)) < expit(self.a + self.b * x)
        weight = np.exp(self.weights * rng.normal(size=repeats * self.patients))[patient] if self.weights else np.ones(x.size)
        return Cohorts(y, expit(x), patient // self.patients, patient, weight)

    def __str__(self) -> str:
        more = [f"{self.rows} rows" * (self.rows > 1), f"a {self.a:g}, b {self.b:g}" * ((self.a, self.b) != (0, 1)), "weights" * (self.weights > 0)]
        return ", ".join([f"{self.patients} at {self.prevalence:g}, spread {self.spread:g}", *filter(None, more)])


@dataclass(frozen=True)
class Cohorts:
    y: NDArray
    score: NDArray
    group: NDArray
    patient: NDArray
    weight: NDArray

    def enough(self, repeats: int) -> NDArray:
        positives, n = np.bincount(self.group, self.y, repeats), np.bincount(self.group, minlength=repeats)
        return (positives >= LEAST) & (n - positives >= LEAST)

    def and_(self, other: Cohorts, repeats: int) -> Cohorts:
        pairs = (
            (self.y, other.y),
            (self.score, other.score),
            (self.group, other.group + repeats),
            (self.patient, other.patient + self.patient.max() + 1),
            (self.weight, other.weight),
        )
        return Cohorts(*(np.concatenate(pair) for pair in pairs))


def noise(rng: np.random.Generator, patient: NDArray, rows: int) -> NDArray:
    own = rng.normal(size=patient.size)
    return own if rows == 1 else np.sqrt(0.5) * rng.normal(size=int(patient.max()) + 1)[patient] + np.sqrt(0.5) * own


SINGLE = (
    Setting(350, 0.02), Setting(180, 0.07, 1.3), Setting(70, 0.4, 0.8), Setting(900, 0.12, 1.8, a=-0.6, b=0.8), Setting(250, 0.3, 1.2, a=0.3, b=1.4),
    Setting(9, 0.35, 1.0, rows=4), Setting(35, 0.25, 1.4, rows=5, a=0.4, b=0.8), Setting(150, 0.15, 1.0, rows=2, weights=0.6), Setting(2500, 0.03, 1.5),
)  # fmt: skip
PAIRS = (
    (Setting(2000, 0.04), Setting(120, 0.45, 2.2)), (Setting(350, 0.03), Setting(350, 0.03, 0.6)), (Setting(45, 0.4), Setting(700, 0.15, 1.6)),
    (Setting(7, 0.45, rows=4), Setting(50, 0.3, 1.3, rows=2)), (Setting(20, 0.3, rows=3), Setting(20, 0.3, rows=1)),
    (Setting(80, 0.2, rows=2, weights=0.6), Setting(250, 0.3, weights=0.6)),
    (Setting(500, 0.08, a=-0.5, b=0.8), Setting(250, 0.35, 1.5, a=-0.5, b=0.8)),
)  # fmt: skip
# At these the second group's O:E is 1.25 times the first's, or its slope lower by .2.
BOUNDARY = (("log_oe", np.log(1.25), 4000), ("slope", 0.2, 4000), ("log_oe", np.log(1.25), 800), ("slope", 0.2, 800))


def fitted(cohorts: Cohorts, count: int) -> CalibrationFit:
    return calibration_fit(cohorts.y, cohorts.score, cohorts.group, count, weight=cohorts.weight, cluster=cohorts.patient)


def covered(limits: tuple[NDArray, NDArray], true: float | NDArray, chosen: NDArray | None = None) -> float:
    """Share of the intervals there are that hold the truth."""
    low, high = limits
    known = np.isfinite(low) if chosen is None else np.isfinite(low) & chosen
    return float(((low <= true + 1e-12) & (true <= high))[known].mean())


def coverage(rng: np.random.Generator, repeats: int) -> Iterator[str]:
    for setting in SINGLE:
        cohorts, truth = setting.draw(rng, repeats), setting.truth()
        fit, enough, parts = fitted(cohorts, repeats), cohorts.enough(repeats), []
        for name in ("intercept", "slope", "log_oe"):
            parts.append(f"{name} {covered(getattr(fit, name).interval(), truth[name], enough):.3f}")
        errors = calibration_error_intervals(cohorts.y, cohorts.score, cohorts.group, repeats, weight=cohorts.weight, cluster=cohorts.patient)
        parts.append(f"ECE ({truth['ece']:.3f}) {covered(errors.interval(), truth['ece']):.3f}")
        few = cohorts.group < repeats // 4
        curve = calibration_curves(
            *(part[few] for part in (cohorts.y, cohorts.score, cohorts.group)), weight=cohorts.weight[few], cluster=cohorts.patient[few], points=15
        )
        true = expit(setting.a + setting.b * np.log(curve.predicted / (1 - curve.predicted)))
        parts.append(f"curve {covered(curve.band(), true):.3f}")
        yield f"coverage | {setting} | {', '.join(parts)} | with 5 events {enough.mean():.2f}"


def size(rng: np.random.Generator, repeats: int) -> Iterator[str]:
    pairs = np.stack([np.arange(repeats), np.arange(repeats) + repeats], axis=1)
    for a, b in PAIRS:
        one, two = a.draw(rng, repeats), b.draw(rng, repeats)
        both, enough, parts = one.and_(two, repeats), one.enough(repeats) & two.enough(repeats), []
        fit, truth = fitted(both, 2 * repeats), (a.truth(), b.truth())
        for name in ("intercept", "slope", "log_oe"):
            parts.append(f"{name} {1 - covered(getattr(fit, name).differences(pairs).interval(), truth[0][name] - truth[1][name], enough):.3f}")
        errors = calibration_error_intervals(both.y, both.score, both.group, 2 * repeats, weight=both.weight, cluster=both.patient)
        if truth[0]["ece"] < 1e-9 > truth[1]["ece"]:
            parts.append(f"ECE {(errors.differences(pairs).p < 0.05)[enough].mean():.3f}")
        yield f"size | {a} ; {b} | {', '.join(parts)}"


def shift_of(setting: Setting, log_oe: float) -> float:
    """How much higher the true logit must be for this O:E."""
    return float(brentq(lambda t: replace(setting, a=t).truth()["log_oe"] - log_oe, -3, 3))


def boundary(rng: np.random.Generator, repeats: int) -> Iterator[str]:
    pairs = np.stack([np.arange(repeats), np.arange(repeats) + repeats], axis=1)
    for name, bound, n in BOUNDARY:
        a = Setting(n, 0.2, 1.3)
        b = replace(a, b=1 - bound) if name == "slope" else replace(a, a=shift_of(a, bound))
        fit = fitted(a.draw(rng, repeats).and_(b.draw(rng, repeats), repeats), 2 * repeats)
        wrong = (getattr(fit, name).differences(pairs).p_within(bound) < 0.05).mean()
        same = fitted(a.draw(rng, repeats).and_(a.draw(rng, repeats), repeats), 2 * repeats)
        right = (getattr(same, name).differences(pairs).p_within(bound) < 0.05).mean()
        yield f"equivalence | {name}, {n} a group at .2 | wrong at the boundary {wrong:.3f}, shown where there is no difference {right:.3f}"


@dataclass(frozen=True)
class Decided:
    """A group with decisions: patients, prevalence, true and false positive rate, rows a patient, spread of log weights."""

    patients: int
    prevalence: float
    tpr: float
    fpr: float
    rows: int = 1
    weights: float = 0.0

    def draw(self, rng: np.random.Generator, repeats: int) -> Cohorts:
        """`score` holds what decides: the decision is score >= .5."""
        patient = np.arange(repeats * self.patients * self.rows) // self.rows
        y = noise(rng, patient, self.rows) < ndtri(self.prevalence)
        cut = -ndtri(self.fpr)
        away = noise(rng, patient, self.rows) + (ndtri(self.tpr) + cut) * y - cut
        weight = np.exp(self.weights * rng.normal(size=repeats * self.patients))[patient] if self.weights else np.ones(y.size)
        return Cohorts(y, expit(1.2 * away), patient // self.patients, patient, weight)

    def __str__(self) -> str:
        more = ["", f", {self.rows} rows"][self.rows > 1] + ["", ", weights"][self.weights > 0]
        return f"{self.patients} at {self.prevalence:g}, TPR {self.tpr:g}, FPR {self.fpr:g}{more}"

    def brier_parts(self) -> tuple[float, float]:
        """Expected squared error among positives and among negatives."""
        cut = -ndtri(self.fpr)
        scores = [expit(1.2 * (NODES + (ndtri(self.tpr) + cut) * label - cut)) for label in (1, 0)]
        return float(DENSITY @ (scores[0] - 1) ** 2), float(DENSITY @ scores[1] ** 2)


DECIDED = (
    (Decided(250, 0.08, 0.75, 0.12), Decided(250, 0.35, 0.75, 0.12)), (Decided(80, 0.15, 0.6, 0.1), Decided(900, 0.04, 0.6, 0.1)),
    (Decided(50, 0.45, 0.85, 0.2), Decided(50, 0.45, 0.85, 0.2)),
    (Decided(10, 0.4, 0.7, 0.25, rows=5), Decided(45, 0.2, 0.7, 0.25, rows=2)),
    (Decided(90, 0.25, 0.65, 0.15, rows=2, weights=0.6), Decided(220, 0.4, 0.65, 0.15, weights=0.6)),
)  # fmt: skip


def standardised(rng: np.random.Generator, repeats: int) -> Iterator[str]:
    pairs, common, threshold = np.stack([np.arange(repeats), np.arange(repeats) + repeats], axis=1), 0.22, 0.3
    for a, b in DECIDED:
        one, two = a.draw(rng, repeats), b.draw(rng, repeats)
        both, enough, parts = one.and_(two, repeats), one.enough(repeats) & two.enough(repeats), []
        for metric in STANDARDISED:
            value = both.score if metric == "brier" else both.score >= 0.5
            found = standardise(
                metric, both.y, value, both.group, 2 * repeats, prevalence=common, threshold=threshold, weight=both.weight, cluster=both.patient
            )
            true = FORMULAS[metric](
                *(np.array(v) for v in (a.brier_parts() if metric == "brier" else (a.tpr, a.fpr))), np.array(common), threshold / (1 - threshold)
            )[0]
            first = np.arange(2 * repeats) < repeats
            known = np.concatenate([one.enough(repeats), two.enough(repeats)])
            p, limits = found.differences(pairs).standardised.p, found.standardised.interval()
            parts.append(
                f"{metric} {(p < 0.05)[enough & np.isfinite(p)].mean():.3f} ({covered(limits, true, known & first):.3f}, "
                f"{covered(limits, true, known & ~first):.3f})"
            )
        yield f"standardised size (coverage) | {a} ; {b} | {', '.join(parts)}"


def explained(rng: np.random.Generator, repeats: int) -> Iterator[str]:
    """How often a standardised difference of exactly the bound is said to be explained by prevalence, and one of 0."""
    pairs, common = np.stack([np.arange(repeats), np.arange(repeats) + repeats], axis=1), 0.25
    for n in (600, 3000):
        parts = []
        for metric in ("ppv", "npv", "selection_rate", "accuracy", "net_benefit"):
            truth = [FORMULAS[metric](np.array(t), np.array(0.15), np.array(common), 3 / 7)[0] for t in (0.8, 0.65)]
            bound = abs(float(truth[0] - truth[1]))
            words = []
            for other in (0.65, 0.8):
                both = Decided(n, 0.1, 0.8, 0.15).draw(rng, repeats).and_(Decided(n, 0.4, other, 0.15).draw(rng, repeats), repeats)
                found = standardise(metric, both.y, both.score >= 0.5, both.group, 2 * repeats, prevalence=common, threshold=0.3)
                words.append(float(np.mean(np.array(found.differences(pairs).verdicts(bound)) == "explained")))
            parts.append(f"{metric} (bound {bound:.3f}) wrong {words[0]:.3f}, right {words[1]:.2f}")
        yield f"explained by prevalence | {n} a group at .1 and .4 | {', '.join(parts)}"


def main() -> None:
    repeats = int(sys.argv[1]) if len(sys.argv) > 1 else 1000
    seed = int(sys.argv[2]) if len(sys.argv) > 2 else 2026
    rng = np.random.default_rng(seed)
    for part in (coverage, size, boundary, standardised, explained):
        for line in part(rng, repeats):
            print(line, flush=True)


if __name__ == "__main__":
    np.seterr(all="ignore")
    main()
