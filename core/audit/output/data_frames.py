"""An audit as tidy tables: one row per estimate, test, summary or verdict."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

import pandas as pd

from core.audit.estimates.group_estimates import GroupCounts, MetricTable

if TYPE_CHECKING:
    from core.audit.result import Audit

GROUPS = ["model", "attribute", "group", "n", "n_pos", "n_neg", "metric", "value", "low", "high", "se", "estimable", "reason"]
TESTS = [
    "model",
    "attribute",
    "metric",
    "group_a",
    "group_b",
    "difference",
    "low",
    "high",
    "simultaneous_low",
    "simultaneous_high",
    "p",
    "p_adjusted",
    "method",
]
SUMMARIES = ["model", "attribute", "metric", "value", "low", "high", "p_null", "null_median", "null_q95"]
VERDICTS = ["model", "attribute", "metric", "verdict", "reason", "evidence"]
VOLCANO = ["model", "attribute", "group", "metric", "n", "difference", "p", "p_adjusted", "method", "worth_a_look"]
POWER = ["model", "attribute", "group", "metric", "reference", "detectable", "gap", "more_patients", "to_show_disparity", "to_show_none", "reason"]
OVERALL = "(all)"


def groups_frame(audit: Audit) -> pd.DataFrame:
    """Columns `GROUPS`; everybody together has attribute and group "(all)"."""
    rows: list[tuple[Any, ...]] = []
    for model in audit.models:
        families: list[tuple[str, tuple[str, ...], GroupCounts, Mapping[str, MetricTable]]]
        families = [(OVERALL, (OVERALL,), model.counts, model.tables)]
        families += [(a.name, a.grouping.groups, a.counts, a.tables) for a in model.attributes]
        for attribute, names, counts, tables in families:
            for index, group in enumerate(names):
                head = (model.model, attribute, group, int(counts.n[index]), int(counts.n_pos[index]), int(counts.n_neg[index]))
                rows += [
                    (*head, t.metric, t.value[index], t.low[index], t.high[index], t.se[index], bool(t.judged[index]), t.reason[index]) for t in tables.values()
                ]
    return _frame(rows, GROUPS)


def tests_frame(audit: Audit) -> pd.DataFrame:
    """Columns `TESTS`."""
    return _frame(
        (
            (
                m.model,
                a.name,
                t.metric,
                a.grouping.groups[t.group_a],
                a.grouping.groups[t.group_b],
                t.difference,
                t.low,
                t.high,
                *t.simultaneous,
                t.p,
                t.p_adjusted,
                t.method,
            )
            for m in audit.models
            for a in m.attributes
            for t in a.tests
        ),
        TESTS,
    )


def summaries_frame(audit: Audit) -> pd.DataFrame:
    """Columns `SUMMARIES`."""
    return _frame(
        (
            (m.model, a.name, s.metric, s.value, s.low, s.high, s.p_null, s.null_median, s.null_q95)
            for m in audit.models
            for a in m.attributes
            for s in a.summaries
        ),
        SUMMARIES,
    )


def verdicts_frame(audit: Audit) -> pd.DataFrame:
    """Columns `VERDICTS`, strongest evidence first: the summary matrix is its pivot."""
    frame = _frame(((m.model, a.name, v.metric, v.verdict, v.reason, v.evidence) for m in audit.models for a in m.attributes for v in a.verdicts), VERDICTS)
    return frame.sort_values("evidence", ascending=False, kind="stable", na_position="last", ignore_index=True)


def volcano_frame(audit: Audit) -> pd.DataFrame:
    """Columns `VOLCANO`: every group of every attribute and intersection against all others."""
    return _frame(
        (
            (m.model, t.attribute, t.group, t.metric, t.n, t.difference, t.p, t.p_adjusted, t.method, t.worth_a_look)
            for m in audit.models
            for t in m.against_rest
        ),
        VOLCANO,
    )


def power_frame(audit: Audit) -> pd.DataFrame:
    """Columns `POWER`: the smallest gap that each group's data can show, and the patients that `gap` needs."""
    frame = _frame(
        (
            (m.model, a.name, p.group, p.metric, p.reference, p.detectable, p.gap, p.more_patients, p.to_show_disparity, p.to_show_none, p.reason)
            for m in audit.models
            for a in m.attributes
            for p in a.power
        ),
        POWER,
    )
    return frame.astype({"detectable": "float64", "more_patients": "Int64", "to_show_disparity": "Int64", "to_show_none": "Int64"})


def matrix_frame(audit: Audit, model: str | None = None) -> pd.DataFrame:
    """Verdict of every attribute (rows, strongest evidence first) and metric (columns) of one model."""
    frame = verdicts_frame(audit)
    frame = frame[frame["model"] == audit.model(model).model]
    matrix = frame.pivot(index="attribute", columns="metric", values="verdict")
    evidence = frame.groupby("attribute")["evidence"].max()
    return matrix.assign(evidence=evidence).sort_values("evidence", ascending=False, na_position="last")


def _frame(rows: Iterable[tuple[Any, ...]], columns: list[str]) -> pd.DataFrame:
    frame = pd.DataFrame(list(rows), columns=pd.Index(columns))
    for column in (
        "value",
        "low",
        "high",
        "simultaneous_low",
        "simultaneous_high",
        "se",
        "p",
        "p_adjusted",
        "p_null",
        "null_median",
        "null_q95",
        "evidence",
        "difference",
    ):
        if column in frame:
            frame[column] = frame[column].astype("float64")
    return frame
