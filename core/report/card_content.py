"""What model cards say of an audited model, in either format: the answers of people, and numbers of the audit."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from core.audit.wording import interval
from core.errors import UserError
from core.metrics.catalogue import title
from core.report.answers import QUESTIONS
from core.report.audit_cohort import limits_section
from core.report.audit_tables import models, verdicts_table
from core.report.document import Report, TableBlock

NOT_STATED = "Not stated."
METRICS = ("auc", "tpr", "fpr", "ppv", "npv", "brier", "oe_ratio")
SUMMARIES = ("es_auc", "max_gap", "dpd", "deodds")
LABELS = {question.key: question.label for question in QUESTIONS}


@dataclass(frozen=True)
class Number:
    """One result. where : everybody, `sex = F`, or the attribute that a summary is over."""

    metric: str
    where: str
    value: float
    low: float | None
    high: float | None
    n: int | None

    @property
    def text(self) -> str:
        return interval(self.value, self.low, self.high)

    @property
    def label(self) -> str:
        return f"{title(self.metric)}, {self.where}"


@dataclass(frozen=True)
class CardContent:
    """Of the first model of an audit."""

    model: str
    source: str
    date: str
    answers: Mapping[str, str]
    overall: tuple[Number, ...]
    groups: tuple[Number, ...]
    summaries: tuple[Number, ...]
    verdicts: tuple[str, ...]
    limits: tuple[str, ...]
    note: str
    """About hidden counts; empty where none are."""

    def said(self, key: str) -> str:
        return self.answers.get(key, NOT_STATED)


def card_content(report: Report) -> CardContent:
    """From the report's audit.

    Raises
    ------
    UserError
        When the report is not of an audit: a card is of one model.
    """
    document = report.data.get("audit")
    if not isinstance(document, Mapping):
        raise UserError("a model card is of one model and needs an audit: audit the run's predictions, and write the card from that")
    name, part = next(iter(models(document).items()))
    verdicts = verdicts_table(document)
    judged = verdicts[(verdicts["model"] == name) & (verdicts["verdict"] != "not enough data")]
    limits = next(block.frame for block in limits_section(document).blocks if isinstance(block, TableBlock))
    groups, summaries = _by_attribute(part)
    return CardContent(
        model=name,
        source=str(document.get("source", "predictions")),
        date=report.created[:10],
        answers=dict(report.data.get("answers") or {}),
        overall=tuple(_numbers(part["overall"], "everybody")),
        groups=tuple(groups),
        summaries=tuple(summaries),
        verdicts=tuple(f"{a}: {reason}" for a, reason in zip(judged["attribute"], judged["reason"], strict=True)),
        limits=tuple(f"{what}: {said}" for what, said in limits.itertuples(index=False, name=None)),
        note=str((document.get("suppression") or {}).get("note", "")),
    )


def _by_attribute(part: Mapping[str, Any]) -> tuple[list[Number], list[Number]]:
    groups: list[Number] = []
    summaries: list[Number] = []
    for attribute, values in part["attributes"].items():
        if len(values.get("attributes") or (1,)) > 1:
            continue
        for group, numbers in values["groups"].items():
            groups += _numbers(numbers, f"{attribute} = {group}")
        for metric in SUMMARIES:
            told = (values.get("summaries") or {}).get(metric) or {}
            if told.get("value") is not None:
                low, high = told.get("ci") or (None, None)
                summaries.append(Number(metric, attribute, told["value"], low, high, None))
    return groups, summaries


def _numbers(values: Mapping[str, Any], where: str) -> list[Number]:
    """Estimates that are judged."""
    found = []
    for metric in METRICS:
        if values.get(metric) is None or (values.get("reasons") or {}).get(metric):
            continue
        low, high = values.get(f"{metric}_ci") or (None, None)
        found.append(Number(metric, where, values[metric], low, high, values.get("n")))
    return found
