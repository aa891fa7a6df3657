"""What an audit finds. Every part is computed when it is first asked for, and then kept: a page pays for what it shows."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from core.audit.estimates.calibration_tables import CALIBRATION_METRICS, calibration_tables
from core.audit.estimates.cross_group_table import CrossGroupTable, cross_group_table
from core.audit.estimates.group_estimates import (
    GroupCounts,
    MetricTable,
    auc_table,
    group_counts,
    mean_tables,
    rate_tables,
)
from core.audit.estimates.grouping import Grouping
from core.audit.estimates.operating_point import OperatingPoint
from core.audit.estimates.precision_tables import PRECISION_METRICS, precision_tables
from core.audit.estimates.scored import Scored
from core.audit.estimates.summaries import Summary, point_summaries
from core.audit.inference.one_vs_rest import RestTest
from core.audit.inference.pairwise import MAX_PAIRED_GROUPS, PairTest
from core.audit.inference.power import METRICS as PLANNED_METRICS
from core.audit.inference.power import Power, power
from core.audit.inference.summary_uncertainty import judged_of, summary_uncertainty, with_uncertainty
from core.audit.inference.verdicts import DISPARITY, Verdict
from core.audit.input.origin import Origin
from core.audit.input.predictions import AuditFinding
from core.audit.options import AuditOptions
from core.metrics.auc import auc
from core.metrics.catalogue import RATE_METRICS

if TYPE_CHECKING:
    from core.audit.comparison.compare_models import Comparison
    from core.audit.estimates.curves import Curves
    from core.audit.inference.claims import Claims

TableMaker = Callable[..., list[MetricTable]]
MEANS = ("brier", "net_benefit")
NO_GROUPS = "no group has enough rows"


class Tables(Mapping[str, MetricTable]):
    """Metric -> its table in the groups of one grouping; a table is made when it is first looked up."""

    MAKERS: tuple[tuple[tuple[str, ...], TableMaker], ...] = (
        (("auc",), lambda *known: [auc_table(*known)]),
        (RATE_METRICS, rate_tables),
        (MEANS, mean_tables),
        (PRECISION_METRICS, precision_tables),
        (CALIBRATION_METRICS, calibration_tables),
    )

    def __init__(self, data: Scored, codes: np.ndarray, groups: tuple[str, ...], counts: GroupCounts, options: AuditOptions) -> None:
        self._known = (data, codes, len(groups), counts.too_few(options), options)
        self._made: dict[str, MetricTable] = {}

    def __getitem__(self, metric: str) -> MetricTable:
        if metric not in self._made:
            make = next((make for names, make in self.MAKERS if metric in names), None)
            if make is None:
                raise KeyError(metric)
            self._made |= {table.metric: table for table in self._tables(metric, make)}
        return self._made[metric]

    def _tables(self, metric: str, make: TableMaker) -> list[MetricTable]:
        count = self._known[2]
        if count == 0:
            return [MetricTable.undefined(metric, 0, NO_GROUPS)]
        return make(*self._known)

    def __iter__(self) -> Iterator[str]:
        return (name for names, _ in self.MAKERS for name in names)

    def __len__(self) -> int:
        return sum(len(names) for names, _ in self.MAKERS)


@dataclass(frozen=True, eq=False)
class AttributeAudit:
    """One attribute or intersection under one model.

    data : the model's scores and decisions at `point`. claims : the families to which its tests belong.
    """

    model: str
    grouping: Grouping
    data: Scored
    point: OperatingPoint
    options: AuditOptions
    claims: Claims = field(repr=False)

    @property
    def name(self) -> str:
        return self.grouping.name

    @property
    def groups(self) -> tuple[str, ...]:
        return self.grouping.groups

    @cached_property
    def counts(self) -> GroupCounts:
        return group_counts(self.data, self.grouping.codes, len(self.groups))

    @cached_property
    def tables(self) -> Tables:
        return Tables(self.data, self.grouping.codes, self.groups, self.counts, self.options)

    @cached_property
    def overall_auc(self) -> float:
        """AUC of the rows that the grouping covers: what the group AUCs are set against in ES-AUC."""
        inside = self.grouping.codes >= 0
        weight = None if self.data.weight is None else self.data.weight[inside]
        return auc(self.data.y[inside], self.data.score[inside], weight) if inside.any() else float("nan")

    @cached_property
    def point_summaries(self) -> tuple[Summary, ...]:
        """Every summary over groups as a value alone."""
        return point_summaries(self.overall_auc, self.tables, self.groups, self.counts)

    @cached_property
    def summaries(self) -> tuple[Summary, ...]:
        """Every summary over groups, with its interval and its null."""
        found = summary_uncertainty(self.data, self.grouping.codes, len(self.groups), judged_of(self.tables), 1 - self.options.alpha)
        return with_uncertainty(self.point_summaries, found)

    def summary(self, metric: str) -> Summary:
        return next(s for s in self.summaries if s.metric == metric)

    @property
    def tests(self) -> tuple[PairTest, ...]:
        """Differences between groups, corrected within the family that each belongs to."""
        return self.claims.tests(self)

    @property
    def verdicts(self) -> tuple[Verdict, ...]:
        return self.claims.verdicts(self)

    def verdict(self, metric: str) -> Verdict:
        return next(v for v in self.verdicts if v.metric == metric)

    @cached_property
    def power(self) -> tuple[Power, ...]:
        if self.grouping.depth > 1:
            return ()
        return tuple(
            row
            for name in PLANNED_METRICS
            for row in power(self.tables[name], self.tables[name].estimates, self.counts, self.groups, self.options, *self.claims.plan(self, name))
        )

    @cached_property
    def cross_group(self) -> CrossGroupTable | None:
        if self.grouping.depth > 1 or not 0 < len(self.groups) <= MAX_PAIRED_GROUPS:
            return None
        return cross_group_table(self.data, self.grouping.codes, self.tables["auc"], self.options)

    @cached_property
    def curves(self) -> Curves | None:
        """Reliability, decision and threshold curves; of single attributes."""
        if not self.groups or self.grouping.depth > 1:
            return None
        from core.audit.estimates.curves import (
            curves,  # draws in pandas, which an audit without curves need not wait for
        )

        return curves(self.data, self.grouping.codes, self.groups, self.counts.too_few(self.options), self.options)


@dataclass(frozen=True, eq=False)
class ModelAudit:
    """One model: everybody together (tables with one group), then each attribute."""

    model: str
    data: Scored
    point: OperatingPoint
    options: AuditOptions
    attributes: tuple[AttributeAudit, ...]
    claims: Claims = field(repr=False)

    @cached_property
    def counts(self) -> GroupCounts:
        return group_counts(self.data, self._everybody, 1)

    @cached_property
    def tables(self) -> Tables:
        return Tables(self.data, self._everybody, (self.model,), self.counts, self.options)

    @property
    def _everybody(self) -> np.ndarray:
        return np.zeros(self.data.y.size, dtype=np.int64)

    @property
    def against_rest(self) -> tuple[RestTest, ...]:
        """Every group against all others together, strongest evidence first."""
        return self.claims.against_rest(self.model)

    def attribute(self, name: str) -> AttributeAudit:
        return next(a for a in self.attributes if a.name == name)


@dataclass(frozen=True, eq=False)
class Audit:
    """The whole audit. `to_dict` is the document that pages, reports and the command line read."""

    source: str
    n: int
    n_patients: int | None
    options: AuditOptions
    models: tuple[ModelAudit, ...]
    claims: Claims = field(repr=False)
    findings: tuple[AuditFinding, ...] = ()
    comparisons: tuple[Comparison, ...] = ()
    origin: Origin = field(default_factory=Origin)

    def model(self, name: str | None = None) -> ModelAudit:
        """The model of that name, the first one if none is given."""
        return self.models[0] if name is None else next(m for m in self.models if m.model == name)

    @property
    def has_disparity(self) -> bool:
        """Whether the primary family holds a disparity: what `--fail-on disparity` and the headline speak of."""
        return any(verdict.verdict == DISPARITY for m in self.models for a in m.attributes for verdict in self.claims.primary_verdicts(a))

    def to_dict(self, progress: Callable[[float, str], None] | None = None) -> dict[str, Any]:
        """`progress` is told the share that is done, from 0 to 1, and what comes next."""
        from core.audit.output.document import document

        return document(self, progress)
