"""What the overview says: the strongest findings, what is running, the next sensible step."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import pandas as pd
import streamlit as st

from core.charts.group_names import group_label
from core.charts.text import interval, missing, plural, positives
from core.methods import of_one_modality, reference
from core.results import cohort_claims, group_tables
from core.results.answers import about
from core.runs.dead_runs import settle_dead_runs
from core.runs.estimate import queue_state
from core.runs.queue import ensure_worker
from dashboard import state
from dashboard.components import finding_tag, md
from dashboard.navigation import go_to
from dashboard.run_selection import chosen_runs, usual_runs
from dashboard.selection_bar import View
from dashboard.train_form import duration

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
    return replace(view, runs=chosen_runs(view.store, view.cohort_id, usual_runs(view.store, view.cohort_id, view.attribute)))


@dataclass(frozen=True)
class Findings:
    """The strongest verdicts of the cohort's primary family, and how large that is."""

    first: tuple[RunFinding, ...] = ()
    tests: int = 0
    runs: int = 0
    attributes: int = 0

    @property
    def disparity(self) -> bool:
        return any(f.verdict == "disparity" for f in self.first)

    @property
    def scope(self) -> str:
        """What was looked at and corrected for, in one or two sentences."""
        if not self.tests:
            return "No comparison could be tested: fewer than two groups have enough positives and negatives."
        what = f"{plural(self.runs, 'finished run')} by {plural(self.attributes, 'attribute')}, AUC on the test samples"
        if self.tests == 1:
            return f"The only comparison that could be tested ({what})."
        return (
            f"The strongest of {plural(self.tests, 'comparison')} between groups ({what}). Each p is corrected for all of them, "
            "so that at most 5 in 100 cohorts without any true difference would show one."
        )


def strongest(view: View) -> Findings:
    """The strongest verdicts on the group AUCs of the default runs, every attribute at most once while there are others.

    Disparities first, by evidence; then open questions; then clear ones.
    """
    family = cohort_claims.claims(view.store, view.cohort_id)
    table = family[family["run_id"].isin(view.run_ids)]
    if table.empty:
        return Findings()
    performance = {attribute: group_tables.group_performance(view.store, view.run_ids, attribute) for attribute in dict.fromkeys(table["attribute"])}
    found = [_finding(row, view, performance[row["attribute"]]) for row in table.to_dict("records")]
    found.sort(key=_order)
    first: list[RunFinding] = []
    for finding in found:
        if finding.attribute not in {f.attribute for f in first}:
            first.append(finding)
    rest = [f for f in found if f not in first]
    return Findings(
        tuple(sorted((first + rest)[:MOST_FINDINGS], key=_order)), int(family["tests"].iloc[0]), family["run_id"].nunique(), family["attribute"].nunique()
    )


def _order(finding: RunFinding) -> tuple[float, float]:
    return -RANK[finding.verdict], 2.0 if finding.p is None else finding.p


def _finding(row: Mapping[Hashable, Any], view: View, performance: pd.DataFrame) -> RunFinding:
    evidence = _evidence(performance[performance["run_id"] == row["run_id"]], row)
    return RunFinding(
        row["verdict"],
        about(view.names[row["run_id"]], row["attribute"], row["reason"]),
        evidence,
        row["attribute"],
        row["run_id"],
        None if missing(row["p"]) else float(row["p"]),
    )


def _evidence(groups: pd.DataFrame, row: Mapping[Hashable, Any]) -> str:
    """The two groups that the sentence is about, with interval and counts."""
    ends = [row["pair"]["group_low"], row["pair"]["group_high"]] if row["pair"] else [row["group_low"], row["group_high"]]
    parts = []
    for end in ends:
        part = groups[groups["group"] == end]
        if len(part):
            first = part.iloc[0]
            parts.append(
                f"{group_label(row['attribute'], end)}: {interval(first['value'], first['low'], first['high'])} ({positives(first['n_pos'], first['n_neg'])})"
            )
    return "; ".join(parts)


def show_findings(findings: Findings, view: View) -> None:
    """Tag, sentence, evidence, and the way to the page; then what was searched."""
    for index, finding in enumerate(findings.first):
        with st.container(border=True, key=f"finding-{index}", gap="small"):
            with st.container(horizontal=True, vertical_alignment="center", horizontal_alignment="distribute"):
                finding_tag(finding.verdict)  # type: ignore[arg-type]
                if st.button("See the evidence", key=f"finding-go-{index}", type="tertiary", icon=":material/arrow_forward:"):
                    go_to("groups", cohort=view.cohort_id, attribute=finding.attribute, runs=finding.run_id)
            st.markdown(md(finding.sentence))
            if finding.evidence:
                st.caption(md(finding.evidence))
    st.caption(findings.scope)


def next_step(view: View, findings: Findings, running: int) -> Step:
    """The next sensible thing, one at a time."""
    methods = set(view.finished["method"]) - of_one_modality()
    failed = 0 if running or len(view.finished) else len(view.store.runs(view.cohort_id, status="failed"))
    if failed:
        return Step(
            f"Nothing is finished: {plural(failed, 'run')} failed. The reason and a button that tries again are under Train.", "See what failed", "train"
        )
    if not len(view.finished) and not running:
        return Step("Nothing is trained yet. Three quick methods show what the model leans on and whom that serves.", "Choose what to train", "train")
    if running:
        return Step("Runs are under way. Their curves are live, and they go on if you close the tab.", "Watch them train", "train")
    if view.attribute is None:
        return Step(
            "This cohort names no sensitive attribute, so nothing can be said of groups. Bring the table again and mark a column as sensitive.",
            "Bring it again",
            "cohort",
        )
    if reference() not in methods or len(methods) < 2:
        return Step("One method alone has nothing to be compared with. Train a second one on the same patients.", "Train another method", "train")
    if findings.disparity:
        return Step("A disparity was found. See whether other seeds repeat it, which method narrows it, and what that costs.", "Compare the methods", "compare")
    if all(view.finished.groupby("method").size() < 3):
        return Step("Each method has fewer than three seeds: part of what differs between methods may be chance.", "Train more seeds", "train")
    return Step("The comparison is complete: write it up for others.", "Write the report", "reports")


def running_now() -> int:
    """What is running, refreshed while anything is; returns how many runs wait or run."""
    settle_dead_runs(state.workspace())
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
        left = f" · {md(duration(item.seconds_left))} left" if item.seconds_left is not None and not item.position else ""
        st.progress(done, text=f"**{md(item.label)}** · {'waiting' if item.position else 'running'}{left}")
    if len(items) > 4:
        st.caption(f"and {plural(len(items) - 4, 'more run')} waiting")
