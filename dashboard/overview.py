"""What the overview says: the strongest findings, what is running, the next sensible step."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import pandas as pd
import streamlit as st

from core.audit import run_views
from core.charts.text import interval, missing, p_value, plural, positives
from core.runs.estimate import queue_state
from core.runs.queue import ensure_worker
from core.runs.settle import settle
from dashboard import state
from dashboard.components import finding_tag, md
from dashboard.context import View, default_runs, named
from dashboard.navigation import page_path
from dashboard.plan import duration

MOST_FINDINGS = 3
RANK = {"disparity": 2, "not enough data": 1, "no disparity found": 0}


@dataclass(frozen=True)
class RunFinding:
    """One verdict in words. `attribute` and `run_id` lead to its page."""

    verdict: str
    sentence: str
    evidence: str
    attribute: str
    run_id: str
    p: float | None


@dataclass(frozen=True)
class Step:
    """What to do next: a sentence, a button, the page it opens."""

    text: str
    label: str
    page: str


def with_default_runs(view: View) -> View:
    """The view with one run per method, as the analysis pages open with."""
    chosen = default_runs(view.finished, view.attribute) if len(view.finished) else []
    return replace(view, runs=named(view.finished[view.finished["run_id"].isin(chosen)].drop(columns="name")))


def strongest(view: View, attributes: Mapping[str, tuple[str, ...]]) -> list[RunFinding]:
    """The strongest verdicts on the group AUCs of the default runs, every attribute at most once
    while there are others: disparities first, by evidence; then open questions; then clear ones."""
    found: list[RunFinding] = []
    names = view.names
    for attribute in attributes:
        verdicts = run_views.verdicts(view.store, view.run_ids, attribute)
        groups = run_views.group_performance(view.store, view.run_ids, attribute)
        for row in verdicts.to_dict("records"):
            p = None if missing(row["p"]) else float(row["p"])
            head = f"{names[row['run_id']]}, by {attribute}: "
            found.append(RunFinding(row["verdict"], head + row["reason"], _evidence(groups[groups["run_id"] == row["run_id"]], row, p), attribute, row["run_id"], p))
    found.sort(key=lambda f: (-RANK[f.verdict], 2.0 if f.p is None else f.p))
    first: list[RunFinding] = []
    for finding in found:
        if finding.attribute not in {f.attribute for f in first}:
            first.append(finding)
    rest = [f for f in found if f not in first]
    return sorted((first + rest)[:MOST_FINDINGS], key=lambda f: (-RANK[f.verdict], 2.0 if f.p is None else f.p))


def _evidence(groups: pd.DataFrame, row: Mapping[str, object], p: float | None) -> str:
    """The two groups the verdict is about, with interval and counts, and the p value."""
    ends = [row.get("group_low"), row.get("group_high")]
    parts = []
    for end in ends:
        part = groups[groups["group"] == end]
        if len(part):
            first = part.iloc[0]
            parts.append(f"{end}: {interval(first['value'], first['low'], first['high'])} ({positives(first['n_pos'], first['n_neg'])})")
    said = [f"corrected {p_value(p)}"] if p is not None and p_value(p) not in str(row["reason"]) else []
    return "; ".join([*parts, *said])


def show_findings(findings: list[RunFinding], view: View) -> None:
    """Tag, sentence, evidence, and the way to the page."""
    for index, finding in enumerate(findings):
        with st.container(border=True, key=f"finding-{index}", gap="small"):
            with st.container(horizontal=True, vertical_alignment="center", horizontal_alignment="distribute"):
                finding_tag(finding.verdict)  # type: ignore[arg-type]
                if st.button("See the evidence", key=f"finding-go-{index}", type="tertiary", icon=":material/arrow_forward:"):
                    _open("groups", view, finding.attribute, finding.run_id)
            st.markdown(md(finding.sentence))
            if finding.evidence:
                st.caption(md(finding.evidence))


def _open(page: str, view: View, attribute: str, run_id: str) -> None:
    """Another page with the finding's cohort, attribute and run chosen."""
    st.session_state.setdefault("_view", {}).update(cohort=view.cohort_id, attribute=attribute, runs=run_id)
    for key in ("view_cohort", "view_attribute", "view_runs"):
        st.session_state.pop(key, None)
    st.switch_page(page_path(page), query_params={"cohort": view.cohort_id, "attribute": attribute, "runs": run_id})


def next_step(view: View, findings: list[RunFinding], running: int) -> Step:
    """The next sensible thing, one at a time."""
    methods = set(view.finished["method"]) - {"unimodal"}
    if not len(view.finished) and not running:
        return Step("Nothing is trained yet. Three quick methods show what the model leans on and whom that serves.", "Choose what to train", "train")
    if running:
        return Step("Runs are under way. Their curves are live, and they go on if you close the tab.", "Watch them train", "train")
    if "erm" not in methods or len(methods) < 2:
        return Step("One method alone has nothing to be compared with. Train a second one on the same patients.", "Train another method", "train")
    if any(f.verdict == "disparity" for f in findings):
        return Step("A disparity was found. See whether other seeds repeat it, which method narrows it, and what that costs.", "Compare the methods", "compare")
    if all(view.finished.groupby("method").size() < 3):
        return Step("Each method has fewer than three seeds: part of what differs between methods may be chance.", "Train more seeds", "train")
    return Step("The comparison is complete enough to be handed on.", "Write the report", "reports")


def running_now() -> int:
    """What is running, refreshed while anything is; returns how many runs wait or run."""
    settle(state.workspace())
    items = queue_state(state.workspace())
    if items:
        # A queue whose worker died with the machine goes on as soon as somebody looks.
        ensure_worker(state.workspace())
        st.fragment(_progress, run_every=3.0, key="overview-queue")()
    return len(items)


def _progress() -> None:
    items = queue_state(state.workspace())
    if not items:
        st.rerun(scope="app")
    for item in items[:4]:
        done = 0.0 if item.position or not item.epochs else min(1.0, ((item.epoch if item.epoch is not None else -1) + 1) / item.epochs)
        left = f" · {duration(item.seconds_left)} left" if item.seconds_left is not None else ""
        st.progress(done, text=f"**{md(item.label)}** · {'waiting' if item.position else 'running'}{md(left)}")
    if len(items) > 4:
        st.caption(f"and {plural(len(items) - 4, 'more run')} waiting")

