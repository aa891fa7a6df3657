"""Every run of a workspace as a row, straight from the small files of the run folders."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from core.cohort_folders import damage_by_cohort
from core.runs.folder import described
from core.workspace import Workspace


def list_runs(workspace: Workspace) -> list[dict[str, Any]]:
    """One row per readable run, in the order in which they were asked for; fields as in `run_row`.

    A done run whose predictions are missing or cut off, or whose cohort is damaged, is shown as failed, with the remedy.
    """
    rows, cohorts = [], damage_by_cohort(workspace)
    for folder, named in described(workspace):
        row = run_row(named, folder.read_status())
        if row["status"] == "done" and not folder.has_predictions():
            row |= {"status": "failed", "reason": f"damaged: predictions.parquet is missing or cut off; {folder.remedy()}"}
        elif row["status"] == "done" and row["cohort_id"] in cohorts:
            row |= {"status": "failed", "reason": str(cohorts[row["cohort_id"]])}
        rows.append(row)
    return sorted(rows, key=lambda row: (row["created"], row["run_id"]))


def run_row(named: Mapping[str, Any], status: Mapping[str, Any]) -> dict[str, Any]:
    """A run's fields from the content of its spec.json and status.json; times are naive UTC."""
    spec = named["spec"]
    progress = status["progress"]
    started, finished = status["started"], status["finished"]
    return {
        **{name: named[name] for name in ("run_id", "key", "label", "family")},
        **{name: spec.get(name) for name in ("cohort_id", "method", "attribute", "seed", "preset", "fold")},
        **{name: json.dumps(spec.get(name) or {}, sort_keys=True, ensure_ascii=False) for name in ("settings", "network", "budget")},
        **{name: status.get(name) for name in ("status", "reason", "device", "attempt", "order")},
        **{name: progress.get(name) for name in ("epoch", "epochs", "seconds_left")},
        "alerts": "\n".join(alerts_of(status)),
        "created": utc(status["created"]),
        "started": utc(started),
        "finished": utc(finished),
        "seconds": finished - started if finished is not None and started is not None else None,
    }


def alerts_of(status: Mapping[str, Any]) -> list[str]:
    """What the training has warned of, a sentence each; none in a run of an earlier version."""
    found = status.get("alerts")
    return [str(message) for message in found] if isinstance(found, list) else []


def utc(seconds: float | None) -> datetime | None:
    """Unix seconds as naive UTC."""
    return None if seconds is None else datetime.fromtimestamp(seconds, UTC).replace(tzinfo=None)
