"""Every group against all others together, corrected over everything an audit tested.

This is the volcano plot's table: effect against evidence for all groups of all attributes and intersections. The test of
a group against the rest is that of two groups (core.metrics.comparisons); of an attribute of two groups it is the test of the pair, listed once.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from core.audit.estimates.group_estimates import auc_table, rate_tables
from core.audit.options import AuditOptions
from core.metrics.comparisons import METHOD, compare_pairs
from core.metrics.estimate import finite_or_none
from core.metrics.multiple_testing import benjamini_hochberg

if TYPE_CHECKING:
    from core.audit.result import AttributeAudit

METRICS = ("auc", "tpr", "fpr", "selection_rate")


@dataclass(frozen=True)
class RestTest:
    """`difference` is the group's value minus that of all other groups of the attribute together."""

    attribute: str
    group: str
    metric: str
    n: int
    difference: float
    p: float | None
    p_adjusted: float | None
    method: str
    worth_a_look: bool = False


def against_rest(found: AttributeAudit) -> list[RestTest]:
    """Tests of all judged groups of one attribute, not yet corrected; of two groups the first stands for both."""
    count = len(found.groups)
    listed = () if count < 2 else range(1) if count == 2 else range(count)
    return [test for g in listed for test in _group(found, g)]


def _group(found: AttributeAudit, g: int) -> list[RestTest]:
    """One group and the rest as two groups of their own."""
    codes, data, none = found.grouping.codes, found.data, (None, None)
    if not any(found.tables[name].judged[g] for name in METRICS):
        return []
    sides = np.where(codes < 0, -1, np.where(codes == g, 0, 1))
    tables = [auc_table(data, sides, 2, none, found.options), *rate_tables(data, sides, 2, none, found.options, METRICS[1:])]
    tests = []
    for table in tables:
        if table.estimates is None or not (found.tables[table.metric].judged[g] and table.judged.all()):
            continue
        pair = compare_pairs(table.estimates, [(0, 1)])
        n = int(found.counts.n[g])
        tests.append(RestTest(found.name, found.groups[g], table.metric, n, float(pair.difference[0]), finite_or_none(pair.p[0]), None, METHOD))
    return tests


def correct_all(tests: Sequence[RestTest], options: AuditOptions) -> tuple[RestTest, ...]:
    """Benjamini-Hochberg over every test of a model; marks the groups worth a look."""
    p = np.array([np.nan if test.p is None else test.p for test in tests])
    adjusted = benjamini_hochberg(p)
    marked = (
        replace(test, p_adjusted=finite_or_none(q), worth_a_look=bool(q < options.alpha and abs(test.difference) >= options.tolerance_of(test.metric)))
        for test, q in zip(tests, adjusted, strict=True)
    )
    return tuple(sorted(marked, key=lambda t: (2.0 if t.p is None else t.p, -abs(t.difference))))
