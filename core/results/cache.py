"""What is kept, where, and what makes it stale.

In the store (`per_run`, `cached_in_store`): JSON made from runs' predictions. Its key holds VERSION, the kind, what was asked and the fingerprint
of each run's predictions, so it is computed again when any of these changes: a run trained again, a table that means
something else (raise VERSION), another question. In memory (`memoised`): the last MOST_MEMOISED values of this process, under keys that hold the same
fingerprints,
or `Store.revision` where a value depends on all runs of a cohort. Nothing else is kept by this room.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Iterable
from functools import partial
from typing import Any, TypeVar
from weakref import WeakKeyDictionary

import pandas as pd

from core.store import Store

VERSION = "17"
"""Part of every key in the store: raise it when a table changes its meaning."""
MOST_MEMOISED = 512
"""Values kept in memory beside the store's cache; the widest table has some thousand rows."""

Value = TypeVar("Value")
_memory: WeakKeyDictionary[Store, OrderedDict[tuple[str, ...], Any]] = WeakKeyDictionary()
_lock = threading.Lock()


def run_key(store: Store, run_ids: Iterable[str], key: str) -> str:
    """Changes with the predictions of any of the runs."""
    return "|".join([VERSION, key, *(f"{run_id}@{store.predictions_fingerprint(run_id)}" for run_id in run_ids)])


def cached_in_store(store: Store, kind: str, run_ids: Iterable[str], key: str, compute: Callable[[], Any]) -> Any:
    """A JSON value about one or several runs, computed again when any of their predictions change."""
    return store.cached(f"results-{kind}", run_key(store, run_ids, key), compute)


def per_run(store: Store, kind: str, run_ids: Iterable[str], key: str, compute: Callable[[str], list[dict[str, Any]]]) -> pd.DataFrame:
    """One tidy table of several runs, each run's rows from the store or computed now.

    `compute` returns JSON-ready rows (missing values as None) without `run_id`.
    """
    keys = {run_id: run_key(store, [run_id], key) for run_id in run_ids}

    def table() -> pd.DataFrame:
        found = store.cached_among(f"results-{kind}", keys.values())
        rows = {run_id: found[own] if own in found else store.cached(f"results-{kind}", own, partial(compute, run_id)) for run_id, own in keys.items()}
        return pd.DataFrame([{"run_id": run_id, **row} for run_id, part in rows.items() for row in part])

    # A shallow copy: what a caller adds or assigns stays with it.
    return memoised(store, (kind, *keys.values()), table).copy(deep=False)


def memoised(store: Store, key: tuple[str, ...], compute: Callable[[], Value]) -> Value:
    """A value that this process made before from the same key, or makes now.

    It is shared: nobody may write into it.
    """
    with _lock:
        memory = _memory.setdefault(store, OrderedDict())
        if key in memory:
            memory.move_to_end(key)
            found: Value = memory[key]
            return found
    value = compute()
    with _lock:
        memory[key] = value
        while len(memory) > MOST_MEMOISED:
            memory.popitem(last=False)
    return value
