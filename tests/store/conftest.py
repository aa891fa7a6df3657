"""What the cache holds, in an order that does not depend on how it got there."""

from __future__ import annotations

import pandas as pd

from core.store import Store


def contents(store: Store) -> dict[str, pd.DataFrame]:
    """Every frame that the store offers, for all runs."""
    runs = store.runs()
    run_ids = runs["run_id"].tolist()
    cohort_ids = store.cohorts()["cohort_id"].tolist()
    return {
        "runs": runs, "epochs": store.epochs(run_ids), "telemetry": store.telemetry(run_ids), "predictions": store.predictions(run_ids),
        "cohorts": store.cohorts(), "attributes": pd.concat([store.attributes(c) for c in cohort_ids]),
    }  # fmt: skip


def assert_same(one: dict[str, pd.DataFrame], other: dict[str, pd.DataFrame]) -> None:
    assert one.keys() == other.keys()
    for name in one:
        pd.testing.assert_frame_equal(one[name], other[name], obj=name)
