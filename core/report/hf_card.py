"""A model card as model hubs read it: Markdown with a YAML head whose `model-index` holds the results."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable

from core import __version__
from core.report.card_content import LABELS, NOT_STATED, CardContent, Number, card_content
from core.report.document import Report
from core.report.readable import readable

SECTIONS = (
    ("Uses", ("intended_use", "users", "population", "care_path")),
    ("Bias, risks and limitations", ("inequalities", "limitations")),
    ("Data", ("sites", "devices", "attributes", "label_assessment", "sample_size")),
    ("Why these measures", ("metric_reason", "prespecified")),
    ("In use", ("monitoring", "involvement", "ethics", "funding", "availability", "contact")),
)
SPECIAL = re.compile(r"([\\`*_{}\[\]()#+!|<>~$-])")


def render_card(report: Report) -> str:
    """The card of the report's first model.

    Raises
    ------
    UserError
        See `card_content`.
    """
    card = card_content(report)
    parts = [_head(card), f"# {markdown_text(card.model)}", _details(card)]
    parts += [_section(heading, keys, card) for heading, keys in SECTIONS]
    parts += [_list("Limits that follow from the audit", card.limits), _results(card), _list("Verdicts", card.verdicts)]
    return "\n\n".join(part for part in parts if part) + "\n"


def markdown_text(text: str) -> str:
    """Text as Markdown shows it, whatever it holds: no tag, link or table comes of it."""
    return SPECIAL.sub(r"\\\1", readable(text).replace("&", "&amp;")).replace("\\<", "&lt;").replace("\\>", "&gt;").replace("\r", "").replace("\n", " ")


def _head(card: CardContent) -> str:
    """YAML; every scalar is written as JSON, which YAML reads as it is."""
    lines = ["---", f"model_name: {_scalar(card.model)}", "tags:", '- "multifair"', '- "fairness-audit"', "model-index:", f"- name: {_scalar(card.model)}",
             "  results:"]  # fmt: skip
    lines += ["  - task:", '      type: "other"', "    dataset:", f"      name: {_scalar(card.source)}", '      type: "other"', "    metrics:"]  # fmt: skip
    for number in (*card.overall, *card.summaries, *card.groups):
        lines += [f"    - type: {_scalar(number.metric)}", f"      name: {_scalar(number.label)}", f"      value: {json.dumps(number.value)}"]
    if not (card.overall or card.summaries or card.groups):
        lines[-1] = "    metrics: []"
    return "\n".join([*lines, "---"])


def _scalar(text: str) -> str:
    return json.dumps(readable(text), ensure_ascii=True)


def _details(card: CardContent) -> str:
    note = f" {card.note}" if card.note else ""
    return f"Audited {card.date} on {markdown_text(card.source)} by multifair {__version__}.{note}\n\n**{LABELS['developer']}** {_answer(card, 'developer')}"


def _answer(card: CardContent, key: str) -> str:
    said = card.said(key)
    return f"*{said}*" if said == NOT_STATED else markdown_text(said)


def _section(heading: str, keys: Iterable[str], card: CardContent) -> str:
    return f"## {heading}\n\n" + "\n\n".join(f"**{LABELS[key]}** {_answer(card, key)}" for key in keys)


def _list(heading: str, items: Iterable[str]) -> str:
    lines = [f"- {markdown_text(item)}" for item in items]
    return f"## {heading}\n\n" + "\n".join(lines) if lines else ""


def _results(card: CardContent) -> str:
    rows = [f"| {markdown_text(number.label)} | {number.text} | {_count(number)} |" for number in (*card.overall, *card.summaries, *card.groups)]
    return "## Evaluation\n\n| measure | estimate with interval | rows |\n| --- | --- | --- |\n" + "\n".join(rows)


def _count(number: Number) -> str:
    return "" if number.n is None else str(number.n)
