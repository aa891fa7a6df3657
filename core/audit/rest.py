"""Every group against all others together, corrected over everything an audit tested.

This is the volcano plot's table: effect against evidence for all groups of all attributes and
intersections. The AUC is tested by studentized permutation (Janssen 1997), which stays valid when the
groups' variances differ; rates by the pooled score test.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr

from core.audit.estimates import MetricTable, auc_table, rate_tables
from core.audit.options import AuditOptions
from core.audit.pairwise import PairTest, compare_groups
from core.audit.scored import Scored
from core.metrics.corrections import adjust
from core.metrics.permutation import AucNull

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


def against_rest(
    data: Scored, codes: Ints, groups: Sequence[str], attribute: str, tables: Mapping[str, MetricTable], null: AucNull | None, options: AuditOptions
) -> list[RestTest]:
    """Tests of all judged groups of one attribute, not yet corrected."""
    count = len(groups)
    if count < 2:
        return []
    size = np.bincount(codes[codes >= 0], minlength=count)
    found = []
    for g in range(count):
        sides = np.where(codes < 0, -1, np.where(codes == g, 0, 1))
        found += [
            RestTest(attribute, groups[g], test.metric, int(size[g]), test.difference, test.p, None, test.method)
            for test in _sides(data, sides, tables, g, options, with_auc=null is None)
        ]
        if null is not None and tables["auc"].judged[g]:
            found.append(_permuted(null, attribute, groups[g], g, int(size[g])))
    return found


def _sides(data: Scored, sides: Ints, tables: Mapping[str, MetricTable], g: int, options: AuditOptions, with_auc: bool) -> Iterator[PairTest]:
    pair = {table.metric: table for table in rate_tables(data, sides, 2, (None, None), options, METRICS[1:])}
    if with_auc:
        pair["auc"] = auc_table(data, sides, 2, (None, None), options)
    for name, table in pair.items():
        if tables[name].judged[g] and table.judged.all():
            yield compare_groups(table, 0, 1)


def _permuted(null: AucNull, attribute: str, group: str, g: int, size: int) -> RestTest:
    tests = null.one_vs_rest
    p, z = float(tests.p[g]), float(tests.z[g])
    if np.isfinite(p) and p <= 1.5 / (1 + null.max_gap.permutations):
        # No permutation came near: below their resolution the normal tail goes on.
        p = min(p, 2 * float(ndtr(-abs(z))))
    return RestTest(attribute, group, "auc", size, float(tests.difference[g]), p if np.isfinite(p) else None, None, "studentized permutation")


def correct_all(tests: Sequence[RestTest], options: AuditOptions) -> tuple[RestTest, ...]:
    """Benjamini-Hochberg over every test of a model; marks the groups worth a look."""
    p = np.array([np.nan if test.p is None else test.p for test in tests])
    adjusted = adjust(p, "bh")
    marked = (
        replace(test, p_adjusted=float(q) if np.isfinite(q) else None, worth_a_look=bool(q < options.alpha and abs(test.difference) >= options.tolerance_of(test.metric)))
        for test, q in zip(tests, adjusted, strict=True)
    )
    return tuple(sorted(marked, key=lambda t: (2.0 if t.p is None else t.p, -abs(t.difference))))
