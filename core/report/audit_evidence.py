"""What the report of an audit computes for the items of reporting guidelines: key of the evidence -> where it stands."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from core.charts.text import count, decimal, plural
from core.report import contents
from core.report.audit_cohort import cells_table
from core.report.audit_tables import models


def audit_evidence(document: Mapping[str, Any]) -> dict[str, str]:
    """Only what this document really holds; items without evidence are left to the form, or stay open."""
    part = next(iter(models(document).values()))
    singles = {a: v for a, v in part["attributes"].items() if len(v.get("attributes") or (1,)) == 1}
    overall = part["overall"]
    found = {
        "participants": f"“{contents.WHO}”: {plural(sum(len(v['groups']) for v in singles.values()), 'group')} of {plural(len(singles), 'attribute')}",
        "analysis": f"“{contents.AGAIN}”: every choice; “{contents.WORDS}”: the metrics",
        "performance": f"“{contents.FOUND}” and the sections by attribute: estimates with intervals",
        "subgroups": f"Sections “{contents.by_attribute('…')}”",
        "limits": f"“{contents.LIMITS}”",
    }
    if overall.get("n"):
        found["prevalence"] = f"{count(overall['n_pos'])} of {count(overall['n'])} rows with the outcome; by group under “{contents.WHO}”"
    missing = {a: v["missing"] for a, v in singles.items() if v.get("missing")}
    if all(v.get("missing") is not None for v in singles.values()):
        found["missing"] = "; ".join(f"{a}: {count(n)} rows without a value" for a, n in missing.items()) or "no attribute has a missing value"
    if any(v.get("power") for v in singles.values()):
        found["power"] = "“Is there enough data?” in each section by attribute"
    if any((v.get("curves") or {}).get("smooth") for v in singles.values()):
        found["calibration"] = "Calibration curves with band and O:E in each section by attribute"
    if len(cells_table(document)):
        found["two_by_two"] = f"2 × 2 tables under “{contents.WHO}”"
    if document.get("findings"):
        found["findings"] = f"“{contents.BEFORE}”: {plural(len(document['findings']), 'finding')}"
    if document.get("plan"):
        found["declared"] = f"“{contents.DECLARED}”: {document['plan']['declared']}"
    return found | _from_provenance(document, part)


def _from_provenance(document: Mapping[str, Any], part: Mapping[str, Any]) -> dict[str, str]:
    made = document.get("provenance")
    if not isinstance(made, Mapping):
        return {}
    found = {}
    if made.get("label"):
        found["outcome"] = f"column {made['label']}" + (f", positive: {', '.join(made['positive'])}" if made.get("positive") else "")
    if made.get("rows_read") is not None:
        found["flow"] = f"{count(made['rows_read'])} rows read, {count(made['rows_audited'])} audited; reasons under “{contents.WHO}”"
    columns = made.get("columns") or {}
    if columns.get("split"):
        found["splits"] = f"column {columns['split']}: only test rows are audited"
    if columns.get("patient"):
        found["clusters"] = f"rows of one patient (column {columns['patient']}) are taken together in every interval and test"
    point = part.get("operating_point") or {}
    if point.get("threshold") is not None:
        found["threshold"] = f"threshold {decimal(point['threshold'])}, {point.get('source')}; “{contents.WHO}”"
    return found
