"""What the reader of an audit decides beforehand: operating point, tolerance, guards, declared questions."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

from core.errors import UserError

TARGETS = ("sensitivity", "specificity", "selection_rate", "youden")
DEFAULT_THRESHOLD = 0.5
JUDGED_METRICS = ("auc", "tpr", "fpr", "ppv", "npv", "selection_rate", "accuracy", "brier", "net_benefit", "ece")
"""Metrics that groups are judged by."""


@dataclass(frozen=True)
class Target:
    """An operating point asked for by its consequence rather than by its threshold."""

    kind: str
    value: float | None = None

    def __post_init__(self) -> None:
        if self.kind not in TARGETS:
            raise UserError(f"unknown target '{self.kind}': one of {', '.join(TARGETS)}")
        if self.kind == "youden":
            if self.value is not None:
                raise UserError("the target 'youden' takes no value")
        elif self.value is None or not 0 < self.value < 1:
            raise UserError(f"the target {self.kind} needs a value between 0 and 1, for example {self.kind}=.9")

    @classmethod
    def parse(cls, text: str) -> Target:
        """`sensitivity=.9`, `specificity=.95`, `selection_rate=.2` or `youden`."""
        kind, _, value = text.partition("=")
        try:
            number = float(value) if value else None
        except ValueError:
            raise UserError(f"--target {text}: '{value}' is not a number; write for example sensitivity=.9") from None
        return cls(kind.strip(), number)

    def __str__(self) -> str:
        return self.kind if self.value is None else f"{self.kind} {self.value:g}"


@dataclass(frozen=True)
class AuditOptions:
    """Choices of one audit.

    Attributes
    ----------
    threshold : a prediction is positive when its score is at least this; None means .5, which
        asks for scores that are probabilities.
    target : choose the threshold for a consequence instead, on the validation rows where there are any.
    per_group_threshold : choose one threshold per group for the target (one for all otherwise).
    tolerance : largest difference between groups that the reader is ready to accept, for every metric.
    tolerances : the same for single metrics, over `tolerance`.
    alpha : error rate per family (one attribute, one metric, one model); intervals cover 1 - alpha.
    bootstrap : replicates where no closed form exists (average precision and its like); 0 leaves them out. Intersections get at most 200.
    min_positives, min_negatives, min_rows : counts below which a group is not judged.
    intersections : depth, 1 for none, 2 for pairs of attributes, ...
    missing : missing attribute values left out and counted ("exclude") or as a group of their own ("group").
    bands : edges by which numeric attributes are cut into bands, by attribute; others of many values are cut at their quartiles.
    calibration_bins : equal-width bins of [0, 1] for calibration, the same for every group.
    primary_attributes, primary_metrics : what the audit was made to answer; all else is exploratory. No attribute
        means every single one (no intersection).
    reference : by attribute, the group that others are set against where there are too many groups to compare all pairs.
    gap : difference for which `power` says how many more patients a group would need (None: twice the tolerance).
    curves : reliability, decision and threshold curves per group as well.
    """

    threshold: float | None = None
    target: Target | None = None
    per_group_threshold: bool = False
    tolerance: float = 0.05
    tolerances: Mapping[str, float] = field(default_factory=dict)
    alpha: float = 0.05
    power: float = 0.8
    bootstrap: int = 1000
    seed: int = 0
    min_positives: int = 5
    min_negatives: int = 5
    min_rows: int = 10
    intersections: int = 1
    missing: Literal["group", "exclude"] = "exclude"
    bands: Mapping[str, tuple[float, ...]] = field(default_factory=dict)
    calibration_bins: int = 10
    primary_attributes: tuple[str, ...] = ()
    primary_metrics: tuple[str, ...] = ("auc",)
    reference: Mapping[str, str] = field(default_factory=dict)
    gap: float | None = None
    curves: bool = False

    def __post_init__(self) -> None:
        if self.threshold is not None and not math.isfinite(self.threshold):
            raise UserError("the threshold must be a finite number")
        if self.threshold is not None and self.target is not None:
            raise UserError("give a threshold or a target, not both")
        if self.per_group_threshold and self.target is None:
            raise UserError("thresholds per group need a target, for example --target sensitivity=.9")
        for name, tolerance in {"tolerance": self.tolerance, **self.tolerances}.items():
            if not 0 < tolerance < 1:
                raise UserError(f"{name}: the tolerance must lie between 0 and 1 (it is {tolerance})")
        if self.gap is not None and not 0 < self.gap < 1:
            raise UserError(f"the gap to plan for must lie between 0 and 1 (it is {self.gap})")
        if not 0 < self.alpha < 0.5 or not 0.5 <= self.power < 1:
            raise UserError("alpha must lie between 0 and .5, power between .5 and 1")
        if self.bootstrap < 0 or self.seed < 0:
            raise UserError("replicates and seed cannot be negative")
        if 0 < self.bootstrap < 100:
            raise UserError(f"{self.bootstrap} bootstrap replicates give no interval: ask for 100 or more, or 0 for none")
        if min(self.min_positives, self.min_negatives) < 2:
            raise UserError("a group needs at least 2 positives and 2 negatives for an interval: the guards cannot go lower")
        if self.intersections < 1 or self.calibration_bins < 2:
            raise UserError("the depth of intersections starts at 1, the number of bins at 2")
        if self.missing not in ("group", "exclude"):
            raise UserError("missing is group or exclude")
        for name, edges in self.bands.items():
            if not edges or not all(math.isfinite(edge) for edge in edges) or list(edges) != sorted(set(edges)):
                raise UserError(f"the edges of the bands of '{name}' must be increasing numbers, for example {name}=18,40,65")
        unknown = [name for name in self.primary_metrics if name not in JUDGED_METRICS]
        if unknown or not self.primary_metrics:
            raise UserError(f"unknown primary metric '{unknown[0] if unknown else ''}': one or more of {', '.join(JUDGED_METRICS)}")

    def tolerance_of(self, metric: str) -> float:
        return self.tolerances.get(metric, self.tolerance)

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready, every option by name."""
        return {
            **asdict(self),
            "target": str(self.target) if self.target else None,
            "bands": {name: list(edges) for name, edges in self.bands.items()},
            "primary_attributes": list(self.primary_attributes),
            "primary_metrics": list(self.primary_metrics),
        }
