"""What a run is, its folder, the job that executes it, and who launches it."""

from core.runs.dead_runs import settle_dead_runs, worker_lives
from core.runs.estimate import QueueItem, expected_seconds, queue_state
from core.runs.folder import RunFolder, find, folders
from core.runs.queue import (
    RunHandle,
    cancel,
    ensure_worker,
    move,
    parallel,
    pause,
    resume,
    retry,
    retry_failed,
    set_parallel,
    set_priority,
    submit,
)
from core.runs.spec import RunSpec, plan

__all__ = ["QueueItem", "RunFolder", "RunHandle", "RunSpec", "cancel", "ensure_worker", "expected_seconds", "find", "folders",
           "move", "parallel", "pause", "plan", "queue_state", "resume", "retry", "retry_failed", "set_parallel", "set_priority", "settle_dead_runs", "submit",
           "worker_lives"]  # fmt: skip
