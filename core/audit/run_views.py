"""What the analysis pages show of finished runs: tidy tables on the test split, cached per run.

Every estimate is made by `core.metrics`; here predictions are joined with the sensitive
attribute, results are laid out one row per mark, and kept in the store's cache under the
run, the state of its predictions and the attribute.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from core.metrics.delong import AucCovariance, group_delong
from core.metrics.estimate import Estimate, MinimumCounts, finite_or_none
from core.metrics.intervals import logit_interval
from core.store import Store

VERSION = "1"
"""Part of every cache key: raise it when a table changes its meaning."""

COLUMNS = ("value", "low", "high", "se", "n_pos", "n_neg", "reason")


@dataclass(frozen=True)
class Rows:
    """Test rows of one run beside one attribute, in the cohort's row order.

    y : (n,) 0/1; score : (n,); code : (n,) index into `groups`, -1 where unknown;
    patient : (n,) codes where a patient has several samples, else None; sample : (n,) ids.
    """

    y: NDArray[np.int8]
    score: NDArray[np.float64]
    code: NDArray[np.int64]
    groups: tuple[str, ...]
    patient: NDArray[np.int64] | None
    sample: NDArray[np.object_]

    def of(self, group: int) -> NDArray[np.bool_]:
        return self.code == group


def cohort_of(store: Store, run_id: str) -> str:
    """The cohort that a run was trained on. Raises KeyError for an unknown run."""
    return str(store.folder(run_id).read_spec()["spec"]["cohort_id"])


def group_names(store: Store, cohort_id: str, attribute: str) -> tuple[str, ...]:
    """All groups of the attribute in the whole cohort, sorted: the fixed order of tables and colours."""
    values = store.attributes(cohort_id, attribute)["value"].dropna()
    return tuple(sorted(map(str, values.unique())))


def rows_of(store: Store, run_id: str, attribute: str | None, split: str = "test") -> Rows:
    """Predictions of one run and split beside the attribute."""
    frame = store.predictions(run_id, split)
    frame = frame[frame["score"].notna() & frame["y"].notna()].reset_index(drop=True)
    groups: tuple[str, ...] = ()
    code = np.full(len(frame), -1, dtype=np.int64)
    if attribute is not None:
        cohort_id = cohort_of(store, run_id)
        groups = group_names(store, cohort_id, attribute)
        values = store.attributes(cohort_id, attribute).set_index("sample_id")["value"]
        code = pd.Categorical(frame["sample_id"].map(values), categories=list(groups)).codes.astype(np.int64)
    patient, _ = pd.factorize(frame["patient_id"])
    repeated = patient.size > 0 and np.unique(patient).size < patient.size
    return Rows(
        y=frame["y"].to_numpy(dtype=np.int8), score=frame["score"].to_numpy(dtype=np.float64), code=code, groups=groups,
        patient=patient.astype(np.int64) if repeated else None, sample=frame["sample_id"].to_numpy(dtype=object),
    )  # fmt: skip


def per_run(store: Store, kind: str, run_ids: Iterable[str], key: str, compute: Callable[[str], list[dict[str, Any]]]) -> pd.DataFrame:
    """One tidy table of several runs, each run's part from the cache or computed now.

    `compute` returns JSON-ready rows (missing values as None) without `run_id`.
    """
    parts = []
    for run_id in run_ids:
        rows = store.cached(f"view-{kind}", "|".join((VERSION, run_id, store.mark(run_id), key)), lambda run=run_id: compute(run))
        parts += [{"run_id": run_id, **row} for row in rows]
    return pd.DataFrame(parts)


def record(estimate: Estimate) -> dict[str, Any]:
    """An estimate as columns of a tidy table."""
    return {name: getattr(estimate, name) for name in COLUMNS}


def aucs(y: NDArray[Any], score: NDArray[Any], code: NDArray[np.int64], groups: Sequence[str], patient: NDArray[Any] | None) -> list[tuple[str | None, Estimate]]:
    """The AUC of everybody (group None), then of each group, with intervals."""
    whole = group_delong(y, score, np.zeros(len(y), dtype=np.int64), 1, cluster=patient)
    found: list[tuple[str | None, Estimate]] = [(None, estimates(whole)[0])]
    if groups:
        parts = group_delong(y, score, code, len(groups), cluster=patient)
        found += list(zip(groups, estimates(parts), strict=True))
    return found


def estimates(result: AucCovariance, least: MinimumCounts | None = None) -> list[Estimate]:
    """Each AUC with its logit interval, or the reason why it has none."""
    least = least or MinimumCounts()
    low, high = logit_interval(result.auc, result.se)
    found = []
    for k, value in enumerate(result.auc):
        n_pos, n_neg = int(result.n_pos[k]), int(result.n_neg[k])
        reason = least.lacking(n_pos, n_neg)
        if reason is not None:
            found.append(Estimate.missing(reason, n_pos, n_neg))
            continue
        found.append(Estimate(float(value), finite_or_none(low[k]), finite_or_none(high[k]), finite_or_none(result.se[k]), n_pos, n_neg, None, "delong, logit"))
    return found


def group_performance(store: Store, run_ids: Iterable[str], attribute: str) -> pd.DataFrame:
    """AUC of everybody and of each group on the test split.

    Columns: run_id, group (missing: everybody), value, low, high, se, n_pos, n_neg, reason.
    """

    def compute(run_id: str) -> list[dict[str, Any]]:
        rows = rows_of(store, run_id, attribute)
        return [{"group": group, **record(estimate)} for group, estimate in aucs(rows.y, rows.score, rows.code, rows.groups, rows.patient)]

    return per_run(store, "groups", run_ids, attribute, compute)


def modality_performance(store: Store, run_ids: Iterable[str], attribute: str) -> pd.DataFrame:
    """AUC per group of each modality alone, and of the model with each modality taken away.

    Columns: run_id, kind ("unimodal", "without", or "all": nothing taken away), modality
    (missing for "all"), group (missing: everybody), value, low, high, se, n_pos, n_neg, reason.
    """

    def compute(run_id: str) -> list[dict[str, Any]]:
        rows = rows_of(store, run_id, attribute)
        found = [{"kind": "all", "modality": None, "group": g, **record(e)} for g, e in aucs(rows.y, rows.score, rows.code, rows.groups, rows.patient)]
        scores = store.modality_scores(run_id, "test")
        for (kind, modality), part in scores.groupby(["kind", "modality"], sort=False):
            score = pd.Series(rows.sample).map(part.set_index("sample_id")["score"]).to_numpy(dtype=np.float64)
            known = np.isfinite(score)
            patient = None if rows.patient is None else rows.patient[known]
            found += [
                {"kind": kind, "modality": modality, "group": g, **record(e)}
                for g, e in aucs(rows.y[known], score[known], rows.code[known], rows.groups, patient)
            ]
        return found

    return per_run(store, "modalities", run_ids, attribute, compute)


def availability(store: Store, cohort_id: str, attribute: str, present: NDArray[np.bool_], modalities: Sequence[str]) -> pd.DataFrame:
    """Share of each group that has each modality, with Wilson's interval.

    `present` (n, M) in cohort row order. Columns: modality, group, value, low, high, n.
    """
    from core.metrics.intervals import wilson

    values = store.attributes(cohort_id, attribute)["value"].to_numpy(dtype=object)
    found = []
    for group in group_names(store, cohort_id, attribute):
        chosen = values == group
        for m, modality in enumerate(modalities):
            n, have = int(chosen.sum()), int(present[chosen, m].sum())
            low, high = wilson([have], [n])
            found.append({"modality": modality, "group": group, "value": have / n if n else None, "low": float(low[0]), "high": float(high[0]), "n": n})
    return pd.DataFrame(found)
