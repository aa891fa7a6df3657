"""An audit on the screen: the verdicts first, then the evidence attribute by attribute."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd
import streamlit as st

from core.audit import AuditFinding
from core.charts.audit_curves import decision_curves, reliability
from core.charts.audit_forest import metric_forest
from core.charts.audit_matrix import metric_name, verdict_matrix
from core.charts.audit_volcano import volcano
from core.charts.grammar import selection_point
from core.charts.text import count, plural
from core.report.audit_tables import (
    METRICS,
    OVERALL,
    curve_table,
    groups_table,
    models,
    power_table,
    summaries_table,
    tests_table,
    verdicts_table,
)
from core.report.of_audit import group_text, headline, pair_text, power_text, summary_text, worst_verdict
from dashboard import state
from dashboard.blocks import chart_block
from dashboard.components import answer, finding_tag, how_to_read, section, too_little_data
from dashboard.escape import md
from dashboard.findings import show_findings
from dashboard.specs import drawing_spec


def audit_view(document: Mapping[str, Any]) -> None:
    """Draw everything of one audit."""
    parts = models(document)
    verdicts, groups, tests = verdicts_table(document), groups_table(document), tests_table(document)
    overall = next(iter(parts.values()))["overall"]
    detail = f"{count(overall['n'])} rows, {count(overall['n_pos'])} positive" + (f", {count(document['n_patients'])} patients" if document.get("n_patients") else "")
    detail += f"; tolerance {document['options']['tolerance']:.3g}. {_point(next(iter(parts.values())))}"
    word = worst_verdict(verdicts)
    answer(headline(verdicts), word or None, detail)  # type: ignore[arg-type]
    model = next(iter(parts))
    if len(parts) > 1:
        model = str(st.segmented_control("Model", list(parts), default=model, required=True, key="audit-model"))
    own = verdicts[verdicts["model"] == model]
    _matrix(own[own["depth"] == 1])
    singles = list(dict.fromkeys(own.loc[own["depth"] == 1, "attribute"]))
    if singles:
        _attribute(document, singles, model, verdicts, groups, tests)
    if (own["depth"] > 1).any():
        _intersections(parts[model], own, tests[(tests["model"] == model) & (tests["depth"] > 1)])
    findings = [AuditFinding(**f) for f in document.get("findings") or ()]
    section("What to know before believing these numbers")
    show_findings(findings, "Nothing odd about this file", key="audit-findings")
    how_to_read(
        "**Disparity**: two groups differ by more than the tolerance, and chance does not explain it after correction. **None found**: the interval of every "
        "pair lies within the tolerance. Everything else is **not enough data**: it is never a pass. The permutation null says how large a gap comes out by "
        "chance alone with groups of these sizes.",
        terms=("auc", "interval", "max_gap", "es_auc", "null", "dpd", "deodds", "ece"),
    )


def _point(part: Mapping[str, Any]) -> str:
    point = part.get("operating_point") or {}
    if point.get("threshold") is None:
        return f"No operating point: {point.get('reason') or 'rates were not asked for'}."
    return f"Predicted positive from a score of {point['threshold']:.3g} ({point.get('source')})."


def _matrix(verdicts: pd.DataFrame) -> None:
    """The matrix; a click on a cell opens its section below."""
    figure = verdict_matrix(verdicts)
    st.markdown(f"#### {md(figure.title)}")
    if figure.empty:
        return
    look = state.look()
    cell = selection_point("cell", fields=["attribute", "metric"], on="click")
    chart = figure.panels[0].draw(look, "container").add_params(cell)
    picked: Any = st.vega_lite_chart(spec=drawing_spec(chart, look), theme=None, width="stretch", key="verdict-matrix", on_select="rerun", alt=figure.alt)
    chosen = (picked or {}).get("selection", {}).get("cell") or []
    if chosen and st.session_state.get("_cell") != chosen[0]:
        st.session_state["_cell"] = chosen[0]
        st.session_state["audit-attribute"] = chosen[0]["attribute"]
        st.session_state["audit-metric"] = chosen[0]["metric"]
    st.caption(md(figure.note) + " Click a cell to see its evidence.")


def _attribute(document: Mapping[str, Any], singles: list[str], model: str, verdicts: pd.DataFrame, groups: pd.DataFrame, tests: pd.DataFrame) -> None:
    with st.container(horizontal=True, vertical_alignment="bottom", key="audit-section"):
        if st.session_state.get("audit-attribute") not in singles:
            st.session_state["audit-attribute"] = singles[0]
        attribute = str(st.selectbox("Attribute", singles, key="audit-attribute", width=260))
        own = groups[groups["attribute"] == attribute]
        metrics = [m for m in METRICS if m in set(own["metric"])]
        if st.session_state.get("audit-metric") not in metrics:
            st.session_state["audit-metric"] = metrics[0]
        metric = str(st.selectbox("Metric", metrics, key="audit-metric", format_func=metric_name, width=200))
    judged = verdicts[(verdicts["attribute"] == attribute) & (verdicts["model"] == model) & (verdicts["metric"] == metric)]
    if len(judged):
        with st.container(horizontal=True, vertical_alignment="center", key="audit-verdict"):
            finding_tag(str(judged["verdict"].iloc[0]))  # type: ignore[arg-type]
            st.markdown(md(judged["reason"].iloc[0]), width="stretch")
    several = own["model"].nunique() > 1
    everybody = groups[(groups["attribute"] == OVERALL) & (groups["metric"] == metric)]
    chart_block(metric_forest(own[own["metric"] == metric], everybody, attribute, metric), key="audit-forest")
    _tables(document, attribute, model, metric, own, tests, several)
    left, right = st.columns(2, gap="large")
    with left:
        chart_block(reliability(curve_table(document, model, attribute, "reliability"), attribute), key="audit-reliability")
    with right:
        chart_block(decision_curves(curve_table(document, model, attribute, "decision"), attribute), key="audit-decision")


def _tables(document: Mapping[str, Any], attribute: str, model: str, metric: str, own: pd.DataFrame, tests: pd.DataFrame, several: bool) -> None:
    estimates, summaries, pairs, power = st.tabs(["Estimates", "Summaries and chance", "Pairs of groups", "Enough data?"])
    with estimates:
        _table(group_text(own, several), "Estimates by group")
    with summaries:
        numbers = summaries_table(document)
        numbers = numbers[(numbers["attribute"] == attribute) & (numbers["model"] == model)]
        _table(summary_text(numbers, False), "Fairness summaries")
        st.caption(md((document.get("notes") or {}).get("es_auc", "")))
    with pairs:
        part = tests[(tests["attribute"] == attribute) & (tests["model"] == model) & (tests["metric"] == metric)]
        if part.empty:
            too_little_data(f"No pair of groups can be compared in {metric_name(metric)}", "Too few positives or negatives, or no test for this metric.", key="no-pairs")
        else:
            _table(pair_text(part, False), "Tests between pairs of groups")
    with power:
        enough = power_table(document)
        enough = enough[(enough["attribute"] == attribute) & (enough["model"] == model)]
        if enough.empty:
            too_little_data("The power of this data was not computed", "No group has enough positives and negatives.", key="no-power")
        else:
            _table(power_text(enough), "Smallest detectable gaps")


def _table(frame: pd.DataFrame, alt_text: str) -> None:
    st.dataframe(frame, hide_index=True, width="stretch", alt=alt_text)


def _intersections(part: Mapping[str, Any], verdicts: pd.DataFrame, tests: pd.DataFrame) -> None:
    section("Do attributes add up?")
    known = [m for m in ("auc", "tpr", "fpr", "selection_rate") if m in set(tests["metric"])]
    if not known:
        too_little_data("No two subgroups can be compared", "Intersections have too few positives or negatives.", key="no-volcano")
        return
    metric = str(st.segmented_control("Metric of the subgroups", known, default=known[0], required=True, key="volcano-metric", format_func=metric_name))
    chart_block(volcano(tests[tests["metric"] == metric], metric), key="audit-volcano")
    left_out = [v.get("left_out") or {} for a, v in part["attributes"].items() if len(v.get("attributes") or (1,)) > 1]
    gone = sum(int(v.get("groups", 0)) for v in left_out)
    if gone:
        st.caption(md(f"{plural(gone, 'subgroup')} left out: too few positives or negatives to judge them."))
