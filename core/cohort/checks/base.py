"""What a check is: an object with a code and a title that looks at a cohort and says what it found."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import ClassVar, Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from core.cohort.classes import class_codes
from core.cohort.patients import same_patients
from core.cohort.schema import Finding, Roles, Severity
from core.tables.labels import LabelRule, apply_rule, distinct, stated_rule

Outcome = Literal["passed", "failed", "not applicable"]


@dataclass(frozen=True)
class SetAside:
    """A row that cannot be used, and why."""

    row: int
    """0-based row of the user's table."""
    sample_id: str
    code: str
    """Code of the finding that reports it."""
    reason: str
    column: str | None = None


@dataclass(frozen=True)
class CheckInput:
    """All that checks may look at. Shapes: n rows of the user's table."""

    table: pd.DataFrame
    """Text or None, as `read_table` returns it."""
    roles: Roles
    split: Sequence[str | None] | None = None
    """Per row train/validation/test; None when not made yet."""
    present: Mapping[str, NDArray[np.bool_]] = field(default_factory=dict)
    """Per file modality: which rows have it."""
    digests: Mapping[str, Sequence[str | None]] = field(default_factory=dict)
    """Per file modality: a hash of each row's content; equal hashes are equal content."""
    blank: Mapping[str, NDArray[np.bool_]] = field(default_factory=dict)
    """Per file modality: rows whose pixels are all the same."""
    dark: Mapping[str, NDArray[np.bool_]] = field(default_factory=dict)
    """Per file modality: rows whose pixels are nearly all black."""
    set_aside: Sequence[SetAside] = ()
    labels: pd.Series | None = None
    """The label of every row of the user's table, also of those set aside; None where none is."""

    @cached_property
    def y(self) -> NDArray[np.float64]:
        """1 positive, 0 negative, NaN where the label is missing or uncertain and such rows are set aside."""
        return apply_rule(self.table[self.roles.label], self.label_rule)

    @cached_property
    def codes(self) -> NDArray[np.float64]:
        """Class of each row, NaN where its label is set aside: `y` itself unless the roles tell more than two classes apart."""
        if not self.roles.classes:
            return self.y
        return class_codes(self.table[self.roles.label], self.roles.classes, self.y, self.roles.label)

    @cached_property
    def label_rule(self) -> LabelRule:
        """What the values of the label mean."""
        return stated_rule(self.roles.positive, distinct(self.all_labels.unique()), self.roles.uncertain, self.roles.blank)  # type: ignore[arg-type]

    @property
    def all_labels(self) -> pd.Series:
        """The label column with the rows that are set aside."""
        return self.table[self.roles.label] if self.labels is None else self.labels

    @cached_property
    def patients(self) -> NDArray[np.object_]:
        """Patient of each row; a row without one is a patient of its own. 0007, 7 and 7.0 are one patient (and a finding says so)."""
        own = np.array([f"row {i + 1}" for i in range(len(self.table))], dtype=object)
        if self.roles.patient_id is None:
            return own
        values = self.table[self.roles.patient_id].to_numpy(dtype=object)
        return np.where(pd.isna(values), own, same_patients(values))


@dataclass(frozen=True)
class CheckResult:
    """What came of one check on one cohort."""

    code: str
    title: str
    outcome: Outcome
    reason: str
    """Why it does not apply; what was looked at otherwise."""
    findings: tuple[Finding, ...] = ()


class Check(ABC):
    """One question put to the data. Instances hold no state."""

    code: ClassVar[str]
    title: ClassVar[str]
    """What is looked for, in a few words."""
    severity: ClassVar[Severity]
    remedy: ClassVar[str]

    def applies(self, data: CheckInput) -> str | None:
        """None, or why this check cannot be made on this data."""
        return None

    @abstractmethod
    def find(self, data: CheckInput) -> list[Finding]:
        """All findings; none means passed."""

    def run(self, data: CheckInput) -> CheckResult:
        reason = self.applies(data)
        if reason is not None:
            return CheckResult(self.code, self.title, "not applicable", reason)
        findings = tuple(self.find(data))
        return CheckResult(self.code, self.title, "failed" if findings else "passed", f"{len(data.table)} rows", findings)

    def finding(self, message: str, rows: int, columns: Sequence[str] = (), *, severity: Severity | None = None, remedy: str | None = None) -> Finding:
        return Finding(self.code, severity or self.severity, message, rows, remedy or self.remedy, tuple(columns))


def listed(values: Sequence[str], limit: int = 6) -> str:
    """A few of the values in words."""
    shown = ", ".join(str(v) for v in values[:limit])
    return shown if len(values) <= limit else f"{shown} and {len(values) - limit} more"


def counted(n: int, noun: str) -> str:
    """`1 row`, `2 rows`."""
    return f"{n} {noun}" if n == 1 else f"{n} {noun}s"
