"""Predictions of one or several models on the same samples, aligned row by row."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from core.audit.input.origin import Origin
from core.errors import UserError
from core.tables.group_names import group_order

MISSING = "missing"


@dataclass(frozen=True)
class AuditFinding:
    """Something the reader must know before believing a number."""

    code: str
    severity: str
    message: str
    rows: int = 0
    remedy: str = ""

    def to_dict(self) -> dict[str, Any]:
        return {"code": self.code, "severity": self.severity, "message": self.message, "rows": self.rows, "remedy": self.remedy}


@dataclass(frozen=True)
class Attribute:
    """Groups of one sensitive attribute.

    codes : int64 (n,), index into `names`; -1 where the value is missing.
    names : group names in the order of `group_order`; every one that the data had before rows were chosen.
    edges : where a numeric attribute was cut into bands, which then stand in their order; else empty.
    """

    names: tuple[str, ...]
    codes: NDArray[np.int64]
    edges: tuple[float, ...] = ()

    @classmethod
    def of(cls, values: Sequence[Any] | NDArray[Any]) -> Attribute:
        """From one value per row; None, NaN and blank text are missing."""
        import pandas as pd

        codes, uniques = pd.factorize(np.asarray(values, dtype=object), use_na_sentinel=True)
        texts = [_text(value) for value in uniques]
        names = group_order({text for text in texts if text is not None})
        place = {name: index for index, name in enumerate(names)}
        table = np.array([-1 if text is None else place[text] for text in texts] + [-1], dtype=np.int64)
        return cls(names, table[codes])

    @property
    def n_missing(self) -> int:
        return int(np.count_nonzero(self.codes < 0))

    def with_missing_group(self) -> Attribute:
        """Missing values as one more group, last in the order."""
        if not self.n_missing:
            return self
        name = MISSING if MISSING not in self.names else f"({MISSING})"
        return Attribute((*self.names, name), np.where(self.codes < 0, len(self.names), self.codes), self.edges)

    def take(self, rows: NDArray[Any] | slice) -> Attribute:
        """The rows chosen (mask or indices). Groups without a row left keep their place: they are reported as not estimable, not forgotten."""
        return Attribute(self.names, self.codes[rows], self.edges)

    def values(self) -> NDArray[np.object_]:
        return np.array([*self.names, None], dtype=object)[self.codes]


def _text(value: Any) -> str | None:
    if isinstance(value, (float, np.floating)):
        if np.isnan(value):
            return None
        return str(int(value)) if float(value).is_integer() else repr(float(value))
    text = str(value).strip()
    return text or None


@dataclass(frozen=True)
class Predictions:
    """Aligned arrays; row i is the same sample for every model and attribute.

    sample_id : str (n,); y : int8 (n,), 0 or 1.
    scores : model name -> float64 (n,), higher means more likely positive.
    decided : model name -> int8 (n,) predicted labels, for models that give them.
    attributes : name -> Attribute.
    patient : int64 (n,) codes, or None where every row is its own patient.
    weights : float64 (n,) sampling weights, or None.
    split : "train" | "validation" | "test" per row as str (n,), or None.
    origin : what they were read from, where that was recorded.
    """

    sample_id: NDArray[Any]
    y: NDArray[np.int8]
    scores: Mapping[str, NDArray[np.float64]]
    attributes: Mapping[str, Attribute]
    decided: Mapping[str, NDArray[np.int8]] = field(default_factory=dict)
    patient: NDArray[np.int64] | None = None
    weights: NDArray[np.float64] | None = None
    split: NDArray[Any] | None = None
    findings: tuple[AuditFinding, ...] = ()
    source: str = "predictions"
    origin: Origin | None = None

    def __post_init__(self) -> None:
        n = len(self.y)
        columns: dict[str, Any] = {"sample_id": self.sample_id, **{f"score of {k}": v for k, v in self.scores.items()}}
        columns |= {f"prediction of {k}": v for k, v in self.decided.items()}
        columns |= {k: v.codes for k, v in self.attributes.items()}
        columns |= {k: v for k, v in (("patient", self.patient), ("weights", self.weights), ("split", self.split)) if v is not None}
        for name, column in columns.items():
            if len(column) != n:
                raise UserError(f"{self.source}: '{name}' has {len(column)} rows, the labels have {n}")
        if n == 0:
            raise UserError(f"{self.source}: no row is left to audit")
        if not self.scores:
            raise UserError(f"{self.source}: no model to audit")
        if not np.isin(self.y, (0, 1)).all():
            raise UserError(f"{self.source}: labels must be 0 or 1")
        for name, score in self.scores.items():
            if not np.isfinite(score).all():
                raise UserError(f"{self.source}: scores of '{name}' must be finite numbers")
        if self.weights is not None and not (np.isfinite(self.weights).all() and (self.weights >= 0).all() and self.weights.sum() > 0):
            raise UserError(f"{self.source}: weights must be finite, not negative and not all zero")

    @classmethod
    def build(
        cls,
        y: Sequence[int] | NDArray[Any],
        score: Mapping[str, Any] | Sequence[float] | NDArray[Any],
        attributes: Mapping[str, Sequence[Any] | NDArray[Any]],
        *,
        prediction: Mapping[str, Any] | Sequence[int] | NDArray[Any] | None = None,
        sample_id: Sequence[Any] | None = None,
        patient: Sequence[Any] | NDArray[Any] | None = None,
        weights: Sequence[float] | NDArray[Any] | None = None,
        split: Sequence[str] | NDArray[Any] | None = None,
        source: str = "predictions",
        findings: tuple[AuditFinding, ...] = (),
    ) -> Predictions:
        """From plain arrays; `score` is one array or a mapping from model name to array."""
        import pandas as pd

        scores = score if isinstance(score, Mapping) else {"model": score}
        decided = {} if prediction is None else prediction if isinstance(prediction, Mapping) else {"model": prediction}
        labels = np.asarray(y)
        codes = None if patient is None else pd.factorize(np.asarray(patient, dtype=object))[0].astype(np.int64)
        if codes is not None and (codes < 0).any():
            # A row without a patient is nobody else's: it becomes a patient of its own.
            codes = np.where(codes < 0, codes.max() + 1 + np.arange(codes.size), codes)
        return cls(
            sample_id=np.arange(labels.size).astype(str) if sample_id is None else np.asarray(sample_id, dtype=object),
            y=labels.astype(np.int8),
            scores={str(k): np.asarray(v, dtype=np.float64) for k, v in scores.items()},
            attributes={str(k): Attribute.of(np.asarray(v, dtype=object)) for k, v in attributes.items()},
            decided={str(k): np.asarray(v, dtype=np.int8) for k, v in decided.items()},
            patient=codes,
            weights=None if weights is None else np.asarray(weights, dtype=np.float64),
            split=None if split is None else np.asarray(split, dtype=object),
            source=source,
            findings=findings,
        )

    def __len__(self) -> int:
        return len(self.y)

    @property
    def models(self) -> tuple[str, ...]:
        return tuple(self.scores)

    @cached_property
    def clustered(self) -> bool:
        """Some patient has several rows, so rows are not independent."""
        return self.patient is not None and np.unique(self.patient).size < self.patient.size

    @property
    def clusters(self) -> NDArray[np.int64] | None:
        """Patient codes where patients repeat, else None: statistics take the shorter way."""
        return self.patient if self.clustered else None

    def take(self, rows: NDArray[Any]) -> Predictions:
        """The rows chosen, by mask or indices."""

        def cut(column: NDArray[Any] | None) -> NDArray[Any] | None:
            return None if column is None else column[rows]

        return replace(
            self,
            sample_id=self.sample_id[rows],
            y=self.y[rows],
            scores={k: v[rows] for k, v in self.scores.items()},
            decided={k: v[rows] for k, v in self.decided.items()},
            attributes={k: v.take(rows) for k, v in self.attributes.items()},
            patient=cut(self.patient),
            weights=cut(self.weights),
            split=cut(self.split),
        )

    def with_findings(self, *findings: AuditFinding) -> Predictions:
        return replace(self, findings=self.findings + findings)
