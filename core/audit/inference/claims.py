"""Claims: which differences between groups are more than chance, held to one error rate per family.

Two families. The primary one holds the tests of the declared metrics by the declared attributes (the AUC by every single
attribute, unless said otherwise), under every model that is looked at. The chance of any false claim in it is at most
alpha: step-down maxima of the tests' joint distribution (Westfall and Young 1993), which is read from what the samples
add to each estimate, so that attributes and models that go together cost little; intervals are simultaneous at the same rate.
Everything else (other metrics, intersections) is exploratory: one family of its own, of whose claims at most a share
of alpha is false on average (Benjamini and Hochberg 1995), with intervals at the level that its rejections have
(Benjamini and Yekutieli 2005). The headline, the overview and `--fail-on disparity` speak of the primary family alone.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from core.audit.inference.one_vs_rest import RestTest, against_rest, correct_all
from core.audit.inference.pairwise import TESTED, Comparisons, PairTest, comparisons
from core.audit.inference.tolerances import Bound, tolerance_bound
from core.audit.inference.verdicts import Verdict, calibration_verdict, judge, not_comparable
from core.audit.options import AuditOptions
from core.metrics.catalogue import CALIBRATION
from core.metrics.joint_inference import loadings
from core.metrics.multiple_testing import MaxT, benjamini_hochberg, step_down_max_t

if TYPE_CHECKING:
    from core.audit.result import AttributeAudit, ModelAudit

VERDICT_METRICS = (*(metric for metric in TESTED if metric not in CALIBRATION), "ece", *CALIBRATION)
"""`ece` stands for calibration as a whole: its verdict is that of O:E and slope together, its gap that of the error itself."""
Key = tuple[str, str, str]  # model, attribute, metric


class Claims:
    """The families of one audit, made when a claim is first asked for."""

    def __init__(self, options: AuditOptions) -> None:
        self.options = options
        self._audits: tuple[tuple[ModelAudit, ...], ...] = ()

    def hold(self, models: tuple[ModelAudit, ...]) -> None:
        """Models that are looked at together with those held already; models of one call judge the same samples.

        They are held in the order of their names, so that the simulated corrections are the same in whatever order models and attributes come.
        """
        audits = (*self._audits, tuple(sorted(models, key=lambda model: model.model)))
        self._audits = tuple(sorted(audits, key=lambda held: held[0].model if held else ""))

    def primary(self, attribute: AttributeAudit, metric: str) -> bool:
        """Whether the tests of this metric by this attribute were declared."""
        declared = self.options.primary_metrics
        if attribute.grouping.depth > 1 or not (metric in declared or (metric in CALIBRATION and "ece" in declared)):
            return False
        return not self.options.primary_attributes or attribute.name in self.options.primary_attributes

    def tests(self, attribute: AttributeAudit) -> tuple[PairTest, ...]:
        return tuple(test for metric in TESTED for test in self.of(attribute, metric))

    def of(self, attribute: AttributeAudit, metric: str) -> tuple[PairTest, ...]:
        """The corrected tests of one metric by one attribute."""
        family = self._primary if self.primary(attribute, metric) else self._exploratory
        return family.get((attribute.model, attribute.name, metric), ())

    def verdicts(self, attribute: AttributeAudit) -> tuple[Verdict, ...]:
        return tuple(self.verdict(attribute, metric) for metric in VERDICT_METRICS)

    def primary_verdicts(self, attribute: AttributeAudit) -> tuple[Verdict, ...]:
        """The verdicts of the declared metrics, which need nothing exploratory."""
        return tuple(self.verdict(attribute, metric) for metric in VERDICT_METRICS if self.primary(attribute, metric))

    def verdict(self, attribute: AttributeAudit, metric: str) -> Verdict:
        primary = self.primary(attribute, metric)
        if not attribute.groups:
            return not_comparable(metric, primary)
        if metric == "ece":
            return calibration_verdict(attribute, [self.verdict(attribute, part) for part in CALIBRATION], primary)
        return judge(attribute, metric, self.of(attribute, metric), self._bound(attribute, metric), primary)

    def against_rest(self, model: str) -> tuple[RestTest, ...]:
        return self._rest[model]

    @cached_property
    def family_size(self) -> int:
        """Tests in the primary family."""
        return sum(int(np.isfinite(found.p).sum()) for _, _, found in self._members(primary=True))

    @cached_property
    def _rest(self) -> dict[str, tuple[RestTest, ...]]:
        return {
            model.model: correct_all([test for a in model.attributes for test in against_rest(a)], self.options) for models in self._audits for model in models
        }

    def plan(self, attribute: AttributeAudit, metric: str) -> tuple[float | None, float | None]:
        """(tolerance, marginal level of one test) that the verdict of a metric is decided at, for planning; None for the usual."""
        tolerance = self._bound(attribute, metric).value
        return tolerance, self._correction.marginal if self.primary(attribute, metric) else None

    def _bound(self, attribute: AttributeAudit, metric: str) -> Bound:
        model = next(m for models in self._audits for m in models if any(attribute is own for own in m.attributes))
        return tolerance_bound(metric, model, attribute.options)

    @cached_property
    def _correction(self) -> MaxT:
        members = list(self._members(primary=True))
        return step_down_max_t(_joined(members), self._loadings(members), self.options.alpha)

    @cached_property
    def _primary(self) -> dict[Key, tuple[PairTest, ...]]:
        return _split(list(self._members(primary=True)), self._correction, self.options.alpha)

    @cached_property
    def _exploratory(self) -> dict[Key, tuple[PairTest, ...]]:
        members, alpha = list(self._members(primary=False)), self.options.alpha
        p = _joined(members)
        adjusted = benjamini_hochberg(p)
        tested = max(int(np.isfinite(p).sum()), 1)
        return _split(members, MaxT(adjusted, alpha * max(int((adjusted < alpha).sum()), 1) / tested), alpha)

    def _members(self, primary: bool) -> Iterator[tuple[int, AttributeAudit, Comparisons]]:
        """(place of the audit, attribute, its comparisons by one metric) of everything in a family."""
        for place, models in enumerate(self._audits):
            for attribute in (a for m in models for a in sorted(m.attributes, key=lambda own: own.name)):
                for metric in TESTED:
                    if self.primary(attribute, metric) == primary and (found := comparisons(attribute, metric)) is not None:
                        yield place, attribute, found

    def _loadings(self, members: list[tuple[int, AttributeAudit, Comparisons]]) -> np.ndarray | None:
        """Loadings of all tests on independent factors, audits of other samples on factors of their own; None where unknown."""
        blocks = []
        for place in dict.fromkeys(place for place, _, _ in members):
            joint = [found.joint for own, _, found in members if own == place]
            if any(one is None for one in joint):
                return None
            blocks.append(loadings([one for one in joint if one is not None]))
        if not blocks:
            return None
        result = np.zeros((sum(b.shape[0] for b in blocks), sum(b.shape[1] for b in blocks)))
        row = column = 0
        for block in blocks:
            result[row : row + block.shape[0], column : column + block.shape[1]] = block
            row, column = row + block.shape[0], column + block.shape[1]
        return result


def _joined(members: list[tuple[int, AttributeAudit, Comparisons]]) -> np.ndarray:
    return np.concatenate([found.p for _, _, found in members]) if members else np.zeros(0)


def _split(members: list[tuple[int, AttributeAudit, Comparisons]], corrected: MaxT, alpha: float) -> dict[Key, tuple[PairTest, ...]]:
    """Corrected tests by the metric and attribute that they belong to."""
    result, start = {}, 0
    for _, attribute, found in members:
        own = corrected.adjusted[start : start + found.p.size]
        start += found.p.size
        result[attribute.model, attribute.name, found.metric] = found.tests(own, corrected.marginal, alpha)
    return result
