"""How long runs will take, from runs that were made before on the same cohort."""

from __future__ import annotations

import heapq
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from statistics import median
from typing import Any

from core.methods import of_one_modality
from core.runs.folder import described, rank
from core.runs.queue_settings import parallel
from core.runs.spec import RunSpec, canonical_json
from core.workspace import Workspace


@dataclass(frozen=True)
class QueueItem:
    """One run that is running or waits. Seconds are None when nothing like it was run before."""

    run_id: str
    label: str
    status: str
    position: int
    """0: running; 1: next."""
    epoch: int | None
    epochs: int | None
    seconds_left: float | None
    """Until it ends, its waiting included."""
    cancelling: bool


class Pace:
    """Seconds per epoch of finished runs, by what makes runs alike."""

    def __init__(self, workspace: Workspace) -> None:
        self._seen: dict[tuple[str, ...], list[float]] = {}
        for folder, named in described(workspace):
            status = folder.read_status()
            if status["status"] == "done" and status["attempt"] == 1:
                spec = named["spec"]
                seconds = (status["finished"] - status["started"]) / spec["budget"]["epochs"]
                for like in _likes(spec):
                    self._seen.setdefault(like, []).append(seconds)

    def expected(self, spec: Mapping[str, Any]) -> float | None:
        """Seconds for a whole run: from the same method if it was run, else from any method."""
        for like in _likes(spec):
            if like in self._seen:
                return median(self._seen[like]) * int(spec["budget"]["epochs"])
        return None


def expected_seconds(workspace: Workspace, specs: Iterable[RunSpec]) -> list[float | None]:
    """What each run would take on its own; None when there is nothing to go by."""
    pace = Pace(workspace)
    return [pace.expected(spec.to_dict()) for spec in specs]


def queue_state(workspace: Workspace) -> list[QueueItem]:
    """Running and queued runs in order, each with the time until it is done."""
    pace = Pace(workspace)
    running: list[tuple[dict[str, Any], dict[str, Any], bool]] = []
    queued: list[tuple[dict[str, Any], dict[str, Any], bool]] = []
    for folder, named in described(workspace):
        status = folder.read_status()
        if status["status"] in ("running", "queued"):
            (running if status["status"] == "running" else queued).append((status, named, folder.cancel_flag.exists()))
    running.sort(key=lambda item: (item[0]["started"], item[1]["run_id"]))
    queued.sort(key=lambda item: (-rank(item[0]), item[0]["order"], item[1]["run_id"]))
    items = [_item(status, named, flagged, 0, _left(status, named, pace)) for status, named, flagged in running]
    # Places become free as runs end; unknown lengths make everything behind them unknown.
    known = [item.seconds_left for item in items if item.seconds_left is not None]
    free = [0.0] * max(0, parallel(workspace) - len(items)) + known if len(known) == len(items) else []
    for position, (status, named, flagged) in enumerate(queued, start=1):
        length, end = pace.expected(named["spec"]), None
        if free and length is not None:
            heapq.heapify(free)
            end = heapq.heappop(free) + length
            heapq.heappush(free, end)
        else:
            free = []
        items.append(_item(status, named, flagged, position, end))
    return items


def _left(status: Mapping[str, Any], named: Mapping[str, Any], pace: Pace) -> float | None:
    told = status["progress"]["seconds_left"]
    if told is not None:
        return float(told)
    expected = pace.expected(named["spec"])
    return None if expected is None else max(0.0, expected - (time.time() - status["started"]))


def _item(status: Mapping[str, Any], named: Mapping[str, Any], flagged: bool, position: int, left: float | None) -> QueueItem:
    progress = status["progress"]
    return QueueItem(named["run_id"], named["label"], status["status"], position, progress["epoch"], progress["epochs"], left, flagged)


def _likes(spec: Mapping[str, Any]) -> tuple[tuple[str, ...], ...]:
    """From the most to the least alike."""
    alike = (spec["cohort_id"], canonical_json(spec["network"]), str(spec["budget"]["batch_size"]))
    modality = str(spec["settings"].get("modality")) if spec["method"] in of_one_modality() else ""
    return (spec["method"], modality, *alike), alike
