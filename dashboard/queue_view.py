"""The queue as it is now: progress, time left, cancel, retry, live curves.

It lives in the run folders, so a closed tab or a restarted server loses nothing.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Hashable, Mapping, Sequence
from functools import partial
from typing import Any

import pandas as pd
import psutil
import streamlit as st

from core.charts.text import listing, plural
from core.charts.training_curves import training_curves
from core.errors import UserError
from core.runs.dead_runs import settle_dead_runs
from core.runs.estimate import QueueItem, queue_state
from core.runs.queue import cancel, ensure_worker, move, pause, resume, retry, retry_failed
from core.runs.queue_settings import queue_settings
from dashboard import state
from dashboard.alerts import alert_lines
from dashboard.chart_block import chart_block
from dashboard.escape import md
from dashboard.navigation import go_to
from dashboard.train_form import duration

EVERY_SECONDS = 2.0
CURVES = 8
FAILED_SHOWN = 6
JUST_MOVED_SECONDS = 3.0
_ACTIVE, _BY_ITSELF, _ROWS, _MOVED, _ASKED = "_queue_active", "_queue_by_itself", "_queue_rows", "_queue_moved", "_queue_asked"
ORDER = ["run_id", "method", "label", "seed", "status"]


def queue_view(cohort_id: str) -> None:
    """Draw the queue; it refreshes itself while anything is under way."""
    workspace = state.workspace()
    settle_dead_runs(workspace)
    items = queue_state(workspace)
    active = bool(items)
    if active:
        # A queue whose worker died with the machine goes on as soon as somebody looks.
        ensure_worker(workspace)
    st.session_state[_ACTIVE] = active
    if not st.session_state.pop(_BY_ITSELF, False):
        # The reader did something: what has ended leaves its row.
        there = {item.run_id for item in items}
        st.session_state[_ROWS] = [run for run in st.session_state.get(_ROWS, []) if run in there]
    st.fragment(_live, run_every=EVERY_SECONDS if active else None, key="queue")(cohort_id)


def _live(cohort_id: str) -> None:
    items = queue_state(state.workspace())
    store = state.store(fresh=True)
    if st.session_state.get(_ACTIVE) and not items:
        # The whole page changes once when the last run has ended: the plan, the buttons.
        st.session_state.update({_ACTIVE: False, _BY_ITSELF: True})
        st.rerun(scope="app")
    runs = store.runs()
    st.markdown(f"## {_heading(items)}")
    _pausing(items)
    rows = _rows([item.run_id for item in items])
    there = {item.run_id: item for item in items}
    ended = {str(row["run_id"]): row for row in runs[runs["run_id"].isin(rows)].to_dict("records")}
    with st.container(key="queue-items", gap="small"):
        waiting = sum(1 for item in items if item.position)
        for run_id in rows:
            if run_id in there:
                _item(there[run_id], waiting)
            elif run_id in ended:
                _ended(ended[run_id])
    own = runs[runs["cohort_id"] == cohort_id]
    _failed(own[~own["run_id"].isin(rows)], cohort_id)
    _curves(own, items)


def _rows(now: Sequence[str]) -> list[str]:
    """Run ids from above: a run that ends keeps its row and a new one comes last, so that nothing moves under the pointer."""
    before: list[str] = st.session_state.setdefault(_ROWS, [])
    if [run for run in before if run in now] != [run for run in now if run in before]:
        # The reader moved a run. What waits changes places; what has ended stays where it is.
        order = iter([run for run in now if run in before])
        after = [next(order) if run in now else run for run in before]
        st.session_state[_MOVED] = time.monotonic(), {run for run, other in zip(after, before, strict=True) if run != other}
        before = after
    rows = before + [run for run in now if run not in before]
    st.session_state[_ROWS] = rows
    return rows


def _heading(items: Sequence[QueueItem]) -> str:
    if not items:
        return "Nothing is running"
    left = [item.seconds_left for item in items]
    longest = max((s for s in left if s is not None), default=None)
    ends = f", done in about {duration(longest)}" if all(s is not None for s in left) else ""
    running = sum(1 for item in items if item.position == 0)
    return f"{plural(running, 'run')} under way, {len(items) - running} waiting{ends}"


def _pausing(items: Sequence[QueueItem]) -> None:
    """Pause and go on, while something waits or the queue is paused."""
    workspace = state.workspace()
    if queue_settings(workspace).paused:
        st.caption("Paused: no further run is started. Runs under way are finished.")
        if st.button("Go on", icon=":material/play_arrow:", key="queue-resume"):
            _do(resume)
    elif any(item.position for item in items) and st.button(
        "Pause", icon=":material/pause:", key="queue-pause", type="tertiary", help="Start no further runs; runs under way are finished."
    ):
        _do(pause)


def _item(item: QueueItem, waiting: int) -> None:
    """One run: how far it is, and what can be done with it. `waiting`: how many runs are queued."""
    share = 0.0
    if item.position == 0 and item.epochs:
        share = min(1.0, ((item.epoch if item.epoch is not None else -1) + 1) / item.epochs)
    if item.cancelling:
        words = "stopping"
    elif item.position:
        words = f"waiting, number {item.position}"
    else:
        words = f"epoch {max(0, (item.epoch if item.epoch is not None else -1) + 1)} of {item.epochs or '?'}"
    if item.seconds_left is not None and not item.cancelling:
        words += f" · {duration(item.seconds_left)} left"
    if item.position == 0:
        words += _device(item.run_id)
    with st.container(horizontal=True, vertical_alignment="center", key=f"run-{item.run_id}"):
        seed = item.run_id.rsplit("-", 2)[-2].removeprefix("s")
        st.progress(share, text=f"**{md(item.label)}** · seed {md(seed)} · {md(words)}")
        if item.position and waiting > 1:
            if st.button("", icon=":material/arrow_upward:", key=f"up-{item.run_id}", type="tertiary", disabled=item.position == 1, help="Train earlier"):
                _do(partial(move, position=item.position - 1), item.run_id)
            if st.button(
                "", icon=":material/arrow_downward:", key=f"down-{item.run_id}", type="tertiary", disabled=item.position == waiting, help="Train later"
            ):
                _do(partial(move, position=item.position + 1), item.run_id)
        _cancel_button(item, f"{item.label}, seed {seed}")


def _cancel_button(item: QueueItem, name: str) -> None:
    """Cancels at once, but asks for a run that has just changed its row: the pointer may mean another."""
    if st.session_state.get(_ASKED) == item.run_id:
        if st.button(f"Yes, cancel {md(name)}", icon=":material/close:", key=f"cancel-yes-{item.run_id}", type="primary"):
            st.session_state.pop(_ASKED)
            _do(cancel, item.run_id)
        if st.button("Keep it", key=f"cancel-no-{item.run_id}", type="tertiary"):
            st.session_state.pop(_ASKED)
            st.rerun(scope="app")
    elif st.button("Cancel", icon=":material/close:", key=f"cancel-{item.run_id}", type="tertiary", disabled=item.cancelling):
        when, moved = st.session_state.get(_MOVED, (float("-inf"), ()))
        if item.run_id in moved and time.monotonic() - when < JUST_MOVED_SECONDS:
            st.session_state[_ASKED] = item.run_id
            st.rerun(scope="app")
        _do(cancel, item.run_id)


def _ended(row: Mapping[Hashable, Any]) -> None:
    """A run that ended while the page was open, where its row was."""
    if row["status"] != "done":
        _failed_row(row)
        return
    with st.container(horizontal=True, vertical_alignment="center", key=f"run-{row['run_id']}"):
        st.progress(1.0, text=f"**{md(row['label'])}** · seed {row['seed']} · done")


def _device(run_id: str) -> str:
    """Device and memory of a running job; empty when its process is not there to be asked."""
    status = state.store().folder(run_id).read_status()
    words = f" · {status['device']}" if status.get("device") else ""
    if status.get("pid"):
        try:
            words += f" · {psutil.Process(status['pid']).memory_info().rss / 2**20:.0f} MB"
        except (psutil.NoSuchProcess, psutil.AccessDenied):
            return words
    return words


def _failed(runs: pd.DataFrame, cohort_id: str) -> None:
    """Failed and cancelled runs with the reason, and a button that tries them again."""
    part = runs[runs["status"].isin(["failed", "cancelled"])].sort_values("finished", ascending=False)
    if part.empty:
        return
    with st.container(key="queue-failed", gap="small"):
        failed = part.loc[part["status"] == "failed", "run_id"]
        if len(failed) > 1 and st.button(f"Try all {len(failed)} failed runs again", icon=":material/replay:", key="retry-all"):
            _do(partial(retry_failed, cohort_id=cohort_id))
        for row in part.head(FAILED_SHOWN).to_dict("records"):
            _failed_row(row)
        if len(part) > FAILED_SHOWN:
            older = part["label"].iloc[FAILED_SHOWN:].value_counts(sort=False)
            st.caption(md(f"and {len(part) - FAILED_SHOWN} older: {listing([str(label) if n == 1 else f'{label} ({n} times)' for label, n in older.items()])}"))


def _failed_row(row: Mapping[Hashable, Any]) -> None:
    failed = row["status"] == "failed"
    with st.container(horizontal=True, vertical_alignment="center", key=f"failed-{row['run_id']}"):
        st.badge(str(row["status"]), color="orange" if failed else "gray", icon=":material/error:" if failed else ":material/block:")
        st.markdown(f"**{md(row['label'])}** · seed {row['seed']} · {md(row['reason'] or 'no reason was recorded')}", width="stretch")
        if st.button("Try again", icon=":material/replay:", key=f"retry-{row['run_id']}", type="tertiary"):
            _do(retry, str(row["run_id"]))


def _curves(runs: pd.DataFrame, items: Sequence[QueueItem]) -> None:
    """Curves of what is running, else of what ran last."""
    running = {item.run_id for item in items if item.position == 0}
    recent = runs[runs["status"].isin(["done", "running", "failed", "cancelled"])].sort_values("started", ascending=False, na_position="last")
    chosen = recent[recent["run_id"].isin(running)] if len(recent[recent["run_id"].isin(running)]) else recent
    last = recent[recent["status"] == "done"].head(max(0, CURVES - len(chosen)))
    chosen = pd.concat([chosen.head(CURVES), last]).drop_duplicates("run_id").head(CURVES)
    if chosen.empty:
        return
    chart_block(training_curves(state.store().epochs(list(chosen["run_id"])), chosen[ORDER]), key="training-curves")
    alert_lines(chosen)
    if not items and (runs["status"] == "done").any() and st.button("See who is served worse", icon=":material/arrow_forward:", key="to-groups"):
        go_to("groups")


def _do(action: Callable[..., object], *run_id: str) -> None:
    try:
        action(state.workspace(), *run_id)
    except UserError as error:
        st.session_state["_queue_problem"] = str(error)
    st.rerun(scope="app")
