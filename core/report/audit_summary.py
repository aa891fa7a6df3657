"""The first page of an audit's report: question, cohort, verdicts in order of evidence, what could not be judged, what to do."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd

from core.charts.audit_matrix import DISPARITY, NONE, UNKNOWN
from core.charts.text import count, decimal, listing, missing, p_value, plural
from core.metrics.catalogue import asked, short
from core.report import contents
from core.report.audit_tables import models, power_table, verdicts_table
from core.report.document import Section, TableBlock

MOST_VERDICTS = 10
MOST_ACTIONS = 4


def summary_section(document: Mapping[str, Any], headline: str, tag: str) -> Section:
    """One page: two short tables under the headline."""
    verdicts = _with_primary(document)
    points = pd.DataFrame(
        [("Question", _question(document)), ("Cohort", _cohort(document)), ("Verdicts", _tally(verdicts)), ("Could not be judged", _not_judged(verdicts)),
         ("What to do", _to_do(document, verdicts))],
        columns=pd.Index(["what", "answer"]),
    )  # fmt: skip
    blocks = [TableBlock("summary", "The audit in five lines", points)]
    ordered = verdicts[verdicts["verdict"] != UNKNOWN].head(MOST_VERDICTS)
    if len(ordered):
        several = verdicts["model"].nunique() > 1
        shown = pd.DataFrame(
            {
                **({"model": ordered["model"]} if several else {}),
                "verdict": ordered["verdict"],
                "asked beforehand": ["yes" if primary else "no, exploratory" for primary in ordered["primary"]],
                "evidence": [p_value(p) if not missing(p) else "no test" for p in ordered["p"]],
                "in words": ordered["attribute"].astype(str) + ": " + ordered["reason"].astype(str),
            }
        )
        blocks.append(TableBlock("summary_verdicts", "Verdicts in order of evidence", ordered.drop(columns="depth"), shown))
    return Section(contents.SUMMARY, headline, tuple(blocks), tag=tag, first=True)


def _with_primary(document: Mapping[str, Any]) -> pd.DataFrame:
    """Verdicts as `verdicts_table` orders them, what was asked beforehand first within each kind."""
    table = verdicts_table(document)
    rank = table["verdict"].map({DISPARITY: 0, NONE: 1, UNKNOWN: 2})
    ordered = table.assign(_rank=rank).sort_values(["_rank", "primary", "evidence"], ascending=[True, False, False], kind="stable", na_position="last")
    return ordered.drop(columns="_rank").reset_index(drop=True)


def _question(document: Mapping[str, Any]) -> str:
    options = document.get("options") or {}
    first = next(iter(models(document).values()))
    names = [name for name, part in first["attributes"].items() if len(part.get("attributes") or (1,)) == 1]
    limit = options.get("tolerance")
    beyond = f" by more than {decimal(limit, 2)}" if limit is not None else ""
    questions = [asked(metric) for metric in options.get("primary_metrics") or ("auc",)]
    return f"Does the model serve groups of {listing(names)} differently{beyond}? Asked beforehand of {listing(questions)}; all other metrics are exploratory."


def _cohort(document: Mapping[str, Any]) -> str:
    overall = next(iter(models(document).values()))["overall"]
    patients = document.get("n_patients") or overall.get("n_patients")
    said = f"{plural(int(overall['n']), 'row')}" + (f" of {plural(int(patients), 'patient')}" if patients else "")
    return f"{said}, {count(overall['n_pos'])} with the outcome, from {document.get('source', 'predictions')}."


def _tally(verdicts: pd.DataFrame) -> str:
    found = [f"{kind}: {count(int((verdicts['verdict'] == kind).sum()))}" for kind in (DISPARITY, NONE, UNKNOWN)]
    return f"Of {plural(len(verdicts), 'question')} (attribute and metric) {'; '.join(found)}."


def _not_judged(verdicts: pd.DataFrame) -> str:
    open_ones = verdicts[(verdicts["verdict"] == UNKNOWN) & (verdicts["depth"] == 1)]
    if open_ones.empty:
        return "Nothing: every question about a single attribute has an answer."
    by = [f"{name}: {listing(list(dict.fromkeys(part['metric'].map(short))), 6)}" for name, part in open_ones.groupby("attribute", sort=False)]
    return "Too few patients to say for " + "; ".join(by) + "."


def _to_do(document: Mapping[str, Any], verdicts: pd.DataFrame) -> str:
    """From the verdicts, the numbers of patients needed, and the findings."""
    said = []
    real = list(dict.fromkeys(verdicts.loc[verdicts["verdict"] == DISPARITY, "attribute"]))
    if real:
        said.append(f"Find the cause of the disparities by {listing(real)} before the model is used for these groups.")
    plan = power_table(document)
    plan = plan[(plan["metric"] == "auc") & plan["more_patients"].gt(0)]
    for row in plan.head(MOST_ACTIONS - 2).to_dict("records"):
        said.append(
            f"Add {plural(int(row['more_patients']), 'patient')} of {row['attribute']} = {row['group']} to see a gap of {decimal(row['gap'], 2)} in AUC."
        )
    findings = [f for f in document.get("findings") or () if f.get("remedy")]
    if findings:
        said.append(f"Look at {plural(len(findings), 'finding')} about the data under “{contents.BEFORE}”; the first: {findings[0]['message']}.")
    return " ".join(said) or "Nothing follows from this audit alone; repeat it when the patients or the model change."
