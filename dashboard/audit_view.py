"""An audit on the screen: the verdicts first, then the evidence attribute by attribute."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import pandas as pd
import streamlit as st

from core.audit import AuditFinding
from core.charts.audit_curves import decision_curves, reliability
from core.charts.audit_forest import metric_forest
from core.charts.audit_matrix import verdict_matrix
from core.charts.audit_threshold import at_threshold, sliding
from core.charts.audit_volcano import volcano
from core.charts.consequences import cross_group
from core.charts.grammar import selection_point
from core.charts.group_names import group_label, group_order, labelled, labelled_rows
from core.charts.many_groups import MOST_COLOURS, ranking
from core.charts.parts import least_width
from core.charts.text import count, decimal, plural
from core.metrics.catalogue import short
from core.report import contents
from core.report.audit_comparisons import comparison_text, is_first, seeds_text
from core.report.audit_headline import Headline, comparison_headline, headline
from core.report.audit_tables import (
    MAIN_METRICS,
    METRICS,
    MORE_METRICS,
    OVERALL,
    comparisons_table,
    cross_group_table,
    curve_table,
    groups_table,
    models,
    power_table,
    rest_table,
    seeds_table,
    summaries_table,
    tests_table,
    too_small,
    verdicts_table,
)
from core.report.of_audit import group_text, metric_text, pair_text, power_text, rest_text, summary_text
from dashboard import address, state
from dashboard.chart_block import chart_block, roomy
from dashboard.components import answer, finding_tag, how_to_read, section, too_little_data
from dashboard.escape import md
from dashboard.findings import show_findings
from dashboard.group_search import colored_groups, group_search
from dashboard.lazy_tabs import lazy_tabs
from dashboard.number_table import full_table
from dashboard.specs import drawing_spec
from dashboard.threshold_control import threshold_control

MOST_ACROSS = 6
"""Groups whose estimates stand side by side."""


def audit_view(document: Mapping[str, Any]) -> None:
    """Draw everything of one audit."""
    parts = models(document)
    verdicts, groups, tests = verdicts_table(document), labelled_rows(groups_table(document)), labelled_rows(tests_table(document))
    _link_notes(verdicts, list(parts))
    overall = next(iter(parts.values()))["overall"]
    detail = f"{count(overall['n'])} rows, {count(overall['n_pos'])} positive" + (
        f", {count(document['n_patients'])} patients" if document.get("n_patients") else ""
    )
    detail += f"; tolerance {decimal(document['options']['tolerance'])}. {_point(next(iter(parts.values())))}"
    said = headline(document)
    answer(said.sentence, said.word, f"{said.exploratory} {detail}".strip())
    if said.attribute is not None:
        st.button("Open its evidence", key="audit-evidence", icon=":material/arrow_downward:", type="tertiary", on_click=_open, args=(said,))
    model = next(iter(parts))
    if len(parts) > 1:
        address.seed("audit-model", "model", list(parts))
        model = str(st.segmented_control("Model", list(parts), required=True, key="audit-model"))
        address.name_in_link(model=model)
    own = verdicts[verdicts["model"] == model]
    _matrix(own[own["depth"] == 1])
    singles = list(dict.fromkeys(own.loc[own["depth"] == 1, "attribute"]))
    if singles:
        _attribute(document, singles, model, verdicts, groups, tests)
    _against_rest(document, model, parts[model])
    if len(parts) > 1:
        _comparison(document)
    findings = [AuditFinding(**f) for f in document.get("findings") or ()]
    section(contents.BEFORE)
    show_findings(findings, "No problem was found in this file", key="audit-findings", audit=True)
    how_to_read(
        "**Disparity**: a difference between two groups is shown after correction and, as observed, reaches the tolerance; the sentence "
        "says whether it is shown "
        "as well that it exceeds it. **None found**: the interval of every pair lies within the tolerance. Everything else is **not enough "
        "data**: it is never a pass. The chance null says how large a gap comes out by "
        "chance alone with groups of these sizes.",
        terms=("auc", "interval", "max_gap", "es_auc", "null", "dpd", "deodds", "ece"),
    )


def _open(said: Headline) -> None:
    """The choices below become those of the evidence that the answer quotes."""
    for key, value in (("audit-model", said.model), ("audit-attribute", said.attribute), ("audit-metric", said.metric)):
        st.session_state[key] = value


def _link_notes(verdicts: pd.DataFrame, names: list[str]) -> None:
    """What the link names and this audit does not hold, with what is shown instead."""
    offered = {"model": ("model", names), "by": ("attribute", list(verdicts.loc[verdicts["depth"] == 1, "attribute"])), "metric": ("metric", list(METRICS))}
    gone = [
        f"The link names the {word} “{address.linked(name)}”, which this audit does not hold."
        for name, (word, known) in offered.items()
        if address.linked(name) and address.linked(name) not in known
    ]
    if gone:
        with st.container(key="link-notes"):
            st.warning("  \n".join(md(note) for note in gone) + "  \nShown instead: what is chosen below.", icon=":material/link_off:")


def _point(part: Mapping[str, Any]) -> str:
    point = part.get("operating_point") or {}
    if point.get("threshold") is None:
        return f"No operating point: {point.get('reason') or 'rates were not asked for'}."
    return f"Predicted positive from a score of {decimal(point['threshold'])} ({point.get('source')})."


def _matrix(verdicts: pd.DataFrame) -> None:
    """The matrix; a click on a cell opens its section below."""
    figure = verdict_matrix(verdicts)
    with st.container(key="block-verdicts", gap="small"):
        st.markdown(f"## {md(figure.title)}")
        if figure.empty:
            return
        look = state.look()
        cell = selection_point("cell", fields=["attribute", "metric"], on="click")
        chart = figure.panels[0].draw(look, "container").add_params(cell)
        with roomy(replace(figure, least=least_width(list(dict.fromkeys(figure.data["metric"])))), "verdicts"):
            picked: Any = st.vega_lite_chart(
                spec=drawing_spec(chart, look), theme=None, width="stretch", key="verdict-matrix", on_select="rerun", alt=figure.alt
            )
        st.caption(md(figure.note) + " Click a cell to see its evidence.")
    chosen = (picked or {}).get("selection", {}).get("cell") or []
    if chosen and st.session_state.get("_cell") != chosen[0]:
        st.session_state["_cell"] = chosen[0]
        st.session_state["audit-attribute"] = chosen[0]["attribute"]
        st.session_state["audit-metric"] = chosen[0]["metric"]


@st.fragment
def _attribute(document: Mapping[str, Any], singles: list[str], model: str, verdicts: pd.DataFrame, groups: pd.DataFrame, tests: pd.DataFrame) -> None:
    with st.container(horizontal=True, vertical_alignment="bottom", key="audit-section"):
        address.seed("audit-attribute", "by", singles)
        attribute = str(st.selectbox("Attribute", singles, key="audit-attribute", width=260))
        own = groups[groups["attribute"] == attribute]
        metrics = [m for m in METRICS if m in set(own["metric"])]
        address.seed("audit-metric", "metric", metrics)
        metric = str(st.selectbox("Metric", metrics, key="audit-metric", format_func=short, width=200))
    address.name_in_link(by=attribute, metric=metric)
    several = own["model"].nunique() > 1
    judged = verdicts[(verdicts["attribute"] == attribute) & (verdicts["model"] == model) & (verdicts["metric"] == metric)]
    if len(judged):
        with st.container(horizontal=True, vertical_alignment="center", key="audit-verdict"):
            finding_tag(str(judged["verdict"].iloc[0]))  # type: ignore[arg-type]
            st.markdown(f"**{md(model)}** · {md(judged['reason'].iloc[0])}" if several else md(judged["reason"].iloc[0]), width="stretch")
    shown = _search(own[(own["model"] == model) & (own["metric"] == metric)], attribute)
    everybody = groups[(groups["attribute"] == OVERALL) & (groups["metric"] == metric)]
    forest = metric_forest(own[own["metric"] == metric], everybody, attribute, metric, shown.searched, model)
    chart_block(replace(forest, columns=3) if len(forest.panels) == 3 else forest, key="audit-forest")
    part = tests[(tests["attribute"] == attribute) & (tests["model"] == model) & (tests["metric"] == metric)]
    curves = {
        "Threshold": lambda: _sliding(document, model, attribute, shown),
        "Calibration": lambda: chart_block(
            reliability(
                shown.of(labelled(curve_table(document, model, attribute, "reliability"), attribute)),
                shown.of(labelled(curve_table(document, model, attribute, "smooth"), attribute)),
            ),
            key="audit-reliability",
        ),
        "Net benefit": lambda: chart_block(
            decision_curves(shown.of(labelled(curve_table(document, model, attribute, "decision"), attribute)), _too_small(document, model, attribute)),
            key="audit-decision",
        ),
    }
    lazy_tabs(
        {
            "Estimates": lambda: _estimates(own[own["model"] == model], model if several else ""),
            "Summaries and chance": lambda: _summaries(document, model, attribute),
            "Pairs of groups": lambda: _pairs(part, metric),
            "Enough data?": lambda: _power(document, model, attribute),
            # An audit made on the command line may have been made without curves.
            **(curves if models(document)[model]["attributes"][attribute].get("curves") else {}),
            "Between groups": lambda: _between(document, model, attribute, shown),
        }
    )


@dataclass(frozen=True)
class Shown:
    """The groups of charts in which each has a colour or a cell, and those that the reader searched for. Groups by their labels."""

    groups: tuple[str, ...]
    searched: tuple[str, ...]

    def of(self, frame: pd.DataFrame) -> pd.DataFrame:
        """The rows of these groups, and of everybody."""
        sides = [name for name in ("group", "positive", "negative") if name in frame.columns]
        return frame[(frame[sides].isin(self.groups) | frame[sides].isna() | (frame[sides] == OVERALL)).all(axis=1)]


def _search(part: pd.DataFrame, attribute: str) -> Shown:
    """The search, where there are more groups than colours. `part`: the estimates of one model and metric."""
    every = group_order(set(part["group"].astype(str)))
    searched = group_search(every, MOST_COLOURS, f"groups-of-{attribute}")
    return Shown(colored_groups(every, ranking(part), searched), tuple(searched))


def _estimates(own: pd.DataFrame, model: str) -> None:
    """Of the model that is chosen: metrics down and groups across while the groups fit beside each other."""
    if model:
        st.caption(md(f"Estimates of {model}, the model chosen above, with 95 % intervals."))
    groups = own["group"].nunique()
    for metrics, said in ((MAIN_METRICS, "Estimates by group"), (MORE_METRICS, "Precision-recall areas, calibration and net benefit by group")):
        part = own[own["metric"].isin(metrics)]
        if len(part):
            _table(metric_text(part) if groups <= MOST_ACROSS else group_text(part, False), said)


def _summaries(document: Mapping[str, Any], model: str, attribute: str) -> None:
    numbers = summaries_table(document)
    numbers = numbers[(numbers["attribute"] == attribute) & (numbers["model"] == model)]
    _table(summary_text(numbers, False), "Fairness summaries")
    st.caption(md((document.get("notes") or {}).get("es_auc", "")))


def _pairs(part: pd.DataFrame, metric: str) -> None:
    if part.empty:
        too_little_data(f"No pair of groups can be compared in {short(metric)}", "Too few positives or negatives, or no test for this metric.", key="no-pairs")
    else:
        _table(pair_text(part, False), "Tests between pairs of groups")


def _power(document: Mapping[str, Any], model: str, attribute: str) -> None:
    enough = labelled_rows(power_table(document))
    enough = enough[(enough["attribute"] == attribute) & (enough["model"] == model)]
    if enough.empty:
        too_little_data("The power of this data was not computed", "No group has enough positives and negatives.", key="no-power")
    else:
        _table(power_text(enough), "Smallest detectable gaps")


def _table(frame: pd.DataFrame, alt_text: str) -> None:
    """A table without its empty columns; its notes, which are sentences, stand below it under their numbers."""
    frame = frame[[name for name in frame.columns if frame[name].astype(str).str.strip().any()]]
    notes = [note for note in dict.fromkeys(frame["note"]) if note] if "note" in frame else []
    if notes:
        numbers = {note: str(place) for place, note in enumerate(notes, 1)}
        last = [name for name in frame.columns[1:] if name in ("note", "method")]
        frame = frame.assign(note=frame["note"].map(numbers).fillna(""))[[*(name for name in frame.columns if name not in last), *reversed(last)]]
    full_table(frame, alt_text, pinned=str(frame.columns[0]))
    if notes:
        st.caption(md("Notes: " + "; ".join(f"{place}: {note}" for place, note in enumerate(notes, 1)) + "."))


def _too_small(document: Mapping[str, Any], model: str, attribute: str) -> dict[str, str]:
    """Groups, by their labels, whose curves are not drawn, with the reason."""
    return {group_label(attribute, group): reason for group, reason in too_small(document, model, attribute).items()}


@st.fragment
def _sliding(document: Mapping[str, Any], model: str, attribute: str, groups: Shown) -> None:
    """What a threshold does to each group, as the reader slides it."""
    curve = groups.of(labelled(curve_table(document, model, attribute, "sliding"), attribute))
    point = models(document)[model]["attributes"][attribute].get("operating_point") or {}
    gone = _too_small(document, model, attribute)
    if curve.empty or set(curve["group"]) <= set(gone):
        chart_block(sliding(curve, attribute, None, gone), key="audit-sliding")
        return
    cuts = sorted(map(float, curve["threshold"].unique()))
    usual = float(cuts[len(cuts) // 2] if point.get("threshold") is None else point["threshold"])
    chosen = threshold_control(f"audit-slide-{model}-{attribute}", (cuts[0], cuts[-1]), usual)
    chart_block(sliding(curve, attribute, chosen, gone), key="audit-sliding")
    here = at_threshold(curve[~curve["group"].isin(list(gone))], chosen)
    shown = pd.DataFrame(
        {
            "group": here["group"],
            "rows selected": here["selected"].map(count),
            **{short(rate): here[rate].map(decimal) for rate in ("tpr", "fpr", "ppv", "npv", "selection_rate", "accuracy")},
        }
    )
    _table(shown, "Rates of each group at the threshold")


def _between(document: Mapping[str, Any], model: str, attribute: str, shown: Shown) -> None:
    """Ranking between groups, which ES-AUC counts as unfairness although no group is ranked badly within itself."""
    pairs = shown.of(labelled(cross_group_table(document, attribute), attribute))
    known = [group_label(attribute, group) for group in group_order(models(document)[model]["attributes"][attribute]["groups"])]
    groups = [group for group in known if group in shown.groups]
    chart_block(cross_group(pairs, {model: model}, groups, attribute), key="audit-between")


@st.fragment
def _against_rest(document: Mapping[str, Any], model: str, part: Mapping[str, Any]) -> None:
    section(contents.REST)
    rest = labelled_rows(rest_table(document))
    rest = rest[rest["model"] == model]
    known = [m for m in ("auc", "tpr", "fpr", "selection_rate") if m in set(rest["metric"])]
    if not known:
        too_little_data("No group can be compared with all others", "Too few positives or negatives.", key="no-volcano")
        return
    metric = str(st.segmented_control("Metric of the groups", known, default=known[0], required=True, key="volcano-metric", format_func=short))
    chart_block(volcano(rest, metric), key="audit-volcano")
    left_out = [v.get("left_out") or {} for a, v in part["attributes"].items() if len(v.get("attributes") or (1,)) > 1]
    gone = sum(int(v.get("groups", 0)) for v in left_out)
    if gone:
        st.caption(md(f"{plural(gone, 'subgroup')} left out: too few positives or negatives to judge them."))
    with st.expander(f"{plural(len(rest), 'test')} against all others"):
        _table(rest_text(rest), "Every group against all others")


def _comparison(document: Mapping[str, Any]) -> None:
    rows = comparisons_table(document)
    if rows.empty:
        return
    section(contents.BETTER)
    st.markdown(md(comparison_headline(rows)))
    _table(comparison_text(rows[is_first(rows)]), "Paired differences of models")
    inside = rows[~is_first(rows)]
    if len(inside):
        with st.expander("Within groups"):
            _table(comparison_text(inside), "Paired differences of models within groups")
    over = seeds_table(document)
    if len(over):
        with st.expander("Mean over trainings of one method"):
            _table(seeds_text(over), "Mean over seeds with the spread between them")
