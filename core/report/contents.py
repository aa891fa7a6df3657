"""What a report will hold, told before it is written: the titles of its sections, in order."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from core.report.audit_tables import comparisons_table, models

MODALITIES = "Which modality does the model lean on, and for whom?"
GRADIENTS = "Where do the gradients conflict, and what did the method do about it?"
METHODS = "How do the methods compare over their seeds?"
TRAINED = "What was trained?"
SUMMARY = "In short"
PATIENTS = "Who are the patients?"
CURVES = "How well do the scores rank, and can they be believed?"
WHO = "Who was audited, and how is it decided?"
DECLARED = "What was declared before looking?"
CHANGED = "What has changed since the earlier audit?"
CHECKLIST = "Which items of reporting guidelines are answered?"
LIMITS = "What these results cannot say"
FOUND = "What was found?"
REST = "Which groups are worth a look?"
TOGETHER = "Do attributes add up?"
BETTER = "Which model is better on the same patients?"
BEFORE = "What to know before believing these numbers"
AGAIN = "How to make it again"
WORDS = "What the words mean"


def by_attribute(attribute: str, real: bool = False) -> str:
    """Title of the section about one attribute; `real`: it also says whether that is more than chance."""
    return f"Who is served worse by {attribute}" + (", and is it real?" if real else "?")


def runs_contents(attribute: str | None, curves: bool = True) -> tuple[str, ...]:
    """Of `runs_report`.

    attribute : by which the runs are compared, None in a cohort without any. curves : whether curves or 2 x 2 tables may be shown.
    """
    shown = (CURVES,) if curves else ()
    compared = () if attribute is None else (by_attribute(attribute, real=True), METHODS, *shown)
    return (SUMMARY, PATIENTS, *compared, MODALITIES, GRADIENTS, TRAINED, LIMITS, CHECKLIST, AGAIN, WORDS)


def audit_contents(document: Mapping[str, Any], earlier: bool = False) -> tuple[str, ...]:
    """Of `audit_report`; `earlier`: it is set against an earlier audit.

    Raises
    ------
    UserError
        When `document` is not an audit.
    """
    first = next(iter(models(document).values()))
    crossed = {name: len(part.get("attributes") or (1,)) > 1 for name, part in first["attributes"].items()}
    told = {
        REST: bool(first.get("against_rest")), TOGETHER: any(crossed.values()), BETTER: not comparisons_table(document).empty,
        CHANGED: earlier, BEFORE: bool(document.get("findings")), LIMITS: True, CHECKLIST: True, AGAIN: True, WORDS: True,
    }  # fmt: skip
    declared = (DECLARED,) if document.get("plan") else ()
    return (
        SUMMARY,
        *declared,
        WHO,
        FOUND,
        *(by_attribute(name) for name, joint in crossed.items() if not joint),
        *(title for title, there in told.items() if there),
    )
