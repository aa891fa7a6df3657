"""Operating points: from score to predicted label, for all rows or group by group."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from core.audit.input.predictions import Attribute, AuditFinding, Predictions
from core.audit.options import DEFAULT_THRESHOLD, AuditOptions
from core.metrics.operating_point import fit_threshold


@dataclass(frozen=True)
class OperatingPoint:
    """Where scores become decisions.

    threshold : one for all rows; None when labels were given, thresholds differ by group or there is none.
    by_group : thresholds of the groups of one attribute, where asked for.
    source : "fixed", "given labels", "validation" or "in-sample".
    reason : why there is no operating point (None when there is one).
    """

    threshold: float | None
    source: str
    by_group: dict[str, float] | None = None
    reason: str | None = None

    @property
    def exists(self) -> bool:
        return self.reason is None

    def decide(self, score: NDArray[np.float64], attribute: Attribute | None = None) -> NDArray[np.int8]:
        """Predicted labels int8 (n,); rows of groups without an own threshold use the common one."""
        cut: float | NDArray[np.float64]
        if self.by_group is not None and attribute is not None and self.threshold is not None:
            cut = np.array([*(self.by_group.get(name, self.threshold) for name in attribute.names), self.threshold])[attribute.codes]
        else:
            assert self.threshold is not None
            cut = self.threshold
        return (score >= cut).astype(np.int8)


def is_probability(score: NDArray[np.float64]) -> bool:
    """Whether all scores (n,) lie in [0, 1]."""
    return bool(score.min() >= 0 and score.max() <= 1)


def operating_point(
    model: str, audited: Predictions, validation: Predictions | None, options: AuditOptions, attribute: str | None = None
) -> tuple[OperatingPoint, tuple[AuditFinding, ...]]:
    """The operating point of one model, and what has to be said about it.

    With `attribute` and `options.per_group_threshold`, thresholds for its groups as well.
    """
    score = audited.scores[model]
    if options.target is None:
        if model in audited.decided and options.threshold is None:
            return OperatingPoint(None, "given labels"), ()
        if options.threshold is None and not is_probability(score):
            reason = (
                f"scores reach from {score.min():.4g} to {score.max():.4g}, so they are not probabilities and .5 means nothing: state a threshold or a target"
            )
            return OperatingPoint(None, "fixed", reason=reason), (
                AuditFinding("no_operating_point", "warning", f"{model}: {reason}", 0, "--threshold X or --target sensitivity=.9"),
            )
        return OperatingPoint(DEFAULT_THRESHOLD if options.threshold is None else options.threshold, "fixed"), ()
    base = audited if validation is None else validation
    findings: tuple[AuditFinding, ...] = ()
    if validation is None:
        message = f"{model}: the threshold for {options.target} was chosen on the audited rows themselves, so the rates at it are optimistic"
        findings = (AuditFinding("in_sample_threshold", "warning", message, len(audited), "give a split column with validation rows"),)
    source = "in-sample" if validation is None else "validation"
    target = options.target
    fitted = fit_threshold(base.y, base.scores[model], target.kind, target.value, base.weights)
    if attribute is None or not options.per_group_threshold or fitted.threshold is None:
        return OperatingPoint(fitted.threshold, source, reason=fitted.reason), findings
    thresholds = {}
    groups = base.attributes[attribute]
    for index, name in enumerate(groups.names):
        rows = groups.codes == index
        n_pos = int(base.y[rows].sum())
        if n_pos < options.min_positives or int(rows.sum()) - n_pos < options.min_negatives:
            message = f"{model}: {attribute} = {name} has too few rows to choose a threshold on; it gets the one for all"
            findings += (AuditFinding("group_threshold", "warning", message, int(rows.sum()), "more validation rows of this group"),)
            continue
        own = fit_threshold(base.y[rows], base.scores[model][rows], target.kind, target.value, None if base.weights is None else base.weights[rows])
        if own.threshold is not None:
            thresholds[name] = own.threshold
    return OperatingPoint(fitted.threshold, source, thresholds), findings
