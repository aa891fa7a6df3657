"""Items of reporting guidelines that an audit for fairness bears on, in our own words: which evidence or which answer meets each.

Sources: TRIPOD+AI (Collins et al., BMJ 2024), STARD-AI (Sounderajah et al., Nature Medicine 2025), STANDING Together (Alderman
et al., Lancet Digital Health 2025), FDA draft guidance on AI-enabled device software functions (January 2025), Regulation (EU) 2024/1689
article 10 and annex IV, CHAI Applied Model Card. Where a guideline's numbering is not given here, `item` names the part of it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import pandas as pd

from core.charts.text import count
from core.report import contents
from core.report.answers import QUESTIONS
from core.report.document import Section, TableBlock

LABELS = {question.key: question.label for question in QUESTIONS}
COMPUTED, ANSWERED, OPEN = "computed", "answered", "open"
TRIPOD, STARD, STANDING, FDA, EU, CHAI = "TRIPOD+AI", "STARD-AI", "STANDING Together", "FDA draft 2025", "EU AI Act", "CHAI"


@dataclass(frozen=True)
class Item:
    """One item. evidence : key of what the report computes for it; question : key of the form; one of the two may be empty."""

    guideline: str
    item: str
    topic: str
    evidence: str = ""
    question: str = ""


ITEMS = (
    Item(TRIPOD, "3b", "Target population, purpose, users and place in care", "", "intended_use"),
    Item(TRIPOD, "3c", "Known inequalities between groups", "", "inequalities"),
    Item(TRIPOD, "5a", "Where the data comes from and whom it represents", "", "sites"),
    Item(TRIPOD, "5b", "Dates of the data", "", "sites"),
    Item(TRIPOD, "6b", "Who was eligible", "", "population"),
    Item(TRIPOD, "8a", "Outcome, how it was assessed, the same in every group", "outcome", "label_assessment"),
    Item(TRIPOD, "10", "Number of patients and why", "power", "sample_size"),
    Item(TRIPOD, "11", "Missing data and what was done about it", "missing"),
    Item(TRIPOD, "12a", "Which data were used for what", "splits"),
    Item(TRIPOD, "12d", "Differences between clusters of patients and how they were taken into account", "clusters"),
    Item(TRIPOD, "12e", "Measures of performance and comparisons", "analysis", "metric_reason"),
    Item(TRIPOD, "13", "Imbalance of the classes", "prevalence"),
    Item(TRIPOD, "14", "Approaches to fairness and their reason", "analysis", "metric_reason"),
    Item(TRIPOD, "15", "Output of the model and how thresholds were set", "threshold"),
    Item(TRIPOD, "18a", "Funding", "", "funding"),
    Item(TRIPOD, "18c-f", "Protocol, registration, data and code", "", "availability"),
    Item(TRIPOD, "20a", "Flow of patients, with and without the outcome", "flow"),
    Item(TRIPOD, "20b", "Characteristics of the patients by group", "participants"),
    Item(TRIPOD, "23a", "Performance with intervals, in subgroups too", "performance"),
    Item(TRIPOD, "23b", "Differences in performance between groups", "subgroups"),
    Item(TRIPOD, "26", "Limitations and their effect", "limits", "limitations"),
    Item(STARD, "Participants", "Eligibility and setting", "", "population"),
    Item(STARD, "Data", "Sources, devices and preparation of the data", "", "devices"),
    Item(STARD, "Index test", "Cut-offs and whether they were fixed beforehand", "threshold", "prespecified"),
    Item(STARD, "Reference standard", "How the outcome was established", "outcome", "label_assessment"),
    Item(STARD, "Analysis", "Indeterminate and missing results", "missing"),
    Item(STARD, "Results", "Flow of participants", "flow"),
    Item(STARD, "Results", "Cross table of decision and outcome", "two_by_two"),
    Item(STARD, "Results", "Accuracy with intervals", "performance"),
    Item(STARD, "Fairness", "Performance and error in subgroups", "subgroups"),
    Item(STARD, "Other", "Registration and protocol", "", "prespecified"),
    Item(STANDING, "Documentation", "How attributes such as sex and race were recorded", "", "attributes"),
    Item(STANDING, "Documentation", "Composition of the data by group", "participants"),
    Item(STANDING, "Documentation", "Groups that are missing or small, and missing values by group", "limits"),
    Item(STANDING, "Documentation", "Known bias in how the data or labels came about", "", "inequalities"),
    Item(STANDING, "Use", "Groups at risk of harm, chosen beforehand with a reason", "declared", "prespecified"),
    Item(STANDING, "Use", "Performance by group, and uncertainty", "subgroups"),
    Item(STANDING, "Use", "Limits of the data for the intended use", "limits", "limitations"),
    Item(FDA, "Device description", "Intended use, users and care path", "", "care_path"),
    Item(FDA, "Data management", "Collection, sites, devices, reference standard", "", "devices"),
    Item(FDA, "Data management", "Independence of development and test data", "splits"),
    Item(FDA, "Validation", "Performance with intervals overall and in subgroups", "subgroups"),
    Item(FDA, "Validation", "Calibration and operating point", "calibration"),
    Item(FDA, "Monitoring", "Plan for watching performance in use", "", "monitoring"),
    Item(EU, "Art. 10(2)(b)", "Origin of the data and purpose of collection", "", "sites"),
    Item(EU, "Art. 10(2)(f)", "Examination for possible bias", "subgroups"),
    Item(EU, "Art. 10(2)(h)", "Gaps and shortcomings of the data", "limits", "limitations"),
    Item(EU, "Art. 10(3)", "Representative, as free of errors and complete as can be", "findings", "population"),
    Item(EU, "Annex IV 1(a)", "Intended purpose, provider, version", "", "developer"),
    Item(EU, "Annex IV 2(g)", "Validation and testing, metrics, possibly discriminatory effects", "performance"),
    Item(EU, "Annex IV 3", "Accuracy for the groups it is meant for; foreseeable risks", "subgroups", "limitations"),
    Item(CHAI, "Uses and directions", "Intended use, users, population, cautions", "", "intended_use"),
    Item(CHAI, "Warnings", "Known risks, limits and biases", "limits", "limitations"),
    Item(CHAI, "Trust ingredients", "Data, mitigation of bias, upkeep", "", "monitoring"),
    Item(CHAI, "Key metrics", "Usefulness, fairness and reliability", "performance"),
    Item(CHAI, "Trust ingredients", "Who was consulted", "", "involvement"),
)


def checklist_table(evidence: Mapping[str, str], answers: Mapping[str, str]) -> pd.DataFrame:
    """Columns guideline, item, topic, state, where: what the report computes, what people said, and what is still to be said."""
    rows = []
    for one in ITEMS:
        computed, answered = evidence.get(one.evidence, ""), answers.get(one.question, "")
        state = COMPUTED if computed else ANSWERED if answered else OPEN
        missing = f"not answered: {LABELS[one.question]}" if one.question else "not in this report"
        rows.append([one.guideline, one.item, one.topic, state, " — ".join(text for text in (computed, answered) if text) or missing])
    return pd.DataFrame(rows, columns=pd.Index(["guideline", "item", "topic", "state", "where"]))


def checklist_section(evidence: Mapping[str, str], answers: Mapping[str, str]) -> Section:
    """The checklist, with how much of it is open."""
    table = checklist_table(evidence, answers)
    open_ones = int((table["state"] == OPEN).sum())
    states = [f"{count(int((table['state'] == state).sum()))} {state}" for state in (COMPUTED, ANSWERED)]
    sentence = f"Of {count(len(table))} items of six guidelines {' and '.join(states)}; {count(open_ones)} are still open."
    return Section(contents.CHECKLIST, sentence, (TableBlock("checklist", "Items of reporting guidelines", table),))
