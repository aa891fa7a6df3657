"""An audit as plain text for a terminal: verdicts first, then the numbers behind them."""

from __future__ import annotations

import math
from collections.abc import Sequence

from core.audit.comparison.compare_models import Comparison
from core.audit.estimates.group_estimates import MetricTable
from core.audit.estimates.summaries import ES_AUC_CAVEAT, Summary
from core.audit.inference.verdicts import DISPARITY, NONE_FOUND, NOT_ENOUGH
from core.audit.result import AttributeAudit, Audit, ModelAudit
from core.audit.wording import chance, count, decimal
from core.audit.wording import interval as spread
from core.metrics.catalogue import short, title

SIGNS = {DISPARITY: "!!", NONE_FOUND: "ok", NOT_ENOUGH: "? "}
COLUMNS = ("auc", "tpr", "fpr", "ppv", "selection_rate", "ece")
WIDTH = 15
SHOWN = 10


def render(audit: Audit, answer: Sequence[str] = ()) -> str:
    """The whole report; every estimate comes with its interval and counts. `answer`: lines that are said first."""
    lines = [f"Audit of {audit.source}: {count(audit.n)} samples" + (f" of {count(audit.n_patients)} patients" if audit.n_patients else "")]
    lines += [*answer, ""] if answer else []
    lines += [f"  {finding.severity}: {finding.message}" for finding in audit.findings]
    for model in audit.models:
        lines += _model(model, several=len(audit.models) > 1)
    for comparison in audit.comparisons:
        lines += _comparison(comparison)
    if any(a.summary("es_auc").value is not None for m in audit.models for a in m.attributes):
        lines += ["", ES_AUC_CAVEAT]
    return "\n".join(lines)


def _model(model: ModelAudit, several: bool) -> list[str]:
    head = f"Model {model.model}: " if several else ""
    point = model.point
    at = f"threshold {point.threshold:.4g} ({point.source})" if point.threshold is not None else point.reason or point.source
    auc = interval(model.tables["auc"], 0)
    lines = ["", f"{head}AUC {auc}, {count(int(model.counts.n_pos[0]))} positives / {count(int(model.counts.n_neg[0]))} negatives; operating point: {at}"]
    for attribute in model.attributes:
        lines += _attribute(attribute)
    marked = [test for test in model.against_rest if test.worth_a_look]
    if marked:
        lines += ["", f"Groups worth a look, each against all others ({len(model.against_rest)} tests, Benjamini-Hochberg over all of them):"]
        lines += [
            f"  {t.attribute} = {t.group}: {title(t.metric)} {decimal(t.difference, 3, True)} (n = {count(t.n)}, corrected p {chance(t.p_adjusted)})"
            for t in marked[:SHOWN]
        ]
    return lines


def _comparison(comparison: Comparison) -> list[str]:
    """Only what matters first: the AUC of everybody and every fairness summary."""
    lines = ["", f"{comparison.model_a} against {comparison.model_b}, paired on the same samples:"]
    for row in comparison.rows:
        if row.difference is None or row.low is None or row.high is None or (row.group != "(all)" and row.metric != "auc"):
            continue
        where = "everybody" if row.attribute == "(all)" else row.attribute if row.group == "(all)" else f"{row.attribute} = {row.group}"
        lines.append(f"  {where:<28} {row.metric:<30} {spread(row.difference, row.low, row.high, 3, True)}  p {chance(row.p)}")
    return lines


def _power(attribute: AttributeAudit) -> list[str]:
    """The AUC only; the document has the rates as well."""
    lines = []
    for row in attribute.power:
        if row.metric != "auc":
            continue
        if row.detectable is None:
            lines.append(f"  {row.group}: no AUC gap can be detected ({row.reason or 'the data are too few for any'})")
            continue
        more = (
            "these patients suffice to find it" if row.more_patients == 0 else row.reason or f"{count(row.more_patients)} more patients are needed to find it"
        )
        none = f"; to show that there is none beyond the tolerance every group needs {count(row.to_show_none)}" if row.to_show_none is not None else ""
        lines.append(f"  {row.group}: an AUC gap of {decimal(row.detectable)} to {row.reference} can be detected; for one of {decimal(row.gap)} {more}{none}")
    return lines


def _attribute(attribute: AttributeAudit) -> list[str]:
    grouping = attribute.grouping
    lines = ["", f"== {attribute.name} =="]
    lines += [f"  {SIGNS[v.verdict]} {v.verdict}: {v.reason}" for v in attribute.verdicts if v.metric != "ece"]
    if not grouping.groups:
        return [*lines, f"  no group is large enough ({grouping.left_out_groups} groups with {count(grouping.left_out_rows)} rows left out)"]
    width = max(12, *(len(name) for name in grouping.groups))
    lines += [
        "",
        "  " + "group".ljust(width) + "n".rjust(10) + "pos / neg".rjust(18) + "".join(short(c).rjust(WIDTH + 8) for c in COLUMNS if c in attribute.tables),
    ]
    for index, name in enumerate(grouping.groups):
        classes = f"{count(int(attribute.counts.n_pos[index]))} / {count(int(attribute.counts.n_neg[index]))}"
        cells = "".join(interval(attribute.tables[c], index).rjust(WIDTH + 8) for c in COLUMNS if c in attribute.tables)
        note = attribute.tables["auc"].reason[index]
        lines.append("  " + name.ljust(width) + count(int(attribute.counts.n[index])).rjust(10) + classes.rjust(18) + cells + (f"  ({note})" if note else ""))
    if grouping.n_missing:
        lines.append(f"  {count(grouping.n_missing)} rows have no value for this attribute")
    if grouping.left_out_groups:
        lines.append(f"  {grouping.left_out_groups} groups with {count(grouping.left_out_rows)} rows are too small to look at")
    shown = [_summary(s) for s in attribute.summaries if s.value is not None]
    power = _power(attribute) if grouping.depth == 1 else []
    return [*lines, "", *(f"  {text}" for text in shown), *(["", *power] if power else [])]


def _summary(summary: Summary) -> str:
    text = f"{summary.metric:<30} {'-' if summary.value is None else decimal(summary.value)}"
    if summary.low is not None and summary.high is not None:
        text += f" [{decimal(summary.low)}, {decimal(summary.high)}]"
    if summary.null_median is not None and summary.p_null is not None:
        # The p of the groups being alike stands at the gap, whose size it goes with.
        beyond = "" if summary.null_q95 is None else f", {decimal(summary.null_q95)} or more in 5 of 100 (p {chance(summary.p_null)})"
        text += f"; among groups alike {decimal(summary.null_median)} is usual{beyond}"
    notes = [note for note in (summary.detail, summary.left_out) if note]
    return text + (f"  ({'; '.join(notes)})" if notes else "")


def interval(table: MetricTable, index: int) -> str:
    """`.842 [.810, .871]`, a bare value where there is no interval, a dash where it is undefined."""
    value, low, high = float(table.value[index]), float(table.low[index]), float(table.high[index])
    if not math.isfinite(value):
        return "-"
    if not (math.isfinite(low) and math.isfinite(high)):
        return decimal(value)
    return f"{decimal(value)} [{decimal(low)}, {decimal(high)}]"
