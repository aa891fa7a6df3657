"""Which results of an audit were declared beforehand, and where it departs from its plan."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd

from core.audit.plan import HASH, AuditPlan, checked_plan
from core.charts.text import decimal, plural
from core.metrics.catalogue import CALIBRATION, asked, short
from core.report import contents
from core.report.audit_tables import verdicts_table
from core.report.document import Section, TableBlock

COLUMNS = ["model", "attribute", "metric", "verdict", "declared"]


def plan_of(document: Mapping[str, Any]) -> AuditPlan | None:
    """The plan that the audit was made by. Raises UserError when it was changed since."""
    return checked_plan(document["plan"], "the audit's plan") if document.get("plan") else None


def declared_section(document: Mapping[str, Any]) -> Section | None:
    """None without a plan."""
    plan = plan_of(document)
    if plan is None:
        return None
    verdicts = verdicts_table(document)
    metrics = {*plan.metrics, *(CALIBRATION if "ece" in plan.metrics else ())}
    declared = [a in plan.attributes and m in metrics for a, m in zip(verdicts["attribute"], verdicts["metric"], strict=True)]
    table = verdicts[["model", "attribute", "metric", "verdict"]].assign(declared=declared)
    shown = table.assign(metric=table["metric"].map(short)).sort_values("declared", ascending=False, kind="stable", ignore_index=True)
    departs = departures(document, plan)
    sentence = (
        f"{plural(sum(declared), 'verdict')} of {len(declared)} answer what was declared on {plan.declared}"
        + ("; the audit keeps to its plan." if not departs else f"; the audit departs from its plan in {plural(len(departs), 'point')}.")
    )  # fmt: skip
    facts = [
        ("Declared", plan.declared), ("SHA-256 of the plan", str(document["plan"][HASH])), ("Attributes", ", ".join(plan.attributes)),
        ("Metrics", ", ".join(asked(metric) for metric in plan.metrics)),
        ("Tolerance", decimal(plan.tolerance, 2)),
        ("Operating point", plan.target or (f"threshold {plan.threshold:g}" if plan.threshold is not None else "threshold .5")),
        *([("In words", plan.note)] if plan.note else []), *(("Departs from the plan", text) for text in departs),
    ]  # fmt: skip
    blocks = (
        TableBlock("plan", "The plan", pd.DataFrame(facts, columns=pd.Index(["what", "value"]))),
        TableBlock("declared", "Declared and exploratory results", table, shown, folded=len(table) > 40),
    )
    note = "The hash shows that the plan was not changed; that it existed on its date is shown by whoever received it or its hash on that day."
    return Section(contents.DECLARED, sentence, blocks, (note,))


def departures(document: Mapping[str, Any], plan: AuditPlan) -> list[str]:
    """What the audit does otherwise than its plan, one sentence each."""
    options, planned = document.get("options") or {}, plan.options().to_dict()
    said = []
    for name, words in (
        ("tolerance", "tolerance"),
        ("tolerances", "tolerances of single metrics"),
        ("threshold", "threshold"),
        ("target", "target"),
        ("primary_metrics", "metrics"),
        ("primary_attributes", "attributes"),
    ):
        if options.get(name) != planned[name]:
            said.append(f"{words}: {options.get(name)} instead of {planned[name]}")
    there = set(document["attributes"])
    said += [f"{name} was declared and is not in the audit" for name in plan.attributes if name not in there]
    date = (document.get("provenance") or {}).get("date")
    if date and date[:19] < plan.declared[:19]:
        said.append(f"the audit was made {date}, before the plan")
    return said
