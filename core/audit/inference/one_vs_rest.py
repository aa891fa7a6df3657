"""Every group against all others together, corrected over everything an audit tested.

This is the volcano plot's table: effect against evidence for all groups of all attributes and
intersections. The AUC is tested by studentized permutation (Janssen 1997), which stays valid when the
groups' variances differ; rates by its exact counterpart, summed over all tables with the same margins.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from core.audit.estimates.group_estimates import MetricTable, auc_table, rate_tables
from core.audit.estimates.scored import Scored
from core.audit.inference.pairwise import PERMUTED, PairTest, compare_pairs
from core.audit.inference.summary_uncertainty import auc_null, beyond_resolution
from core.audit.options import AuditOptions
from core.metrics.multiple_testing import adjust
from core.metrics.permutation import AucNull
from core.metrics.rate_tests import one_vs_rest_rates

if TYPE_CHECKING:
    from core.audit.result import AttributeAudit

Ints = NDArray[np.int64]
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
    data, codes, groups, attribute, tables, options = found.data, found.grouping.codes, found.groups, found.name, found.tables, found.options
    count = len(groups)
    if count < 2:
        return []
    tests = _tests(data, codes, groups, attribute, tables, auc_null(data, codes, count, tables["auc"], options), options)
    return [test for test in tests if test.group == groups[0]] if count == 2 else tests


def _tests(
    data: Scored, codes: Ints, groups: Sequence[str], attribute: str, tables: Mapping[str, MetricTable], null: AucNull | None, options: AuditOptions
) -> list[RestTest]:
    count = len(groups)
    size = np.bincount(codes[codes >= 0], minlength=count)
    found = [] if not data.simple else _rates(groups, attribute, size, tables)
    for g in range(count):
        found += [RestTest(attribute, groups[g], test.metric, int(size[g]), test.difference, test.p, None, test.method) for test in _sides(data, codes, tables, g, options, null is None)]
        if null is not None and tables["auc"].judged[g]:
            found.append(_permuted(null, attribute, groups[g], g, int(size[g])))
    return found


def _rates(groups: Sequence[str], attribute: str, size: Ints, tables: Mapping[str, MetricTable]) -> list[RestTest]:
    """All groups' rates at once: of independent rows without weights, counts say everything."""
    found = []
    for name in METRICS[1:]:
        table = tables[name]
        if table.trials is None:
            continue
        tests = one_vs_rest_rates(np.rint(np.nan_to_num(table.value * table.trials)), table.trials)
        judged = np.flatnonzero(table.judged & np.isfinite(tests.p))
        found += [RestTest(attribute, groups[g], name, int(size[g]), float(tests.difference[g]), float(tests.p[g]), None, PERMUTED) for g in judged.tolist()]
    return found


def _sides(data: Scored, codes: Ints, tables: Mapping[str, MetricTable], g: int, options: AuditOptions, with_auc: bool) -> list[PairTest]:
    """The group and the rest as two groups of their own, for whatever has no quicker way."""
    if data.simple and not with_auc:
        return []
    sides = np.where(codes < 0, -1, np.where(codes == g, 0, 1))
    pair = {} if data.simple else {table.metric: table for table in rate_tables(data, sides, 2, (None, None), options, METRICS[1:])}
    if with_auc:
        pair["auc"] = auc_table(data, sides, 2, (None, None), options)
    return [test for name, table in pair.items() if tables[name].judged[g] and table.judged.all() for test in compare_pairs(table, [(0, 1)])]


def _permuted(null: AucNull, attribute: str, group: str, g: int, size: int) -> RestTest:
    tests = null.one_vs_rest
    p, z = float(tests.p[g]), float(tests.z[g])
    p = beyond_resolution(p, z, 1 / (1 + null.max_gap.permutations))
    return RestTest(attribute, group, "auc", size, float(tests.difference[g]), p if np.isfinite(p) else None, None, PERMUTED)


def correct_all(tests: Sequence[RestTest], options: AuditOptions) -> tuple[RestTest, ...]:
    """Benjamini-Hochberg over every test of a model; marks the groups worth a look."""
    p = np.array([np.nan if test.p is None else test.p for test in tests])
    adjusted = adjust(p, "bh")
    marked = (
        replace(test, p_adjusted=float(q) if np.isfinite(q) else None, worth_a_look=bool(q < options.alpha and abs(test.difference) >= options.tolerance_of(test.metric)))
        for test, q in zip(tests, adjusted, strict=True)
    )
    return tuple(sorted(marked, key=lambda t: (2.0 if t.p is None else t.p, -abs(t.difference))))
