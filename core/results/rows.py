"""Predictions of finished runs beside a sensitive attribute, and per-run results kept in the store's cache."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial
from typing import Any
from weakref import WeakKeyDictionary

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from core.audit.input.predictions import Attribute, Predictions
from core.audit.options import AuditOptions
from core.store import Store

VERSION = "9"
"""Part of every cache key: raise it when a table changes its meaning."""

OPTIONS = AuditOptions(missing="exclude", bootstrap=0, permutations=0)
"""What pages audit with: the audit's own guards and tolerance, at the threshold of .5."""

MOST_KEPT = 512
"""Tables kept in memory beside the store's cache; the widest has some thousand rows."""


@dataclass(frozen=True)
class Rows:
    """Rows of one run and split beside one attribute, in the cohort's row order.

    y : (n,) 0/1; score : (n,); code : (n,) index into `groups`, -1 where unknown;
    patient : (n,) codes where a patient has several samples, else None; sample : (n,) ids.
    """

    y: NDArray[np.int8]
    score: NDArray[np.float64]
    code: NDArray[np.int64]
    groups: tuple[str, ...]
    patient: NDArray[np.int64] | None
    sample: NDArray[np.object_]

    def take(self, chosen: NDArray[np.bool_]) -> Rows:
        """The rows where `chosen` is true."""
        patient = None if self.patient is None else self.patient[chosen]
        return Rows(self.y[chosen], self.score[chosen], self.code[chosen], self.groups, patient, self.sample[chosen])

    def predictions(self, attribute: str, model: str = "model") -> Predictions:
        """The same as the audit's input; a group without a row keeps its place."""
        return Predictions(
            sample_id=self.sample, y=self.y, scores={model: self.score}, attributes={attribute: Attribute(self.groups, self.code)}, patient=self.patient, source=model
        )


def cohort_of(store: Store, run_id: str) -> str:
    """The cohort that a run was trained on. Raises KeyError for an unknown run."""
    return str(store.folder(run_id).read_spec()["spec"]["cohort_id"])


def group_names(store: Store, cohort_id: str, attribute: str) -> tuple[str, ...]:
    """All groups of the attribute in the whole cohort, sorted: the fixed order of tables and colours."""
    return group_codes(store, cohort_id, attribute)[0]


def group_codes(store: Store, cohort_id: str, attribute: str) -> tuple[tuple[str, ...], pd.Series]:
    """(`group_names`, index of each sample's group by sample id; -1 where unknown). A cohort never changes."""

    def compute() -> tuple[tuple[str, ...], pd.Series]:
        frame = store.attributes(cohort_id, attribute)
        groups = tuple(sorted(map(str, frame["value"].dropna().unique())))
        codes = pd.Categorical(frame["value"], categories=list(groups)).codes.astype(np.int64)
        return groups, pd.Series(codes, index=frame["sample_id"].to_numpy())

    return kept(store, ("groups", cohort_id, attribute), compute)  # type: ignore[no-any-return]


def rows_of(store: Store, run_id: str, attribute: str | None, split: str = "test") -> Rows:
    """Scored rows of one run and split beside the attribute."""
    frame = store.predictions(run_id, split)
    frame = frame[frame["score"].notna() & frame["y"].notna()].reset_index(drop=True)
    groups: tuple[str, ...] = ()
    code = np.full(len(frame), -1, dtype=np.int64)
    if attribute is not None:
        cohort_id = cohort_of(store, run_id)
        groups, codes = group_codes(store, cohort_id, attribute)
        code = codes.reindex(frame["sample_id"], fill_value=-1).to_numpy(dtype=np.int64)
    patient, _ = pd.factorize(frame["patient_id"])
    repeated = np.unique(patient).size < patient.size
    return Rows(
        y=frame["y"].to_numpy(dtype=np.int8), score=frame["score"].to_numpy(dtype=np.float64), code=code, groups=groups,
        patient=patient.astype(np.int64) if repeated else None, sample=frame["sample_id"].to_numpy(dtype=object),
    )  # fmt: skip


def cached(store: Store, kind: str, run_ids: Iterable[str], key: str, compute: Callable[[], Any]) -> Any:
    """A JSON value about one or several runs, computed again when any of their predictions change."""
    return store.cached(f"view-{kind}", run_key(store, run_ids, key), compute)


def run_key(store: Store, run_ids: Iterable[str], key: str) -> str:
    return "|".join([VERSION, key, *(f"{run_id}@{store.mark(run_id)}" for run_id in run_ids)])


def per_run(store: Store, kind: str, run_ids: Iterable[str], key: str, compute: Callable[[str], list[dict[str, Any]]]) -> pd.DataFrame:
    """One tidy table of several runs, each run's rows from the cache or computed now.

    `compute` returns JSON-ready rows (missing values as None) without `run_id`.
    """
    keys = {run_id: run_key(store, [run_id], key) for run_id in run_ids}

    def table() -> pd.DataFrame:
        found = store.cached_among(f"view-{kind}", keys.values())
        rows = {run_id: found[own] if own in found else store.cached(f"view-{kind}", own, partial(compute, run_id)) for run_id, own in keys.items()}
        return pd.DataFrame([{"run_id": run_id, **row} for run_id, part in rows.items() for row in part])

    # A shallow copy: what a caller adds or assigns stays with it.
    return kept(store, (kind, *keys.values()), table).copy(deep=False)  # type: ignore[no-any-return]


_memory: WeakKeyDictionary[Store, OrderedDict[tuple[str, ...], Any]] = WeakKeyDictionary()
_lock = threading.Lock()


def kept(store: Store, key: tuple[str, ...], compute: Callable[[], Any]) -> Any:
    """A value that this process made before from the same key, or makes now: the last MOST_KEPT of a store.

    It is shared: nobody may write into it.
    """
    with _lock:
        memory = _memory.setdefault(store, OrderedDict())
        if key in memory:
            memory.move_to_end(key)
            return memory[key]
    value = compute()
    with _lock:
        memory[key] = value
        while len(memory) > MOST_KEPT:
            memory.popitem(last=False)
    return value


def number(value: float | None) -> float | None:
    """None for NaN, which JSON does not know."""
    return None if value is None or not np.isfinite(value) else float(value)
