"""The section that says how an audit can be made again, from the provenance in its document."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd

from core.charts.text import count, decimal
from core.report import contents
from core.report.document import Section, TableBlock

ROLES = {
    "label": "True label", "score": "Score", "prediction": "Predicted label", "attributes": "Sensitive attributes", "id": "Sample id",
    "patient": "Patient", "model": "Name of the model", "weights": "Sampling weights", "split": "Split",
}  # fmt: skip
CHOSEN_ON = {
    "fixed": "stated beforehand",
    "given labels": "predicted labels were given",
    "validation": "chosen on the validation rows",
    "in-sample": "chosen on the audited rows themselves",
}


def provenance_section(document: Mapping[str, Any]) -> Section:
    """Input, rows, columns, choices, versions and command; an audit made before these were recorded says so."""
    made = document.get("provenance")
    if not isinstance(made, Mapping):
        return Section(
            contents.AGAIN, "This audit was made by a version that did not record its input; make it again to have file, columns and versions on record."
        )
    blocks = [_table("provenance", "Input, rows and columns", [*_input(made), *_rows(made), *_columns(made), *_points(made)])]
    blocks.append(_table("choices", "Every choice", [(name.replace("_", " "), _shown(value)) for name, value in made["options"].items()], folded=True))
    versions = [
        ("multifair", str(made["tool"]).removeprefix("multifair ")),
        ("Python", made["python"]),
        *((name, version or "not installed") for name, version in made["packages"].items()),
    ]
    blocks.append(_table("versions", "Versions", [*versions, ("System", made["platform"]), ("Date", made["date"])], folded=True))
    command = made.get("command")
    sentence = f"In the folder of the file: {command}" if command else "These predictions did not come from a file, so no command makes the audit again."
    return Section(contents.AGAIN, sentence, tuple(blocks))


def row_flow(made: Mapping[str, Any]) -> pd.DataFrame:
    """Rows read, left out with the reason, and audited: columns what, value."""
    return pd.DataFrame(_rows(made), columns=pd.Index(["what", "value"]))


def operating_points(made: Mapping[str, Any]) -> pd.DataFrame:
    """The outcome, what counts as positive, and each model's threshold with where it was chosen: columns what, value."""
    columns = made.get("columns") or {}
    label = [("Outcome", f"column {made['label']}" if made.get("label") else "the cohort's own label")]
    positive = [("Counted as positive", ", ".join(made["positive"]))] if made.get("positive") else []
    choices = [(f"{title} labels", str(columns[name])) for title, name in (("Uncertain", "uncertain"), ("Empty", "blank")) if columns.get(name)]
    return pd.DataFrame([*label, *positive, *choices, *_points(made)], columns=pd.Index(["what", "value"]))


def _table(name: str, title: str, rows: list[tuple[str, str]], folded: bool = False) -> TableBlock:
    return TableBlock(name, title, pd.DataFrame(rows, columns=pd.Index(["what", "value"])), folded=folded)


def _input(made: Mapping[str, Any]) -> list[tuple[str, str]]:
    rows = []
    for file in made["files"]:
        rows += [("File", f"{file['name']} ({count(file['bytes'])} bytes)"), ("SHA-256", file["sha256"])]
    if made.get("join"):
        rows.append(("Joined by", made["join"]))
    return rows + [("Run", f"{run['run_id']} (key {run['key']})") for run in made["runs"]]


def _rows(made: Mapping[str, Any]) -> list[tuple[str, str]]:
    left_out = [(f"Left out: {part['reason']}", count(part["rows"])) for part in made["left_out"]]
    return [("Rows read", count(made["rows_read"])), *left_out, ("Rows audited", count(made["rows_audited"]))]


def _columns(made: Mapping[str, Any]) -> list[tuple[str, str]]:
    columns = made.get("columns") or {}
    rows = [(title, _shown(columns[role])) for role, title in ROLES.items() if columns.get(role)]
    return rows + ([("Counted as positive", ", ".join(made["positive"]))] if made["positive"] else [])


def _points(made: Mapping[str, Any]) -> list[tuple[str, str]]:
    """One line per model: the threshold, what it was chosen for, and on which rows."""
    rows = []
    for model, point in made["operating_points"].items():
        where = CHOSEN_ON.get(point["chosen_on"], str(point["chosen_on"]))
        threshold = "" if point["threshold"] is None else f"threshold {decimal(point['threshold'])}, "
        target = f" for a {point['target']}" if point.get("target") else ""
        rows.append(
            (f"Operating point of {model}" if len(made["operating_points"]) > 1 else "Operating point", point["reason"] or f"{threshold}{where}{target}")
        )
    return rows


def _shown(value: Any) -> str:
    """A choice as read by people: lists with commas, nothing as a dash."""
    if value is None or value in ([], {}, ""):
        return "–"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, Mapping):
        return "; ".join(f"{name}: {_shown(part)}" for name, part in value.items())
    if isinstance(value, (list, tuple)):
        return ", ".join(_shown(part) for part in value)
    return f"{value:g}" if isinstance(value, float) else str(value)
