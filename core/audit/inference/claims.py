"""Claims: which differences between groups are more than chance, held to one error rate per family.

Two families. The primary one holds the tests of the declared metrics by the declared attributes (the AUC by every single
attribute, unless said otherwise), under every model that is looked at; the chance of any false claim in it is at most
alpha. Everything else (other metrics, intersections) is exploratory: one family of its own, of whose claims at
most a share of alpha is false on average. The headline, the overview and `--fail-on disparity` speak of the primary family alone.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from core.audit.estimates.calibration_tables import error_tests, judged_error
from core.audit.inference.one_vs_rest import RestTest, against_rest, correct_all
from core.audit.inference.pairwise import TESTED, PairTest, pairwise
from core.audit.inference.summary_uncertainty import permuted_pairs
from core.audit.inference.verdicts import Verdict, judge, not_comparable
from core.audit.options import AuditOptions
from core.metrics.estimate import finite_or_none
from core.metrics.multiple_testing import benjamini_hochberg, holm

if TYPE_CHECKING:
    from core.audit.result import AttributeAudit, ModelAudit

CLAIMED = (*TESTED, "ece")
Key = tuple[str, str, str]  # model, attribute, metric


class Claims:
    """The families of one audit, made when a claim is first asked for."""

    def __init__(self, options: AuditOptions) -> None:
        self.options = options
        self._models: tuple[ModelAudit, ...] = ()

    def hold(self, models: tuple[ModelAudit, ...]) -> None:
        """Models that are looked at together with those held already."""
        self._models += models

    def primary(self, attribute: AttributeAudit, metric: str) -> bool:
        """Whether the tests of this metric by this attribute were declared."""
        if attribute.grouping.depth > 1 or metric not in self.options.primary_metrics:
            return False
        return not self.options.primary_attributes or attribute.name in self.options.primary_attributes

    def tests(self, attribute: AttributeAudit) -> tuple[PairTest, ...]:
        return tuple(test for metric in CLAIMED for test in self.of(attribute, metric))

    def of(self, attribute: AttributeAudit, metric: str) -> tuple[PairTest, ...]:
        """The corrected tests of one metric by one attribute."""
        family = self._primary if self.primary(attribute, metric) else self._exploratory
        return family.get((attribute.model, attribute.name, metric), ())

    def verdicts(self, attribute: AttributeAudit) -> tuple[Verdict, ...]:
        return tuple(self.verdict(attribute, metric) for metric in CLAIMED)

    def verdict(self, attribute: AttributeAudit, metric: str) -> Verdict:
        primary = self.primary(attribute, metric)
        if not attribute.groups:
            return not_comparable(metric, primary)
        table = judged_error(attribute.tables) if metric == "ece" else attribute.tables[metric]
        return judge(table, self.of(attribute, metric), attribute.grouping, attribute.options, primary)

    def against_rest(self, model: str) -> tuple[RestTest, ...]:
        return self._rest[model]

    @cached_property
    def family_size(self) -> int:
        """Tests in the primary family."""
        return sum(test.p is not None for tests in self._primary.values() for test in tests)

    @cached_property
    def _primary(self) -> dict[Key, tuple[PairTest, ...]]:
        return self._corrected(primary=True)

    @cached_property
    def _exploratory(self) -> dict[Key, tuple[PairTest, ...]]:
        return self._corrected(primary=False)

    @cached_property
    def _rest(self) -> dict[str, tuple[RestTest, ...]]:
        return {model.model: correct_all([test for a in model.attributes for test in against_rest(a)], self.options) for model in self._models}

    def _corrected(self, primary: bool) -> dict[Key, tuple[PairTest, ...]]:
        found, untested = {}, 0
        for attribute, metric in self._members(primary):
            tests, comparisons = _uncorrected(attribute, metric)
            found[attribute.model, attribute.name, metric] = tests
            untested += comparisons - len(tests)
        flat = [(key, test) for key, tests in found.items() for test in tests]
        # Comparisons that were chosen away count as tested: no choice among them can outwit the correction.
        p = np.array([np.nan if test.p is None else test.p for _, test in flat] + [1.0] * untested)
        adjusted = holm(p) if primary else benjamini_hochberg(p)
        result: dict[Key, list[PairTest]] = {key: [] for key in found}
        for (key, test), q in zip(flat, adjusted, strict=False):
            result[key].append(replace(test, p_adjusted=finite_or_none(q)))
        return {key: tuple(tests) for key, tests in result.items()}

    def _members(self, primary: bool) -> Iterator[tuple[AttributeAudit, str]]:
        return ((a, metric) for m in self._models for a in m.attributes for metric in CLAIMED if self.primary(a, metric) == primary)


def _uncorrected(attribute: AttributeAudit, metric: str) -> tuple[tuple[PairTest, ...], int]:
    """The tests of one metric by one attribute as they stand alone, and how many comparisons they stand for."""
    grouping, options = attribute.grouping, attribute.options
    wanted = options.reference.get(grouping.name)
    reference = grouping.groups.index(wanted) if wanted in grouping.groups else None
    if metric == "ece":
        return error_tests(attribute.data, grouping.codes, len(grouping.groups), attribute.tables, options, reference)
    permuted = None
    if metric == "auc" and grouping.depth == 1:
        permuted = permuted_pairs(attribute.data, grouping.codes, attribute.counts, attribute.tables["auc"], options, reference)
    return pairwise(attribute.tables[metric], permuted, reference)
