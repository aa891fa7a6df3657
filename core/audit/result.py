"""What an audit found, as frozen values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

from core.audit.estimates.group_estimates import GroupCounts, MetricTable
from core.audit.estimates.grouping import Grouping
from core.audit.estimates.operating_point import OperatingPoint
from core.audit.estimates.summaries import Summary
from core.audit.inference.one_vs_rest import RestTest
from core.audit.inference.pairwise import PairTest
from core.audit.inference.power import Power
from core.audit.inference.verdicts import DISPARITY, Verdict
from core.audit.input.origin import Origin
from core.audit.input.predictions import AuditFinding
from core.audit.options import AuditOptions

if TYPE_CHECKING:
    import pandas as pd

    from core.audit.comparison.compare_models import Comparison
    from core.audit.estimates.curves import Curves
    from core.metrics.cross_group import CrossGroup


@dataclass(frozen=True)
class AttributeAudit:
    """One attribute or intersection under one model."""

    grouping: Grouping
    point: OperatingPoint
    counts: GroupCounts
    tables: Mapping[str, MetricTable]
    tests: tuple[PairTest, ...]
    summaries: tuple[Summary, ...]
    verdicts: tuple[Verdict, ...]
    power: tuple[Power, ...] = ()
    cross_group: CrossGroup | None = None
    curves: Curves | None = None

    @property
    def name(self) -> str:
        return self.grouping.name

    def summary(self, metric: str) -> Summary:
        return next(s for s in self.summaries if s.metric == metric)


@dataclass(frozen=True)
class ModelAudit:
    """One model: everybody together (tables with one group), then each attribute."""

    model: str
    point: OperatingPoint
    counts: GroupCounts
    tables: Mapping[str, MetricTable]
    attributes: tuple[AttributeAudit, ...]
    against_rest: tuple[RestTest, ...] = ()

    def attribute(self, name: str) -> AttributeAudit:
        return next(a for a in self.attributes if a.name == name)


@dataclass(frozen=True)
class Audit:
    """The whole audit. `to_dict` is the command line's document, the frames are tidy tables of the same."""

    source: str
    n: int
    n_patients: int | None
    options: AuditOptions
    models: tuple[ModelAudit, ...]
    findings: tuple[AuditFinding, ...] = ()
    comparisons: tuple[Comparison, ...] = ()
    origin: Origin = field(default_factory=Origin)

    def model(self, name: str | None = None) -> ModelAudit:
        """The model of that name, the first one if none is given."""
        return self.models[0] if name is None else next(m for m in self.models if m.model == name)

    @property
    def has_disparity(self) -> bool:
        return any(v.verdict == DISPARITY for m in self.models for a in m.attributes for v in a.verdicts)

    def to_dict(self) -> dict[str, Any]:
        from core.audit.output.document import document

        return document(self)

    @cached_property
    def groups(self) -> pd.DataFrame:
        from core.audit.output.data_frames import groups_frame

        return groups_frame(self)

    @cached_property
    def tests(self) -> pd.DataFrame:
        from core.audit.output.data_frames import tests_frame

        return tests_frame(self)

    @cached_property
    def summaries(self) -> pd.DataFrame:
        from core.audit.output.data_frames import summaries_frame

        return summaries_frame(self)

    @cached_property
    def verdicts(self) -> pd.DataFrame:
        from core.audit.output.data_frames import verdicts_frame

        return verdicts_frame(self)

    @cached_property
    def volcano(self) -> pd.DataFrame:
        from core.audit.output.data_frames import volcano_frame

        return volcano_frame(self)

    @cached_property
    def power(self) -> pd.DataFrame:
        from core.audit.output.data_frames import power_frame

        return power_frame(self)

    def matrix(self, model: str | None = None) -> pd.DataFrame:
        """Verdicts by attribute and metric, with a column `evidence` to sort by."""
        from core.audit.output.data_frames import matrix_frame

        return matrix_frame(self, model)
